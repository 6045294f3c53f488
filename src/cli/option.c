/* option.c - parses a command line from a table of options, and the values people write in them.
 *
 * Owns nothing; used by every command through main.c.  Pure: prints nothing, except the help it is
 * asked for, and looks at nothing but its arguments.  Promises that whatever cannot be understood
 * is refused by name, with the name that was probably meant.
 */
#include "option.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64    /* longest word that a nearest name is looked for */
#define HELP_COLUMN 30 /* where the texts of options begin */

struct parser {
    const char *command;
    const struct opt *opts;
    size_t n_opts;
    enum opt_order order;
    int argc;
    char **argv;
    int next;           /* index into argv */
    int only_arguments; /* after "--" */
    struct arguments *out;
    char *problem;
};

/* ---- nearest name ---- */

static size_t min_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that lead from @a to @b. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][WORD_MAX + 1];
    size_t n = strlen(a), m = strlen(b);
    size_t *before = rows[0], *above = rows[1], *row = rows[2];

    if (n > WORD_MAX || m > WORD_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *oldest = before;

        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] =
                min_of(min_of(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = min_of(row[j], before[j - 2] + 1);
        }
        before = above;
        above = row;
        row = oldest;
    }
    return above[m];
}

const char *option_nearest(const char *word, const char *const *names, size_t n)
{
    const char *best = NULL;
    size_t least = strlen(word) / 3 + 1;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);

        if (strlen(word) >= 3 && strncmp(names[i], word, strlen(word)) == 0)
            d = 1; /* an abbreviation */
        if (d <= least && d < strlen(names[i])) {
            best = names[i];
            least = d - (d > 0);
        }
    }
    return best;
}

/* ---- parsing ---- */

static enum parsed unknown_option(struct parser *p, const char *given, const char *name)
{
    const char *names[32];
    const char *nearest;
    size_t n = 0;

    for (; n < p->n_opts && n < sizeof names / sizeof names[0]; n++)
        names[n] = p->opts[n].name;
    nearest = strlen(name) > 1 ? option_nearest(name, names, n) : NULL;
    snprintf(p->problem, OPTION_PROBLEM,
             nearest ? "%s has no option '%s', did you mean '--%s'?" : "%s has no option '%s'",
             p->command, given, nearest);
    return PARSED_BAD;
}

static const struct opt *opt_by_name(const struct parser *p, const char *name, size_t n)
{
    for (size_t i = 0; i < p->n_opts; i++)
        if (strlen(p->opts[i].name) == n && memcmp(p->opts[i].name, name, n) == 0)
            return &p->opts[i];
    return NULL;
}

static const struct opt *opt_by_letter(const struct parser *p, char letter)
{
    for (size_t i = 0; i < p->n_opts; i++)
        if (p->opts[i].letter == letter)
            return &p->opts[i];
    return NULL;
}

static enum parsed list_add(struct parser *p, struct opt_list *list, const char *value)
{
    if (!list->items) /* there can be no more values than arguments */
        list->items = calloc((size_t) p->argc, sizeof *list->items);
    if (!list->items) {
        snprintf(p->problem, OPTION_PROBLEM, "not enough memory");
        return PARSED_BAD;
    }
    list->items[list->n++] = value;
    return PARSED_GOOD;
}

static enum parsed set_value(struct parser *p, const struct opt *o, const char *value)
{
    if (o->type == OPT_LIST)
        return list_add(p, o->out, value);
    if (*(const char **) o->out) {
        snprintf(p->problem, OPTION_PROBLEM, "option '--%s' is given twice", o->name);
        return PARSED_BAD;
    }
    *(const char **) o->out = value;
    return PARSED_GOOD;
}

/* The value of @o: what is attached to it, else the next argument. */
static enum parsed take_value(struct parser *p, const struct opt *o, const char *attached_opt)
{
    if (attached_opt)
        return set_value(p, o, attached_opt);
    if (p->next >= p->argc) {
        snprintf(p->problem, OPTION_PROBLEM, "option '--%s' needs a value: --%s %s", o->name,
                 o->name, o->value);
        return PARSED_BAD;
    }
    return set_value(p, o, p->argv[p->next++]);
}

static enum parsed parse_long(struct parser *p, const char *given)
{
    const char *name = given + 2;
    size_t n = strcspn(name, "=");
    const char *attached = name[n] == '=' ? name + n + 1 : NULL;
    const struct opt *o = opt_by_name(p, name, n);
    char word[WORD_MAX];

    if (!o && n == 4 && memcmp(name, "help", 4) == 0 && !attached)
        return PARSED_HELP;
    if (!o) {
        snprintf(word, sizeof word, "%.*s", (int) (n < WORD_MAX ? n : WORD_MAX - 1), name);
        return unknown_option(p, given, word);
    }
    if (o->type != OPT_FLAG)
        return take_value(p, o, attached);
    if (attached) {
        snprintf(p->problem, OPTION_PROBLEM, "option '--%s' takes no value", o->name);
        return PARSED_BAD;
    }
    *(int *) o->out = 1;
    return PARSED_GOOD;
}

static enum parsed parse_letters(struct parser *p, const char *given)
{
    for (const char *c = given + 1; *c; c++) {
        const struct opt *o = opt_by_letter(p, *c);

        if (!o && strcmp(given, "-h") == 0)
            return PARSED_HELP;
        if (!o)
            return unknown_option(p, given, given + 1);
        if (o->type != OPT_FLAG)
            return take_value(p, o, c[1] ? c + 1 : NULL);
        *(int *) o->out = 1;
    }
    return PARSED_GOOD;
}

static enum parsed parse_one(struct parser *p)
{
    char *given = p->argv[p->next++];

    if (!p->only_arguments && strcmp(given, "--") == 0) {
        p->only_arguments = 1;
        return PARSED_GOOD;
    }
    if (!p->only_arguments && given[0] == '-' && given[1] == '-')
        return parse_long(p, given);
    if (!p->only_arguments && given[0] == '-' && given[1])
        return parse_letters(p, given);
    p->out->items[p->out->n++] = given; /* never overtakes p->next */
    if (p->order == OPT_FIRST) {
        while (p->next < p->argc)
            p->out->items[p->out->n++] = p->argv[p->next++];
    }
    return PARSED_GOOD;
}

enum parsed option_parse(const char *command, const struct opt *opts, size_t n_opts,
                         enum opt_order order, int argc, char **argv, struct arguments *out,
                         char problem[OPTION_PROBLEM])
{
    struct parser p = { command, opts, n_opts, order, argc, argv, 0, 0, out, problem };
    enum parsed result = PARSED_GOOD;

    assert(command && out && problem);
    out->items = argv;
    out->n = 0;
    while (result == PARSED_GOOD && p.next < argc)
        result = parse_one(&p);
    return result;
}

void opt_list_done(struct opt_list *list)
{
    free(list->items);
    list->items = NULL;
    list->n = 0;
}

void option_print(FILE *to, const struct opt *opts, size_t n_opts)
{
    for (size_t i = 0; i < n_opts; i++) {
        const struct opt *o = &opts[i];
        char left[80];
        char letter[8] = "    ";

        if (o->letter)
            snprintf(letter, sizeof letter, "-%c, ", o->letter);
        snprintf(left, sizeof left, "  %s--%s%s%s", letter, o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        if (strlen(left) >= HELP_COLUMN)
            fprintf(to, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
        else
            fprintf(to, "%-*s%s\n", HELP_COLUMN, left, o->help);
    }
}

/* ---- values ---- */

/* Digits at @text; @end is where they end. */
static int digits(const char *text, uint64_t *out, const char **end)
{
    char *stop;

    if (!isdigit((unsigned char) *text))
        return -1;
    errno = 0;
    *out = strtoull(text, &stop, 10);
    *end = stop;
    return errno ? -1 : 0;
}

int option_number(const char *text, uint64_t low, uint64_t high, uint64_t *out,
                  char problem[OPTION_PROBLEM])
{
    const char *end;
    uint64_t value;

    if (digits(text, &value, &end) < 0 || *end || value < low || value > high) {
        snprintf(problem, OPTION_PROBLEM, "'%s' must be a whole number from %llu to %llu", text,
                 (unsigned long long) low, (unsigned long long) high);
        return -1;
    }
    *out = value;
    return 0;
}

/* How far to shift for a unit: 256M, 256m, 256MB, 256MiB.  -1 for what is none. */
static int shift_of(const char *unit)
{
    static const char letters[] = "bkmgt";
    const char *at;

    if (!*unit)
        return 0;
    at = strchr(letters, tolower((unsigned char) unit[0]));
    if (!at)
        return -1;
    unit++;
    if (at != letters && tolower((unsigned char) *unit) == 'i')
        unit++;
    if (at != letters && tolower((unsigned char) *unit) == 'b')
        unit++;
    return *unit ? -1 : (int) (at - letters) * 10;
}

int option_memory(const char *text, uint64_t *out_mb, char problem[OPTION_PROBLEM])
{
    const char *end;
    uint64_t value;
    int shift;

    if (digits(text, &value, &end) < 0 || (shift = shift_of(end)) < 0) {
        snprintf(problem, OPTION_PROBLEM, "'%s' is not an amount of memory, write 256M or 1G",
                 text);
        return -1;
    }
    if (value > UINT64_MAX >> shift) {
        snprintf(problem, OPTION_PROBLEM, "'%s' is more memory than there can be", text);
        return -1;
    }
    value <<= shift;
    if (value == 0 || value & ((1u << 20) - 1)) {
        snprintf(problem, OPTION_PROBLEM,
                 *end ? "'%s' is not a whole number of mebibytes, write 256M or 1G"
                      : "'%s' means bytes and is not a whole number of mebibytes, write 256M or 1G",
                 text);
        return -1;
    }
    *out_mb = value >> 20;
    return 0;
}

/* Up to three digits behind the point, as thousandths. */
static int thousandths(const char *text, uint64_t *out)
{
    uint64_t value = 0;
    int n = 0;

    for (; n < 3 && isdigit((unsigned char) text[n]); n++)
        value = value * 10 + (uint64_t) (text[n] - '0');
    if (n == 0 || text[n])
        return -1;
    for (; n < 3; n++)
        value *= 10;
    *out = value;
    return 0;
}

int option_cpus(const char *text, uint64_t *out_thousandths, char problem[OPTION_PROBLEM])
{
    const char *end = text;
    uint64_t whole = 0, rest = 0;

    if ((*text != '.' && digits(text, &whole, &end) < 0) || whole > 1000000 ||
        (*end && (*end != '.' || thousandths(end + 1, &rest) < 0)) || whole * 1000 + rest == 0) {
        snprintf(problem, OPTION_PROBLEM, "'%s' is not a number of processors, write 2 or 1.5",
                 text);
        return -1;
    }
    *out_thousandths = whole * 1000 + rest;
    return 0;
}

static int copy_part(const char *from, size_t n, char *to, size_t size)
{
    if (n == 0 || n >= size)
        return -1;
    memcpy(to, from, n);
    to[n] = '\0';
    return 0;
}

int option_volume(const char *text, struct option_volume *out, char problem[OPTION_PROBLEM])
{
    size_t n = strcspn(text, ":");
    const char *container = text[n] ? text + n + 1 : text + n;
    size_t m = strcspn(container, ":");
    const char *how = container[m] ? container + m + 1 : "rw";

    if (copy_part(text, n, out->host, sizeof out->host) < 0 ||
        copy_part(container, m, out->container, sizeof out->container) < 0) {
        snprintf(problem, OPTION_PROBLEM,
                 "'%s' must be HOST:CONTAINER or HOST:CONTAINER:ro, two directories", text);
        return -1;
    }
    if (strcmp(how, "ro") != 0 && strcmp(how, "rw") != 0) {
        snprintf(problem, OPTION_PROBLEM, "'%s' ends with ':%s', must be ':ro' or ':rw'", text,
                 how);
        return -1;
    }
    out->read_only = how[1] == 'o';
    return 0;
}
