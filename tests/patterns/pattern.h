/* pattern.h - what the patterns share: documents from arguments, codes from documents.
 *
 * Every pattern is called  PROGRAM ID STORAGE COMMAND...  where STORAGE is the directory of a
 * root file system, or "none" for programs without isolation.  It ends with the command's own exit
 * code, or with 125 when something else went wrong. */
#ifndef HCS_TESTS_PATTERN_H
#define HCS_TESTS_PATTERN_H

#ifdef _WIN32
#include <windows.h>
#endif
#include <computecore.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET /* not in every winerror.h */
#define HCS_E_OPERATION_SYSTEM_CALLBACK_ALREADY_SET ((HRESULT) 0x80370119)
#endif

#define PATTERN_FAILED 125
#define LIMIT_MS 60000
#define TEXT_UNITS 4096

static inline void give_up(const char *what, HRESULT result)
{
    fprintf(stderr, "%s: 0x%08lx\n", what, (unsigned long) (DWORD) result);
    exit(PATTERN_FAILED);
}

static inline void must(const char *what, HRESULT result)
{
    if (FAILED(result))
        give_up(what, result);
}

/* A text that grows to the right. */
struct text {
    WCHAR units[TEXT_UNITS];
    size_t n;
};

static inline void text_add(struct text *t, const char *ascii)
{
    for (; *ascii; ascii++) {
        if (t->n + 2 > TEXT_UNITS)
            give_up("the arguments are too long", E_INVALIDARG);
        t->units[t->n++] = (WCHAR) (unsigned char) *ascii;
    }
    t->units[t->n] = 0;
}

static inline void text_add_quoted(struct text *t, const char *ascii)
{
    char one[3] = { '\\', 0, 0 };

    text_add(t, "\"");
    for (; *ascii; ascii++) {
        one[1] = *ascii;
        text_add(t, *ascii == '"' || *ascii == '\\' ? one : one + 1);
    }
    text_add(t, "\"");
}

static inline void text_print(PCWSTR text)
{
    for (; text && *text; text++)
        putchar(*text < 0x80 ? (int) *text : '?');
}

/* What to create, from the arguments. */
struct plan {
    struct text id;
    struct text system;
    struct text process;
};

static inline struct plan *plan_make(int argc, char **argv)
{
    struct plan *plan = (struct plan *) calloc(1, sizeof *plan);

    if (argc < 4 || !plan) {
        fprintf(stderr, "usage: %s ID STORAGE|none COMMAND...\n", argv[0]);
        exit(PATTERN_FAILED);
    }
    text_add(&plan->id, argv[1]);
    text_add(&plan->system,
             "{\"Owner\":\"pattern\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Container\":{");
    if (strcmp(argv[2], "none") == 0) {
        text_add(&plan->system, "\"IsolationType\":\"None\"}}");
    } else {
        text_add(&plan->system, "\"Storage\":{\"Path\":");
        text_add_quoted(&plan->system, argv[2]);
        text_add(&plan->system, "}}}");
    }
    text_add(&plan->process, "{\"CommandArgs\":[");
    for (int i = 3; i < argc; i++) {
        text_add(&plan->process, i > 3 ? "," : "");
        text_add_quoted(&plan->process, argv[i]);
    }
    text_add(&plan->process, "]}");
    return plan;
}

/* The number after "NAME": in a document; -1 when it is not there. */
static inline long number_in(PCWSTR document, const char *name)
{
    for (; document && *document; document++) {
        size_t n = 0;
        long value = 0;

        while (name[n] && document[n] == (WCHAR) name[n])
            n++;
        if (name[n] || document[n] != '"' || document[n + 1] != ':')
            continue;
        for (document += n + 2; *document == ' '; document++)
            ;
        if (*document < '0' || *document > '9')
            return -1;
        for (; *document >= '0' && *document <= '9'; document++)
            value = value * 10 + (*document - '0');
        return value;
    }
    return -1;
}

/* The exit code of a ProcessStatus document. */
static inline int exit_code_in(PCWSTR status)
{
    long code = number_in(status, "ExitCode");

    return code < 0 ? PATTERN_FAILED : (int) code;
}

#endif
