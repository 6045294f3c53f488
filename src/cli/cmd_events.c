/* cmd_events.c - hcs events: follow what happens, as a person or a program reads it.
 *
 * For one id the service follows the system.  For several, hcs reads the stream of the host and
 * picks (several.c).
 */
#include <string.h>

#include "cli.h"
#include "cursor_file.h"
#include "lines.h"
#include "machine.h"
#include "moment.h"
#include "output.h"
#include "pick.h"
#include "report.h"
#include "several.h"

#define BATCH_MAX 256    /* events until the cursor is kept, when they do not stop coming */
#define BOOKMARK_MS 1000 /* how often the cursor moves over what is not shown */

static const char text[] =
    "Events are shown as they happen, until Ctrl-C; with ids, until those systems\n"
    "have ended.  Numbers of one host are dense: what is missing is told as a gap.\n"
    "\n"
    "TIME  " MOMENT_FORMS "\n"
    "      (+10m is ahead)\n"
    "\n"
    "KEY   kind=NAME or its number, id=ID, owner=OWNER (both may have * and ?),\n"
    "      exit=CODE, nonzero, signal, signal:N or unknown, once.  Of one key any\n"
    "      must match, of several keys all: kind=ProcessExited,SystemExited,owner=me\n"
    "\n"
    "A CURSOR is a place in the log, as --format json shows it with each event.\n"
    "With --cursor-file nothing is shown again that the run before has shown, and\n"
    "what happened in between is not left out.\n"
    "\n"
    "With --format json each event is one JSON object on a line of its own, with the\n"
    "service's document as its detail.  A TEMPLATE has {{.FIELD}}, {{json .FIELD}}\n"
    "and {{json .}}; hcs(1) lists the fields.  One that does not say the kind of an event\n"
    "gets no line for a gap, or for a service that is gone or back: stderr tells those.\n"
    "\n"
    "The exit status is 1 when the service went away.\n"
    "\n"
    "Examples:\n"
    "  hcs events\n"
    "  hcs events --all web\n"
    "  hcs events --since 10m --no-follow --filter exit=nonzero\n"
    "  hcs events --reconnect --cursor-file seen --format '{{.ID}} {{.Kind}} {{.Exit}}'\n"
    "  hcs events --format json | jq -c 'select(.name == \"ProcessExited\") | .exit'\n";

/* What the command line says. */
struct given {
    int all, no_follow, reconnect;
    const char *after, *since, *last, *until, *format;
    struct opt_list filters;
};

struct follow {
    hcs_host *host;
    hcs_stream *stream;
    hcs_stream_options options;
    struct pick pick;
    struct lines lines;
    struct several several;
    struct cursor_file file;
    int is_away; /* the service is gone, and has not come back */
    int status;  /* -1: go on */
};

/* ---- cursors ---- */

/* "" where there is none. */
static const char *cursor_now(const struct follow *f, char buffer[HCS_CURSOR_SIZE])
{
    buffer[0] = '\0';
    if (hcs_stream_cursor(f->stream, buffer, HCS_CURSOR_SIZE, NULL) < 0)
        buffer[0] = '\0';
    return buffer;
}

static void keep_cursor(struct follow *f)
{
    char cursor[HCS_CURSOR_SIZE];
    hcs_error err = HCS_ERROR_INIT;

    if (!f->file.path || f->status == STATUS_FAILED)
        return;
    if (hcs_stream_cursor(f->stream, cursor, sizeof cursor, &err) < 0) {
        output_error(&err, f->file.path);
        f->status = STATUS_FAILED;
    } else if (cursor_file_keep(&f->file, cursor) < 0) {
        f->status = STATUS_FAILED;
    }
}

/* ---- following ---- */

static void print_event(struct follow *f, const hcs_event *event)
{
    char cursor[HCS_CURSOR_SIZE];

    if (lines_print(&f->lines, event, cursor_now(f, cursor)) < 0) {
        output_fail("not enough memory to show event %llu", (unsigned long long) event->sequence);
        f->status = STATUS_FAILED;
    }
    if (fflush(stdout) != 0)
        f->status = STATUS_FAILED; /* main() says why */
}

static int is_reason(const hcs_event *event, const char *reason)
{
    _cleanup_(json_dropp) json_t *detail = json_loads(event->detail, 0, NULL);
    const char *given = json_string_value(json_object_get(detail, "Reason"));

    return given && strcmp(given, reason) == 0;
}

/* A stream ends as it was asked to, and one of one system with it; that of a host should not. */
static void end(struct follow *f, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = NULL;

    if (is_reason(event, "no more events") || is_reason(event, "until") ||
        (f->options.system_id && !f->is_away)) {
        f->status = STATUS_OK;
        return;
    }
    words = report_event_words(event, f->lines.reconnects);
    output_fail("%s", words ? words : "the stream ended");
    f->status = STATUS_FAILED;
}

static void note_service(struct follow *f, const hcs_event *event)
{
    if (event->kind == HCS_EVENT_SERVICE_RECONNECTED)
        f->is_away = 0;
    if (event->kind != HCS_EVENT_SERVICE_DISCONNECT)
        return;
    f->is_away = 1;
    if (!(f->options.flags & HCS_STREAM_RECONNECT)) {
        output_fail("the service is gone");
        f->status = STATUS_FAILED;
    }
}

static void take_event(struct follow *f, const hcs_event *event)
{
    if (event->kind == HCS_EVENT_END) {
        end(f, event);
        return;
    }
    if (several_shows(&f->several, event) && event->kind != HCS_EVENT_BOOKMARK)
        print_event(f, event);
    note_service(f, event);
    if (f->status < 0 && several_have_ended(&f->several))
        f->status = STATUS_OK;
}

/* Take what is there, up to a batch of it. */
static void take_batch(struct follow *f)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_event event = HCS_EVENT_INIT;
    hcs_result r = HCS_OK;

    for (int n = 0; f->status < 0 && r == HCS_OK && n < BATCH_MAX; n++) {
        r = hcs_stream_next(f->stream, 0, &event, &err);
        if (r == HCS_OK)
            take_event(f, &event);
    }
    if (r < 0 && r != HCS_E_OPERATION_TIMEOUT) {
        output_error(&err, NULL);
        f->status = STATUS_FAILED;
    }
}

static int follow(struct follow *f)
{
    if (several_have_ended(&f->several))
        f->status = STATUS_OK;
    keep_cursor(f);
    while (f->status < 0) {
        take_batch(f);
        keep_cursor(f);
        /* Wait for an event, or for the reader of our output to leave. */
        if (f->status < 0 && machine_wait_or_reader_gone(hcs_stream_pollable(f->stream)))
            f->status = STATUS_OK;
    }
    return f->status;
}

/* The log outlives what the service remembers. */
static void say_where_else(const struct arguments *ids, hcs_result r)
{
    _cleanup_(free_dropp) char *id = NULL;

    if (r != HCS_E_SYSTEM_NOT_FOUND)
        return;
    id = ids->n == 1 ? output_clean(ids->items[0]) : NULL;
    fprintf(stderr,
            "  of a system that was removed, the log still has the events: "
            "hcs events --all --filter id=%s\n",
            id ? id : "ID");
}

static int open_and_follow(struct follow *f, const struct arguments *ids)
{
    const char *about = ids->n == 1 ? ids->items[0] : f->options.cursor ? f->file.path : NULL;
    hcs_error err = HCS_ERROR_INIT;
    char cursor[HCS_CURSOR_SIZE];
    hcs_result r;

    if (several_init(&f->several, ids) < 0) {
        output_fail("not enough memory");
        return STATUS_FAILED;
    }
    r = cli_open_host(&f->host, &err);
    if (r == HCS_OK)
        r = hcs_stream_open(f->host, &f->options, &f->stream, &err);
    if (r == HCS_OK)
        r = several_look_up(&f->several, f->host, cursor_now(f, cursor), &err);
    if (r < 0) {
        output_error(&err, about);
        say_where_else(ids, r);
        return STATUS_FAILED;
    }
    lines_title(&f->lines);
    return follow(f);
}

/* ---- the command line ---- */

/* A number of this log, or a cursor, which may be of another. */
static int parse_after(const struct command *self, struct follow *f, const char *after)
{
    char problem[OPTION_PROBLEM];

    if (after[0] < '0' || after[0] > '9') {
        f->options.from = HCS_FROM_CURSOR;
        f->options.cursor = after;
        return -1;
    }
    f->options.from = HCS_FROM_AFTER;
    return option_number(after, 0, INT64_MAX, &f->options.after, problem) < 0
               ? cli_usage(self, "--after %s, or a cursor", problem)
               : -1;
}

/* Where to begin.  Returns as cli_parse(). */
static int parse_begin(const struct command *self, struct follow *f, const struct given *g)
{
    char problem[OPTION_PROBLEM];

    if (g->all + !!g->after + !!g->since + !!g->last > 1)
        return cli_usage(self, "--all, --after, --since and --last exclude each other");
    if (g->all)
        f->options.from = HCS_FROM_BEGINNING;
    if (g->after)
        return parse_after(self, f, g->after);
    if (g->since) {
        f->options.from = HCS_FROM_TIME;
        if (moment_parse(g->since, machine_wall_ns(), &f->options.since_ns, problem) < 0)
            return cli_usage(self, "--since %s", problem);
    }
    if (g->last) {
        f->options.from = HCS_FROM_LAST;
        if (option_number(g->last, 1, INT64_MAX, &f->options.last, problem) < 0)
            return cli_usage(self, "--last %s", problem);
    }
    return -1;
}

static int parse_until(const struct command *self, struct follow *f, const struct given *g)
{
    char problem[OPTION_PROBLEM];

    if (!g->until)
        return -1;
    if (moment_parse(g->until, machine_wall_ns(), &f->options.until_ns, problem) < 0)
        return cli_usage(self, "--until %s", problem);
    if (f->options.until_ns == 0)
        return cli_usage(self, "--until is 1970, before anything");
    if (g->since && f->options.until_ns < f->options.since_ns)
        return cli_usage(self, "--until %s is before --since %s", g->until, g->since);
    return -1;
}

static int parse_filters(const struct command *self, struct follow *f, const struct given *g)
{
    char problem[OPTION_PROBLEM];

    for (size_t i = 0; i < g->filters.n; i++)
        if (pick_add(&f->pick, g->filters.items[i], problem) < 0)
            return cli_usage(self, "--filter %s", problem);
    if (f->pick.is_set)
        f->options.filter = &f->pick.filter;
    return -1;
}

/* What only the service can do, it does for one id or for the host. */
static int check_several(const struct command *self, const struct given *g, int n_ids)
{
    if (n_ids > 1 && (g->filters.n || g->last))
        return cli_usage(self, "%s goes with one ID or none: write --filter id=ID for each",
                         g->last ? "--last" : "--filter");
    return -1;
}

static int parse_rest(const struct command *self, struct follow *f, const struct given *g,
                      const struct arguments *ids)
{
    char problem[OPTION_PROBLEM];

    if (lines_init(&f->lines, g->format, problem) < 0)
        return cli_usage(self, "--format %s", problem);
    if (g->no_follow)
        f->options.flags |= HCS_STREAM_NO_FOLLOW;
    if (g->reconnect)
        f->options.flags |= HCS_STREAM_RECONNECT;
    f->lines.reconnects = g->reconnect;
    if (ids->n == 1)
        f->options.system_id = ids->items[0];
    if (f->file.path && (f->pick.is_set || f->options.system_id))
        f->options.bookmark_ms = BOOKMARK_MS;
    return check_several(self, g, ids->n);
}

/* Go on where the run before stopped; the first one begins as it is told. */
static int read_cursor(struct follow *f)
{
    int found = f->file.path ? cursor_file_read(&f->file) : 0;

    if (found < 0)
        return STATUS_FAILED;
    if (found) {
        f->options.from = HCS_FROM_CURSOR;
        f->options.cursor = f->file.kept;
        f->options.after = f->options.since_ns = f->options.last = 0;
    }
    return -1;
}

static int parse(const struct command *self, struct follow *f, struct given *g, int argc,
                 char **argv, struct arguments *ids)
{
    const struct opt opts[] = {
        { "all", 'a', OPT_FLAG, &g->all, NULL, "begin with the oldest event that the log has" },
        { "after", 0, OPT_TEXT, &g->after, "N|CURSOR", "begin after the event numbered N" },
        { "since", 0, OPT_TEXT, &g->since, "TIME", "begin with the first event of that time" },
        { "last", 'n', OPT_TEXT, &g->last, "N", "begin with the newest N events" },
        { "until", 0, OPT_TEXT, &g->until, "TIME", "end at that time" },
        { "no-follow", 0, OPT_FLAG, &g->no_follow, NULL, "end with what there is now" },
        { "filter", 'f', OPT_LIST, &g->filters, "KEY=VALUE", "show only what matches, see below" },
        { "cursor-file", 0, OPT_TEXT, &f->file.path, "FILE",
          "go on where FILE says, and keep it up to date" },
        { "reconnect", 0, OPT_FLAG, &g->reconnect, NULL,
          "go on when the service was away and is back" },
        { "format", 0, OPT_TEXT, &g->format, "table|json|TEMPLATE",
          "a table (default), JSON, one object a line, or\n"
          "                              lines of your own: '{{.ID}} {{.Kind}} {{.Exit}}'" },
    };
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, ids);

    if (status < 0)
        status = parse_begin(self, f, g);
    if (status < 0)
        status = parse_until(self, f, g);
    if (status < 0)
        status = parse_filters(self, f, g);
    if (status < 0)
        status = parse_rest(self, f, g, ids);
    return status;
}

static int run(const struct command *self, int argc, char **argv)
{
    struct follow f = { .options = HCS_STREAM_OPTIONS_INIT, .status = -1 };
    struct given given = { 0 };
    struct arguments ids;
    int status;

    pick_init(&f.pick);
    status = parse(self, &f, &given, argc, argv, &ids);
    if (status < 0)
        status = read_cursor(&f);
    if (status < 0)
        status = open_and_follow(&f, &ids);
    hcs_stream_close(f.stream);
    hcs_host_close(f.host);
    several_done(&f.several);
    lines_done(&f.lines);
    pick_done(&f.pick);
    opt_list_done(&given.filters);
    return status;
}

const struct command cmd_events = {
    .name = "events",
    .arguments = "[ID...]",
    .summary = "Follow what happens, event by event",
    .text = text,
    .run = run,
};
