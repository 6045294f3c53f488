/* err.h - the only ways to make an hcs_error.
 *
 * A message is one line that names the object and the value, without "failed to" in front
 * and without a full stop.  It is made where the cause is known and never replaced above.
 */
#ifndef HCS_BASE_ERR_H
#define HCS_BASE_ERR_H

#include "attr.h"
#include "hcs/error.h"

/* Fill @err (may be NULL) and return @code.  @where is "layer.verb". */
_printf_(4, 5) hcs_result
    fail(hcs_error *err, hcs_result code, const char *where, const char *format, ...);

/* The same, with the words of the system for its error @os behind the message: errno on Linux, a
 * Win32 error on Windows. */
_printf_(5, 6) hcs_result
    fail_os(hcs_error *err, hcs_result code, int os, const char *where, const char *format, ...);

/* Put outer context in front of the text: "context: text".  Returns err's code, or @code
 * when err is NULL. */
_printf_(3, 4) hcs_result hint(hcs_error *err, hcs_result code, const char *format, ...);

/* Those words.  Returns @buffer or a string that lives for ever. */
const char *os_words(int os, char *buffer, size_t size);

/* Nearest code for an error that a system call left. */
#ifdef _WIN32
hcs_result result_from_windows(unsigned long os);
#define result_from_os(os) result_from_windows((unsigned long) (os))
#else
hcs_result result_from_errno(int os);
#define result_from_os(os) result_from_errno(os)
#endif

/* Copy what fits of @from; both sizes honoured. */
void error_copy(hcs_error *to, const hcs_error *from);

#endif
