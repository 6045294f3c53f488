/* cmd_events.c - hcs events: follow what happens, as a person or a program reads it.
 *
 * For one id the service follows the system.  For several, hcs reads the stream of the host and
 * picks, so that events come in the order of their numbers; it ends when the last of them has
 * ended.
 */
#include <string.h>
#include <time.h>

#include "cli.h"
#include "machine.h"
#include "output.h"
#include "report.h"

enum { WIDTH_TIME = 21, WIDTH_SEQUENCE = 8, WIDTH_ID = 20, WIDTH_NAME = 21 };

static const char text[] =
    "Events are shown as they happen, until Ctrl-C; with ids, until those systems have ended.\n"
    "With --format json each event is one JSON object on a line of its own, with the service's\n"
    "document as its detail.  Numbers of one host are dense: what is missing is told as a gap.\n"
    "The exit status is 1 when the service went away.\n"
    "\n"
    "Examples:\n"
    "  hcs events\n"
    "  hcs events --all web\n"
    "  hcs events --format json | jq -c 'select(.name == \"ProcessExited\") | .exit'\n";

/* A system that is followed. */
struct wanted {
    const char *id;
    uint64_t incarnation; /* 0: any */
    uint64_t until;       /* ended at or before this number; 0: it lives */
    int ended;
};

struct follow {
    hcs_host *host;
    hcs_stream *stream;
    hcs_stream_options options;
    int as_json, has_colour;
    struct wanted *wanted; /* for several ids */
    int n_wanted;
    uint64_t position; /* for several ids: number of the last event seen */
    int status;        /* -1: go on */
};

/* ---- printing ---- */

static void print_time(const hcs_event *event)
{
    time_t seconds = (time_t) (event->realtime_ns / 1000000000u);
    unsigned thousandths = (unsigned) (event->realtime_ns / 1000000u % 1000u);
    struct tm t;
    char day[32] = "", whole[48] = "-";

    if (event->realtime_ns && machine_local_time(seconds, &t) == 0 &&
        strftime(day, sizeof day, "%b %d %H:%M:%S", &t))
        snprintf(whole, sizeof whole, "%s.%03u", day, thousandths);
    printf("%-*s", WIDTH_TIME, whole);
}

static int print_row(const struct follow *f, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = report_event_words(event);
    enum colour colour = report_event_colour(event);
    char number[24] = "-", name[16];

    if (!words)
        return -1;
    if (event->sequence)
        snprintf(number, sizeof number, "%llu", (unsigned long long) event->sequence);
    print_time(event);
    printf("%*s  ", WIDTH_SEQUENCE - 2, number);
    output_cell(stdout, event->system.id[0] ? event->system.id : "-", COLOUR_BOLD, WIDTH_ID,
                f->has_colour);
    printf(" ");
    output_cell(stdout, report_event_name(event, name, sizeof name), COLOUR_NONE, WIDTH_NAME,
                f->has_colour);
    printf(" ");
    output_cell(stdout, words, colour, 0, f->has_colour);
    putchar('\n');
    return 0;
}

static int print_line(const hcs_event *event)
{
    _cleanup_(free_dropp) char *line = report_event_json(event);

    if (line)
        puts(line);
    return line ? 0 : -1;
}

/* The title also tells whoever started us that nothing is missed from here on. */
static void print_title(const struct follow *f)
{
    if (!f->as_json) {
        printf("%-*s%*s  %-*s %-*s %s\n", WIDTH_TIME, "TIME", WIDTH_SEQUENCE - 2, "NUMBER",
               WIDTH_ID, "ID", WIDTH_NAME, "EVENT", "WHAT IT MEANS");
        fflush(stdout);
    }
}

static void print_event(struct follow *f, const hcs_event *event)
{
    if ((f->as_json ? print_line(event) : print_row(f, event)) < 0) {
        output_fail("not enough memory to show event %llu", (unsigned long long) event->sequence);
        f->status = STATUS_FAILED;
    }
    if (fflush(stdout) != 0)
        f->status = STATUS_FAILED; /* main() says why */
}

/* ---- several ids ---- */

static struct wanted *find(struct follow *f, const hcs_event *event)
{
    for (int i = 0; i < f->n_wanted; i++) {
        struct wanted *w = &f->wanted[i];

        if (strcmp(w->id, event->system.id) == 0 &&
            (!w->incarnation || w->incarnation == event->system.incarnation))
            return w;
    }
    return NULL;
}

static int all_ended(const struct follow *f)
{
    for (int i = 0; i < f->n_wanted; i++) {
        const struct wanted *w = &f->wanted[i];

        if (!w->ended && !(w->until && f->position >= w->until))
            return 0;
    }
    return f->n_wanted > 0;
}

/* The number of the newest event. */
static hcs_result last_number(hcs_host *host, uint64_t *out, hcs_error *err)
{
    _cleanup_(string_dropp) char *document = NULL;
    _cleanup_(json_dropp) json_t *info = NULL;
    hcs_result r = hcs_host_info(host, &document, err);

    if (r < 0)
        return r;
    info = json_loads(document, 0, NULL);
    *out = (uint64_t) json_integer_value(json_object_get(json_object_get(info, "log"), "last"));
    return HCS_OK;
}

/* A system that the service has forgotten: the log may still know it. */
static hcs_result look_in_log(struct follow *f, struct wanted *w, hcs_error *err)
{
    hcs_stream_options options = HCS_STREAM_OPTIONS_INIT;
    hcs_stream *stream = NULL;
    hcs_result r;

    options.from = HCS_FROM_BEGINNING;
    options.system_id = w->id;
    r = hcs_stream_open(f->host, &options, &stream, err);
    hcs_stream_close(stream);
    w->ended = r == HCS_OK;
    return r;
}

static hcs_result look_up(struct follow *f, struct wanted *w, hcs_error *err)
{
    _cleanup_(system_dropp) hcs_system *system = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    _cleanup_(json_dropp) json_t *json = NULL;
    const char *state;
    hcs_result r = hcs_system_open(f->host, w->id, &system, err);

    if (r == HCS_E_SYSTEM_NOT_FOUND)
        r = look_in_log(f, w, err);
    else if (r == HCS_OK)
        r = hcs_system_properties(system, &document, err);
    if (r < 0)
        return r;
    json = document ? json_loads(document, 0, NULL) : NULL;
    w->incarnation = (uint64_t) json_integer_value(json_object_get(json, "Incarnation"));
    state = json_string_value(json_object_get(json, "State"));
    w->ended |= state && strcmp(state, "Stopped") == 0;
    return HCS_OK;
}

/* What has ended already ends no stream: read on to the number the log has now, and no further. */
static hcs_result look_up_all(struct follow *f, hcs_error *err)
{
    uint64_t last = 0;
    hcs_result r = HCS_OK;

    for (int i = 0; i < f->n_wanted && r == HCS_OK; i++)
        r = look_up(f, &f->wanted[i], err);
    if (r == HCS_OK)
        r = last_number(f->host, &last, err);
    for (int i = 0; i < f->n_wanted && r == HCS_OK; i++) {
        if (!f->wanted[i].ended)
            continue;
        f->wanted[i].until = last;
        f->wanted[i].ended = last == 0;
    }
    return r;
}

/* The position of a stream of the host must be known from the first event on. */
static hcs_result open_many(struct follow *f, hcs_error *err)
{
    hcs_result r = HCS_OK;

    if (f->options.from == HCS_FROM_NOW) {
        f->options.from = HCS_FROM_AFTER;
        r = last_number(f->host, &f->options.after, err);
    }
    f->position = f->options.from == HCS_FROM_AFTER ? f->options.after : 0;
    if (r == HCS_OK)
        r = hcs_stream_open(f->host, &f->options, &f->stream, err);
    return r == HCS_OK ? look_up_all(f, err) : r;
}

/* ---- following ---- */

static int is_shown(struct follow *f, const hcs_event *event)
{
    struct wanted *w;

    if (event->sequence)
        f->position = event->sequence;
    if (event->kind == HCS_EVENT_GAP)
        f->position = event->gap_last;
    if (f->n_wanted == 0 || !event->system.id[0])
        return 1;
    w = find(f, event);
    if (w && event->kind == HCS_EVENT_SYSTEM_EXITED)
        w->ended = 1;
    return w != NULL;
}

/* A stream of one system ends with it; that of a host should not. */
static void end(struct follow *f, const hcs_event *event)
{
    _cleanup_(free_dropp) char *words = NULL;

    if (f->options.system_id) {
        f->status = STATUS_OK;
        return;
    }
    words = report_event_words(event);
    output_fail("%s", words ? words : "the stream ended");
    f->status = STATUS_FAILED;
}

static void take_event(struct follow *f, const hcs_event *event)
{
    if (event->kind == HCS_EVENT_END) {
        end(f, event);
        return;
    }
    if (is_shown(f, event))
        print_event(f, event);
    if (event->kind == HCS_EVENT_SERVICE_DISCONNECT) {
        output_fail("the service is gone");
        f->status = STATUS_FAILED;
    } else if (f->status < 0 && all_ended(f)) {
        f->status = STATUS_OK;
    }
}

/* Wait for an event, or for the reader of our output to leave. */
static void wait_for_event(struct follow *f)
{
    if (machine_wait_or_reader_gone(hcs_stream_pollable(f->stream)))
        f->status = STATUS_OK;
}

static int follow(struct follow *f)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_event event = HCS_EVENT_INIT;

    if (all_ended(f))
        f->status = STATUS_OK;
    while (f->status < 0) {
        hcs_result r = hcs_stream_next(f->stream, 0, &event, &err);

        if (r == HCS_OK) {
            take_event(f, &event);
        } else if (r == HCS_E_OPERATION_TIMEOUT) {
            wait_for_event(f);
        } else {
            output_error(&err, NULL);
            f->status = STATUS_FAILED;
        }
    }
    return f->status;
}

static int open_and_follow(struct follow *f, const struct arguments *ids)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_result r = cli_open_host(&f->host, &err);

    f->n_wanted = ids->n > 1 ? ids->n : 0;
    f->wanted = calloc((size_t) ids->n + 1, sizeof *f->wanted);
    if (!f->wanted) {
        output_fail("not enough memory");
        return STATUS_FAILED;
    }
    for (int i = 0; i < ids->n; i++)
        f->wanted[i].id = ids->items[i];
    if (ids->n == 1)
        f->options.system_id = ids->items[0];
    if (r == HCS_OK)
        r = ids->n > 1 ? open_many(f, &err)
                       : hcs_stream_open(f->host, &f->options, &f->stream, &err);
    if (r < 0) {
        output_error(&err, ids->n == 1 ? ids->items[0] : NULL);
        return STATUS_FAILED;
    }
    print_title(f);
    return follow(f);
}

static int run(const struct command *self, int argc, char **argv)
{
    struct follow f = { .options = HCS_STREAM_OPTIONS_INIT, .status = -1 };
    const char *format = NULL, *after = NULL;
    int all = 0;
    const struct opt opts[] = {
        { "all", 'a', OPT_FLAG, &all, NULL, "begin with the oldest event that the log has" },
        { "after", 0, OPT_TEXT, &after, "N", "begin after the event numbered N" },
        { "format", 0, OPT_TEXT, &format, "table|json",
          "a table (default) or JSON, one object a line" },
    };
    struct arguments arguments;
    char problem[OPTION_PROBLEM];
    int status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (status < 0)
        status = cli_format(self, format, &f.as_json);
    if (status < 0 && all && after)
        status = cli_usage(self, "--all and --after exclude each other");
    if (status < 0 && after && option_number(after, 0, INT64_MAX, &f.options.after, problem) < 0)
        status = cli_usage(self, "--after %s", problem);
    if (status >= 0)
        return status;
    f.options.from = all ? HCS_FROM_BEGINNING : after ? HCS_FROM_AFTER : HCS_FROM_NOW;
    f.has_colour = output_has_colour(stdout);
    status = open_and_follow(&f, &arguments);
    hcs_stream_close(f.stream);
    hcs_host_close(f.host);
    free(f.wanted);
    return status;
}

const struct command cmd_events = {
    .name = "events",
    .arguments = "[ID...]",
    .summary = "Follow what happens, event by event",
    .text = text,
    .run = run,
};
