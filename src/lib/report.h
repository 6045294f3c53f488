/* report.h - an exit report into the hands of the user. */
#ifndef HCS_LIB_REPORT_H
#define HCS_LIB_REPORT_H

#include "attr.h"
#include "hcs/event.h"

/* Refuse an @out that is NULL or was not made by HCS_EXIT_INIT. */
_must_use_ hcs_result report_check(const hcs_exit *out, const char *where, hcs_error *err);

void report_give(const hcs_exit *report, hcs_exit *out);

#endif
