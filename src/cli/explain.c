/* explain.c - a result code in words: what it means and what to do; of an unknown one, what its
 * bits say.  And a kind of event: what has happened.
 *
 * Owns nothing; used by the command explain.  Pure.  Promises that no code is taken for another: an
 * unknown one is told as unknown.
 */
#include "explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define FAMILY_MASK 0xFFFF0000u
#define FAMILY_HCS_V1 0xC0370000u
#define COLUMN 12

/* ---- parsing ---- */

static int parse_number(const char *text, hcs_result *out)
{
    char *end;
    long long value;

    if (!strpbrk(text, "0123456789") || text[strspn(text, "-xX0123456789abcdefABCDEF")])
        return -1;
    errno = 0;
    value = strtoll(text, &end, strncasecmp(text, "0x", 2) == 0 ? 16 : 10);
    if (errno || end == text || *end || value > UINT32_MAX || value < INT32_MIN)
        return -1;
    *out = (hcs_result) (uint32_t) value;
    return 0;
}

int explain_parse(const char *text, hcs_result *out)
{
    char name[80];

    if (parse_number(text, out) == 0)
        return 0;
    if (strcasecmp(text, "HCS_OK") == 0) {
        *out = HCS_OK;
        return 0;
    }
    if (hcs_result_from_name(text, out) == HCS_OK)
        return 0;
    snprintf(name, sizeof name, "HCS_E_%.60s", text);
    return hcs_result_from_name(name, out) == HCS_OK ? 0 : -1;
}

int explain_parse_kind(const char *text, hcs_event_kind *out)
{
    hcs_result number;

    if (hcs_event_kind_from_name(text, out) == HCS_OK)
        return 0;
    if (parse_number(text, &number) < 0 || !hcs_event_kind_name((hcs_event_kind) number))
        return -1;
    *out = (hcs_event_kind) number;
    return 0;
}

/* ---- printing ---- */

static void print_row(FILE *to, const char *title, const char *text)
{
    fprintf(to, "  %-*s%s\n", COLUMN, title, text);
}

static const char *facility_name(uint32_t facility)
{
    switch (facility) {
    case 0:
        return "none";
    case 1:
        return "remote procedure calls";
    case 4:
        return "interfaces (COM)";
    case 7:
        return "Win32: the low 16 bits are a Win32 error";
    case 0x37:
        return "the Host Compute Service";
    default:
        return "one that this program does not know";
    }
}

static void print_errno(FILE *to, int number)
{
    char line[128];
    const char *name = NULL;

#ifdef __GLIBC__
    name = strerrorname_np(number);
#endif
    snprintf(line, sizeof line, "%s%s%d, %s", name ? name : "", name ? ", " : "", number,
             strerror(number));
    print_row(to, "errno", line);
}

/* What a program may do with the code without knowing it. */
static void print_kind(FILE *to, hcs_result code)
{
    print_row(to, "class", hcs_error_class_name(hcs_result_class(code)));
    print_row(to, "try again",
              hcs_result_retryable(code) ? "yes, the same call may succeed later"
                                         : "no, something must be mended first");
    print_errno(to, hcs_result_errno(code));
}

static int print_unknown(FILE *to, hcs_result code)
{
    uint32_t bits = (uint32_t) code;
    uint32_t facility = (bits & FAMILY_MASK) == FAMILY_HCS_V1 ? 0x37 : bits >> 16 & 0x7FF;
    char line[128];

    fprintf(to, "0x%08" PRIX32 " (%" PRId32 ") is not in the table of libhcs\n", bits, code);
    print_row(to, "severity", code < 0 ? "failure" : "success");
    snprintf(line, sizeof line, "%" PRIu32 ", %s", facility, facility_name(facility));
    print_row(to, "facility", line);
    snprintf(line, sizeof line, "%" PRIu32 " (0x%04" PRIX32 ")", bits & 0xFFFF, bits & 0xFFFF);
    print_row(to, "number", line);
    if (hcs_result_class(code) <= HCS_CLASS_OTHER) {
        print_row(to, "class", hcs_error_class_name(hcs_result_class(code)));
        return 0;
    }
    print_kind(to, code);
    print_row(to, "judged by", "its number, which the older API (vmcompute.dll) has");
    return 0;
}

/* Codes of the older family mean what their twins mean. */
static void print_family(FILE *to, hcs_result code)
{
    uint32_t bits = (uint32_t) code;
    const char *name = hcs_result_name(code);
    hcs_result twin = 0;
    char line[128];

    if ((bits & FAMILY_MASK) != FAMILY_HCS_V1 || !name ||
        hcs_result_from_name(name, &twin) != HCS_OK || twin == code)
        return;
    snprintf(line, sizeof line,
             "number of the older API (vmcompute.dll); the newer says 0x%08" PRIX32,
             (uint32_t) twin);
    print_row(to, "family", line);
}

int explain_print(FILE *to, hcs_result code, int has_colour)
{
    const char *name = hcs_result_name(code);

    if (code == HCS_OK) {
        fprintf(to, "HCS_OK  0x00000000 (0)\n");
        print_row(to, "means", "success");
        return 1;
    }
    if (!name)
        return print_unknown(to, code);
    output_cell(to, name, COLOUR_BOLD, 0, has_colour);
    fprintf(to, "  0x%08" PRIX32 " (%" PRId32 ")\n", (uint32_t) code, code);
    print_row(to, "means", hcs_result_meaning(code));
    print_row(to, "what to do", hcs_result_advice(code));
    print_kind(to, code);
    print_family(to, code);
    return 1;
}

void explain_print_kind(FILE *to, hcs_event_kind kind, int has_colour)
{
    output_cell(to, hcs_event_kind_name(kind), COLOUR_BOLD, 0, has_colour);
    fprintf(to, "  0x%08" PRIX32 " (%" PRIu32 ")\n", kind, kind);
    print_row(to, "is", "a kind of event");
    print_row(to, "means", hcs_event_kind_meaning(kind));
}
