/* follow_exits.c - tell every exit on this host, each at least once, whatever is restarted
 * meanwhile.
 *
 *   follow_exits FILE [COUNT]   leave after COUNT exits of systems (default: follow for ever)
 *
 * The cursor in FILE stands behind what has been dealt with; it is kept after that, so a program
 * that is killed in between tells an exit again, and never leaves one out.  A service that goes
 * away is waited for. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hcs/hcs.h>

static const hcs_event_kind exits[] = { HCS_EVENT_PROCESS_EXITED, HCS_EVENT_SYSTEM_EXITED };

static void cursor_read(const char *path, char cursor[HCS_CURSOR_SIZE])
{
    FILE *f = fopen(path, "r");

    if (f && fgets(cursor, HCS_CURSOR_SIZE, f))
        cursor[strcspn(cursor, "\r\n")] = '\0';
    if (f)
        fclose(f);
}

/* A real program writes another file and renames it. */
static void cursor_keep(const char *path, const hcs_stream *stream)
{
    char cursor[HCS_CURSOR_SIZE];
    FILE *f = hcs_stream_cursor(stream, cursor, sizeof cursor, NULL) < 0 ? NULL : fopen(path, "w");

    if (f) {
        fprintf(f, "%s\n", cursor);
        fclose(f);
    }
}

static void tell(const hcs_event *event)
{
    char how[256];

    if (event->has_exit)
        printf("%llu %s %s\n", (unsigned long long) event->sequence, event->system.id,
               hcs_exit_describe(&event->exit, how, sizeof how));
    else if (event->kind == HCS_EVENT_GAP)
        printf("lost %llu to %llu\n", (unsigned long long) event->gap_first,
               (unsigned long long) event->gap_last);
    else if (event->kind != HCS_EVENT_BOOKMARK)
        printf("%s\n", hcs_event_kind_name(event->kind));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    hcs_event_filter filter = HCS_EVENT_FILTER_INIT;
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_host *host = NULL;
    hcs_stream *stream = NULL;
    char cursor[HCS_CURSOR_SIZE] = "";
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : -1;

    if (argc < 2)
        return fprintf(stderr, "follow_exits FILE [COUNT]\n"), 2;
    cursor_read(argv[1], cursor);
    filter.kinds = exits;
    filter.n_kinds = 2;
    options.filter = &filter;
    options.flags = HCS_STREAM_RECONNECT;
    options.bookmark_ms = 1000; /* the cursor moves also when nothing ends */
    options.from = cursor[0] ? HCS_FROM_CURSOR : HCS_FROM_BEGINNING;
    options.cursor = cursor[0] ? cursor : NULL;
    if (hcs_host_open(NULL, &host, &err) < 0 || hcs_stream_open(host, &options, &stream, &err) < 0)
        fprintf(stderr, "follow_exits: %s\n", err.text);
    while (stream && count != 0 && hcs_stream_next(stream, -1, &event, &err) == HCS_OK) {
        tell(&event);
        cursor_keep(argv[1], stream);
        count -= event.kind == HCS_EVENT_SYSTEM_EXITED && count > 0;
    }
    hcs_stream_close(stream);
    hcs_host_close(host);
    return count != 0; /* the stream ended before we had seen enough, or was never there */
}
