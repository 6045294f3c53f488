/* main.c - hcsd: put the parts together, run the loop, take them apart.
 * Owns:    the order in which parts begin and end, and the command line. */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include <unistd.h>

#include "clock.h"
#include "err.h"
#include "fake.h"
#include "fd.h"
#include "log.h"
#include "oci.h"
#include "plain.h"
#include "rundir.h"
#include "server.h"

#define SYSTEMS_MAX 20000u
#define PROCESSES_MAX 512u
#define KEEP_EVENTS 1000000u
#define KEEP_BYTES (512ull * 1024 * 1024)
#define KEEP_BYTES_MIN (64ull * 1024) /* an event may be as long */
#define ENDED_MAX 10000u
#define AUTO_IDLE_SECONDS 60u

struct settings {
    const char *driver;
    const char *socket_path;
    const char *state_dir;
    const char *run_dir;
    const char *runtime;
    const char *keeper;
    const char *tcp;
    const char *token_file;
    uint64_t keep_events;
    uint64_t keep_bytes;
    uint64_t keep_age_s;
    const char *group;
    const char *limits;
    unsigned long idle_exit_s;
    int has_idle_exit;
    int automatic;
    int shared;
    int probe;
    int replace;
};

static const char help[] =
    "Usage: hcsd [OPTION...]\n"
    "\n"
    "The Host Compute Service of this machine: runs containers through an OCI runtime and tells\n"
    "what happens to them.  Clients (hcs, libhcs) start it by themselves when no service answers,\n"
    "so there is rarely a need to start it by hand.\n"
    "\n"
    "  --socket PATH      listen here (default: /run/hcs/hcsd.sock for root,\n"
    "                     $XDG_RUNTIME_DIR/hcs/hcsd.sock for others)\n"
    "  --state-dir DIR    the event log (default: $HCS_STATE_DIR, /var/lib/hcs for root,\n"
    "                     ~/.local/state/hcs for others)\n"
    "  --keep-events N    keep the newest so many events (default: 1000000)\n"
    "  --keep-bytes SIZE  keep so much of them, as 64K, 100M or 2G; 0: no limit (default: 512M)\n"
    "  --keep-age TIME    drop what is older, as 90m, 36h or 30d; 0: no limit (default: 0)\n"
    "  --run-dir DIR      one directory for each running system (default: systems, beside the "
    "socket)\n"
    "  --driver NAME      oci: real containers (default); fake: scripted ones, for tests\n"
    "  --runtime PROGRAM  the OCI runtime to use (default: crun, then runc)\n"
    "  --keeper PROGRAM   the hcs-keeper to use (default: $HCS_KEEPER, the installed one)\n"
    "  --group GROUP      the service of root: members of it may use the service, too, which is "
    "as\n"
    "                     much as being root (default: hcs, where there is one); '': root alone\n"
    "  --limits NAME=N,.. what each user may have of connections, streams, calls (that wait), "
    "tickets\n"
    "                     (standard handles over TCP that wait) and bytes (on their way); root "
    "and\n"
    "                     the user of this service have four times as much\n"
    "  --shared           others use this service too: refuse isolation none\n"
    "  --tcp ADDRESS:PORT listen here too, for programs that cannot pass file descriptors (those\n"
    "                     under Wine): 127.0.0.1:0 takes a free port.  The loopback only\n"
    "  --token-file FILE  with --tcp: port and token for clients over TCP are written here, for\n"
    "                     this user alone\n"
    "  --idle-exit SEC    leave after so long without systems and clients; 0: stay (default: 0,\n"
    "                     60 with --auto)\n"
    "  --auto             started by a client: the socket is descriptor 3\n"
    "  --replace          take over from the hcsd that serves the socket: clients wait, systems "
    "run on\n"
    "  --probe            try every runtime in every mode on this machine, print what works, "
    "leave\n"
    "  --log-level LEVEL  error, warning, notice (default), info or debug\n"
    "  --help, --version\n"
    "\n"
    "Under systemd:\n"
    "  systemctl enable --now hcsd.socket      # hcsd.service is started by the first client\n"
    "  journalctl -u hcsd                      # its log\n"
    "Elsewhere the log of a service that a client has started is hcsd.log beside the socket.\n";

/* ---- the command line ---- */

static int parse_log_level(const char *text)
{
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        { "error", LOG_LINE_ERROR }, { "warning", LOG_LINE_WARNING }, { "notice", LOG_LINE_NOTICE },
        { "info", LOG_LINE_INFO },   { "debug", LOG_LINE_DEBUG },
    };

    for (size_t i = 0; i < N_ELEMENTS(levels); i++)
        if (strcmp(levels[i].name, text) == 0)
            return levels[i].level;
    return -1;
}

static int parse_seconds(const char *text, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 10);
    return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && *out <= 86400ul * 365;
}

struct unit {
    char letter;
    uint64_t factor;
};

static const struct unit no_units[] = { { 0, 1 } };
static const struct unit sizes[] = {
    { 0, 1 }, { 'K', 1024 }, { 'M', 1024 * 1024 }, { 'G', 1024 * 1024 * 1024 }
};
static const struct unit times[] = {
    { 0, 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }
};

/* A number and a unit of @units (the first is none at all), together at most 2^50. */
static int parse_amount(const char *text, const struct unit *units, size_t n_units, uint64_t *out)
{
    const uint64_t most = 1ull << 50;
    char *end;

    if (*text < '0' || *text > '9')
        return 0;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno != 0 || (end[0] && end[1]))
        return 0;
    for (size_t i = 0; i < n_units; i++)
        if (end[0] == units[i].letter && *out <= most / units[i].factor) {
            *out *= units[i].factor;
            return 1;
        }
    return 0;
}

_printf_(1, 2) static int usage_error(const char *format, ...)
{
    va_list arguments;

    fputs("hcsd: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\nTry: hcsd --help\n", stderr);
    return 2;
}

/* What of the events is kept; as parse(). */
static int parse_keep(int option, const char *text, struct settings *out)
{
    switch (option) {
    case 'E':
        if (!parse_amount(text, no_units, N_ELEMENTS(no_units), &out->keep_events) ||
            out->keep_events == 0)
            return 1 + usage_error("--keep-events '%s' is not a number of events, 1 or more", text);
        return 0;
    case 'B':
        if (!parse_amount(text, sizes, N_ELEMENTS(sizes), &out->keep_bytes) ||
            (out->keep_bytes != 0 && out->keep_bytes < KEEP_BYTES_MIN))
            return 1 + usage_error("--keep-bytes '%s' is neither 0 nor a size of 64K or more, such "
                                   "as 100M or 2G",
                                   text);
        return 0;
    default:
        if (!parse_amount(text, times, N_ELEMENTS(times), &out->keep_age_s) ||
            (out->keep_age_s != 0 && !strpbrk(text, "smhd")))
            return 1 +
                   usage_error("--keep-age '%s' is neither 0 nor a time with s, m, h or d, such "
                               "as 90m, 36h or 30d",
                               text);
        return 0;
    }
}

/* As parse(). */
static int check_tcp(const struct settings *settings)
{
    struct loopback address;
    hcs_error err = HCS_ERROR_INIT;

    if (!settings->tcp != !settings->token_file)
        return 1 + usage_error(settings->tcp
                                   ? "--tcp needs --token-file FILE: clients read the token there"
                                   : "--token-file has no meaning without --tcp");
    if (!settings->tcp)
        return 0;
    if (loopback_parse(settings->tcp, "hcsd.tcp", &address, &err) < 0)
        return 1 + usage_error("--tcp %s", err.text);
    if (settings->idle_exit_s > 0)
        return 1 + usage_error("--idle-exit %lu and --tcp do not go together: clients over TCP "
                               "cannot start the service again",
                               settings->idle_exit_s);
    return 0;
}

/* 0 go on, otherwise the exit status plus 1. */
static int parse(int argc, char **argv, struct settings *out, int *out_log_level)
{
    static const struct option options[] = {
        { "auto", no_argument, NULL, 'a' },
        { "shared", no_argument, NULL, 'S' },
        { "driver", required_argument, NULL, 'd' },
        { "socket", required_argument, NULL, 's' },
        { "state-dir", required_argument, NULL, 't' },
        { "run-dir", required_argument, NULL, 'r' },
        { "runtime", required_argument, NULL, 'R' },
        { "keeper", required_argument, NULL, 'k' },
        { "tcp", required_argument, NULL, 'T' },
        { "token-file", required_argument, NULL, 'f' },
        { "keep-events", required_argument, NULL, 'E' },
        { "keep-bytes", required_argument, NULL, 'B' },
        { "keep-age", required_argument, NULL, 'A' },
        { "group", required_argument, NULL, 'g' },
        { "limits", required_argument, NULL, 'L' },
        { "idle-exit", required_argument, NULL, 'i' },
        { "probe", no_argument, NULL, 'p' },
        { "replace", no_argument, NULL, 'x' },
        { "log-level", required_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'v' },
        { 0 },
    };
    int o;

    while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (o) {
        case 'a':
            out->automatic = 1;
            break;
        case 'S':
            out->shared = 1;
            break;
        case 'd':
            out->driver = optarg;
            break;
        case 's':
            out->socket_path = optarg;
            break;
        case 't':
            out->state_dir = optarg;
            break;
        case 'r':
            out->run_dir = optarg;
            break;
        case 'R':
            out->runtime = optarg;
            break;
        case 'k':
            out->keeper = optarg;
            break;
        case 'T':
            out->tcp = optarg;
            break;
        case 'f':
            out->token_file = optarg;
            break;
        case 'E':
        case 'B':
        case 'A': {
            int status = parse_keep(o, optarg, out);

            if (status != 0)
                return status;
            break;
        }
        case 'g':
            out->group = optarg;
            break;
        case 'L':
            out->limits = optarg;
            break;
        case 'p':
            out->probe = 1;
            break;
        case 'x':
            out->replace = 1;
            break;
        case 'i':
            if (!parse_seconds(optarg, &out->idle_exit_s))
                return 1 + usage_error("--idle-exit '%s' is not a number of seconds", optarg);
            out->has_idle_exit = 1;
            break;
        case 'l':
            *out_log_level = parse_log_level(optarg);
            if (*out_log_level < 0)
                return 1 +
                       usage_error("--log-level '%s' is not error, warning, notice, info or debug",
                                   optarg);
            break;
        case 'h':
            fputs(help, stdout);
            return 1;
        case 'v':
            puts("hcsd " VERSION);
            return 1;
        default:
            return 1 + 2;
        }
    }
    if (optind < argc)
        return 1 + usage_error("unexpected argument '%s'", argv[optind]);
    if (strcmp(out->driver, "oci") != 0 && strcmp(out->driver, "fake") != 0)
        return 1 + usage_error("--driver '%s' is neither oci nor fake", out->driver);
    return check_tcp(out);
}

/* ---- where things are ---- */

static char *default_socket(void)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *path = NULL;

    if (geteuid() == 0)
        return strdup("/run/hcs/hcsd.sock");
    if (!runtime || asprintf(&path, "%s/hcs/hcsd.sock", runtime) < 0)
        return NULL;
    return path;
}

static char *default_state_dir(void)
{
    const char *home = getenv("HOME"), *given = getenv("HCS_STATE_DIR"),
               *xdg = getenv("XDG_STATE_HOME");
    char *path = NULL;

    if (given && *given)
        return strdup(given);
    if (geteuid() == 0)
        return strdup("/var/lib/hcs");
    if (xdg && *xdg)
        return asprintf(&path, "%s/hcs", xdg) < 0 ? NULL : path;
    return !home || asprintf(&path, "%s/.local/state/hcs", home) < 0 ? NULL : path;
}

/* The keeper, absolute: it is run from other directories and mounted into containers.  Owned. */
static hcs_result find_keeper(const struct settings *settings, char **out, hcs_error *err)
{
    const char *given = getenv("HCS_KEEPER");
    const char *name = settings->keeper  ? settings->keeper
                       : given && *given ? given
                                         : KEEPER_PROGRAM;
    char *path = realpath(name, NULL);

    if (!path || access(path, X_OK) < 0) {
        free(path);
        return fail_os(err, HCS_E_WIN32_FILE_NOT_FOUND, errno, "hcsd.start",
                       "hcs-keeper '%s' (--keeper or HCS_KEEPER names it)", name);
    }
    *out = path;
    return HCS_OK;
}

static hcs_result private_dir(const char *path, hcs_error *err)
{
    struct stat st;
    hcs_result r = dir_make(path, 0700, err);

    if (r < 0)
        return r;
    if (stat(path, &st) < 0)
        return fail_os(err, result_from_errno(errno), errno, "hcsd.start", "directory '%s'", path);
    if (st.st_uid != geteuid())
        return fail(err, HCS_E_WIN32_ACCESS_DENIED, "hcsd.start",
                    "directory '%s' belongs to uid %u, not to %u", path, st.st_uid, geteuid());
    /* it is not closed here: it may be one that others need, named by mistake */
    if ((st.st_mode & 077) != 0)
        return fail(err, HCS_E_WIN32_ACCESS_DENIED, "hcsd.start",
                    "directory '%s' is open to others (mode %03o): chmod 700 it, or name one that "
                    "only hcsd uses",
                    path, st.st_mode & 0777u);
    return HCS_OK;
}

/* ---- parts ---- */

struct parts {
    struct server server;
    struct evlog *log;
    struct driver *namespaces;
    struct driver *plain;
    char *state_dir;
    char *run_dir;
    char *runtime_dir; /* what the runtime knows of containers: it lives and dies with them, and
                        * must not depend on the disk of the event log */
    char *keeper;
    char *default_socket;
    int run_dir_lock;
    hcs_error no_namespaces;
};

static hcs_result make_drivers(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct oci_options oci = { .runtime_opt = settings->runtime, .state_dir = p->runtime_dir };
    struct server *s = &p->server;
    hcs_result r;

    if (strcmp(settings->driver, "fake") == 0)
        return fake_new(s->loop, &p->namespaces, err);
    r = find_keeper(settings, &p->keeper, err);
    if (r < 0)
        return r;
    oci.keeper_program = p->keeper;
    p->no_namespaces = (hcs_error) HCS_ERROR_INIT;
    if (oci_new(s->loop, &oci, &p->namespaces, &p->no_namespaces) < 0) {
        log_line(LOG_LINE_WARNING, "this host can run no containers: %s", p->no_namespaces.text);
        s->no_namespaces = p->no_namespaces.text;
    }
    return plain_new(s->loop, p->keeper, &p->plain, err);
}

static void list_drivers(struct parts *p)
{
    if (p->namespaces)
        p->server.drivers[p->server.n_drivers++] = p->namespaces;
    if (p->plain)
        p->server.drivers[p->server.n_drivers++] = p->plain;
}

static void on_system_gone(void *context)
{
    server_check_idle(context);
}

/* Others use the service when the manager's unit says so, or when its socket lets others in. */
static int is_shared(const struct settings *settings, const struct server *s)
{
    struct stat st;

    return settings->shared || (stat(s->socket_path, &st) == 0 && (st.st_mode & 077) != 0);
}

static hcs_result make_engine(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct server *s = &p->server;
    struct engine_options options = {
        .loop = s->loop,
        .log = p->log,
        .run_dir = p->run_dir,
        .namespaces = p->namespaces,
        .no_namespaces = s->no_namespaces,
        .plain = p->plain,
        .systems_max = SYSTEMS_MAX,
        .processes_max = PROCESSES_MAX,
        .gone = on_system_gone,
        .gone_context = s,
    };

    options.shared = s->shared = is_shared(settings, s);
    return engine_new(&options, &s->engine, err);
}

static hcs_result find_dirs(struct parts *p, const struct settings *settings, hcs_error *err)
{
    char *slash;
    hcs_result r;

    p->state_dir = settings->state_dir ? strdup(settings->state_dir) : default_state_dir();
    if (!p->state_dir)
        return fail(err, HCS_E_INVALIDARG, "hcsd.start",
                    "no state directory: set HCS_STATE_DIR or HOME");
    if (p->state_dir[0] != '/')
        return fail(err, HCS_E_INVALIDARG, "hcsd.start", "state directory '%s' is not absolute",
                    p->state_dir);
    if (settings->run_dir) {
        p->run_dir = strdup(settings->run_dir);
    } else {
        slash = strrchr(p->server.socket_path, '/');
        if (asprintf(&p->run_dir, "%.*s/systems", (int) (slash - p->server.socket_path),
                     p->server.socket_path) < 0)
            p->run_dir = NULL;
    }
    if (!p->run_dir || asprintf(&p->runtime_dir, "%s.runtime", p->run_dir) < 0) {
        p->runtime_dir = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.start", "no memory");
    }
    r = private_dir(p->state_dir, err);
    return r < 0 ? r : private_dir(p->run_dir, err);
}

static hcs_result open_log(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct evlog_options options = {
        .events_max = settings->keep_events,
        .bytes_max = settings->keep_bytes,
        .age_max_ns = settings->keep_age_s * 1000000000ull,
        .ended_max = ENDED_MAX,
    };
    _cleanup_(free_drop) char *path = NULL;

    if (asprintf(&path, "%s/events.db", p->state_dir) < 0) {
        path = NULL;
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.start", "no memory");
    }
    options.path = path;
    return evlog_open(p->server.loop, &options, &p->log, err);
}

/* The port is taken early, so that a clash is told at once, and served last. */
static hcs_result begin_tcp(struct server *s, const struct settings *settings, hcs_error *err)
{
    struct loopback address;
    hcs_result r;

    if (!settings->tcp)
        return HCS_OK;
    r = loopback_parse(settings->tcp, "hcsd.tcp", &address, err);
    return r < 0 ? r : tcp_begin(s, &address, settings->token_file, err);
}

/* A service that clients over TCP use stays: they could not start it again. */
static uint64_t idle_exit_us(const struct settings *settings)
{
    if (settings->has_idle_exit)
        return 1000000ull * settings->idle_exit_s;
    return settings->automatic && !settings->tcp ? 1000000ull * AUTO_IDLE_SECONDS : 0;
}

/* A signal may come before all is begun. */
static int is_leaving(const struct server *s)
{
    int code;

    return sd_event_get_exit_code(s->loop, &code) >= 0;
}

static int on_no_time(sd_event_source *source, uint64_t usec, void *context)
{
    (void) source;
    (void) usec;
    (void) context;
    return 0;
}

/* The loop's clock takes a descriptor when it is first used.  What waits for a shortage of them to
 * pass needs it, so it is there before. */
static hcs_result begin_clock(struct server *s, hcs_error *err)
{
    int r = sd_event_add_time(s->loop, NULL, CLOCK_MONOTONIC, UINT64_MAX, 0, on_no_time, NULL);

    return r < 0 ? fail_os(err, result_from_errno(-r), -r, "hcsd.start", "clock of the event loop")
                 : HCS_OK;
}

/* Nobody is accepted before it is known what is there; who connects meanwhile waits in the socket's
 * queue. */
static hcs_result adopt(struct server *s, hcs_error *err)
{
    hcs_result r = begin_clock(s, err);

    if (r >= 0)
        r = engine_adopt(s->engine, err);
    while (r >= 0 && engine_adopting(s->engine) > 0 && !is_leaving(s)) {
        int n = sd_event_run(s->loop, UINT64_MAX);

        if (n < 0)
            r = fail_os(err, HCS_E_FAIL, -n, "hcsd.start", "event loop");
    }
    return r < 0 || is_leaving(s) ? r : listen_serve(s, err);
}

static hcs_result begin_socket(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct server *s = &p->server;
    hcs_result r = listen_begin(s, p->default_socket, err);

    if (r >= 0)
        r = begin_tcp(s, settings, err);
    return r < 0 ? r : find_dirs(p, settings, err);
}

/* What takes long or may fail is done while the other one still serves; then there is only its log
 * to open and its systems to adopt. */
static hcs_result take_over(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct server *s = &p->server;
    int fd = -1;
    hcs_result r;

    if (sd_listen_fds(0) > 0)
        return fail(err, HCS_E_INVALIDARG, "hcsd.start",
                    "--replace has no meaning with a socket that was passed");
    s->socket_path = strdup(p->default_socket);
    if (!s->socket_path)
        return fail(err, HCS_E_OUTOFMEMORY, "hcsd.start", "no memory");
    r = find_dirs(p, settings, err);
    if (r >= 0)
        r = make_drivers(p, settings, err);
    if (r >= 0)
        r = replace_take_over(p->default_socket, &fd, err);
    if (r > 0)
        r = listen_take(s, p->default_socket, fd, err);
    else if (r == 0)
        r = listen_begin(s, p->default_socket, err);
    return r < 0 ? r : begin_tcp(s, settings, err);
}

static hcs_result begin(struct parts *p, const struct settings *settings, hcs_error *err)
{
    struct server *s = &p->server;
    hcs_result r;

    s->listen_fd = s->null_fd = s->successor_fd = p->run_dir_lock = -1;
    s->started_ns = clock_realtime_ns();
    s->started_monotonic_ns = clock_monotonic_ns();
    s->automatic = settings->automatic;
    s->activated = !settings->automatic && sd_listen_fds(0) > 0;
    s->idle_exit_us = idle_exit_us(settings);
    s->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    p->default_socket = settings->socket_path ? strdup(settings->socket_path) : default_socket();
    if (!p->default_socket && sd_listen_fds(0) <= 0)
        return fail(err, HCS_E_INVALIDARG, "hcsd.start",
                    "no socket: give --socket or set XDG_RUNTIME_DIR");
    if (p->default_socket && p->default_socket[0] != '/')
        return fail(err, HCS_E_INVALIDARG, "hcsd.start", "socket '%s' is not an absolute path",
                    p->default_socket);
    r = access_init(&s->access, geteuid(), settings->group, err);
    if (r >= 0 && settings->limits)
        r = limits_parse(settings->limits, &s->accounts, err);
    if (r >= 0)
        r = settings->replace ? take_over(p, settings, err) : begin_socket(p, settings, err);
    if (r >= 0)
        r = rundir_claim(p->run_dir, p->state_dir, &p->run_dir_lock, err);
    if (r >= 0)
        r = identity_load(p->state_dir, s->host_id, err);
    if (r >= 0)
        r = open_log(p, settings, err);
    if (r >= 0 && !settings->replace)
        r = make_drivers(p, settings, err);
    if (r >= 0) {
        list_drivers(p);
        r = make_engine(p, settings, err);
    }
    if (r >= 0)
        r = adopt(s, err);
    return r < 0 || is_leaving(s) ? r : tcp_serve(s, err);
}

static void end(struct parts *p)
{
    struct server *s = &p->server;

    listen_end(s);
    tcp_end(s);
    list_for_each(&s->connections, n) connection_drop(container_of(n, struct connection, link));
    tickets_drop(s);
    s->idle = sd_event_source_disable_unref(s->idle);
    s->stopping = sd_event_source_disable_unref(s->stopping);
    replace_end(s);
    engine_drop(s->engine);
    if (p->namespaces)
        p->namespaces->ops->drop(p->namespaces);
    if (p->plain)
        p->plain->ops->drop(p->plain);
    if (p->log && evlog_commit(p->log, NULL) < 0)
        log_line(LOG_LINE_CRITICAL, "the last events could not be written");
    evlog_close(p->log);
    fd_drop(&s->null_fd);
    fd_drop(&p->run_dir_lock);
    free(p->state_dir);
    free(p->run_dir);
    free(p->runtime_dir);
    free(p->keeper);
    free(p->default_socket);
}

static int print_probe(const struct settings *settings)
{
    _cleanup_(free_drop) char *state_dir =
        settings->state_dir ? strdup(settings->state_dir) : default_state_dir();
    _cleanup_(free_drop) char *keeper = NULL;
    struct oci_options options = { .runtime_opt = settings->runtime, .state_dir = state_dir };
    hcs_error err = HCS_ERROR_INIT;
    json_t *list;

    if (!state_dir || private_dir(state_dir, &err) < 0 ||
        find_keeper(settings, &keeper, &err) < 0) {
        fprintf(stderr, "hcsd: %s\n",
                state_dir ? err.text : "no state directory: give --state-dir");
        return 1;
    }
    options.keeper_program = keeper;
    list = oci_probe_all(&options);
    if (!list)
        return 1;
    json_dumpf(list, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(list);
    return 0;
}

/* As many clients as descriptors allow: the soft limit is raised to the hard one. */
static uint32_t connections_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return 256;
    limit.rlim_cur = limit.rlim_max;
    (void) setrlimit(RLIMIT_NOFILE, &limit);
    (void) getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur > 8192 ? 4096 : limit.rlim_cur > 128 ? (uint32_t) limit.rlim_cur / 2 : 64;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *context)
{
    (void) source;
    (void) info;
    server_stop(context);
    return 0;
}

static int add_signals(struct server *s)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    signal(SIGPIPE, SIG_IGN);
    int r = sd_event_add_signal(s->loop, NULL, SIGTERM, on_signal, s);
    return r < 0 ? r : sd_event_add_signal(s->loop, NULL, SIGINT, on_signal, s);
}

static int run(const struct settings *settings)
{
    struct parts p = { .server.listen_fd = -1 };
    uint32_t most = connections_max();
    hcs_error err = HCS_ERROR_INIT;
    int r = sd_event_default(&p.server.loop);

    list_init(&p.server.connections);
    list_init(&p.server.tickets);
    p.server.ticket_us = TICKET_SECONDS * 1000000ull;
    tcp_init(&p.server.tcp);
    p.server.tickets_max = most / 4 < TICKETS_MAX ? most / 4 : TICKETS_MAX;
    accounts_init(&p.server.accounts, geteuid(), most, p.server.tickets_max);
    if (r >= 0)
        r = add_signals(&p.server);
    if (r < 0) {
        fprintf(stderr, "hcsd: event loop: %s\n", strerror(-r));
        return 1;
    }
    if (begin(&p, settings, &err) < 0) {
        log_line(LOG_LINE_ERROR, "%s", err.text);
        r = -1;
    } else if (is_leaving(&p.server)) {
        log_line(LOG_LINE_NOTICE, "told to end before anybody was served");
    } else {
        (void) sd_event_set_watchdog(p.server.loop, 1);
        server_check_idle(&p.server);
        log_line(LOG_LINE_NOTICE, "serving at %s", p.server.socket_path);
        sd_notify(0, "READY=1\nSTATUS=serving");
        r = sd_event_loop(p.server.loop);
        sd_notify(0, "STOPPING=1");
    }
    end(&p);
    sd_event_unref(p.server.loop);
    return r == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .driver = "oci",
        .keep_events = KEEP_EVENTS,
        .keep_bytes = KEEP_BYTES,
    };
    int log_level = LOG_LINE_NOTICE;
    int r = parse(argc, argv, &settings, &log_level);

    if (r != 0)
        return r - 1;
    log_set_level((enum log_level) log_level);
    umask(077);
    if (settings.probe)
        return print_probe(&settings);
    return run(&settings);
}
