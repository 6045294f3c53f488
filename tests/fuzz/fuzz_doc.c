/* fuzz_doc.c - any text as each kind of document, as an id, as an event and as an exit report.
 * Also as a filter.  What is refused has a text; what is accepted keeps the promises of its type.
 */
#include <stdlib.h>
#include <string.h>

#include "doc.h"
#include "event.h"
#include "exit.h"
#include "filter.h"
#include "fuzz.h"
#include "tree.h"
#include "utf.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

static void check_refusal(hcs_result r, const hcs_error *err)
{
    CHECK(r < 0 && r == err->code);
    CHECK(err->text[0] && !strchr(err->text, '\n'));
    CHECK(utf8_valid(err->text, strlen(err->text)));
}

static void check_system(const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_system *doc = NULL;
    hcs_result r = doc_system_parse(text, &doc, &err);

    if (r < 0) {
        CHECK(!doc);
        check_refusal(r, &err);
        return;
    }
    CHECK(doc->owner && strcmp(doc->text, text) == 0);
    CHECK((doc->isolation == DOC_ISOLATION_NONE) == !doc->storage_path);
    CHECK(!doc->storage_path || doc->storage_path[0] == '/');
    CHECK((doc->processor_count != 0) + (doc->processor_weight != 0) +
              (doc->processor_maximum != 0) <=
          1);
    CHECK(doc->processor_weight <= 10000 && doc->processor_maximum <= 10000);
    for (size_t i = 0; i < doc->n_mapped; i++) {
        CHECK(doc->mapped[i].host_path[0] == '/' && doc->mapped[i].container_path[0] == '/');
        CHECK(!strstr(doc->mapped[i].container_path, "/../"));
    }
    doc_system_drop(doc);
}

static void check_process(const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_process *doc = NULL;
    hcs_result r = doc_process_parse(text, &doc, &err);
    size_t bytes = 0;

    if (r < 0) {
        CHECK(!doc);
        check_refusal(r, &err);
        return;
    }
    CHECK(doc->n_arguments > 0 && doc->arguments[0][0]);
    for (size_t i = 0; i < doc->n_arguments; i++)
        bytes += strlen(doc->arguments[i]) + 1;
    for (size_t i = 0; i < doc->n_environment; i++) {
        CHECK(strchr(doc->environment[i], '=') > doc->environment[i]);
        bytes += strlen(doc->environment[i]) + 1;
    }
    CHECK(bytes <= DOC_ARGUMENT_BYTES_MAX);
    CHECK(!doc->arguments[doc->n_arguments] && !doc->environment[doc->n_environment]);
    doc_process_drop(doc);
}

static void check_query(const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_query *doc = NULL;
    hcs_result r = doc_query_parse(text, &doc, &err);

    if (r < 0)
        check_refusal(r, &err);
    else
        (void) doc_query_matches(doc, "a", "Container", "me");
    doc_query_drop(doc);
}

/* What the kind alone says about an event, the whole filter does not deny. */
static void check_filter(const char *text)
{
    hcs_event event = HCS_EVENT_INIT;
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    hcs_error err = HCS_ERROR_INIT;
    struct filter *f = NULL;
    hcs_result r;

    if (!json)
        return;
    r = filter_parse(json, &f, &err);
    json_decref(json);
    if (r < 0) {
        CHECK(!f);
        check_refusal(r, &err);
        return;
    }
    event.system.id = text; /* as good as any other */
    event.system.owner = "me";
    event.exit = exit_from_wait_status(3 << 8);
    for (event.has_exit = 0; event.has_exit <= 1; event.has_exit++)
        for (event.kind = 0; event.kind <= 3; event.kind++) {
            int by_kind = filter_matches_kind(f, event.kind);

            CHECK(by_kind < 0 || by_kind == filter_matches(f, &event));
        }
    filter_drop(f);
}

/* What a program reads comes out the same a second time, and what the service takes of it the
 * service takes. */
static void check_tree(const char *type, const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL, *again = NULL;
    char *first = NULL, *second = NULL;
    hcs_result r = tree_parse(type, text, &doc, &err);

    if (r < 0) {
        CHECK(!doc);
        check_refusal(r, &err);
        return;
    }
    r = tree_check(doc, FIELD_SERVICE, &err);
    if (r < 0)
        check_refusal(r, &err);
    if (tree_text(doc, &first, &err) >= 0) {
        CHECK(tree_parse(type, first, &again, &err) >= 0);
        CHECK(tree_text(again, &second, &err) >= 0 && strcmp(first, second) == 0);
    }
    free(first);
    free(second);
    tree_free(again);
    tree_free(doc);
}

/* Any text as a path. */
static void check_path(const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    const json_t *found = NULL;
    hcs_doc *doc = NULL;

    CHECK(tree_new("ComputeSystem", &doc, &err) >= 0);
    if (tree_set_json(doc, text, "{}") >= 0)
        CHECK(tree_find(doc, text, &found, &err) >= 0 && json_is_object(found));
    else
        CHECK(tree_check(doc, FIELD_READ, &err) < 0 && err.text[0]);
    tree_free(doc);
}

/* An event that was understood encodes to one that is understood the same. */
static void check_event(const char *text)
{
    hcs_event event = HCS_EVENT_INIT, back = HCS_EVENT_INIT;
    json_t *json = json_loads(text, 0, NULL), *again;
    hcs_error err = HCS_ERROR_INIT;
    struct buf b;
    hcs_result r;

    if (!json)
        return;
    buf_init(&b, 16 << 20);
    r = event_view(json, &event, &err);
    if (r < 0) {
        check_refusal(r, &err);
    } else {
        CHECK(event_encode(&event, &b) >= 0);
        again = json_loadb(b.data, b.length, 0, NULL);
        CHECK(again && event_view(again, &back, NULL) >= 0);
        CHECK(back.sequence == event.sequence && back.kind == event.kind);
        CHECK(back.process_id == event.process_id && back.has_exit == event.has_exit);
        CHECK(memcmp(&back.exit, &event.exit, sizeof back.exit) == 0);
        CHECK(strcmp(back.system.owner, event.system.owner) == 0);
        CHECK(strcmp(back.detail, event.detail) == 0);
        json_decref(again);
    }
    buf_done(&b);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = malloc(size + 1);
    hcs_result r;

    CHECK(text);
    memcpy(text, data, size);
    text[size] = '\0';
    check_system(text);
    check_process(text);
    check_query(text);
    check_event(text);
    check_filter(text);
    check_tree("ComputeSystem", text);
    check_tree("ProcessParameters", text);
    check_tree("CrashReport", text);
    check_path(text);
    r = doc_check_id(text, &err);
    if (r < 0)
        check_refusal(r, &err);
    (void) exit_signal_number(text);
    free(text);
    return 0;
}
