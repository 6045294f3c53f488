/* race_test.c - what may happen at the same time, does, many times.
 *
 * Each race is run HCS_TEST_RACES times (20,000 at first; 100,000 where a race
 * detector watches) on threads that live
 * throughout.  What is looked for is in the detectors, and in what is left at the end. */
#include "over.h"

#include "thread.h"

static int races = 20000;

/* ---- two helpers that run a job each, at once with the test's own thread ---- */

static struct {
    atomic_uint round;
    atomic_uint done;
    atomic_int stop;
    void (*job[2])(void);
    thread threads[2];
} team;

static void work(size_t me)
{
    unsigned seen = 0;

    for (;;) {
        while (atomic_load_explicit(&team.round, memory_order_acquire) == seen) {
            if (atomic_load(&team.stop))
                return;
            thread_yield();
        }
        seen++;
        team.job[me]();
        atomic_fetch_add_explicit(&team.done, 1, memory_order_release);
    }
}

THREAD_FUNCTION(helper, parameter)
{
    work((size_t) (uintptr_t) parameter);
    THREAD_RETURN;
}

static int team_begin(void **state)
{
    (void) state;
    memset(&team, 0, sizeof team);
    for (uintptr_t i = 0; i < 2; i++)
        thread_start(&team.threads[i], helper, (void *) i);
    return 0;
}

static int team_end(void **state)
{
    (void) state;
    atomic_store(&team.stop, 1);
    for (size_t i = 0; i < 2; i++)
        thread_join(team.threads[i]);
    return 0;
}

static void nothing(void) {}

static void together(void (*mine)(void), void (*first)(void), void (*second)(void))
{
    team.job[0] = first;
    team.job[1] = second;
    atomic_store(&team.done, 0);
    atomic_fetch_add_explicit(&team.round, 1, memory_order_release);
    mine();
    while (atomic_load_explicit(&team.done, memory_order_acquire) != 2)
        thread_yield();
}

static void say_count(const char *name)
{
    print_message("# %s: %d times\n", name, races);
}

/* ---- the things that race ---- */

static hcs_system *a_system;
static hcs_stream *a_stream;
static struct cc_handle *a_handle;
static struct provider_registration a_registration;
static hcs_op *an_op;
static hcs_process *a_process;

static void begin_system(void)
{
    OK(hcs_system_open(host, "race", &a_system, &err));
    OK(hcs_stream_open_system(a_system, NULL, &a_stream, &err));
    assert_true(provider_registration("race", 0, &a_registration));
}

static void close_system(void)
{
    hcs_system_close(a_system);
}

static void send_as_hcs(void)
{
    provider_send("race", 3, provider_wide("{\"a\":1}"));
    provider_send("race", 4, NULL);
}

static void call_as_hcs_never_would(void)
{
    provider_call(&a_registration, 3, provider_wide("{\"a\":1}"));
    provider_call(&a_registration, 1, provider_wide("{\"Status\":0}"));
    provider_call(&a_registration, 1, NULL);
}

/* Whatever came before, the stream ends, and with a reason. */
static void read_to_the_end(void)
{
    hcs_event event = HCS_EVENT_INIT;

    do {
        OK(hcs_stream_next(a_stream, DEADLINE_MS, &event, &err));
    } while (event.kind != HCS_EVENT_END);
    assert_true(event.detail_length > 0);
}

/* ---- the races ---- */

static void callback_during_close(void **state)
{
    (void) state;
    for (int i = 0; i < races; i++) {
        begin_system();
        together(close_system, send_as_hcs, nothing);
        read_to_the_end();
        hcs_stream_close(a_stream);
    }
    say_count("callback during close");
}

static void provider_calling_late(void **state)
{
    (void) state;
    provider_set_drains(0);
    for (int i = 0; i < races; i++) {
        begin_system();
        together(close_system, call_as_hcs_never_would, call_as_hcs_never_would);
        read_to_the_end();
        hcs_stream_close(a_stream);
        call_as_hcs_never_would(); /* and when nothing is left */
    }
    say_count("provider calling late");
}

static void close_handle_now(void)
{
    cc_handle_close(a_handle, "closed");
    /* quiet for whoever returns, not only for the one who closed */
    assert_int_equal(provider_counts().systems, 0);
    assert_null(registry_enter(a_handle->trampoline.number));
}

static void close_during_close(void **state)
{
    (void) state;
    for (int i = 0; i < races; i++) {
        OK(cc_handle_open_system(container_of(host, struct cc_host, head), "race", &a_handle,
                                 &err));
        together(close_handle_now, close_handle_now, send_as_hcs);
        cc_handle_unref(a_handle);
    }
    say_count("close during close");
}

static void query_handle(void)
{
    hcs_error why = HCS_ERROR_INIT;
    char *document = NULL;
    hcs_result r;

    do {
        r = cc_handle_query(a_handle, &document, &why);
        free(document);
        document = NULL;
    } while (r >= 0);
    assert_int_equal(r, HCS_E_WIN32_INVALID_HANDLE); /* by us: HCS would count a misuse */
}

static void call_during_close(void **state)
{
    (void) state;
    for (int i = 0; i < races; i++) {
        OK(cc_handle_open_system(container_of(host, struct cc_host, head), "race", &a_handle,
                                 &err));
        together(close_handle_now, query_handle, query_handle);
        cc_handle_unref(a_handle);
    }
    say_count("call during close");
}

static void subscribe_and_close(void)
{
    hcs_stream *stream = NULL;

    for (int i = 0; i < 2; i++) {
        OK(hcs_stream_open_system(a_system, NULL, &stream, &err));
        hcs_stream_close(stream);
    }
}

static void subscribe_during_callback(void **state)
{
    (void) state;
    begin_system();
    for (int i = 0; i < races; i++)
        together(subscribe_and_close, send_as_hcs, send_as_hcs);
    close_system();
    read_to_the_end();
    hcs_stream_close(a_stream);
    say_count("subscribe during callback");
}

static void wait_for_the_end(void)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_error why = HCS_ERROR_INIT;

    assert_int_equal(cc_handle_wait(a_handle, UINT64_MAX, &report, &why),
                     HCS_E_WIN32_INVALID_HANDLE);
}

static void handle_closed_by_another_thread(void **state)
{
    (void) state;
    for (int i = 0; i < races; i++) {
        begin_system();
        a_handle = cc_handle_ref(container_of(a_system, struct cc_system, head)->handle);
        together(read_to_the_end, close_system, wait_for_the_end);
        hcs_stream_close(a_stream);
        cc_handle_unref(a_handle);
    }
    say_count("handle closed by another thread");
}

static void end_stream(void)
{
    hcs_stream_end(a_stream);
}

static void stream_ended_by_another_thread(void **state)
{
    (void) state;
    begin_system();
    hcs_stream_close(a_stream);
    for (int i = 0; i < races; i++) {
        OK(hcs_stream_open_system(a_system, NULL, &a_stream, &err));
        together(read_to_the_end, end_stream, send_as_hcs);
        hcs_stream_close(a_stream);
    }
    close_system();
    say_count("stream ended by another thread");
}

static void complete_now(void)
{
    provider_complete_all();
}

static void close_op(void)
{
    hcs_op_close(an_op);
}

static void close_process(void)
{
    hcs_process_close(a_process);
}

static void completion_during_close(void **state)
{
    (void) state;
    begin_system();
    hcs_stream_close(a_stream);
    for (int i = 0; i < races; i++) {
        provider_set_manner(i % 2 ? PROVIDER_TWICE : PROVIDER_HELD);
        OK(hcs_process_create(a_system, "{\"CommandArgs\":[\"exit\"]}", NULL, &a_process, &an_op,
                              &err));
        together(close_op, complete_now, close_process);
        if (i % 256 == 0)
            provider_wait_idle(); /* it has so many handles only */
    }
    provider_set_manner(PROVIDER_LATER);
    provider_wait_idle();
    close_system();
    say_count("completion during close");
}

/* ---- */

static int begin(void **state)
{
    if (over_begin(state) < 0)
        return -1;
    provider_add_system("race", "me", "Running");
    return team_begin(state);
}

static int end(void **state)
{
    return team_end(state) + over_end(state);
}

#define RACE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RACE(callback_during_close),
        RACE(provider_calling_late),
        RACE(close_during_close),
        RACE(call_during_close),
        RACE(subscribe_during_callback),
        RACE(handle_closed_by_another_thread),
        RACE(stream_ended_by_another_thread),
        RACE(completion_during_close),
    };

    if (getenv("HCS_TEST_RACES"))
        races = atoi(getenv("HCS_TEST_RACES"));
    return cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
