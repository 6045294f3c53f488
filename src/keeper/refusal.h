/* refusal.h - why a program could not be started, in the codes and words of HCS. */
#ifndef HCS_KEEPER_REFUSAL_H
#define HCS_KEEPER_REFUSAL_H

#include "attr.h"
#include "hcs/error.h"

/* Fill @err from the step and errno with which a start failed, and return its code. */
hcs_result refusal_of_start(int step, int os, const char *program, const char *directory,
                            const char *where, hcs_error *err);

#endif
