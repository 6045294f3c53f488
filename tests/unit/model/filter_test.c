/* Filters of events: what is understood, what is refused by name, what matches. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "filter.h"

static hcs_result parse(const char *text, struct filter **out, hcs_error *err)
{
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    hcs_result r;

    assert_non_null(json);
    r = filter_parse(json, out, err);
    json_decref(json);
    return r;
}

static int matches(const char *text, const hcs_event *e)
{
    struct filter *f = NULL;
    hcs_error err = HCS_ERROR_INIT;
    int result;

    if (parse(text, &f, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    result = filter_matches(f, e);
    filter_drop(f);
    return result;
}

static hcs_event event_of(const char *id, const char *owner)
{
    hcs_event e = HCS_EVENT_INIT;

    e.kind = HCS_EVENT_SYSTEM_STARTED;
    e.system.id = id;
    e.system.owner = owner;
    return e;
}

static int id_matches(const char *pattern, const char *id)
{
    hcs_event e = event_of(id, "");
    json_t *json = json_pack("{s:[s]}", "ids", pattern);
    struct filter *f = NULL;
    int result;

    assert_int_equal(filter_parse(json, &f, NULL), HCS_OK);
    json_decref(json);
    result = filter_matches(f, &e);
    filter_drop(f);
    return result;
}

static void an_empty_filter_wants_everything(void **state)
{
    hcs_event e = event_of("a", "me");

    (void) state;
    assert_true(matches("{}", &e));
    assert_true(matches("{\"kinds\":null,\"ids\":null,\"owners\":null,\"exit\":null}", &e));
}

static void every_part_must_match_and_of_a_list_one(void **state)
{
    hcs_event e = event_of("web-1", "me");

    (void) state;
    assert_true(matches("{\"ids\":[\"x\",\"web-1\"]}", &e));
    assert_false(matches("{\"ids\":[\"x\",\"web\"]}", &e));
    assert_true(matches("{\"ids\":[\"web-1\"],\"owners\":[\"me\"]}", &e));
    assert_false(matches("{\"ids\":[\"web-1\"],\"owners\":[\"you\"]}", &e));
    assert_true(matches("{\"kinds\":[1,1279787010],\"owners\":[\"m?\"]}", &e));
    assert_false(matches("{\"kinds\":[1],\"owners\":[\"m?\"]}", &e));
}

static void patterns_have_stars_and_question_marks_and_nothing_else(void **state)
{
    (void) state;
    assert_true(id_matches("*", ""));
    assert_true(id_matches("*", "abc"));
    assert_true(id_matches("a*c", "abbc"));
    assert_true(id_matches("a*c", "ac"));
    assert_false(id_matches("a*c", "acb"));
    assert_true(id_matches("*ab*ab", "abxabab"));
    assert_false(id_matches("*ab*abc", "abxabab"));
    assert_true(id_matches("?", "a"));
    assert_false(id_matches("?", ""));
    assert_false(id_matches("?", "ab"));
    assert_true(id_matches("a?c*", "abc"));
    assert_false(id_matches("a", "A"));
    assert_true(id_matches("", ""));
    assert_false(id_matches("", "a"));
    assert_true(id_matches("[ab]\\*", "[ab]\\x"));
    assert_false(id_matches("[ab]", "a"));
    assert_true(id_matches("**a**", "xax"));
    assert_true(id_matches("a*/b", "a/x/b")); /* a slash is a character like others */
}

static void a_question_mark_is_one_character_of_any_length(void **state)
{
    (void) state;
    assert_true(id_matches("?", "\xC3\xA4"));
    assert_false(id_matches("??", "\xC3\xA4"));
    assert_true(id_matches("x?y", "x\xE2\x82\xACy"));
    assert_true(id_matches("*?", "\xC3\xA4\xC3\xB6"));
}

static hcs_event exited(hcs_exit exit)
{
    hcs_event e = event_of("a", "me");

    e.kind = HCS_EVENT_PROCESS_EXITED;
    e.has_exit = 1;
    e.exit = exit;
    return e;
}

/* Which of the words of `exit` match, one letter each, in the order below. */
static const char *words_of(const hcs_event *e)
{
    static const char *const words[] = { "0", "3", "nonzero", "signal", "signal:9", "unknown" };
    static char result[7];

    for (size_t i = 0; i < N_ELEMENTS(words); i++) {
        char text[64];

        snprintf(text, sizeof text, "{\"exit\":\"%s\"}", words[i]);
        result[i] = matches(text, e) ? 'y' : '-';
    }
    return result;
}

static void exits_match_by_what_they_were(void **state)
{
    hcs_event e = event_of("a", "me");

    (void) state;
    assert_string_equal(words_of(&e), "------"); /* no exit report */
    e = exited(exit_from_wait_status(0));
    assert_string_equal(words_of(&e), "y-----");
    e = exited(exit_from_wait_status(3 << 8));
    assert_string_equal(words_of(&e), "-yy---");
    e = exited(exit_from_wait_status(9));
    assert_string_equal(words_of(&e), "--yyy-");
    e = exited(exit_from_wait_status(SIGSEGV));
    assert_string_equal(words_of(&e), "--yy--");
    e = exited(exit_unknown("lost"));
    assert_string_equal(words_of(&e), "-----y");
    e = exited(exit_of_system(HCS_OK, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT));
    assert_string_equal(words_of(&e), "------");
    e = exited(exit_of_system(HCS_OK, HCS_EXIT_TYPE_FORCED, HCS_INITIATOR_CLIENT));
    assert_string_equal(words_of(&e), "--y---");
    e = exited(exit_of_system(HCS_E_UNEXPECTED_EXIT, HCS_EXIT_TYPE_GRACEFUL, HCS_INITIATOR_CLIENT));
    assert_string_equal(words_of(&e), "--y---");
}

static void codes_have_all_their_32_bits(void **state)
{
    hcs_event e = exited(exit_from_wait_status(0));

    (void) state;
    e.exit.code = 4294967295u;
    assert_true(matches("{\"exit\":\"4294967295\"}", &e));
    e.exit.code = 0;
    assert_false(matches("{\"exit\":\"4294967295\"}", &e));
}

static void refused(const char *text, hcs_result code, const char *named)
{
    hcs_error err = HCS_ERROR_INIT;
    struct filter *f = NULL;

    assert_int_equal(parse(text, &f, &err), code);
    assert_null(f);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, named))
        fail_msg("'%s' is not in '%s'", named, err.text);
}

static void what_is_wrong_is_named(void **state)
{
    (void) state;
    refused("[]", HCS_E_INVALIDARG, "filter must be an object");
    refused("{\"kind\":[1]}", HCS_E_INVALIDARG, "filter.kind ");
    refused("{\"kinds\":1}", HCS_E_INVALIDARG, "filter.kinds");
    refused("{\"kinds\":[]}", HCS_E_INVALIDARG, "filter.kinds");
    refused("{\"kinds\":[1,0]}", HCS_E_INVALIDARG, "filter.kinds[1]");
    refused("{\"kinds\":[4294967296]}", HCS_E_INVALIDARG, "filter.kinds[0]");
    refused("{\"kinds\":[\"1\"]}", HCS_E_INVALIDARG, "filter.kinds[0]");
    refused("{\"ids\":\"a\"}", HCS_E_INVALIDARG, "filter.ids");
    refused("{\"ids\":[\"a\",1]}", HCS_E_INVALIDARG, "filter.ids[1]");
    refused("{\"ids\":[\"a\\u0000b\"]}", HCS_E_INVALIDARG, "filter.ids[0]");
    refused("{\"owners\":[]}", HCS_E_INVALIDARG, "filter.owners");
    refused("{\"owners\":[null]}", HCS_E_INVALIDARG, "filter.owners[0]");
    refused("{\"exit\":0}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"\"}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"-1\"}", HCS_E_INVALIDARG, "filter.exit is '-1'");
    refused("{\"exit\":\"4294967296\"}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"signal:\"}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"signal:0\"}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"signal:KILL\"}", HCS_E_INVALIDARG, "filter.exit");
    refused("{\"exit\":\"signal\\u0000\"}", HCS_E_INVALIDARG, "filter.exit");
}

static void parse_many(const char *name, size_t n, size_t length, hcs_result code)
{
    json_t *json = json_object(), *list = json_array();
    char pattern[FILTER_PATTERN_BYTES_MAX + 2];
    hcs_error err = HCS_ERROR_INIT;
    struct filter *f = NULL;

    memset(pattern, 'a', sizeof pattern);
    pattern[length] = '\0';
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, strcmp(name, "kinds") == 0 ? json_integer((json_int_t) i + 1)
                                                               : json_string(pattern));
    json_object_set_new(json, name, list);
    assert_int_equal(filter_parse(json, &f, &err), code);
    if (code < 0)
        assert_non_null(strstr(err.text, name));
    filter_drop(f);
    json_decref(json);
}

static void limits_are_exact(void **state)
{
    static const char *const names[] = { "kinds", "ids", "owners" };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(names); i++) {
        parse_many(names[i], FILTER_ENTRIES_MAX, 1, HCS_OK);
        parse_many(names[i], FILTER_ENTRIES_MAX + 1, 1, HCS_E_WIN32_INSUFFICIENT_BUFFER);
    }
    parse_many("ids", 1, FILTER_PATTERN_BYTES_MAX, HCS_OK);
    parse_many("ids", 1, FILTER_PATTERN_BYTES_MAX + 1, HCS_E_WIN32_INSUFFICIENT_BUFFER);
}

static void kind_alone(const char *text, hcs_event_kind kind, int expected)
{
    struct filter *f = NULL;

    assert_int_equal(parse(text, &f, NULL), HCS_OK);
    assert_int_equal(filter_matches_kind(f, kind), expected);
    filter_drop(f);
}

static void the_kind_decides_alone_where_it_can(void **state)
{
    (void) state;
    kind_alone("{}", 1, 1);
    kind_alone("{\"kinds\":[1]}", 1, 1);
    kind_alone("{\"kinds\":[1]}", 2, 0);
    kind_alone("{\"kinds\":[1],\"ids\":[\"a\"]}", 2, 0);
    kind_alone("{\"kinds\":[1],\"ids\":[\"a\"]}", 1, -1);
    kind_alone("{\"owners\":[\"a\"]}", 1, -1);
    kind_alone("{\"exit\":\"0\"}", 1, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_filter_wants_everything),
        cmocka_unit_test(every_part_must_match_and_of_a_list_one),
        cmocka_unit_test(patterns_have_stars_and_question_marks_and_nothing_else),
        cmocka_unit_test(a_question_mark_is_one_character_of_any_length),
        cmocka_unit_test(exits_match_by_what_they_were),
        cmocka_unit_test(codes_have_all_their_32_bits),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(the_kind_decides_alone_where_it_can),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
