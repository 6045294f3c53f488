/* doc.h - HCS documents in: what a client asks for, checked and typed.
 *
 * A document is refused whole: broken JSON by line and column, a wrong type, an unknown field
 * and a field that this service does not honour by its JSON path ("$.Container.Storage.Path").
 * Nothing is ignored.  Pure: no files are looked at; whether a path exists is the driver's
 * question.
 */
#ifndef HCS_MODEL_DOC_H
#define HCS_MODEL_DOC_H

#include "attr.h"
#include "hcs/error.h"

/* Largest document accepted, in bytes, and most entries of an array in it (CommandArgs are counted
 * in bytes instead, together with the environment and with a NUL behind each). */
#define DOC_BYTES_MAX ((size_t) 1 << 20)
#define DOC_ENTRIES_MAX 256
#define DOC_ARGUMENT_BYTES_MAX (128 * 1024)

struct doc_mapped_directory {
    char *host_path;
    char *container_path;
    int read_only;
};

enum doc_isolation { DOC_ISOLATION_NAMESPACES, DOC_ISOLATION_NONE };

/* A ComputeSystem document of a container. */
struct doc_system {
    char *text;  /* the document as it came */
    char *owner; /* "" when absent */
    enum doc_isolation isolation;
    char *storage_path; /* NULL when absent */
    char *host_name;    /* NULL when absent */
    struct doc_mapped_directory *mapped;
    size_t n_mapped;
    uint64_t memory_mb;         /* 0 when absent */
    uint32_t processor_count;   /* of these three at most one is not 0 */
    uint32_t processor_weight;  /* 1..10000 */
    uint32_t processor_maximum; /* 1..10000: percent of all processors, times 100 */
};

/* A ProcessParameters document.  It has CommandArgs, or a CommandLine that is split: white space
 * separates, double quotes group (and "" is an empty argument), inside them a backslash before a
 * double quote or a backslash makes it literal.  Nothing else is special. */
struct doc_process {
    char *text;
    char **arguments; /* NULL-terminated, at least one */
    size_t n_arguments;
    char **environment; /* NULL-terminated "NAME=value"; empty when absent */
    size_t n_environment;
    char *working_directory; /* NULL when absent */
    int create_stdin_pipe;
    int create_stdout_pipe;
    int create_stderr_pipe;
};

/* A SystemQuery document.  An empty list means any.  Systems have no name besides their id: Names
 * are compared with that. */
struct doc_query {
    char **ids;
    size_t n_ids;
    char **names;
    size_t n_names;
    char **types;
    size_t n_types;
    char **owners;
    size_t n_owners;
};

/* 1 to 128 of A-Z a-z 0-9 _ . -, the first a letter or digit; the error names what is wrong. */
_must_use_ hcs_result doc_check_id(const char *id, hcs_error *err);

_must_use_ hcs_result doc_system_parse(const char *text, struct doc_system **out, hcs_error *err);
void doc_system_drop(struct doc_system *doc);

_must_use_ hcs_result doc_process_parse(const char *text, struct doc_process **out, hcs_error *err);
void doc_process_drop(struct doc_process *doc);

_must_use_ hcs_result doc_query_parse(const char *text_opt, struct doc_query **out, hcs_error *err);
void doc_query_drop(struct doc_query *doc);
int doc_query_matches(const struct doc_query *query, const char *id, const char *type,
                      const char *owner);

static inline void doc_system_dropp(struct doc_system **doc)
{
    doc_system_drop(*doc);
}
static inline void doc_process_dropp(struct doc_process **doc)
{
    doc_process_drop(*doc);
}
static inline void doc_query_dropp(struct doc_query **doc)
{
    doc_query_drop(*doc);
}

#endif
