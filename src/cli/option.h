/* option.h - a command line from a table of options; and the values people write in them. */
#ifndef HCS_CLI_OPTION_H
#define HCS_CLI_OPTION_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OPTION_PROBLEM 512 /* room for a line that says what is wrong */

enum opt_type {
    OPT_FLAG, /* int: 1 when given */
    OPT_TEXT, /* const char *: at most once */
    OPT_LIST  /* struct opt_list: any number of times */
};

struct opt_list {
    const char **items; /* borrowed from argv */
    size_t n;
};

/* One option.  @out points to what its type says. */
struct opt {
    const char *name; /* without dashes */
    char letter;      /* 0: none */
    enum opt_type type;
    void *out;
    const char *value; /* "DIR"; NULL for flags */
    const char *help;
};

/* What is left: borrowed from argv. */
struct arguments {
    char **items;
    int n;
};

enum parsed {
    PARSED_GOOD,
    PARSED_HELP, /* --help was there */
    PARSED_BAD   /* the problem says why */
};

enum opt_order {
    OPT_ANYWHERE, /* options and arguments in any order */
    OPT_FIRST     /* the first argument ends the options: what follows belongs to a program */
};

/* Parse argv[0..argc-1] (without the program's name).  Understands --name VALUE, --name=VALUE, -n
 * VALUE, -nVALUE, groups of letters and "--".  argv is reordered.  @command is for texts. */
enum parsed option_parse(const char *command, const struct opt *opts, size_t n_opts,
                         enum opt_order order, int argc, char **argv, struct arguments *out,
                         char problem[OPTION_PROBLEM]);

void opt_list_done(struct opt_list *list);

/* The options as an aligned list for --help. */
void option_print(FILE *to, const struct opt *opts, size_t n_opts);

/* The one of @names that @word was probably meant to be, or NULL. */
const char *option_nearest(const char *word, const char *const *names, size_t n);

/* Values.  They return 0, or -1 with @problem, which begins with the value in quotes. */

/* Whole number in decimal, @low to @high. */
int option_number(const char *text, uint64_t low, uint64_t high, uint64_t *out,
                  char problem[OPTION_PROBLEM]);

/* Memory as docker writes it: 256M, 1g, 1048576, in whole mebibytes. */
int option_memory(const char *text, uint64_t *out_mb, char problem[OPTION_PROBLEM]);

/* Processors: 2 or 1.5; in thousandths. */
int option_cpus(const char *text, uint64_t *out_thousandths, char problem[OPTION_PROBLEM]);

struct option_volume {
    char host[4096];
    char container[4096];
    int read_only;
};

/* HOST:CONTAINER or HOST:CONTAINER:ro (or :rw). */
int option_volume(const char *text, struct option_volume *out, char problem[OPTION_PROBLEM]);

#endif
