/* template.c - an event in the words of a template, as users of containers know them.
 *
 * Owns the parsed template.  Used by events.  Promises that a template is understood as a whole
 * before anything is printed, that a field that is not known is refused by name, and that no text
 * of a container reaches the terminal as it is.
 */
#include "template.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "cli.h"
#include "moment.h"
#include "report.h"

#define TEXT_SIZE 256 /* of what is made from numbers */

/* ---- fields ---- */

/* What a field is made from. */
struct source {
    const hcs_event *event;
    const char *cursor;
    int reconnects;
    char text[TEXT_SIZE];
    char *owned; /* a longer one */
};

_printf_(2, 3) static const char *print(struct source *s, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(s->text, sizeof s->text, format, arguments);
    va_end(arguments);
    return s->text;
}

/* A number, or nothing where it would say nothing. */
static const char *print_number(struct source *s, uint64_t value)
{
    return value ? print(s, "%" PRIu64, value) : "";
}

static const char *exit_how(struct source *s)
{
    static const char *const hows[] = { [HCS_EXIT_UNKNOWN] = "unknown",
                                        [HCS_EXIT_CODE] = "code",
                                        [HCS_EXIT_SIGNAL] = "signal",
                                        [HCS_EXIT_STATUS] = "status" };
    const hcs_event *e = s->event;

    return e->has_exit && e->exit.how < N_ELEMENTS(hows) ? hows[e->exit.how] : "";
}

static const char *exit_words(struct source *s)
{
    return s->event->has_exit ? hcs_exit_describe(&s->event->exit, s->text, sizeof s->text) : "";
}

static const char *exit_code(struct source *s)
{
    const hcs_event *e = s->event;

    return e->has_exit && e->exit.how == HCS_EXIT_CODE ? print(s, "%" PRIu32, e->exit.code) : "";
}

static const char *exit_signal(struct source *s)
{
    const hcs_event *e = s->event;

    return e->has_exit && e->exit.how == HCS_EXIT_SIGNAL ? print(s, "%" PRId32, e->exit.signal)
                                                         : "";
}

static const char *message(struct source *s)
{
    s->owned = report_event_words(s->event, s->reconnects);
    return s->owned;
}

static const char *time_text(struct source *s)
{
    char text[MOMENT_SIZE];

    return s->event->realtime_ns ? print(s, "%s", moment_format(s->event->realtime_ns, text)) : "";
}

static const char *field_id(struct source *s)
{
    return s->event->system.id;
}
static const char *field_owner(struct source *s)
{
    return s->event->system.owner;
}
static const char *field_type(struct source *s)
{
    return s->event->system.type;
}
static const char *field_isolation(struct source *s)
{
    return s->event->system.isolation;
}
static const char *field_detail(struct source *s)
{
    return s->event->detail;
}
static const char *field_cursor(struct source *s)
{
    return s->cursor;
}
static const char *field_host(struct source *s)
{
    return s->event->host_id;
}
static const char *field_log(struct source *s)
{
    return s->event->log_id;
}
static const char *field_boot(struct source *s)
{
    return s->event->boot_id;
}

static const char *field_kind(struct source *s)
{
    return report_event_name(s->event, s->text, sizeof s->text);
}

static const char *field_kind_number(struct source *s)
{
    return print_number(s, s->event->kind);
}
static const char *field_sequence(struct source *s)
{
    return print_number(s, s->event->sequence);
}
static const char *field_time_ns(struct source *s)
{
    return print_number(s, s->event->realtime_ns);
}

static const char *field_monotonic(struct source *s)
{
    return print_number(s, s->event->monotonic_ns);
}

static const char *field_incarnation(struct source *s)
{
    return print_number(s, s->event->system.incarnation);
}

static const char *field_process(struct source *s)
{
    return print_number(s, s->event->process_id);
}

static const char *field_gap_first(struct source *s)
{
    return print_number(s, s->event->gap_first);
}

static const char *field_gap_last(struct source *s)
{
    return print_number(s, s->event->gap_last);
}

static const struct field {
    const char *name;
    const char *(*get)(struct source *s); /* NULL: out of memory */
    int is_json; /* it is JSON already: a number or a document; nothing is null */
} fields[] = {
    { "ID", field_id, 0 },
    { "Kind", field_kind, 0 },
    { "KindNumber", field_kind_number, 1 },
    { "Sequence", field_sequence, 1 },
    { "Time", time_text, 0 },
    { "TimeNano", field_time_ns, 1 },
    { "MonotonicNano", field_monotonic, 1 },
    { "Message", message, 0 },
    { "Exit", exit_words, 0 },
    { "ExitHow", exit_how, 0 },
    { "ExitCode", exit_code, 1 },
    { "Signal", exit_signal, 1 },
    { "ProcessID", field_process, 1 },
    { "Owner", field_owner, 0 },
    { "Type", field_type, 0 },
    { "Isolation", field_isolation, 0 },
    { "Incarnation", field_incarnation, 1 },
    { "Detail", field_detail, 1 },
    { "GapFirst", field_gap_first, 1 },
    { "GapLast", field_gap_last, 1 },
    { "Cursor", field_cursor, 0 },
    { "Host", field_host, 0 },
    { "Log", field_log, 0 },
    { "Boot", field_boot, 0 },
};

char *template_fields(char *buffer, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < N_ELEMENTS(fields) && at < size; i++)
        at += (size_t) snprintf(buffer + at, size - at, "%s.%s", i ? ", " : "", fields[i].name);
    return buffer;
}

/* ---- parsing ---- */

enum piece_type { PIECE_TEXT, PIECE_FIELD, PIECE_JSON, PIECE_ALL };

struct piece {
    enum piece_type type;
    const struct field *field; /* PIECE_FIELD, PIECE_JSON */
    char *text;                /* PIECE_TEXT: owned */
};

struct template
{
    struct piece *pieces;
    size_t n;
};

void template_drop(struct template *t)
{
    for (size_t i = 0; t && i < t->n; i++)
        free(t->pieces[i].text);
    if (t)
        free(t->pieces);
    free(t);
}

static int add_piece(struct template *t, struct piece piece, char problem[OPTION_PROBLEM])
{
    struct piece *pieces = realloc(t->pieces, (t->n + 1) * sizeof *pieces);

    if (pieces)
        t->pieces = pieces;
    if (!pieces || (piece.type == PIECE_TEXT && !piece.text)) {
        free(piece.text);
        snprintf(problem, OPTION_PROBLEM, "not enough memory");
        return -1;
    }
    t->pieces[t->n++] = piece;
    return 0;
}

/* What a backslash and @c stand for; 0: for themselves. */
static char escaped(char c)
{
    return c == 't' ? '\t' : c == 'n' ? '\n' : c == '\\' ? '\\' : 0;
}

/* Text as it is, but for what a shell leaves alone between quotes: \t, \n and \\. */
static char *unescape(const char *text, size_t n)
{
    char *out = malloc(n + 1), *to = out;

    for (size_t i = 0; out && i < n; i++) {
        char c = text[i] == '\\' && i + 1 < n ? escaped(text[i + 1]) : 0;

        *to++ = c ? c : text[i];
        i += c != 0;
    }
    if (out)
        *to = '\0';
    return out;
}

static int refuse_field(const char *name, size_t n, char problem[OPTION_PROBLEM])
{
    const char *names[N_ELEMENTS(fields)], *nearest;
    char word[48], list[320];

    snprintf(word, sizeof word, "%.*s", (int) (n < sizeof word ? n : sizeof word - 1), name);
    for (size_t i = 0; i < N_ELEMENTS(fields); i++)
        names[i] = fields[i].name;
    nearest = option_nearest(word, names, N_ELEMENTS(names));
    if (nearest)
        snprintf(problem, OPTION_PROBLEM, "there is no field '.%s', did you mean '.%s'?", word,
                 nearest);
    else
        snprintf(problem, OPTION_PROBLEM, "there is no field '.%s'; there are %s", word,
                 template_fields(list, sizeof list));
    return -1;
}

static int find_field(const char *name, size_t n, const struct field **out,
                      char problem[OPTION_PROBLEM])
{
    for (size_t i = 0; i < N_ELEMENTS(fields); i++)
        if (strlen(fields[i].name) == n && memcmp(fields[i].name, name, n) == 0) {
            *out = &fields[i];
            return 0;
        }
    return refuse_field(name, n, problem);
}

static void trim(const char **at, size_t *n)
{
    while (*n > 0 && **at == ' ') {
        (*at)++;
        (*n)--;
    }
    while (*n > 0 && (*at)[*n - 1] == ' ')
        (*n)--;
}

/* What stands between the braces. */
static int parse_action(struct template *t, const char *at, size_t n, char problem[OPTION_PROBLEM])
{
    struct piece piece = { .type = PIECE_FIELD };
    const char *whole = at;
    size_t n_whole = n;

    trim(&at, &n);
    if (n > 5 && memcmp(at, "json ", 5) == 0) {
        piece.type = PIECE_JSON;
        at += 5;
        n -= 5;
        trim(&at, &n);
    }
    if (n == 1 && *at == '.' && piece.type == PIECE_JSON) {
        piece.type = PIECE_ALL;
        return add_piece(t, piece, problem);
    }
    if (n < 2 || *at != '.') {
        snprintf(problem, OPTION_PROBLEM,
                 "'{{%.*s}}' is not understood: write {{.FIELD}}, {{json .FIELD}} or {{json .}}",
                 (int) (n_whole < 80 ? n_whole : 80), whole);
        return -1;
    }
    return find_field(at + 1, n - 1, &piece.field, problem) < 0 ? -1 : add_piece(t, piece, problem);
}

static int parse(struct template *t, const char *text, char problem[OPTION_PROBLEM])
{
    const char *at = text;

    while (*at) {
        const char *open = strstr(at, "{{"), *close;
        size_t n = open ? (size_t) (open - at) : strlen(at);

        if (n > 0 && add_piece(t, (struct piece){ PIECE_TEXT, NULL, unescape(at, n) }, problem) < 0)
            return -1;
        if (!open)
            return 0;
        close = strstr(open, "}}");
        if (!close) {
            snprintf(problem, OPTION_PROBLEM, "the '{{' at character %zu is not closed by '}}'",
                     (size_t) (open - text) + 1);
            return -1;
        }
        if (parse_action(t, open + 2, (size_t) (close - open) - 2, problem) < 0)
            return -1;
        at = close + 2;
    }
    return 0;
}

struct template *template_parse(const char *text, char problem[OPTION_PROBLEM])
{
    struct template *t = calloc(1, sizeof *t);

    if (!t)
        snprintf(problem, OPTION_PROBLEM, "not enough memory");
    else if (parse(t, text, problem) < 0) {
        template_drop(t);
        return NULL;
    }
    return t;
}

/* ---- what it tells ---- */

static int is_kind(const struct field *field)
{
    static const char *const names[] = { "Kind", "KindNumber", "Message", "GapFirst", "GapLast" };

    for (size_t i = 0; i < N_ELEMENTS(names); i++)
        if (strcmp(field->name, names[i]) == 0)
            return 1;
    return 0;
}

int template_tells_kind(const struct template *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].type == PIECE_ALL || (t->pieces[i].field && is_kind(t->pieces[i].field)))
            return 1;
    return 0;
}

/* ---- printing ---- */

/* @take_text_opt onto @to. */
static int put(FILE *to, char *take_text_opt)
{
    if (take_text_opt)
        fputs(take_text_opt, to);
    free(take_text_opt);
    return take_text_opt ? 0 : -1;
}

static int put_json(FILE *to, const struct field *field, const char *text)
{
    _cleanup_(json_dropp) json_t *json = NULL;

    if (field->is_json)
        return put(to, *text ? report_json_line(text, strlen(text)) : strdup("null"));
    json = json_string(text);
    if (!json) { /* not UTF-8 */
        _cleanup_(free_dropp) char *clean = output_clean(text);

        json = clean ? json_string(clean) : NULL;
    }
    return json ? put(to, json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT)) : -1;
}

static int put_field(FILE *to, const struct piece *piece, struct source *s)
{
    const char *text = piece->field->get(s);
    int r = -1;

    if (text)
        r = piece->type == PIECE_JSON ? put_json(to, piece->field, text)
                                      : put(to, output_clean(text));
    free(s->owned);
    s->owned = NULL;
    return r;
}

int template_print(const struct template *t, FILE *to, const hcs_event *event, const char *cursor,
                   int reconnects)
{
    struct source s = { .event = event, .cursor = cursor, .reconnects = reconnects };
    int r = 0;

    for (size_t i = 0; i < t->n && r == 0; i++) {
        const struct piece *piece = &t->pieces[i];

        if (piece->type == PIECE_TEXT)
            fputs(piece->text, to);
        else if (piece->type == PIECE_ALL)
            r = put(to, report_event_json(event, cursor));
        else
            r = put_field(to, piece, &s);
    }
    return r;
}
