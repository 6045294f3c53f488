/* Documents: what golden files cannot say well.  The documents themselves are in tests/golden/doc.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "doc.h"

#define VERSION "\"SchemaVersion\":{\"Major\":2,\"Minor\":1}"

static void check_id(const char *id, const char *text)
{
    hcs_error err = HCS_ERROR_INIT;

    assert_int_equal(doc_check_id(id, &err), text ? HCS_E_INVALIDARG : HCS_OK);
    if (text)
        assert_string_equal(err.text, text);
}

static void ids_are_checked_and_the_fault_is_named(void **state)
{
    char id[140];

    (void) state;
    check_id("a", NULL);
    check_id("0.B_c-9", NULL);
    check_id("", "the id is empty");
    check_id(".hidden", "the id '.hidden' begins with '.', must begin with a letter or digit");
    check_id("-x", "the id '-x' begins with '-', must begin with a letter or digit");
    check_id("a/b", "the id 'a/b' has '/' at position 2, allowed are A-Z a-z 0-9 _ . -");
    check_id("../x", "the id '../x' begins with '.', must begin with a letter or digit");
    check_id("a b", "the id 'a b' has ' ' at position 2, allowed are A-Z a-z 0-9 _ . -");
    check_id("\xC3\xA4",
             "the id '\xC3\xA4' has '\xC3\xA4' at position 1, allowed are A-Z a-z 0-9 _ . -");
    memset(id, 'x', sizeof id);
    id[128] = '\0';
    check_id(id, NULL);
    id[128] = 'x';
    id[129] = '\0';
    check_id(id, "the id has 129 characters, at most 128 are allowed");
}

/* Fields of HCS's schema that this service does not honour: they must be told apart from typing
 * mistakes, and never be accepted. */
static void fields_of_hcs_that_are_not_honoured_are_refused_as_such(void **state)
{
    static const char *const system[] = {
        "VirtualMachine",
        "HostedSystem",
        "HostingSystemId",
    };
    static const char *const container[] = {
        "MappedPipes",
        "Networking",
        "HvSocket",
        "ContainerCredentialGuard",
        "RegistryChanges",
        "AssignedDevices",
        "AdditionalDeviceNamespace",
    };
    static const char *const process[] = { "ApplicationName", "User", "ConsoleSize" };
    char text[300], expected[200];

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(system) + N_ELEMENTS(container); i++) {
        int inner = i >= N_ELEMENTS(system);
        const char *name = inner ? container[i - N_ELEMENTS(system)] : system[i];
        hcs_error err = HCS_ERROR_INIT;
        struct doc_system *doc = NULL;

        snprintf(text, sizeof text, "{" VERSION ",%s\"%s\":{}%s}", inner ? "\"Container\":{" : "",
                 name, inner ? "}" : "");
        assert_int_equal(doc_system_parse(text, &doc, &err), HCS_E_WIN32_NOT_SUPPORTED);
        assert_null(doc);
        snprintf(expected, sizeof expected, "$.%s%s is not supported by this service",
                 inner ? "Container." : "", name);
        assert_string_equal(err.text, expected);
    }
    for (size_t i = 0; i < N_ELEMENTS(process); i++) {
        struct doc_process *doc = NULL;

        snprintf(text, sizeof text, "{\"CommandArgs\":[\"x\"],\"%s\":\"y\"}", process[i]);
        assert_int_equal(doc_process_parse(text, &doc, NULL), HCS_E_WIN32_NOT_SUPPORTED);
    }
}

static void a_document_over_the_limit_is_refused(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_error err = HCS_ERROR_INIT;
    struct doc_query *query = NULL;

    (void) state;
    buf_init(&b, DOC_BYTES_MAX + 10);
    assert_int_equal(buf_append_string(&b, "{}"), HCS_OK);
    while (b.length < DOC_BYTES_MAX)
        assert_int_equal(buf_append(&b, " ", 1), HCS_OK);
    assert_int_equal(doc_query_parse(b.data, &query, &err), HCS_OK);
    doc_query_drop(query);
    query = NULL;
    assert_int_equal(buf_append(&b, " ", 1), HCS_OK);
    assert_int_equal(doc_query_parse(b.data, &query, &err), HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_string_equal(err.text, "the document has 1048577 bytes, at most 1048576 are allowed");
    assert_null(query);
}

static void deep_nesting_is_refused_not_followed(void **state)
{
    _cleanup_(buf_done) struct buf b;
    hcs_error err = HCS_ERROR_INIT;
    struct doc_system *doc = NULL;

    (void) state;
    buf_init(&b, DOC_BYTES_MAX);
    assert_int_equal(buf_append_string(&b, "{\"Container\":"), HCS_OK);
    while (b.length < 500000)
        assert_int_equal(buf_append(&b, "[", 1), HCS_OK);
    assert_int_equal(doc_system_parse(b.data, &doc, &err), HCS_E_INVALID_JSON);
    assert_non_null(strstr(err.text, "depth"));
}

static hcs_result parse_mapped(size_t n, struct doc_system **out, hcs_error *err)
{
    _cleanup_(buf_done) struct buf b;
    hcs_result r;

    buf_init(&b, DOC_BYTES_MAX);
    r = buf_append_string(&b, "{" VERSION ",\"Container\":{\"Storage\":{\"Path\":\"/r\"},"
                              "\"MappedDirectories\":[");
    for (size_t i = 0; i < n && r >= 0; i++)
        r = buf_printf(&b, "%s{\"HostPath\":\"/h\",\"ContainerPath\":\"/c%zu\"}", i ? "," : "", i);
    if (r >= 0)
        r = buf_append_string(&b, "]}}");
    assert_int_equal(r, HCS_OK);
    return doc_system_parse(b.data, out, err);
}

static void arrays_are_limited(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_system *doc = NULL;

    (void) state;
    assert_int_equal(parse_mapped(DOC_ENTRIES_MAX, &doc, &err), HCS_OK);
    assert_int_equal(doc->n_mapped, DOC_ENTRIES_MAX);
    assert_string_equal(doc->mapped[255].container_path, "/c255");
    doc_system_drop(doc);
    doc = NULL;
    assert_int_equal(parse_mapped(DOC_ENTRIES_MAX + 1, &doc, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_string_equal(err.text,
                        "$.Container.MappedDirectories has 257 entries, at most 256 are allowed");
}

static hcs_result parse_arguments(size_t bytes, struct doc_process **out, hcs_error *err)
{
    _cleanup_(buf_done) struct buf b;
    hcs_result r;

    buf_init(&b, DOC_BYTES_MAX);
    r = buf_append_string(&b, "{\"Environment\":{\"A\":\"b\"},\"CommandArgs\":[\"");
    for (size_t i = 0; i < bytes && r >= 0; i++)
        r = buf_append(&b, "x", 1);
    if (r >= 0)
        r = buf_append_string(&b, "\"]}");
    assert_int_equal(r, HCS_OK);
    return doc_process_parse(b.data, out, err);
}

static void arguments_and_environment_are_limited_together(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    struct doc_process *doc = NULL;

    (void) state;
    /* one NUL behind the argument, "A=b" and its NUL */
    assert_int_equal(parse_arguments(DOC_ARGUMENT_BYTES_MAX - 5, &doc, &err), HCS_OK);
    doc_process_drop(doc);
    doc = NULL;
    assert_int_equal(parse_arguments(DOC_ARGUMENT_BYTES_MAX - 4, &doc, &err),
                     HCS_E_WIN32_INSUFFICIENT_BUFFER);
    assert_string_equal(err.text,
                        "arguments and environment have 131073 bytes, at most 131072 are allowed");
}

static void long_names_do_not_hide_what_is_wrong(void **state)
{
    char text[2000], name[1500];
    hcs_error err = HCS_ERROR_INIT;
    struct doc_query *query = NULL;

    (void) state;
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    snprintf(text, sizeof text, "{\"%s\":1}", name);
    assert_int_equal(doc_query_parse(text, &query, &err), HCS_E_INVALID_JSON);
    assert_non_null(strstr(err.text, "nnn is not a field of SystemQuery"));
    assert_true(strlen(err.text) < 150);
}

static void the_text_is_kept_as_it_came(void **state)
{
    const char *text = "{ \"CommandArgs\" :[ \"a\"] }\n";
    struct doc_process *doc = NULL;

    (void) state;
    assert_int_equal(doc_process_parse(text, &doc, NULL), HCS_OK);
    assert_string_equal(doc->text, text);
    assert_null(doc->arguments[doc->n_arguments]);
    assert_null(doc->environment[doc->n_environment]);
    doc_process_drop(doc);
}

static int matches(const char *query, const char *id, const char *type, const char *owner)
{
    struct doc_query *doc = NULL;
    int yes;

    assert_int_equal(doc_query_parse(query, &doc, NULL), HCS_OK);
    yes = doc_query_matches(doc, id, type, owner);
    doc_query_drop(doc);
    return yes;
}

static void a_query_is_any_of_each_list_and_all_lists_together(void **state)
{
    (void) state;
    assert_true(matches(NULL, "a", "Container", ""));
    assert_true(matches("{}", "a", "Container", ""));
    assert_true(matches("{\"Ids\":[]}", "a", "Container", ""));
    assert_true(matches("{\"Ids\":[\"b\",\"a\"]}", "a", "Container", ""));
    assert_false(matches("{\"Ids\":[\"b\"]}", "a", "Container", ""));
    assert_true(matches("{\"Ids\":[\"a\"],\"Owners\":[\"me\",\"you\"]}", "a", "Container", "you"));
    assert_false(matches("{\"Ids\":[\"a\"],\"Owners\":[\"me\"]}", "a", "Container", "you"));
    assert_true(matches("{\"Types\":[\"Container\"],\"Names\":[\"a\"]}", "a", "Container", ""));
    assert_false(matches("{\"Types\":[\"VirtualMachine\"]}", "a", "Container", ""));
    assert_false(matches("{\"Names\":[\"b\"]}", "a", "Container", ""));
}

static void nothing_to_drop_is_fine(void **state)
{
    (void) state;
    doc_system_drop(NULL);
    doc_process_drop(NULL);
    doc_query_drop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_checked_and_the_fault_is_named),
        cmocka_unit_test(fields_of_hcs_that_are_not_honoured_are_refused_as_such),
        cmocka_unit_test(a_document_over_the_limit_is_refused),
        cmocka_unit_test(deep_nesting_is_refused_not_followed),
        cmocka_unit_test(arrays_are_limited),
        cmocka_unit_test(arguments_and_environment_are_limited_together),
        cmocka_unit_test(long_names_do_not_hide_what_is_wrong),
        cmocka_unit_test(the_text_is_kept_as_it_came),
        cmocka_unit_test(a_query_is_any_of_each_list_and_all_lists_together),
        cmocka_unit_test(nothing_to_drop_is_fine),
    };

    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
