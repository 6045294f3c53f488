/* moment.c - moments as people write them.
 *
 * Owns nothing; used by events.  Pure: whoever calls says what time it is now.  Promises that a
 * date that is in no calendar, and a number that does not fit, are refused.
 */
#include "moment.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define S_NS INT64_C(1000000000)
#define DAY_S INT64_C(86400)

static int refuse(char problem[OPTION_PROBLEM], const char *text, const char *why)
{
    snprintf(problem, OPTION_PROBLEM, "'%.100s' %s: write %s", text, why, MOMENT_FORMS);
    return -1;
}

/* ---- pieces ---- */

/* @n digits, no more and no less. */
static int fixed(const char **at, int n, int *out)
{
    *out = 0;
    for (; n > 0; n--, (*at)++) {
        if (!isdigit((unsigned char) **at))
            return -1;
        *out = *out * 10 + (**at - '0');
    }
    return 0;
}

static int literal(const char **at, char c)
{
    if (**at != c)
        return -1;
    (*at)++;
    return 0;
}

/* ".5": 1 to 9 digits, as nanoseconds; nothing is 0. */
static int fraction(const char **at, int64_t *out)
{
    int64_t unit = S_NS;

    *out = 0;
    if (**at != '.')
        return 0;
    (*at)++;
    if (!isdigit((unsigned char) **at))
        return -1;
    for (; isdigit((unsigned char) **at); (*at)++) {
        unit /= 10;
        if (unit == 0)
            return -1;
        *out += unit * (**at - '0');
    }
    return 0;
}

/* Digits of any number, up to what fits. */
static int number(const char **at, int64_t *out)
{
    *out = 0;
    if (!isdigit((unsigned char) **at))
        return -1;
    for (; isdigit((unsigned char) **at); (*at)++)
        if (__builtin_mul_overflow(*out, 10, out) || __builtin_add_overflow(*out, **at - '0', out))
            return -1;
    return 0;
}

/* ---- the calendar ---- */

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_in(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Days from 1970-01-01. */
static int64_t days_since(int year, int month, int day)
{
    int64_t days = day - 1;

    for (int m = 1; m < month; m++)
        days += days_in(year, m);
    for (int y = 1970; y < year; y++)
        days += 365 + is_leap(y);
    return days;
}

static int date(const char **at, int64_t *out_days)
{
    int year, month, day;

    if (fixed(at, 4, &year) < 0 || literal(at, '-') < 0 || fixed(at, 2, &month) < 0 ||
        literal(at, '-') < 0 || fixed(at, 2, &day) < 0)
        return -1;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return -1;
    *out_days = days_since(year, month, day);
    return 0;
}

static int clock_time(const char **at, int64_t *out_seconds)
{
    int hour, minute, second;

    if (fixed(at, 2, &hour) < 0 || literal(at, ':') < 0 || fixed(at, 2, &minute) < 0 ||
        literal(at, ':') < 0 || fixed(at, 2, &second) < 0)
        return -1;
    if (hour > 23 || minute > 59 || second > 60) /* 60: a leap second */
        return -1;
    *out_seconds = hour * 3600 + minute * 60 + second;
    return 0;
}

/* Z or +01:00, as seconds that local time is ahead. */
static int offset(const char **at, int64_t *out)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;

    *out = 0;
    if (**at == 'Z' || **at == 'z') {
        (*at)++;
        return 0;
    }
    if (**at != '+' && **at != '-')
        return -1;
    (*at)++;
    if (fixed(at, 2, &hours) < 0 || literal(at, ':') < 0 || fixed(at, 2, &minutes) < 0 ||
        hours > 23 || minutes > 59)
        return -1;
    *out = sign * (hours * 3600 + minutes * 60);
    return 0;
}

static int parse_rfc3339(const char *text, uint64_t *out, char problem[OPTION_PROBLEM])
{
    const char *at = text;
    int64_t days, seconds, part, ahead, ns;

    if (date(&at, &days) < 0)
        return refuse(problem, text, "has a date that is in no calendar, or is written otherwise");
    if (*at != 'T' && *at != 't' && *at != ' ')
        return refuse(problem, text, "is a date without a time");
    at++;
    if (clock_time(&at, &seconds) < 0 || fraction(&at, &part) < 0)
        return refuse(problem, text, "has a time that no clock shows, or is written otherwise");
    if (offset(&at, &ahead) < 0 || *at)
        return refuse(problem, text, "does not end in Z or an offset such as +01:00");
    seconds += days * DAY_S - ahead;
    if (seconds < 0 || __builtin_mul_overflow(seconds, S_NS, &ns) ||
        __builtin_add_overflow(ns, part, &ns))
        return refuse(problem, text, "is before 1970 or after 2262");
    *out = (uint64_t) ns;
    return 0;
}

/* ---- seconds, and times ago ---- */

static int parse_seconds(const char *text, uint64_t *out, char problem[OPTION_PROBLEM])
{
    const char *at = text;
    int64_t seconds, part, ns;

    if (number(&at, &seconds) < 0 || fraction(&at, &part) < 0 || *at)
        return refuse(problem, text, "is no number of seconds");
    if (__builtin_mul_overflow(seconds, S_NS, &ns) || __builtin_add_overflow(ns, part, &ns))
        return refuse(problem, text, "is after 2262");
    *out = (uint64_t) ns;
    return 0;
}

/* The unit at @at, as nanoseconds; 0 there is none. */
static int64_t unit_of(const char **at)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = { { "ms", S_NS / 1000 }, { "s", S_NS },         { "m", 60 * S_NS },
                  { "h", 3600 * S_NS },  { "d", DAY_S * S_NS }, { "w", 7 * DAY_S * S_NS } };

    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t n = strlen(units[i].name);

        if (strncmp(*at, units[i].name, n) == 0) {
            *at += n;
            return units[i].ns;
        }
    }
    return 0;
}

static int duration(const char *at, int64_t *out)
{
    *out = 0;
    do {
        int64_t value, unit;

        if (number(&at, &value) < 0)
            return -1;
        unit = unit_of(&at);
        if (unit == 0 || __builtin_mul_overflow(value, unit, &value) ||
            __builtin_add_overflow(*out, value, out))
            return -1;
    } while (*at);
    return 0;
}

static int parse_ago(const char *text, uint64_t now_ns, uint64_t *out, char problem[OPTION_PROBLEM])
{
    int is_ahead = *text == '+';
    int64_t distance, now = (int64_t) now_ns, ns;

    if (duration(text + is_ahead, &distance) < 0)
        return refuse(problem, text, "is no moment");
    if (is_ahead ? __builtin_add_overflow(now, distance, &ns) : distance > now)
        return refuse(problem, text, "is before 1970 or after 2262");
    *out = (uint64_t) (is_ahead ? ns : now - distance);
    return 0;
}

int moment_parse(const char *text, uint64_t now_ns, uint64_t *out, char problem[OPTION_PROBLEM])
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 4 && text[4] == '-')
        return parse_rfc3339(text, out, problem);
    if (digits > 0 && (!text[digits] || text[digits] == '.'))
        return parse_seconds(text, out, problem);
    return parse_ago(text, now_ns, out, problem);
}

/* ---- and back ---- */

char *moment_format(uint64_t ns, char buffer[MOMENT_SIZE])
{
    int64_t days = (int64_t) (ns / (uint64_t) (DAY_S * S_NS));
    int64_t left = (int64_t) (ns / (uint64_t) S_NS % (uint64_t) DAY_S);
    int year = 1970, month = 1;

    for (; days >= 365 + is_leap(year); year++)
        days -= 365 + is_leap(year);
    for (; days >= days_in(year, month); month++)
        days -= days_in(year, month);
    snprintf(buffer, MOMENT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%09" PRIu64 "Z", year, month,
             (int) days + 1, (int) (left / 3600), (int) (left / 60 % 60), (int) (left % 60),
             ns % (uint64_t) S_NS);
    return buffer;
}
