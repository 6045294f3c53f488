/* environment.h - variables of the environment, in UTF-8. */
#ifndef HCS_BASE_ENVIRONMENT_H
#define HCS_BASE_ENVIRONMENT_H

/* Owned; NULL: there is none, this process runs with more rights than its user, or no memory. */
char *environment_get(const char *name);

#endif
