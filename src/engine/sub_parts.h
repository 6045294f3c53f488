/* sub_parts.h - inside of the readers: where one begins, what it is given in a turn. */
#ifndef HCS_ENGINE_SUB_PARTS_H
#define HCS_ENGINE_SUB_PARTS_H

#include "system.h"

/* What one turn of the engine may still cost, in visits of a row of the log. */
struct sub_turn {
    int64_t left;
};

#define SUB_TURN_WORK 4096  /* of a turn: some milliseconds */
#define SUB_DELIVERY_WORK 2 /* more, for an event that is given */
#define SUB_CONTENT_WORK 8  /* more, for an event whose text is read for a filter */
#define SUB_BOOT_WORK 4     /* more, for asking which boot an event is of */
#define SUB_SEEK_ROWS 64u   /* of a step of the search backwards */

/* sub_begin.c: set what @options ask for in @s, which is all zero but for its sink. */
_must_use_ hcs_result sub_place(struct engine *e, struct sub *s, const struct sub_options *options,
                                hcs_error *err);

/* One step of the search for the newest events; 1 when it is over. */
int sub_seek(struct sub *s, struct sub_turn *turn);
void sub_tell_ready(struct sub *s);

/* sub_serve.c: whether an event is for the reader. */
int sub_wants(struct sub *s, struct sub_turn *turn, uint64_t incarnation, hcs_event_kind kind,
              const char *bytes, size_t length);

/* Give a reader one portion; 1 when there is more for it and it has room.  It may be closed
 * afterwards. */
int sub_serve(struct sub *s, struct sub_turn *turn);

#endif
