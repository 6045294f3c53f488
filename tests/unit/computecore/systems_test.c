/* systems_test.c - systems and operations over the flat API. */
#include "over.h"

#include "thread.h"

static hcs_system *create(const char *id)
{
    hcs_system *system = NULL;

    OK(hcs_system_create(host, id, "{}", &system, NULL, &err));
    assert_string_equal(hcs_system_id(system), id);
    return system;
}

static void a_life_from_create_to_exit(void **state)
{
    hcs_system *system = create("life");
    hcs_exit report = HCS_EXIT_INIT;
    char *document = NULL;

    (void) state;
    FAILS(hcs_system_wait(system, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    OK(hcs_system_start(system, NULL, &err));
    FAILS(hcs_system_start(system, NULL, &err), HCS_E_INVALID_STATE);
    SAYS("HcsStartComputeSystem");
    SAYS("'life'");
    OK(hcs_system_properties(system, &document, &err));
    assert_non_null(strstr(document, "\"State\":\"Running\""));
    hcs_string_free(document);
    OK(hcs_system_shut_down(system, NULL, &err));
    OK(hcs_system_wait(system, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_STATUS);
    assert_int_equal(report.type, HCS_EXIT_TYPE_GRACEFUL);
    assert_int_equal(report.initiator, HCS_INITIATOR_CLIENT);
    OK(hcs_system_wait(system, 0, &report, &err)); /* told for ever */
    FAILS(hcs_system_terminate(system, NULL, &err), HCS_E_SYSTEM_ALREADY_STOPPED);
    hcs_system_close(system);
}

static void both_pending_codes_mean_started(void **state)
{
    static const int32_t codes[] = { HCS_E_OPERATION_PENDING, HCS_E_V1_OPERATION_PENDING };
    hcs_op *op = NULL;

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(codes); i++) {
        hcs_system *system;

        provider_set_started(codes[i]);
        system = create(i ? "second" : "first");
        OK(hcs_system_start(system, &op, &err));
        OK(hcs_op_wait(op, DEADLINE_MS, &err));
        hcs_op_close(op);
        hcs_system_close(system);
    }
}

static void the_error_of_hcs_comes_with_its_code_and_its_words(void **state)
{
    hcs_system *system = create("wrong");

    (void) state;
    provider_fail_next("HcsStartComputeSystem", 0, (int32_t) 0xC0370106,
                       "{\"Error\":-1,\"ErrorMessage\":\"the image does not fit\"}");
    FAILS(hcs_system_start(system, NULL, &err), (hcs_result) 0xC0370106);
    SAYS("the image does not fit");
    provider_fail_next("HcsStartComputeSystem", (int32_t) 0x80371234, 0, NULL);
    FAILS(hcs_system_start(system, NULL, &err), (hcs_result) 0x80371234);
    SAYS("0x80371234");
    provider_fail_next("HcsStartComputeSystem", HCS_E_INVALID_STATE, 0,
                       "{\"ErrorMessage\":\"not now\"}");
    FAILS(hcs_system_start(system, NULL, &err), HCS_E_INVALID_STATE);
    SAYS("not now");
    provider_fail_next("HcsStartComputeSystem", HCS_E_ACCESS_DENIED, 0, "this is no document");
    FAILS(hcs_system_start(system, NULL, &err), HCS_E_ACCESS_DENIED);
    hcs_system_close(system);
}

static void a_failed_create_leaves_nothing(void **state)
{
    hcs_system *system = (hcs_system *) (uintptr_t) 1;
    hcs_op *op = NULL;

    (void) state;
    provider_fail_next("HcsCreateComputeSystem", HCS_E_INVALID_JSON, 0,
                       "{\"ErrorMessage\":\"line 1\"}");
    FAILS(hcs_system_create(host, "a", "{", &system, NULL, &err), HCS_E_INVALID_JSON);
    SAYS("line 1");
    /* by its operation, while there is a handle already */
    provider_fail_next("HcsCreateComputeSystem", 0, HCS_E_HYPERV_NOT_INSTALLED, NULL);
    FAILS(hcs_system_create(host, "a", "{}", &system, NULL, &err), HCS_E_HYPERV_NOT_INSTALLED);
    assert_ptr_equal(system, (void *) (uintptr_t) 1);
    provider_fail_next("HcsCreateComputeSystem", 0, HCS_E_HYPERV_NOT_INSTALLED, NULL);
    OK(hcs_system_create(host, "a", "{}", &system, &op, &err));
    FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_HYPERV_NOT_INSTALLED);
    FAILS(hcs_system_start(system, NULL, &err), HCS_E_HYPERV_NOT_INSTALLED);
    hcs_op_close(op);
    hcs_system_close(system);
    provider_fail_next("HcsCreateOperation", -1, 0, NULL);
    FAILS(hcs_system_create(host, "a", "{}", &system, NULL, &err), HCS_E_OUTOFMEMORY);
}

static void a_refused_registration_releases_everything(void **state)
{
    hcs_system *system = NULL;
    char *list = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_fail_next("HcsSetComputeSystemCallback", HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET,
                       0, NULL);
    FAILS(hcs_system_create(host, "a", "{}", &system, NULL, &err),
          HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET);
    SAYS("HcsSetComputeSystemCallback");
    assert_int_equal(provider_counts().systems, 0);
    provider_fail_next("HcsSetComputeSystemCallback", HCS_E_ACCESS_DENIED, 0, NULL);
    FAILS(hcs_system_create(host, "b", "{}", &system, &op, &err), HCS_E_ACCESS_DENIED);
    provider_wait_idle();
    assert_int_equal(provider_counts().systems, 0);
    assert_int_equal(provider_counts().operations, 0);
    OK(hcs_host_enumerate(host, NULL, &list, &err)); /* nobody is left with a system */
    assert_null(strstr(list, "\"State\":\"Created\""));
    hcs_string_free(list);
    provider_add_system("there", "me", "Running");
    provider_fail_next("HcsSetComputeSystemCallback", HCS_E_ACCESS_DENIED, 0, NULL);
    FAILS(hcs_system_open(host, "there", &system, &err), HCS_E_ACCESS_DENIED);
    assert_null(system);
    assert_null(op);
}

static void what_was_not_created_is_no_failure_of_the_registration(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    for (int i = 0; i < 2; i++) {
        provider_fail_next("HcsSetComputeSystemCallback", HCS_E_SYSTEM_NOT_FOUND, 0, NULL);
        provider_fail_next("HcsCreateComputeSystem", 0, HCS_E_SYSTEM_ALREADY_EXISTS,
                           "{\"ErrorMessage\":\"there is one\"}");
        if (i == 0) {
            FAILS(hcs_system_create(host, "a", "{}", &system, NULL, &err),
                  HCS_E_SYSTEM_ALREADY_EXISTS);
        } else {
            OK(hcs_system_create(host, "a", "{}", &system, &op, &err));
            FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_SYSTEM_ALREADY_EXISTS);
        }
        SAYS("there is one");
    }
    hcs_op_close(op);
    hcs_system_close(system);
}

static void a_terminate_that_is_done_has_told_its_exit(void **state)
{
    hcs_event event = HCS_EVENT_INIT;
    hcs_stream *stream = NULL;
    hcs_system *system;
    hcs_op *op = NULL;

    (void) state;
    provider_set_tells(0); /* the event would come too late */
    for (int i = 0; i < 2; i++) {
        system = create(i ? "with-an-operation" : "without");
        OK(hcs_stream_open_system(system, NULL, &stream, &err));
        OK(hcs_system_terminate(system, i ? &op : NULL, &err));
        if (i)
            OK(hcs_op_wait(op, DEADLINE_MS, &err));
        hcs_system_close(system);
        OK(hcs_stream_next(stream, 0, &event, &err));
        assert_int_equal(event.kind, HCS_EVENT_SYSTEM_EXITED);
        assert_int_equal(event.exit.type, HCS_EXIT_TYPE_FORCED);
        hcs_stream_close(stream);
    }
    hcs_op_close(op);
}

static void a_registration_is_refused_only_by_hcs(void **state)
{
    hcs_system *system = create("many");
    hcs_stream *streams[16];

    (void) state;
    for (size_t i = 0; i < 16; i++)
        OK(hcs_stream_open_system(system, NULL, &streams[i], &err));
    for (size_t i = 0; i < 16; i++)
        hcs_stream_close(streams[i]);
    hcs_system_close(system);
}

static void an_unknown_id_is_not_found(void **state)
{
    hcs_system *system = NULL;

    (void) state;
    FAILS(hcs_system_open(host, "nobody", &system, &err), HCS_E_SYSTEM_NOT_FOUND);
    SAYS("nobody");
}

/* ---- operations ---- */

static void an_operation_tells_its_result_as_often_as_asked(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_HELD);
    OK(hcs_system_create(host, "held", "{}", &system, &op, &err));
    FAILS(hcs_op_wait(op, 0, &err), HCS_E_OPERATION_TIMEOUT);
    FAILS(hcs_op_wait(op, 5, &err), HCS_E_OPERATION_TIMEOUT);
    FAILS(hcs_system_start(system, NULL, &err), HCS_E_OPERATION_PENDING);
    provider_complete_all();
    OK(hcs_op_wait(op, 0, &err));
    OK(hcs_op_wait(op, -1, &err));
    provider_set_manner(PROVIDER_LATER);
    OK(hcs_system_start(system, NULL, &err));
    hcs_op_close(op);
    hcs_system_close(system);
}

static void a_completion_may_come_before_the_starter_returns(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_BEFORE);
    OK(hcs_system_create(host, "early", "{}", &system, &op, &err));
    OK(hcs_op_wait(op, 0, &err));
    hcs_op_close(op);
    OK(hcs_system_start(system, &op, &err));
    OK(hcs_op_wait(op, 0, &err));
    hcs_op_close(op);
    hcs_system_close(system);
}

static void a_completion_that_comes_twice_counts_once(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_TWICE);
    for (int i = 0; i < 200; i++) {
        char id[16];

        snprintf(id, sizeof id, "twice-%d", i);
        OK(hcs_system_create(host, id, "{}", &system, &op, &err));
        OK(hcs_op_wait(op, DEADLINE_MS, &err));
        hcs_op_close(op);
        provider_fail_next("HcsStartComputeSystem", 0, HCS_E_IMAGE_MISMATCH,
                           "{\"ErrorMessage\":\"which must be freed\"}");
        OK(hcs_system_start(system, &op, &err));
        FAILS(hcs_op_wait(op, DEADLINE_MS, &err), HCS_E_IMAGE_MISMATCH);
        hcs_op_close(op);
        hcs_system_close(system);
        provider_forget_system(id);
    }
}

static void a_pending_operation_can_be_closed_at_any_time(void **state)
{
    hcs_system *system = create("closing");
    hcs_op *op = NULL;

    (void) state;
    provider_set_manner(PROVIDER_HELD);
    OK(hcs_system_start(system, &op, &err));
    hcs_op_close(op);
    assert_int_equal(provider_counts().operations, 1); /* kept until HCS has done with it */
    provider_complete_all();
    assert_int_equal(provider_counts().operations, 0);
    /* and one that HCS never completes goes with the host */
    OK(hcs_system_shut_down(system, &op, &err));
    hcs_system_close(system);
    hcs_op_close(op);
    assert_int_equal(provider_counts().operations, 1);
}

static void a_starter_that_fails_never_completes_later(void **state)
{
    hcs_system *system = create("never");
    hcs_op *op = NULL;

    (void) state;
    provider_fail_next("HcsStartComputeSystem", HCS_E_INVALID_STATE, 0, NULL);
    FAILS(hcs_system_start(system, &op, &err), HCS_E_INVALID_STATE);
    assert_null(op);
    assert_int_equal(provider_counts().operations, 0);
    hcs_system_close(system);
}

static void system_and_operation_may_be_closed_in_either_order(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    OK(hcs_system_create(host, "a", "{}", &system, &op, &err));
    hcs_system_close(system);
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    hcs_op_close(op);
    OK(hcs_system_create(host, "b", "{}", &system, &op, &err));
    hcs_op_close(op);
    hcs_system_close(system);
}

static void the_host_may_be_closed_first(void **state)
{
    hcs_system *system = create("orphan");
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    hcs_host_close(host);
    OK(hcs_system_start(system, NULL, &err));
    OK(hcs_system_terminate(system, NULL, &err));
    OK(hcs_system_wait(system, DEADLINE_MS, &report, &err));
    hcs_system_close(system);
    host = NULL;
}

/* ---- ends that nobody told ---- */

static void an_end_before_the_registration_is_not_lost(void **state)
{
    hcs_system *system = NULL;
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    provider_add_system("old", "me", "Running");
    provider_stop_system("old", "{\"Status\":0,\"ExitType\":\"ForcedExit\"}", 0);
    OK(hcs_system_open(host, "old", &system, &err));
    OK(hcs_system_wait(system, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_STATUS);
    assert_int_equal(report.type, HCS_EXIT_TYPE_FORCED);
    hcs_system_close(system);
}

static void an_end_that_hcs_forgets_to_tell_is_found_by_asking(void **state)
{
    hcs_system *system = create("quiet");
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    FAILS(hcs_system_wait(system, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    provider_stop_system("quiet", NULL, 0);
    OK(hcs_system_wait(system, 0, &report, &err));
    assert_int_equal(report.type, HCS_EXIT_TYPE_GRACEFUL);
    hcs_system_close(system);
}

static void an_end_without_a_document_is_unknown(void **state)
{
    hcs_system *system = create("gone");
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    provider_forget_system("gone");
    OK(hcs_system_wait(system, DEADLINE_MS, &report, &err));
    assert_int_equal(report.how, HCS_EXIT_UNKNOWN);
    assert_true(report.reason[0] != '\0');
    hcs_system_close(system);
}

static void a_disconnect_fails_the_wait(void **state)
{
    hcs_system *system = create("lost");
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    provider_send("lost", 0x02000000, NULL);
    FAILS(hcs_system_wait(system, DEADLINE_MS, &report, &err), HCS_E_SERVICE_DISCONNECT);
    hcs_system_close(system);
}

/* ---- closing ---- */

THREAD_FUNCTION(close_handle, parameter)
{
    cc_handle_close(parameter, "closed");
    THREAD_RETURN;
}

static thread closer;

/* On the thread that is in a call of HCS: another one closes the handle. */
static void close_meanwhile(void *parameter)
{
    thread_start(&closer, close_handle, parameter);
    while (cc_handle_enter(parameter, NULL) >= 0) { /* until it has begun */
        cc_handle_leave(parameter);
        thread_yield();
    }
    for (int i = 0; i < 1000; i++)
        thread_yield();
    assert_int_equal(provider_counts().systems, 1);
}

static void a_close_waits_for_a_call_that_is_under_way(void **state)
{
    struct cc_handle *h = NULL;
    char *document = NULL;

    (void) state;
    provider_add_system("closing", "me", "Running");
    OK(cc_handle_open_system(container_of(host, struct cc_host, head), "closing", &h, &err));
    provider_set_on_query(close_meanwhile, h);
    OK(cc_handle_query(h, &document, &err));
    thread_join(closer);
    free(document);
    assert_int_equal(provider_counts().systems, 0);
    cc_handle_unref(h);
}

/* ---- the host ---- */

static void the_host_lists_and_tells_of_itself(void **state)
{
    char *text = NULL;

    (void) state;
    OK(hcs_host_enumerate(host, NULL, &text, &err));
    assert_string_equal(text, "[]");
    hcs_string_free(text);
    provider_add_system("one", "me", "Running");
    OK(hcs_host_enumerate(host, "{\"Owners\":[\"me\"]}", &text, &err));
    assert_non_null(strstr(text, "\"Id\":\"one\""));
    hcs_string_free(text);
    OK(hcs_host_info(host, &text, &err));
    assert_non_null(strstr(text, "\"library\":\"scripted\""));
    assert_non_null(strstr(text, "SupportedSchemaVersions"));
    hcs_string_free(text);
    provider_fail_next("HcsEnumerateComputeSystems", 0, HCS_E_ACCESS_DENIED, NULL);
    FAILS(hcs_host_enumerate(host, NULL, &text, &err), HCS_E_ACCESS_DENIED);
}

static void what_hcs_cannot_do_is_refused_by_name(void **state)
{
    hcs_system *system = create("kept");

    (void) state;
    FAILS(hcs_system_forget(system, &err), HCS_E_WIN32_NOT_SUPPORTED);
    SAYS("'kept'");
    hcs_system_close(system);
}

static void refuse_query(void *context)
{
    (void) context;
    provider_fail_next("HcsGetComputeSystemProperties", 0, HCS_E_WIN32_INVALID_HANDLE, NULL);
}

static void an_end_that_was_not_told_is_found_whatever_the_query_says(void **state)
{
    hcs_exit report = HCS_EXIT_INIT;
    hcs_system *system = NULL;

    (void) state;
    provider_add_system("quiet", "me", "Running");
    OK(hcs_system_open(host, "quiet", &system, &err));
    provider_set_on_query(refuse_query, NULL);
    FAILS(hcs_system_wait(system, 0, &report, &err), HCS_E_OPERATION_TIMEOUT);
    provider_stop_system("quiet", NULL, 0);
    OK(hcs_system_wait(system, 0, &report, &err));
    provider_set_on_query(NULL, NULL);
    hcs_system_close(system);
}

static void text_that_is_not_utf8_is_refused(void **state)
{
    hcs_system *system = NULL;
    hcs_op *op = NULL;

    (void) state;
    FAILS(hcs_system_create(host, "a", "{\"Owner\":\"\xFF\"}", &system, NULL, &err),
          HCS_E_INVALID_JSON);
    assert_int_equal(provider_counts().operations, 0);
    FAILS(hcs_system_create(host, "a", "{\"Owner\":\"\xFF\"}", &system, &op, &err),
          HCS_E_INVALID_JSON);
    assert_int_equal(provider_counts().operations, 0);
}

static void visit_system(void *system)
{
    char *document = NULL;
    hcs_result r = hcs_system_properties(system, &document, NULL);

    (void) r; /* that it is answered is enough */
    hcs_string_free(document);
}

static void an_operation_is_closed_without_the_lock_of_its_system(void **state)
{
    hcs_system *system = NULL;
    struct over_visit visit = { .visit = visit_system };
    hcs_op *op = NULL;

    (void) state;
    OK(hcs_system_create(host, "a", "{}", &system, &op, &err));
    OK(hcs_op_wait(op, DEADLINE_MS, &err));
    hcs_op_close(op);
    provider_wait_idle();
    visit.thing = system;
    provider_set_on_operation_close(over_visit, &visit);
    OK(hcs_system_start(system, NULL, &err)); /* the creation is let go here */
    provider_set_on_operation_close(NULL, NULL);
    assert_true(atomic_load(&visit.comes));
    assert_false(visit.was_kept_out);
    hcs_system_close(system);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OVER(a_life_from_create_to_exit),
        OVER(both_pending_codes_mean_started),
        OVER(the_error_of_hcs_comes_with_its_code_and_its_words),
        OVER(a_failed_create_leaves_nothing),
        OVER(a_refused_registration_releases_everything),
        OVER(what_was_not_created_is_no_failure_of_the_registration),
        OVER(a_terminate_that_is_done_has_told_its_exit),
        OVER(a_registration_is_refused_only_by_hcs),
        OVER(an_unknown_id_is_not_found),
        OVER(an_operation_tells_its_result_as_often_as_asked),
        OVER(a_completion_may_come_before_the_starter_returns),
        OVER(a_completion_that_comes_twice_counts_once),
        OVER_PENDING(a_pending_operation_can_be_closed_at_any_time),
        OVER(a_starter_that_fails_never_completes_later),
        OVER(system_and_operation_may_be_closed_in_either_order),
        OVER(the_host_may_be_closed_first),
        OVER(an_end_before_the_registration_is_not_lost),
        OVER(an_end_that_hcs_forgets_to_tell_is_found_by_asking),
        OVER(an_end_without_a_document_is_unknown),
        OVER(a_disconnect_fails_the_wait),
        OVER(a_close_waits_for_a_call_that_is_under_way),
        OVER(the_host_lists_and_tells_of_itself),
        OVER(what_hcs_cannot_do_is_refused_by_name),
        OVER(an_end_that_was_not_told_is_found_whatever_the_query_says),
        OVER(an_operation_is_closed_without_the_lock_of_its_system),
        OVER(text_that_is_not_utf8_is_refused),
    };

    return cmocka_run_group_tests_name("systems", tests, NULL, NULL);
}
