/* record.h - the exits that a keeper has written down, for when it can no longer tell them. */
#ifndef HCS_KEEPER_RECORD_H
#define HCS_KEEPER_RECORD_H

#include <stdint.h>

struct record {
    uint32_t number;
    uint32_t pid;
    uint32_t wait_status;
    uint32_t asked; /* enum keeper_asked */
    int stage;      /* KEEPER_STAGE says which; the errno of a refusal is not written down */
};

/* Every exit record in @run_dir that nobody has acknowledged, in the order of the numbers. */
typedef void (*record_visit)(void *context, const struct record *record);
void records_read(const char *run_dir, record_visit visit, void *context);

#endif
