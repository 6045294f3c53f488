/* option_test.c - the promises of option.h: what is not understood is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "option.h"

struct wishes {
    int remove, all;
    const char *memory;
    struct opt_list volumes;
};

static enum parsed parse(struct wishes *w, enum opt_order order, char **argv, struct arguments *out,
                         char problem[OPTION_PROBLEM])
{
    const struct opt opts[] = {
        { "rm", 0, OPT_FLAG, &w->remove, NULL, "" },
        { "all", 'a', OPT_FLAG, &w->all, NULL, "" },
        { "memory", 'm', OPT_TEXT, &w->memory, "SIZE", "" },
        { "volume", 'v', OPT_LIST, &w->volumes, "HOST:CONTAINER", "" },
    };
    int argc = 0;

    while (argv[argc])
        argc++;
    memset(w, 0, sizeof *w);
    problem[0] = '\0';
    return option_parse("run", opts, sizeof opts / sizeof opts[0], order, argc, argv, out, problem);
}

#define PARSE(w, order, out, problem, ...)                                                         \
    parse(w, order, (char *[]){ __VA_ARGS__, NULL }, out, problem)

static char rm[] = "--rm", a[] = "-a", memory[] = "--memory", size[] = "256M", dashes[] = "--",
            sh[] = "sh", c[] = "-c", dash[] = "-";

static void options_and_arguments_mix(void **state)
{
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, dash, rm, sh, memory, size, a),
                     PARSED_GOOD);
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.items[0], "-");
    assert_string_equal(rest.items[1], "sh");
    assert_true(w.remove && w.all);
    assert_string_equal(w.memory, "256M");
}

static void options_of_the_program_are_left_alone(void **state)
{
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, a, sh, c, rm), PARSED_GOOD);
    assert_int_equal(rest.n, 3);
    assert_string_equal(rest.items[2], "--rm");
    assert_false(w.remove);

    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, dashes, rm, a), PARSED_GOOD);
    assert_int_equal(rest.n, 2);
    assert_string_equal(rest.items[0], "--rm");
    assert_false(w.remove || w.all);
}

static void values_come_attached_or_apart(void **state)
{
    char attached[] = "--memory=1G", letter[] = "-m2G", group[] = "-am", list1[] = "-v/a:/b",
         list2[] = "--volume=/c:/d";
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, attached), PARSED_GOOD);
    assert_string_equal(w.memory, "1G");
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, letter), PARSED_GOOD);
    assert_string_equal(w.memory, "2G");
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, group, size), PARSED_GOOD);
    assert_true(w.all);
    assert_string_equal(w.memory, "256M");
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, list1, list2), PARSED_GOOD);
    assert_int_equal(w.volumes.n, 2);
    assert_string_equal(w.volumes.items[1], "/c:/d");
    opt_list_done(&w.volumes);
}

static void unknown_option_is_named_with_the_nearest(void **state)
{
    char typo[] = "--memroy=1", strange[] = "--zzzzzzzz", letter[] = "-z", part[] = "--mem";
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, typo), PARSED_BAD);
    assert_string_equal(problem, "run has no option '--memroy=1', did you mean '--memory'?");
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, part, size), PARSED_BAD);
    assert_non_null(strstr(problem, "'--memory'?"));
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, strange), PARSED_BAD);
    assert_string_equal(problem, "run has no option '--zzzzzzzz'");
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, letter), PARSED_BAD);
    assert_string_equal(problem, "run has no option '-z'");
}

static void misused_options_are_refused(void **state)
{
    char flag_value[] = "--rm=yes";
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, flag_value), PARSED_BAD);
    assert_non_null(strstr(problem, "takes no value"));
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, memory), PARSED_BAD);
    assert_non_null(strstr(problem, "needs a value"));
    assert_int_equal(PARSE(&w, OPT_ANYWHERE, &rest, problem, memory, size, memory, size),
                     PARSED_BAD);
    assert_non_null(strstr(problem, "twice"));
}

static void help_is_found_among_options(void **state)
{
    char help[] = "--help", h[] = "-h";
    struct wishes w;
    struct arguments rest;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, rm, help), PARSED_HELP);
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, h), PARSED_HELP);
    assert_int_equal(PARSE(&w, OPT_FIRST, &rest, problem, sh, help), PARSED_GOOD);
}

static void memory_is_read_as_docker_writes_it(void **state)
{
    static const struct {
        const char *text;
        uint64_t mb;
    } good[] = { { "256M", 256 },  { "1g", 1024 },    { "512mb", 512 }, { "2GiB", 2048 },
                 { "1048576", 1 }, { "1048576b", 1 }, { "2048k", 2 },   { "1T", 1048576 } };
    static const char *const bad[] = { "",
                                       "M",
                                       "256",
                                       "-1M",
                                       "1.5G",
                                       "256X",
                                       "1500K",
                                       "0",
                                       "0M",
                                       " 1M",
                                       "1M ",
                                       "1MM",
                                       "bb",
                                       "1bb",
                                       "+1M",
                                       "0x10M",
                                       "99999999999999999999999M",
                                       "17179869184T" };
    char problem[OPTION_PROBLEM];
    uint64_t mb;

    (void) state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        mb = 0;
        assert_int_equal(option_memory(good[i].text, &mb, problem), 0);
        assert_int_equal(mb, good[i].mb);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        mb = 7;
        assert_int_equal(option_memory(bad[i], &mb, problem), -1);
        assert_int_equal(mb, 7);
        assert_non_null(strstr(problem, bad[i]));
    }
}

static void processors_are_read_in_thousandths(void **state)
{
    static const char *const bad[] = { "",       "0",  "0.0", ".",   "1.",
                                       "1.2345", "-1", "two", "1,5", "9999999" };
    char problem[OPTION_PROBLEM];
    uint64_t n = 0;

    (void) state;
    assert_int_equal(option_cpus("2", &n, problem), 0);
    assert_int_equal(n, 2000);
    assert_int_equal(option_cpus("1.5", &n, problem), 0);
    assert_int_equal(n, 1500);
    assert_int_equal(option_cpus(".25", &n, problem), 0);
    assert_int_equal(n, 250);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(option_cpus(bad[i], &n, problem), -1);
    assert_int_equal(n, 250);
}

static void volumes_are_two_directories_and_how(void **state)
{
    static const char *const bad[] = { "",       "/a",     ":/b",      "/a:",
                                       "/a::ro", "/a:/b:", "/a:/b:rx", "/a:/b:ro:rw" };
    struct option_volume v;
    char problem[OPTION_PROBLEM];

    (void) state;
    assert_int_equal(option_volume("/a:/b", &v, problem), 0);
    assert_string_equal(v.host, "/a");
    assert_string_equal(v.container, "/b");
    assert_false(v.read_only);
    assert_int_equal(option_volume("./x:/y:ro", &v, problem), 0);
    assert_true(v.read_only);
    assert_int_equal(option_volume("/a:/b:rw", &v, problem), 0);
    assert_false(v.read_only);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(option_volume(bad[i], &v, problem), -1);
        assert_non_null(strstr(problem, bad[i]));
    }
}

static void numbers_keep_their_bounds(void **state)
{
    char problem[OPTION_PROBLEM];
    uint64_t n = 0;

    (void) state;
    assert_int_equal(option_number("10", 0, 10, &n, problem), 0);
    assert_int_equal(n, 10);
    assert_int_equal(option_number("11", 0, 10, &n, problem), -1);
    assert_int_equal(option_number("-1", 0, 10, &n, problem), -1);
    assert_int_equal(option_number("1x", 0, 10, &n, problem), -1);
    assert_int_equal(option_number("99999999999999999999", 0, UINT64_MAX, &n, problem), -1);
}

static void nearest_name_is_near(void **state)
{
    static const char *const names[] = { "run", "create", "events", "explain", "exec", "rm" };

    (void) state;
    assert_string_equal(option_nearest("evnets", names, 6), "events");
    assert_string_equal(option_nearest("rnu", names, 6), "run");
    assert_string_equal(option_nearest("expl", names, 6), "explain");
    assert_null(option_nearest("frobnicate", names, 6));
    assert_null(option_nearest("", names, 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_arguments_mix),
        cmocka_unit_test(options_of_the_program_are_left_alone),
        cmocka_unit_test(values_come_attached_or_apart),
        cmocka_unit_test(unknown_option_is_named_with_the_nearest),
        cmocka_unit_test(misused_options_are_refused),
        cmocka_unit_test(help_is_found_among_options),
        cmocka_unit_test(memory_is_read_as_docker_writes_it),
        cmocka_unit_test(processors_are_read_in_thousandths),
        cmocka_unit_test(volumes_are_two_directories_and_how),
        cmocka_unit_test(numbers_keep_their_bounds),
        cmocka_unit_test(nearest_name_is_near),
    };

    return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
