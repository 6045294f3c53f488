/* trampoline.c - what an event costs from the callback to the reader, in several designs.
 *
 *   trampoline burst PAYLOAD ROUNDS [RUST]        one thread: puts, then reads
 *   trampoline cross PAYLOAD PRODUCERS ROUNDS [RUST]   threads: a reader and producers
 *   trampoline cursors PAYLOAD ROUNDS             puts beside 0, 8 and 64 cursors that are not read
 *   trampoline wakes ROUNDS                       a put that wakes 1, 8 and 64 cursors that wait
 *   trampoline latency ROUNDS                     from the put to a reader, asleep or spinning
 *   trampoline memory PAYLOAD [RUST]              bytes held for each event that nobody reads
 *   trampoline count DESIGN PAYLOAD N put|take [RUST]  for a tool that counts instructions
 *
 * Writes one JSON object a line, for run.py.  Designs take turns within a round. */
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "design.h"
#include "memlog.h"
#include "spin.h"
#include "utf.h"

#define DESIGNS_MAX 4
#define PRODUCERS_MAX 16

/* ---- payloads ---- */

struct payload {
    const char *name;
    const char *text; /* repeated up to the length; NULL: none */
    size_t units;
    unsigned burst;  /* events of a burst: less than the log holds */
    unsigned window; /* events in flight between threads */
};

#define ASCII "{\"SystemId\":\"web-7\",\"Status\":3221225786,\"ExitType\":\"unexpected\"},"
#define MIXED                                                                                      \
    "{\"SystemId\":\"caf\xC3\xA9-7\",\"Owner\":\"M\xC3\xBCller\",\"Status\":3221225786,"           \
    "\"ExitType\":\"unexpected\",\"Text\":\"\xE2\x9C\x93 done \xF0\x9F\x98\x80\"},"

static const struct payload payloads[] = {
    { "none", NULL, 0, 4000, 2048 },         { "120", ASCII, 120, 2000, 2048 },
    { "120-mixed", MIXED, 120, 2000, 2048 }, { "4k", ASCII, 4096, 400, 64 },
    { "4k-mixed", MIXED, 4096, 400, 64 },
};

/* Few texts when they are long: what a callback gets was written just before, so it is in the
 * cache. */
#define TEXTS 64
static uint16_t texts[TEXTS][4100];

static void make_texts(const struct payload *p)
{
    uint16_t pattern[256];
    size_t n;

    if (!p->text)
        return;
    n = utf16_from_utf8(p->text, strlen(p->text), pattern);
    for (size_t t = 0; t < TEXTS; t++) {
        for (size_t i = 0, at = t * 7; i < p->units; i++, at++)
            texts[t][i] = pattern[at % n];
        texts[t][p->units] = 0;
    }
}

static const uint16_t *text_of(const struct payload *p, uint64_t i)
{
    return p->text ? texts[i % (p->units > 1000 ? 4 : TEXTS)] : NULL;
}

static const struct payload *find_payload(const char *name)
{
    for (size_t i = 0; i < N_ELEMENTS(payloads); i++) {
        if (strcmp(payloads[i].name, name) == 0) {
            make_texts(&payloads[i]);
            return &payloads[i];
        }
    }
    fprintf(stderr, "there is no payload '%s'\n", name);
    exit(2);
}

/* ---- designs ---- */

static const struct design *designs[DESIGNS_MAX];
static size_t n_designs;

static void find_designs(const char *rust)
{
    const struct design *way = rust_design(rust);

    designs[n_designs++] = &memlog_design;
    designs[n_designs++] = &memlog_noclock_design;
    designs[n_designs++] = &obvious_design;
    if (way)
        designs[n_designs++] = way;
}

static void pin(int cpu)
{
    cpu_set_t set;

    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static void tell_nobody(void *context, uint64_t i)
{
    (void) context, (void) i;
}

static volatile uint64_t sink;

/* ---- burst ---- */

static void burst_once(const struct design *d, void *bridge, const struct payload *p, int print)
{
    uint64_t begin = clock_monotonic_ns(), middle, end;

    for (unsigned i = 0; i < p->burst; i++)
        d->put(bridge, i, text_of(p, i));
    middle = clock_monotonic_ns();
    sink = d->take(bridge, p->burst, tell_nobody, NULL);
    end = clock_monotonic_ns();
    if (print)
        printf("{\"design\":\"%s\",\"put\":%.3f,\"take\":%.3f}\n", d->name,
               (double) (middle - begin) / p->burst, (double) (end - middle) / p->burst);
}

static void burst(const struct payload *p, unsigned rounds)
{
    void *bridges[DESIGNS_MAX];

    pin(0);
    for (size_t d = 0; d < n_designs; d++)
        bridges[d] = designs[d]->open();
    for (unsigned round = 0; round < rounds + 3; round++)
        for (size_t d = 0; d < n_designs; d++)
            burst_once(designs[d], bridges[d], p, round >= 3);
    for (size_t d = 0; d < n_designs; d++)
        designs[d]->close(bridges[d]);
}

/* ---- across threads ---- */

struct flow {
    const struct design *design;
    const struct payload *payload;
    void *bridge;
    uint64_t n; /* of each producer */
    unsigned producers;
    _Atomic unsigned ready;
    _Alignas(64) _Atomic uint64_t taken;
};

static void tell_flow(void *context, uint64_t i)
{
    if (i % 64 == 0)
        atomic_store_explicit(&((struct flow *) context)->taken, i, memory_order_release);
}

/* The same window for every design: none of them is to grow without end, nor to drop. */
static void *produce(void *context)
{
    struct flow *f = context;
    int64_t window = f->payload->window / f->producers;

    pin(f->producers == 1 ? 0 : (int) (f->ready % 2));
    f->ready++;
    while (f->ready < f->producers + 1)
        spin_pause();
    for (uint64_t i = 0; i < f->n; i++) {
        if (i % 32 == 0)
            for (unsigned turn = 0; (int64_t) (i - f->taken / f->producers) > window;)
                spin_wait(&turn);
        f->design->put(f->bridge, (uint32_t) i, text_of(f->payload, i));
    }
    return NULL;
}

/* How often this process lost a processor to another. */
static long interruptions(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return u.ru_nivcsw;
}

static double cross_once(const struct design *d, void *bridge, const struct payload *p,
                         unsigned producers, uint64_t n, int *busy)
{
    struct flow f = { .design = d, .bridge = bridge, .payload = p, .n = n, .producers = producers };
    pthread_t threads[PRODUCERS_MAX];
    uint64_t begin, end;
    long before;

    for (unsigned i = 0; i < producers; i++)
        pthread_create(&threads[i], NULL, produce, &f);
    pin(1);
    while (f.ready < producers)
        spin_pause();
    before = interruptions();
    begin = clock_monotonic_ns();
    f.ready++;
    sink = d->take(f.bridge, n * producers, tell_flow, &f);
    end = clock_monotonic_ns();
    *busy = producers == 1 && interruptions() > before;
    f.taken = n * producers;
    for (unsigned i = 0; i < producers; i++)
        pthread_join(threads[i], NULL);
    return (double) (end - begin) / (double) (n * producers);
}

/* A run in which a thread was interrupted says how busy the machine is and nothing else, so it is
 * tried again, for a while.  Not with more threads than processors, which interrupt each other. */
static double cross_quietly(const struct design *d, void *bridge, const struct payload *p,
                            unsigned producers, int *busy)
{
    uint64_t n = (p->units > 1000 ? 4000 : 40000) / producers;
    double ns = 0;

    for (unsigned i = 0; i < 20; i++) {
        ns = cross_once(d, bridge, p, producers, n, busy);
        if (!*busy)
            break;
    }
    return ns;
}

static void cross(const struct payload *p, unsigned producers, unsigned rounds)
{
    void *bridges[DESIGNS_MAX];

    for (size_t d = 0; d < n_designs; d++)
        bridges[d] = designs[d]->open();
    for (unsigned round = 0; round < rounds + 1; round++)
        for (size_t d = 0; d < n_designs; d++) {
            int busy;
            double ns = cross_quietly(designs[d], bridges[d], p, producers, &busy);

            if (round)
                printf("{\"design\":\"%s\",\"ns\":%.3f,\"busy\":%d}\n", designs[d]->name, ns, busy);
        }
    for (size_t d = 0; d < n_designs; d++)
        designs[d]->close(bridges[d]);
}

/* ---- cursors that are not read, or that wait ---- */

#define CURSORS_MAX 64

struct crowd {
    unsigned n;
    struct memlog *log;
    struct memlog_cursor *active, *others[CURSORS_MAX];
    struct wake wake, wakes[CURSORS_MAX];
};

static void crowd_init(struct crowd *c, unsigned n)
{
    c->n = n;
    if (memlog_new(MEMLOG_CEILING_DEFAULT, &c->log, NULL) < 0 || wake_init(&c->wake, NULL) < 0 ||
        memlog_cursor_open(c->log, MEMLOG_FROM_NOW, 0, &c->wake, &c->active, NULL) < 0)
        abort();
    for (unsigned i = 0; i < n; i++)
        if (wake_init(&c->wakes[i], NULL) < 0 ||
            memlog_cursor_open(c->log, MEMLOG_FROM_NOW, 0, &c->wakes[i], &c->others[i], NULL) < 0)
            abort();
}

static void crowd_done(struct crowd *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        memlog_cursor_close(c->others[i]);
        wake_done(&c->wakes[i]);
    }
    memlog_cursor_close(c->active);
    wake_done(&c->wake);
    memlog_unref(c->log);
}

static double crowd_puts(struct crowd *c, const struct payload *p, unsigned n)
{
    struct memlog_record r;
    uint64_t spent = 0;

    for (unsigned done = 0; done < n; done += p->burst) {
        uint64_t begin = clock_monotonic_ns();

        for (unsigned i = 0; i < p->burst; i++)
            memlog_put(c->log, i, text_of(p, i), 0);
        spent += clock_monotonic_ns() - begin;
        while (memlog_next(c->active, &r) != MEMLOG_NOTHING)
            sink += r.kind;
    }
    return (double) spent / n;
}

static const unsigned crowd_sizes[] = { 0, 8, 64 };

static void cursors(const struct payload *p, unsigned rounds)
{
    struct crowd crowds[N_ELEMENTS(crowd_sizes)];

    pin(0);
    for (size_t i = 0; i < N_ELEMENTS(crowd_sizes); i++)
        crowd_init(&crowds[i], crowd_sizes[i]);
    for (unsigned round = 0; round < rounds + 4; round++)
        for (size_t i = 0; i < N_ELEMENTS(crowd_sizes); i++) {
            double ns = crowd_puts(&crowds[i], p, 10 * p->burst);

            if (round >= 4)
                printf("{\"cursors\":%u,\"put\":%.3f}\n", crowd_sizes[i], ns);
        }
    for (size_t i = 0; i < N_ELEMENTS(crowd_sizes); i++)
        crowd_done(&crowds[i]);
}

/* Nobody sleeps: this is what setting the wakes costs, not what the scheduler does then. */
static void wakes(unsigned rounds)
{
    static const unsigned sizes[] = { 1, 8, 64 };

    pin(0);
    for (size_t s = 0; s < N_ELEMENTS(sizes); s++) {
        struct crowd c;

        crowd_init(&c, sizes[s]);
        for (unsigned round = 0; round < rounds; round++) {
            struct memlog_record r;
            uint64_t begin;

            for (unsigned i = 0; i < sizes[s]; i++) {
                while (memlog_next(c.others[i], &r) != MEMLOG_NOTHING)
                    sink += r.kind;
                wake_clear(&c.wakes[i]);
                memlog_arm(c.others[i]);
            }
            begin = clock_monotonic_ns();
            memlog_put(c.log, round, NULL, 0);
            printf("{\"cursors\":%u,\"put\":%llu}\n", sizes[s],
                   (unsigned long long) (clock_monotonic_ns() - begin));
        }
        crowd_done(&c);
    }
}

/* ---- latency ---- */

enum how { ASLEEP, BARE, SPINNING };

struct race {
    enum how how;
    unsigned rounds;
    struct memlog *log;
    struct memlog_cursor *cursor;
    struct wake wake;
    _Atomic unsigned seen;    /* rounds the reader has had */
    _Atomic unsigned cleared; /* BARE: times the reader was about to wait */
    /* Of each round.  Nothing is stored while it is measured: that would be measured, too. */
    uint64_t *begun, *returned, *read;
    uint64_t *nothing; /* what the clock that measures takes for itself */
};

static void race_read(struct race *r)
{
    struct memlog_record record;

    for (;;) {
        if (r->how == SPINNING) {
            if (memlog_next(r->cursor, &record) == MEMLOG_RECORD)
                return;
            continue;
        }
        wake_clear(&r->wake);
        if (r->how == BARE) {
            r->cleared++;
            wake_wait(&r->wake, UINT64_MAX);
            return;
        }
        if (memlog_next(r->cursor, &record) == MEMLOG_RECORD)
            return;
        if (memlog_arm(r->cursor))
            wake_wait(&r->wake, UINT64_MAX);
    }
}

static void *race_reader(void *context)
{
    struct race *r = context;

    pin(1);
    for (unsigned i = 0; i < r->rounds; i++) {
        race_read(r);
        r->read[i] = clock_monotonic_ns();
        r->seen = i + 1;
    }
    return NULL;
}

static void pass(uint64_t ns)
{
    uint64_t until = clock_monotonic_ns() + ns;

    while (clock_monotonic_ns() < until)
        spin_pause();
}

/* The gaps are no sleep to wait for something: they are the load. */
static void race_run(struct race *r, uint64_t gap_ns)
{
    pthread_t reader;

    pthread_create(&reader, NULL, race_reader, r);
    for (unsigned i = 0; i < r->rounds; i++) {
        uint64_t before, begun, returned;

        for (unsigned turn = 0; r->seen < i || (r->how == BARE && r->cleared <= i);)
            spin_wait(&turn);
        pass(gap_ns);
        before = clock_monotonic_ns();
        begun = clock_monotonic_ns();
        if (r->how == BARE)
            wake_set(&r->wake);
        else
            memlog_put(r->log, i, texts[i % TEXTS], 0);
        returned = clock_monotonic_ns();
        r->nothing[i] = begun - before;
        r->begun[i] = begun;
        r->returned[i] = returned;
    }
    pthread_join(reader, NULL);
}

static int smaller(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;

    return x < y ? -1 : x > y;
}

/* The nanoseconds from @begun on that the @part of the rounds (in 100) had at most. */
static unsigned long long within(const uint64_t *ended, const uint64_t *begun, unsigned rounds,
                                 unsigned part)
{
    uint64_t *spent = calloc(rounds, sizeof *spent);
    unsigned long long answer;

    if (!spent)
        abort();
    for (unsigned i = 0; i < rounds; i++)
        spent[i] = ended[i] - (begun ? begun[i] : 0);
    qsort(spent, rounds, sizeof *spent, smaller);
    answer = spent[(uint64_t) (rounds - 1) * part / 100];
    free(spent);
    return answer;
}

static void race_print(const struct race *r, const char *name)
{
    printf("{\"reader\":\"%s\",\"p50\":%llu,\"p99\":%llu,\"put_p50\":%llu,\"put_p99\":%llu,"
           "\"clock_p50\":%llu}\n",
           name, within(r->read, r->begun, r->rounds, 50), within(r->read, r->begun, r->rounds, 99),
           within(r->returned, r->begun, r->rounds, 50),
           within(r->returned, r->begun, r->rounds, 99), within(r->nothing, NULL, r->rounds, 50));
}

static void latency_once(enum how how, const char *name, unsigned rounds, uint64_t gap_ns,
                         int print)
{
    struct race r = { .how = how, .rounds = rounds };
    uint64_t *times = calloc(4 * (size_t) rounds, sizeof *times);

    if (!times || memlog_new(MEMLOG_CEILING_DEFAULT, &r.log, NULL) < 0 ||
        wake_init(&r.wake, NULL) < 0 ||
        memlog_cursor_open(r.log, MEMLOG_FROM_NOW, 0, &r.wake, &r.cursor, NULL) < 0)
        abort();
    memset(times, 1, 4 * (size_t) rounds * sizeof *times); /* so that no page is missing later */
    r.begun = times;
    r.returned = times + rounds;
    r.read = times + 2 * rounds;
    r.nothing = times + 3 * rounds;
    pin(0);
    race_run(&r, gap_ns);
    if (print)
        race_print(&r, name);
    memlog_cursor_close(r.cursor);
    memlog_unref(r.log);
    wake_done(&r.wake);
    free(times);
}

static void latency(unsigned rounds)
{
    find_payload("120");
    for (unsigned round = 0; round < rounds + 1; round++) {
        latency_once(BARE, "bare eventfd", 1000, 300000, round > 0);
        latency_once(ASLEEP, "asleep", 1000, 300000, round > 0);
        latency_once(SPINNING, "spinning", 10000, 3000, round > 0);
    }
}

/* ---- memory and counting ---- */

static void memory(const struct payload *p)
{
    unsigned n = p->burst;

    for (size_t d = 0; d < n_designs; d++) {
        void *bridge = designs[d]->open();
        size_t before = mallinfo2().uordblks;

        for (unsigned i = 0; i < n; i++)
            designs[d]->put(bridge, i, text_of(p, i));
        printf("{\"design\":\"%s\",\"bytes\":%.1f}\n", designs[d]->name,
               (double) (mallinfo2().uordblks - before) / n);
        designs[d]->close(bridge);
    }
}

static void count(const char *name, const struct payload *p, uint64_t n, const char *what)
{
    for (size_t d = 0; d < n_designs; d++) {
        void *bridge;

        if (strcmp(designs[d]->name, name) != 0)
            continue;
        bridge = designs[d]->open();
        for (uint64_t done = 0; done < n; done += p->burst) {
            for (uint64_t i = 0; i < p->burst; i++)
                designs[d]->put(bridge, (uint32_t) i, text_of(p, i));
            if (strcmp(what, "take") == 0)
                sink = designs[d]->take(bridge, p->burst, tell_nobody, NULL);
        }
        designs[d]->close(bridge);
    }
}

int main(int argc, char **argv)
{
    const char *mode = argc > 2 ? argv[1] : "";
    unsigned number = argc > 3 ? (unsigned) atoi(argv[3]) : 0;

    if (strcmp(mode, "burst") == 0 && argc > 3) {
        find_designs(argv[4]);
        burst(find_payload(argv[2]), number);
    } else if (strcmp(mode, "cross") == 0 && argc > 4 && number && number <= PRODUCERS_MAX) {
        find_designs(argv[5]);
        cross(find_payload(argv[2]), number, (unsigned) atoi(argv[4]));
    } else if (strcmp(mode, "cursors") == 0 && argc > 3) {
        cursors(find_payload(argv[2]), number);
    } else if (strcmp(mode, "wakes") == 0) {
        wakes((unsigned) atoi(argv[2]));
    } else if (strcmp(mode, "latency") == 0) {
        latency((unsigned) atoi(argv[2]));
    } else if (strcmp(mode, "memory") == 0) {
        find_designs(argc > 3 ? argv[3] : NULL);
        memory(find_payload(argv[2]));
    } else if (strcmp(mode, "count") == 0 && argc > 5) {
        find_designs(argv[6]);
        count(argv[2], find_payload(argv[3]), strtoull(argv[4], NULL, 10), argv[5]);
    } else {
        fprintf(stderr, "see the top of trampoline.c\n");
        return 2;
    }
    return 0;
}
