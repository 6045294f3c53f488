/* event.h - lifecycle events and exit reports.
 *
 * An event says what happened to one compute system.  It is numbered once, by
 * the service, before anybody sees it: numbers of one host are dense, so a
 * reader can tell that it has missed nothing.
 */
#ifndef HCS_EVENT_H
#define HCS_EVENT_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kinds.  Microsoft's number where Microsoft has one (HCS_EVENT_TYPE of
 * computedefs.h); kinds of ours are 0x4C48nnnn, a range HCS does not use.  A kind
 * that is not listed here is delivered all the same, raw, with its detail. */
typedef uint32_t hcs_event_kind;
enum {
    HCS_EVENT_INVALID = 0x00000000,
    HCS_EVENT_SYSTEM_EXITED = 0x00000001,
    HCS_EVENT_SYSTEM_CRASH_INITIATED = 0x00000002,
    HCS_EVENT_SYSTEM_CRASH_REPORT = 0x00000003,
    HCS_EVENT_SYSTEM_RDP_STATE_CHANGED = 0x00000004,
    HCS_EVENT_SYSTEM_SILO_JOB_CREATED = 0x00000005,
    HCS_EVENT_SYSTEM_GUEST_CONNECTION_CLOSED = 0x00000006,
    HCS_EVENT_PROCESS_EXITED = 0x00010000,
    HCS_EVENT_OPERATION_CALLBACK = 0x01000000,
    HCS_EVENT_SERVICE_DISCONNECT = 0x02000000,

    HCS_EVENT_SYSTEM_CREATED = 0x4C480001,
    HCS_EVENT_SYSTEM_STARTED = 0x4C480002,
    HCS_EVENT_SYSTEM_PAUSED = 0x4C480003,
    HCS_EVENT_SYSTEM_RESUMED = 0x4C480004,
    HCS_EVENT_PROCESS_STARTED = 0x4C480010,
    HCS_EVENT_GAP = 0x4C480100,                /* events the log no longer has; how many is exact */
    HCS_EVENT_END = 0x4C480101,                /* the last event of a stream; says why */
    HCS_EVENT_BOOKMARK = 0x4C480102,           /* nothing happened, but the cursor moved */
    HCS_EVENT_SERVICE_RECONNECTED = 0x4C480103 /* a stream goes on where it was cut */
};

/* How something ended. */
typedef uint32_t hcs_exit_how;
enum {
    HCS_EXIT_UNKNOWN = 0, /* nobody knows; `reason` says why; no number is given */
    HCS_EXIT_CODE = 1,    /* a process returned `code` */
    HCS_EXIT_SIGNAL = 2,  /* a process was ended by `signal` */
    HCS_EXIT_STATUS = 3   /* a system ended with the HRESULT `status` */
};

/* HCS's NotificationType: the manner in which a system ended. */
typedef uint32_t hcs_exit_type;
enum {
    HCS_EXIT_TYPE_NONE = 0,       /* does not apply (processes) */
    HCS_EXIT_TYPE_GRACEFUL = 1,   /* by itself, or shut down */
    HCS_EXIT_TYPE_FORCED = 2,     /* terminated */
    HCS_EXIT_TYPE_UNEXPECTED = 3, /* crashed or was killed from outside */
    HCS_EXIT_TYPE_UNKNOWN = 4
};

/* HCS's ExitInitiator: who ended it. */
typedef uint32_t hcs_exit_initiator;
enum {
    HCS_INITIATOR_NONE = 0,
    HCS_INITIATOR_GUEST_OS = 1,
    HCS_INITIATOR_CLIENT = 2,
    HCS_INITIATOR_INTERNAL = 3,
    HCS_INITIATOR_UNKNOWN = 4
};

/* The exit report of a process or a system.  A value: copy it freely. */
typedef struct hcs_exit {
    uint32_t size; /* sizeof(hcs_exit), set by HCS_EXIT_INIT */
    hcs_exit_how how;
    uint32_t code;                /* HCS_EXIT_CODE only, else 0 and meaningless */
    int32_t signal;               /* HCS_EXIT_SIGNAL only: the host's signal number */
    uint32_t core_dumped;         /* HCS_EXIT_SIGNAL only: 1 when the kernel wrote a core */
    hcs_result status;            /* HCS_EXIT_STATUS only */
    hcs_exit_type type;           /* systems */
    hcs_exit_initiator initiator; /* systems */
    uint64_t oom_kills;           /* kills by the memory limit of the system, before this end */
    char reason[128];             /* HCS_EXIT_UNKNOWN: why nobody knows; else empty */
} hcs_exit;

#define HCS_EXIT_INIT                                                                              \
    {                                                                                              \
        sizeof(hcs_exit), 0, 0, 0, 0, 0, 0, 0, 0,                                                  \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

/* The system an event is about. */
typedef struct hcs_event_system {
    const char *id;
    uint64_t incarnation;  /* tells two systems of the same id apart; never 0 for our service;
                            * over computecore 0, HCS has no such number */
    const char *owner;     /* ComputeSystem.Owner; "" when the document names none */
    const char *type;      /* "Container" or "VirtualMachine" */
    const char *isolation; /* "namespaces", "vm", "none", or "" when the host does not say */
} hcs_event_system;

/* What became of an event's detail on its way here. */
enum {
    HCS_DETAIL_LOSSY = 1,     /* it held a lone surrogate, which became U+FFFD */
    HCS_DETAIL_TRUNCATED = 2, /* it was longer than the ceiling, and was cut at a character */
    HCS_DETAIL_ABSENT = 4     /* the service gave none, which is not an empty one */
};

/* One event, as hcs_stream_next() fills it. */
typedef struct hcs_event {
    uint32_t size; /* sizeof(hcs_event), set by HCS_EVENT_INIT */
    hcs_event_kind kind;
    uint64_t sequence;       /* number of the event on its host; of a BOOKMARK the number it stands
                              * behind; 0 for END, SERVICE_RECONNECTED and a SERVICE_DISCONNECT
                              * that the library itself noticed.  Over computecore: number of the
                              * event on its handle */
    uint64_t realtime_ns;    /* wall clock of the host when the event got its number */
    uint64_t monotonic_ns;   /* the same moment on the host's monotonic clock */
    hcs_event_system system; /* all strings "" when the event is about no system */
    uint32_t process_id;     /* PROCESS_STARTED and PROCESS_EXITED, else 0 */
    uint32_t has_exit;       /* 1 when `exit` is filled: PROCESS_EXITED, SYSTEM_EXITED */
    hcs_exit exit;
    uint64_t gap_first; /* GAP: numbers gap_first to gap_last are missing */
    uint64_t gap_last;
    const char *detail;    /* the service's JSON document, byte for byte; "" when it gave none */
    size_t detail_length;  /* bytes, without the terminating NUL */
    uint32_t detail_flags; /* HCS_DETAIL_; from hcsd never LOSSY or TRUNCATED */
    /* Where the number is one: "" where the service does not say, over computecore, and for what
     * has sequence 0. */
    const char *host_id; /* of the machine: 32 hexadecimal digits */
    const char *log_id;  /* of the log that counts: numbers of two logs say nothing to each other */
    const char *boot_id; /* monotonic_ns of two events compare only when these are equal */
} hcs_event;

#define HCS_EVENT_INIT                                                                             \
    {                                                                                              \
        sizeof(hcs_event), 0, 0, 0, 0, { "", 0, "", "", "" }, 0, 0, HCS_EXIT_INIT, 0, 0, "", 0, 0, \
            "", "", ""                                                                             \
    }

/**
 * Name of a kind as the service and Microsoft's headers say it, without prefix:
 * "SystemExited", "ProcessStarted", "Gap".
 *
 * Returns: borrowed for ever; NULL for a kind this library does not know.
 */
HCS_API const char *hcs_event_kind_name(hcs_event_kind kind);

/**
 * What has happened when an event of this kind comes: "a process of the system has exited".
 *
 * Returns: borrowed for ever; NULL for a kind this library does not know.
 */
HCS_API const char *hcs_event_kind_meaning(hcs_event_kind kind);

/**
 * The kind of a name, as hcs_event_kind_name() gives it; capitals and small letters are the same.
 *
 * Errors: HCS_E_WIN32_NOT_FOUND no kind has this name
 */
HCS_API HCS_MUST_USE hcs_result hcs_event_kind_from_name(const char *name, hcs_event_kind *out);

/**
 * An exit report in words: "code 42", "signal 11 (SEGV)", "shut down by client",
 * "unknown: the keeper was killed".
 *
 * Writes at most @size bytes with the terminating NUL; longer text is cut.
 * Returns: @buffer.
 */
HCS_API char *hcs_exit_describe(const hcs_exit *report, char *buffer, size_t size);

/**
 * An exit report as the JSON document that HCS writes for it: ProcessStatus when it says code or
 * signal, or when it is unknown and @process_id is not 0; else SystemExitStatus.  A signal is
 * ExitCode 128 + n, as HCS shows it for Linux guests; an unknown end has no ExitCode.
 *
 * Owner:  @out is yours; hcs_string_free().
 * Errors: HCS_E_INVALIDARG no report that this library could have made · HCS_E_OUTOFMEMORY
 */
HCS_API HCS_MUST_USE hcs_result hcs_exit_document(const hcs_exit *report, uint32_t process_id,
                                                  char **out, hcs_error *err);

#ifdef __cplusplus
}
#endif
#endif
