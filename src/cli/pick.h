/* pick.h - which events to show: --filter, as people write it. */
#ifndef HCS_CLI_PICK_H
#define HCS_CLI_PICK_H

#include <hcs/stream.h>

#include "option.h"

#define PICK_FORMS "kind=NAME, id=ID, owner=OWNER or exit=HOW"
#define PICK_ITEMS_MAX 64 /* the library's own limit, which it says by name */

/* A filter and what it points to; texts are borrowed from the command line or owned here. */
struct pick {
    hcs_event_filter filter;
    hcs_event_kind kinds[PICK_ITEMS_MAX + 1];
    const char *ids[PICK_ITEMS_MAX + 1];
    const char *owners[PICK_ITEMS_MAX + 1];
    char **owned;
    size_t n_owned;
    int is_set;
};

void pick_init(struct pick *p);
void pick_done(struct pick *p);

/* One --filter: KEY=VALUE, or several with commas between, where a key that is the one before may
 * be left out: kind=ProcessExited,SystemExited,owner=me.  0, or -1 with @problem. */
int pick_add(struct pick *p, const char *text, char problem[OPTION_PROBLEM]);

#endif
