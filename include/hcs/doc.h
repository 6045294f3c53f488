/* doc.h - HCS's JSON documents as typed values: build, read, check and explain them.
 *
 * A document has a type of HCS's schema ("ComputeSystem", "SystemExitStatus", ...; every type of
 * schema 2.4 is known).  A value in it is named by its path,
 * "Container.MappedDirectories[0].HostPath": fields and names of maps with dots between, entries of
 * arrays in brackets; a name of a map that has a dot or a bracket in it is written in brackets and
 * quotes, "Environment['A.B']".
 *
 * A container in five lines:
 *
 *     hcs_doc_container("/srv/rootfs", &doc, &err);
 *     hcs_doc_set_unsigned(doc, "Container.Memory.SizeInMB", 256);
 *     hcs_doc_set_string(doc, "Container.GuestOs.HostName", "demo");
 *     hcs_doc_text(doc, &text, &err);
 *     hcs_system_create(host, "demo", text, &system, NULL, &err);
 *
 * The setters need no check of each: a document remembers the first that failed, changes nothing
 * any more, and hcs_doc_check() and hcs_doc_text() report it.
 *
 * A document is not locked: one thread at a time.  Nothing here needs a service or blocks.
 */
#ifndef HCS_DOC_H
#define HCS_DOC_H

#include "error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- documents ---- */

typedef struct hcs_doc hcs_doc;

/**
 * An empty document of a type.
 *
 * Owner:  @out is yours; hcs_doc_free().
 * Errors: HCS_E_WIN32_NOT_FOUND no such type · HCS_E_INVALIDARG a type that is a list of values ·
 *         HCS_E_OUTOFMEMORY
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_new(const char *type, hcs_doc **out, hcs_error *err);

/**
 * Read a document, at most 1 MiB.  What is known must have its type; fields and values of
 * enumerations that are not known stay as they are, so that a document of a newer service is read
 * and comes out of hcs_doc_text() with all it had.
 *
 * Owner:  @out is yours; hcs_doc_free().
 * Errors: HCS_E_INVALID_JSON by line and column, or a wrong type by its path · HCS_E_INVALIDARG a
 *         number that its type has no room for, a GUID that is none ·
 *         HCS_E_WIN32_INSUFFICIENT_BUFFER larger than that · as hcs_doc_new()
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_parse(const char *type, const char *text, hcs_doc **out,
                                              hcs_error *err);

/**
 * Let a document go.  NULL is allowed.
 */
HCS_API void hcs_doc_free(hcs_doc *doc);

/**
 * A ComputeSystem of a container of this host: schema 2.1, @root_path its root file system.
 *
 * Owner:  @out is yours; hcs_doc_free().
 * Errors: HCS_E_OUTOFMEMORY · HCS_E_INVALIDARG @root_path is not UTF-8
 */
HCS_API hcs_result hcs_doc_container(const char *root_path, hcs_doc **out, hcs_error *err);

/**
 * A ComputeSystem of a virtual machine with nothing but memory and processors: schema 2.1,
 * StopOnReset. What it boots from is to be added: Chipset.LinuxKernelDirect or Chipset.Uefi, disks
 * below Devices.Scsi.
 *
 * Owner:  @out is yours; hcs_doc_free().
 * Errors: HCS_E_OUTOFMEMORY
 */
HCS_API hcs_result hcs_doc_virtual_machine(uint64_t memory_mb, uint32_t processors, hcs_doc **out,
                                           hcs_error *err);

/**
 * The ProcessParameters of a program: @arguments, NULL behind the last, and pipes for its standard
 * output and error.
 *
 * Owner:  @out is yours; hcs_doc_free().
 * Errors: HCS_E_OUTOFMEMORY · HCS_E_INVALIDARG an argument is not UTF-8
 */
HCS_API hcs_result hcs_doc_process(const char *const *arguments, hcs_doc **out, hcs_error *err);

/* Against what hcs_doc_check() holds a document. */
typedef uint32_t hcs_doc_for;
enum {
    HCS_DOC_FOR_SCHEMA = 0, /* HCS's schema */
    HCS_DOC_FOR_HCSD = 1    /* what hcsd asks of it before it looks at the machine */
};

/**
 * Whether a document is as it should be: every field known, every value of its type and, of an
 * enumeration, one that is known; for hcsd, nothing that it would refuse and nothing missing.
 *
 * Errors: that of the first setter that failed · HCS_E_INVALID_JSON a wrong type or unknown field,
 * by its path · HCS_E_INVALIDARG a value, or a field that is missing · HCS_E_WIN32_NOT_SUPPORTED
 * what hcsd refuses
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_check(const hcs_doc *doc, hcs_doc_for what, hcs_error *err);

/**
 * The document as JSON, on one line, fields in the order in which they were set or read.
 *
 * Owner:  @out is yours; hcs_string_free().
 * Errors: that of the first setter that failed · HCS_E_OUTOFMEMORY
 */
HCS_API hcs_result hcs_doc_text(const hcs_doc *doc, char **out, hcs_error *err);

/* ---- setting ----
 *
 * Objects, arrays and maps on the way are made; [N] with N the number of entries appends one.  The
 * result may be ignored, see above; a NULL @doc is HCS_E_POINTER and harmless.
 *
 * Errors: HCS_E_INVALID_JSON the path has a field that is not known, or the type is another ·
 *         HCS_E_INVALIDARG the path is not well-formed, an index is beyond the end, the value has
 * no room in its type or is not UTF-8 · HCS_E_OUTOFMEMORY
 */

/**
 * Set a string: also a GUID, a time, base64 or a value of an enumeration.
 */
HCS_API hcs_result hcs_doc_set_string(hcs_doc *doc, const char *path, const char *value);

/**
 * Set an integer of any type that has room for it.
 */
HCS_API hcs_result hcs_doc_set_integer(hcs_doc *doc, const char *path, int64_t value);

/**
 * The same, for numbers up to UINT64_MAX.
 */
HCS_API hcs_result hcs_doc_set_unsigned(hcs_doc *doc, const char *path, uint64_t value);

/**
 * Set a boolean: 0 is false.
 */
HCS_API hcs_result hcs_doc_set_boolean(hcs_doc *doc, const char *path, int value);

/**
 * Set whatever the JSON text @json says: an object, an array, also for fields that may hold
 * anything.
 */
HCS_API hcs_result hcs_doc_set_json(hcs_doc *doc, const char *path, const char *json);

/* ---- getting ----
 *
 * Errors: HCS_E_WIN32_NOT_FOUND it is not there · HCS_E_INVALID_JSON it has another type · as for
 *         setting
 */

/**
 * Borrow a string, until the document is changed or let go.
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_string(const hcs_doc *doc, const char *path,
                                                   const char **out, hcs_error *err);

/**
 * An integer.  One above INT64_MAX: HCS_E_INVALIDARG.
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_integer(const hcs_doc *doc, const char *path,
                                                    int64_t *out, hcs_error *err);

/**
 * An integer that is not negative; a negative one: HCS_E_INVALIDARG.
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_unsigned(const hcs_doc *doc, const char *path,
                                                     uint64_t *out, hcs_error *err);

/**
 * A boolean, as 0 or 1.
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_boolean(const hcs_doc *doc, const char *path, int *out,
                                                    hcs_error *err);

/**
 * What is there as JSON text; "" is the path of all.
 *
 * Owner:  @out is yours; hcs_string_free().
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_json(const hcs_doc *doc, const char *path, char **out,
                                                 hcs_error *err);

/**
 * How many entries an array, or members an object or map has.
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_size(const hcs_doc *doc, const char *path, size_t *out,
                                                 hcs_error *err);

/**
 * The name of member number @index of an object or map; "" is the path of all.  Borrowed as a
 * string.
 *
 * Errors: HCS_E_WIN32_NO_MORE_ITEMS
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_get_name(const hcs_doc *doc, const char *path, size_t index,
                                                 const char **out, hcs_error *err);

/* ---- the schema ---- */

/* What hcsd makes of a field.  There is nothing that it ignores. */
typedef uint32_t hcs_doc_service;
enum {
    HCS_DOC_PART = 0, /* of types: only part of others */
    HCS_DOC_HONOURED = 1,
    HCS_DOC_REFUSED = 2,    /* a document that has it is refused, by the path of the field */
    HCS_DOC_ONLY_FALSE = 3, /* false is honoured, true refused */
    HCS_DOC_ONLY_EMPTY = 4, /* an empty array is honoured, others are refused */
    HCS_DOC_GIVEN = 5,      /* in documents of the service: hcsd has it */
    HCS_DOC_NOT_GIVEN = 6   /* hcsd never has it */
};

/* A type.  Strings live for ever. */
typedef struct hcs_doc_type {
    uint32_t size; /* sizeof(hcs_doc_type), set by HCS_DOC_TYPE_INIT */
    hcs_doc_service service;
    const char *name;
    const char *note;  /* what it is, "" when nothing is to be said */
    uint32_t n_fields; /* 0 for an enumeration */
    uint32_t n_values; /* of an enumeration */
} hcs_doc_type;

#define HCS_DOC_TYPE_INIT                                                                          \
    {                                                                                              \
        sizeof(hcs_doc_type), 0, 0, 0, 0, 0                                                        \
    }

/* A field of a type.  Strings live for ever. */
typedef struct hcs_doc_field {
    uint32_t size; /* sizeof(hcs_doc_field), set by HCS_DOC_FIELD_INIT */
    hcs_doc_service service;
    const char *name;
    const char *type;     /* "string", "uint32", "Layer", "Layer[]", "{Scsi}" for a map of Scsi */
    const char *from;     /* "2.4": in that schema; "newer": of a newer one; "libhcs": hcsd's own */
    const char *unit;     /* "MiB"; "" when it has none */
    const char *rule;     /* what hcsd asks of the value, "1 to 10000"; "" when nothing */
    const char *required; /* when hcsd needs it: what it is for; "" when it may be missing */
    const char *note;     /* "" when nothing is to be said */
} hcs_doc_field;

#define HCS_DOC_FIELD_INIT                                                                         \
    {                                                                                              \
        sizeof(hcs_doc_field), 0, 0, 0, 0, 0, 0, 0, 0                                              \
    }

/**
 * The type number @index; the documents come first.
 *
 * Errors: HCS_E_WIN32_NO_MORE_ITEMS
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_type_at(size_t index, hcs_doc_type *out, hcs_error *err);

/**
 * The type of a name, as the schema writes it.
 *
 * Errors: HCS_E_WIN32_NOT_FOUND; the text names the one that was probably meant
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_type_of(const char *name, hcs_doc_type *out,
                                                hcs_error *err);

/**
 * The field number @index of a type.
 *
 * Errors: HCS_E_WIN32_NO_MORE_ITEMS · HCS_E_WIN32_NOT_FOUND no such type
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_field_at(const char *type, size_t index, hcs_doc_field *out,
                                                 hcs_error *err);

/**
 * The value number @index of an enumeration.
 *
 * Errors: HCS_E_WIN32_NO_MORE_ITEMS · HCS_E_WIN32_NOT_FOUND no such type
 */
HCS_API HCS_MUST_USE hcs_result hcs_doc_value_at(const char *type, size_t index, const char **out,
                                                 hcs_error *err);

#ifdef __cplusplus
}
#endif
#endif
