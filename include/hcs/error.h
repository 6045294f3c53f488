/* error.h - results and errors of libhcs.
 *
 * Every call that can fail returns an hcs_result, an HRESULT bit for bit:
 * HCS_OK (0) is good, negative is bad.  The last parameter of such a call is
 * an optional hcs_error of the caller, filled on failure and untouched on
 * success.
 *
 * Numbers are Microsoft's wherever Microsoft has one; the list with meaning
 * and advice is idl/errors.tsv, from which error_codes.h is generated.
 */
#ifndef HCS_ERROR_H
#define HCS_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "hcs/error_codes.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32) && defined(HCS_SHARED)
#ifdef HCS_BUILDING
#define HCS_API __declspec(dllexport)
#else
#define HCS_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define HCS_API __attribute__((visibility("default")))
#else
#define HCS_API
#endif

#if defined(__GNUC__)
#define HCS_MUST_USE __attribute__((warn_unused_result))
#else
#define HCS_MUST_USE
#endif

/* An HRESULT: 0 good, negative bad. */
typedef int32_t hcs_result;

#define HCS_OK ((hcs_result) 0)

/* What went wrong.  Lives in the caller's memory, needs no release. */
typedef struct hcs_error {
    uint32_t size;   /* sizeof(hcs_error), set by HCS_ERROR_INIT */
    hcs_result code; /* what to branch on */
    int32_t os;      /* errno (Linux) or Win32 code behind it, 0 if none */
    char where[24];  /* layer and verb that knew the cause: "oci.start" */
    char text[476];  /* one line for a person, UTF-8, no newline */
} hcs_error;

#define HCS_ERROR_INIT                                                                             \
    {                                                                                              \
        sizeof(hcs_error), 0, 0, { 0 },                                                            \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* What kind of failure a code is, whichever family (0x8037.... of computecore.dll or 0xC037.... of
 * vmcompute.dll) it came in: branch on this where the exact code does not matter.  More may come:
 * take one that you do not know for HCS_CLASS_OTHER. */
typedef uint32_t hcs_error_class;
enum {
    HCS_CLASS_NONE = 0,  /* not a failure */
    HCS_CLASS_OTHER = 1, /* a failure this library has no class for */
    HCS_CLASS_NOT_FOUND = 2,
    HCS_CLASS_ALREADY_EXISTS = 3,
    HCS_CLASS_ALREADY_STOPPED = 4,
    HCS_CLASS_INVALID_STATE = 5,
    HCS_CLASS_INVALID_DOCUMENT = 6,
    HCS_CLASS_INVALID_ARGUMENT = 7,
    HCS_CLASS_ACCESS_DENIED = 8,
    HCS_CLASS_PENDING = 9,
    HCS_CLASS_TIMEOUT = 10,
    HCS_CLASS_CALLBACK_ALREADY_SET = 11,
    HCS_CLASS_SERVICE_GONE = 12,
    HCS_CLASS_OUT_OF_RESOURCES = 13, /* a limit other than memory and disk */
    HCS_CLASS_NOT_SUPPORTED = 14,
    HCS_CLASS_CRASHED = 15, /* the system ended when it should not have */
    HCS_CLASS_CLOSED = 16,  /* the handle or stream was closed */
    HCS_CLASS_BUSY = 17,    /* somebody else is using it */
    HCS_CLASS_OUT_OF_MEMORY = 18,
    HCS_CLASS_NO_SPACE = 19 /* the disk is full */
};

/**
 * Name of a code, "HCS_E_SYSTEM_NOT_FOUND".
 *
 * Both families are known; a code of the older 0xC037.... family gives the
 * name of its twin when it has none of its own.
 *
 * Returns: borrowed for ever; NULL when the code is not in the table.
 */
HCS_API const char *hcs_result_name(hcs_result code);

/**
 * One sentence: what the code means.  Returns as hcs_result_name().
 */
HCS_API const char *hcs_result_meaning(hcs_result code);

/**
 * One sentence: what a person can do about it.  Returns as hcs_result_name().
 */
HCS_API const char *hcs_result_advice(hcs_result code);

/**
 * Class of a code.  Never fails.
 *
 * A code of the two families that is not in the table is judged by its low 16 bits, as far as
 * either family has them: programs that mix the families meet 0x80370103, which no list has, for
 * "pending" (0xC0370103).  Such a code has a class, but no name.  Any other unknown failure is
 * HCS_CLASS_OTHER.
 */
HCS_API hcs_error_class hcs_result_class(hcs_result code);

/**
 * A class in words, "not found"; "other" for a number that is no class.  Never NULL, borrowed for
 * ever.
 */
HCS_API const char *hcs_error_class_name(hcs_error_class error_class);

/**
 * Whether the same call may succeed later without anything being mended: 1 yes, 0 no.  Unknown
 * codes as in hcs_result_class(), else 0.
 */
HCS_API int hcs_result_retryable(hcs_result code);

/**
 * The errno nearest to a code, positive; EIO when there is none nearer, 0 for success.  Unknown
 * codes as in hcs_result_class().
 */
HCS_API int hcs_result_errno(hcs_result code);

/**
 * Look a code up by its name ("HCS_E_INVALID_JSON", case does not matter).
 *
 * Errors: HCS_E_WIN32_NOT_FOUND no such name
 */
HCS_API HCS_MUST_USE hcs_result hcs_result_from_name(const char *name, hcs_result *out);

#ifdef __cplusplus
}
#endif
#endif
