/* cmd_status.c - hcs status: how the service is, for people, for programs and for Prometheus. */
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "cli.h"
#include "machine.h"
#include "metrics.h"
#include "output.h"

#define COLUMN 10

static const char text[] =
    "Shows positions and size of the log, systems by state, readers of events and how far each is\n"
    "behind, what users have of their limits, and what was refused.\n"
    "\n"
    "It starts no service.  The exit status is 3 when none can be reached.\n"
    "\n"
    "Examples:\n"
    "  hcs status\n"
    "  hcs status --json | jq .log\n"
    "  cd /var/lib/prometheus/node-exporter &&\n"
    "  hcs status --prometheus > hcs.prom.$$ && mv hcs.prom.$$ hcs.prom\n";

static const json_t *part(const json_t *object, const char *key)
{
    return json_object_get(object, key);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *value = json_string_value(part(object, key));

    return value ? value : "";
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long) json_integer_value(part(object, key));
}

/* ---- numbers as people read them ---- */

/* "512", "63.9 K", "1.5 M" */
static void bytes_text(long long n, char out[24])
{
    static const char units[] = "KMGT";
    double value = (double) n;
    size_t unit = 0;

    if (n < 1024) {
        snprintf(out, 24, "%lld", n);
        return;
    }
    for (value /= 1024; value >= 1023.95 && units[unit + 1]; unit++)
        value /= 1024;
    snprintf(out, 24, "%.1f %c", value, units[unit]);
}

/* "7 s", "12 min", "3 h 20 min", "5 d 2 h" */
static void span_text(long long ns, char out[40])
{
    long long s = ns / 1000000000;

    if (s < 120)
        snprintf(out, 40, "%lld s", s);
    else if (s < 7200)
        snprintf(out, 40, "%lld min", s / 60);
    else if (s < 172800)
        snprintf(out, 40, "%lld h %lld min", s / 3600, s / 60 % 60);
    else
        snprintf(out, 40, "%lld d %lld h", s / 86400, s / 3600 % 24);
}

static void moment_text(long long ns, char out[40])
{
    struct tm t = { 0 };

    if (machine_local_time((time_t) (ns / 1000000000), &t) < 0 ||
        strftime(out, 40, "%Y-%m-%d %H:%M:%S", &t) == 0)
        strcpy(out, "?");
}

/* ---- the lines on top ---- */

/* The title of a line, or of one that goes on. */
static void begin_line(const char *title)
{
    printf("%-*s", COLUMN, title);
}

static void print_clean(const char *value, enum colour colour)
{
    output_cell(stdout, value, colour, 0, output_has_colour(stdout));
}

static void print_service(const json_t *status)
{
    char up[40];

    span_text(number_of(status, "uptimeNs"), up);
    begin_line("service");
    print_clean(text_of(status, "name"), COLOUR_NONE);
    putchar(' ');
    print_clean(text_of(status, "version"), COLOUR_NONE);
    printf(", process %lld of uid %lld, up %s%s\n", number_of(status, "pid"),
           number_of(status, "uid"), up, json_is_true(part(status, "shared")) ? ", shared" : "");
    begin_line("socket");
    print_clean(text_of(status, "socket"), COLOUR_NONE);
    if (*text_of(status, "group")) {
        printf(", for group ");
        print_clean(text_of(status, "group"), COLOUR_NONE);
    }
    putchar('\n');
    if (json_is_object(part(status, "tcp")))
        printf("%-*sport %lld of the loopback\n", COLUMN, "tcp",
               number_of(part(status, "tcp"), "port"));
}

static void print_runtime(const json_t *status)
{
    const json_t *driver;
    size_t i;

    json_array_foreach(part(status, "drivers"), i, driver)
    {
        const json_t *runtime = part(driver, "runtime");

        if (!json_is_object(runtime))
            continue;
        begin_line("runtime");
        print_clean(text_of(runtime, "name"), COLOUR_NONE);
        putchar(' ');
        print_clean(text_of(runtime, "version"), COLOUR_NONE);
        printf(", mode ");
        print_clean(text_of(driver, "mode"), COLOUR_NONE);
        putchar('\n');
    }
    if (*text_of(status, "noContainers")) {
        begin_line("runtime");
        printf("no containers on this machine: ");
        print_clean(text_of(status, "noContainers"), COLOUR_YELLOW);
        putchar('\n');
    }
}

static void print_host(const json_t *status)
{
    if (!*text_of(status, "host"))
        return;
    begin_line("host");
    print_clean(text_of(status, "host"), COLOUR_NONE);
    putchar('\n');
}

/* "keeps 100000 events, 64.0 M, 7 d 0 h" */
static void print_retention(const json_t *log)
{
    long long bytes = number_of(log, "bytesMax"), age = number_of(log, "ageMaxNs");
    char value[40];

    if (!json_is_integer(part(log, "eventsMax")))
        return;
    begin_line("");
    printf("keeps at most %lld events", number_of(log, "eventsMax"));
    if (bytes > 0) {
        bytes_text(bytes, value);
        printf(", %s", value);
    }
    if (age > 0) {
        span_text(age, value);
        printf(", %s", value);
    }
    putchar('\n');
}

/* What somebody should look at. */
static void print_log_trouble(const json_t *log)
{
    char since[40];

    if (json_is_true(part(log, "stuck"))) {
        moment_text(number_of(log, "stuckSinceNs"), since);
        begin_line("");
        print_clean("cannot be written", COLOUR_RED);
        printf(" since %s, %lld event%s wait: ", since, number_of(log, "pending"),
               number_of(log, "pending") == 1 ? "" : "s");
        print_clean(text_of(log, "error"), COLOUR_NONE);
        putchar('\n');
    }
    if (number_of(log, "setAside") > 0) {
        begin_line("");
        printf("%lld damaged log%s set aside, the newest as ", number_of(log, "setAside"),
               number_of(log, "setAside") == 1 ? "" : "s");
        print_clean(text_of(log, "setAsidePath"), COLOUR_YELLOW);
        putchar('\n');
    }
}

static void print_log(const json_t *log)
{
    long long first = number_of(log, "first"), last = number_of(log, "last");
    char size[24];

    begin_line("log");
    print_clean(text_of(log, "id"), COLOUR_NONE);
    putchar('\n');
    begin_line("");
    if (first > last)
        printf("no events%s", last > 0 ? " any more" : " yet");
    else
        printf("events %lld to %lld", first, last);
    if (json_is_integer(part(log, "fileBytes"))) {
        bytes_text(number_of(log, "fileBytes"), size);
        printf(", %s on disk", size);
    }
    putchar('\n');
    print_retention(log);
    print_log_trouble(log);
}

/* "3 running, 1 created"; whatever is not 0 of an object of numbers. */
static void print_counts(const char *title, const json_t *counts, const char *none,
                         enum colour colour)
{
    const char *key, *between = "";
    json_t *value;
    char one[64];

    begin_line(title);
    json_object_foreach((json_t *) (uintptr_t) counts, key, value)
    {
        if (json_integer_value(value) == 0)
            continue;
        snprintf(one, sizeof one, "%lld %s", (long long) json_integer_value(value), key);
        fputs(between, stdout);
        print_clean(one, colour);
        between = ", ";
    }
    puts(*between ? "" : none);
}

static void print_readers(const json_t *readers)
{
    begin_line("readers");
    printf("%lld", number_of(readers, "count"));
    if (number_of(readers, "count") > 0)
        printf(", %lld without room, at most %lld events behind", number_of(readers, "blocked"),
               number_of(readers, "lagMax"));
    if (number_of(readers, "gaps") > 0)
        printf("; %lld gap%s told so far, of %lld events", number_of(readers, "gaps"),
               number_of(readers, "gaps") == 1 ? "" : "s", number_of(readers, "missedEvents"));
    putchar('\n');
}

/* ---- the tables below ---- */

static const char *user_text(const json_t *of, char out[24])
{
    if (!json_is_integer(part(of, "uid")))
        return "over TCP";
    snprintf(out, 24, "uid %lld", number_of(of, "uid"));
    return out;
}

static void add_number(struct table *t, long long n, enum colour colour)
{
    char cell[24];

    snprintf(cell, sizeof cell, "%lld", n);
    table_add(t, cell, colour);
}

/* "3/1024"; in yellow from three quarters on. */
static void add_share(struct table *t, const json_t *user, const char *key)
{
    long long used = number_of(part(user, "used"), key);
    long long limit = number_of(part(user, "limits"), key);
    char cell[64], left[24], right[24];

    if (strcmp(key, "bytes") == 0) {
        bytes_text(used, left);
        bytes_text(limit, right);
        snprintf(cell, sizeof cell, "%s/%s", left, right);
    } else {
        snprintf(cell, sizeof cell, "%lld/%lld", used, limit);
    }
    table_add(t, cell, used >= limit - limit / 4 ? COLOUR_YELLOW : COLOUR_NONE);
}

static int finish_table(struct table *t)
{
    int r;

    putchar('\n');
    r = table_print(t, stdout, output_has_colour(stdout));
    table_done(t);
    return r;
}

static int print_users(const json_t *users)
{
    static const char *const titles[] = { "USER",  "CONNECTIONS", "STREAMS",
                                          "CALLS", "TICKETS",     "BYTES" };
    static const char *const keys[] = { "connections", "streams", "calls", "tickets", "bytes" };
    struct table t;
    const json_t *user;
    char name[24];
    size_t i;

    table_init(&t, titles, N_ELEMENTS(titles));
    json_array_foreach(users, i, user)
    {
        table_add(&t, user_text(user, name), COLOUR_NONE);
        for (size_t k = 0; k < N_ELEMENTS(keys); k++)
            add_share(&t, user, keys[k]);
    }
    return finish_table(&t);
}

static int print_reader_table(const json_t *list)
{
    static const char *const titles[] = { "READER", "USER", "AFTER", "BEHIND", "UNSENT", "MISSED" };
    struct table t;
    const json_t *reader;
    char cell[24];
    size_t i;

    if (json_array_size(list) == 0)
        return 0;
    table_init(&t, titles, N_ELEMENTS(titles));
    json_array_foreach(list, i, reader)
    {
        enum colour colour = json_is_true(part(reader, "blocked")) ? COLOUR_YELLOW : COLOUR_NONE;

        add_number(&t, number_of(reader, "reader"), COLOUR_NONE);
        table_add(&t, user_text(reader, cell), COLOUR_NONE);
        add_number(&t, number_of(reader, "after"), COLOUR_NONE);
        add_number(&t, number_of(reader, "lag"), colour);
        bytes_text(number_of(reader, "unsentBytes"), cell);
        table_add(&t, cell, colour);
        add_number(&t, number_of(reader, "missedEvents"),
                   number_of(reader, "missedEvents") > 0 ? COLOUR_YELLOW : COLOUR_NONE);
    }
    return finish_table(&t);
}

static int print_status(const json_t *status)
{
    const json_t *readers = part(status, "readers");

    print_service(status);
    print_runtime(status);
    print_host(status);
    print_log(part(status, "log"));
    print_counts("systems", part(status, "systems"), "none", COLOUR_NONE);
    print_readers(readers);
    print_counts("refused", part(status, "refused"), "nothing", COLOUR_YELLOW);
    if (print_users(part(status, "users")) >= 0 && print_reader_table(part(readers, "list")) >= 0)
        return STATUS_OK;
    output_fail("not enough memory");
    return STATUS_FAILED;
}

/* ---- the command ---- */

/* Says what is wrong.  Returns the exit status. */
static int fail(const hcs_error *err)
{
    if (strcmp(err->where, "host.start") != 0) {
        output_error(err, NULL);
    } else {
        output_fail("no service runs, and status starts none");
        fputs("  any other command that needs it starts it; HCS_HOST or -H names another socket\n",
              stderr);
    }
    return hcs_result_class(err->code) == HCS_CLASS_SERVICE_GONE ? STATUS_NO_SERVICE
                                                                 : STATUS_FAILED;
}

/* NULL after saying what is wrong. */
static json_t *fetch(int *out_exit_status)
{
    hcs_error err = HCS_ERROR_INIT;
    _cleanup_(host_dropp) hcs_host *host = NULL;
    _cleanup_(string_dropp) char *document = NULL;
    json_t *status;

    *out_exit_status = STATUS_FAILED;
    machine_start_no_service();
    if (cli_open_host(&host, &err) < 0 || hcs_host_status(host, &document, &err) < 0) {
        *out_exit_status = fail(&err);
        return NULL;
    }
    status = json_loads(document, 0, NULL);
    if (!status)
        output_fail("the status of the service is not JSON");
    return status;
}

static int run(const struct command *self, int argc, char **argv)
{
    int as_json = 0, as_metrics = 0;
    const struct opt opts[] = {
        { "json", 0, OPT_FLAG, &as_json, NULL, "all of it, as a JSON object" },
        { "prometheus", 0, OPT_FLAG, &as_metrics, NULL, "in the text format of Prometheus" },
    };
    struct arguments arguments;
    _cleanup_(json_dropp) json_t *status = NULL;
    int exit_status = cli_parse(self, opts, N_ELEMENTS(opts), argc, argv, &arguments);

    if (exit_status < 0)
        exit_status = cli_count(self, &arguments, 0, 0);
    if (exit_status < 0 && as_json && as_metrics)
        exit_status = cli_usage(self, "--json and --prometheus exclude each other");
    if (exit_status >= 0)
        return exit_status;
    status = fetch(&exit_status);
    if (!status)
        return exit_status;
    if (as_metrics)
        metrics_print(stdout, status);
    else if (!as_json)
        return print_status(status);
    else if (json_dumpf(status, stdout, JSON_INDENT(2)) == 0)
        putchar('\n');
    return STATUS_OK;
}

const struct command cmd_status = {
    .name = "status",
    .arguments = "",
    .summary = "Show how the service is: log, readers, limits",
    .text = text,
    .run = run,
};
