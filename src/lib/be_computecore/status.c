/* status.c - HCS's own documents about ends and errors, read into our reports.
 *
 * Owns nothing; pure.  Used on the threads of the library's users, never in a callback.  Promises
 * an answer for any bytes: a document that is cut, broken or of a newer HCS gives what can be
 * relied on and says "unknown" for the rest. */
#include "status.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "exit.h"
#include "utf.h"

static void json_drop(json_t **json)
{
    json_decref(*json);
}

static json_t *parse(const char *document, size_t length)
{
    return json_loadb(document, length, JSON_ALLOW_NUL, NULL);
}

/* A 32-bit number as HCS writes it, signed or not: 1 and its bits, or 0. */
static int get_bits(const json_t *json, const char *name, uint32_t *out)
{
    const json_t *value = json_object_get(json, name);
    json_int_t n = json_integer_value(value);

    if (!json_is_integer(value) || n < INT32_MIN || n > UINT32_MAX)
        return 0;
    *out = (uint32_t) n;
    return 1;
}

static void copy_string(const json_t *json, const char *name, char *buffer, size_t size)
{
    const char *value = json_string_value(json_object_get(json, name));
    size_t n = value ? utf8_cut(value, strlen(value), size - 1) : 0;

    memcpy(buffer, value ? value : "", n);
    buffer[n] = '\0';
}

/* ---- systems ---- */

static hcs_exit_type type_from(const json_t *json)
{
    static const struct {
        const char *word;
        hcs_exit_type type;
    } words[] = {
        { "GracefulExit", HCS_EXIT_TYPE_GRACEFUL },
        { "ForcedExit", HCS_EXIT_TYPE_FORCED },
        { "UnexpectedExit", HCS_EXIT_TYPE_UNEXPECTED },
    };
    const char *word = json_string_value(json_object_get(json, "ExitType"));

    for (size_t i = 0; word && i < N_ELEMENTS(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].type;
    return HCS_EXIT_TYPE_UNKNOWN;
}

static hcs_exit_initiator initiator_from(const json_t *record)
{
    static const char *const words[] = { "None", "GuestOS", "Client", "Internal", "Unknown" };
    const char *word = json_string_value(json_object_get(record, "Initiator"));

    for (uint32_t i = 0; word && i < N_ELEMENTS(words); i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return HCS_INITIATOR_UNKNOWN;
}

/* The first record that names an initiator; SystemExit goes before WorkerExit. */
static hcs_exit_initiator attribution_initiator(const json_t *json)
{
    static const char *const members[] = { "SystemExit", "WorkerExit" };
    const json_t *records = json_object_get(json, "Attribution");

    for (size_t m = 0; m < N_ELEMENTS(members); m++) {
        for (size_t i = 0; i < json_array_size(records); i++) {
            const json_t *record = json_object_get(json_array_get(records, i), members[m]);

            if (json_object_get(record, "Initiator"))
                return initiator_from(record);
        }
    }
    return HCS_INITIATOR_UNKNOWN;
}

hcs_exit status_of_system(const char *document, size_t length)
{
    _cleanup_(json_drop) json_t *json = NULL;
    uint32_t status;
    hcs_exit report;

    assert(document || length == 0);
    if (length == 0)
        return exit_unknown("HCS gave no SystemExitStatus");
    json = parse(document, length);
    if (!json_is_object(json))
        return exit_unknown("HCS's SystemExitStatus is no JSON object, or was cut");
    if (get_bits(json, "Status", &status))
        return exit_of_system((hcs_result) status, type_from(json), attribution_initiator(json));
    report = exit_unknown("no Status in HCS's SystemExitStatus");
    report.type = type_from(json);
    report.initiator = attribution_initiator(json);
    return report;
}

/* ---- processes ---- */

static hcs_exit code_from(const json_t *json)
{
    hcs_exit report = HCS_EXIT_INIT;
    char reason[96];
    uint32_t wait, code;

    if (!get_bits(json, "LastWaitResult", &wait))
        return exit_unknown("no LastWaitResult in HCS's ProcessStatus");
    if (wait != 0) {
        snprintf(reason, sizeof reason,
                 "HCS could not wait for the process (LastWaitResult 0x%08X)", (unsigned) wait);
        return exit_unknown(reason);
    }
    if (!get_bits(json, "ExitCode", &code))
        return exit_unknown("no ExitCode in HCS's ProcessStatus");
    report.how = HCS_EXIT_CODE;
    report.code = code;
    return report;
}

hcs_exit status_of_process(const char *document, size_t length, uint32_t *out_process_id_opt,
                           int *out_exited_opt)
{
    _cleanup_(json_drop) json_t *json = NULL;
    uint32_t process_id = 0;
    int exited;

    assert(document || length == 0);
    json = length > 0 ? parse(document, length) : NULL;
    (void) get_bits(json, "ProcessId", &process_id);
    exited = json_is_true(json_object_get(json, "Exited"));
    if (out_process_id_opt)
        *out_process_id_opt = process_id;
    if (out_exited_opt)
        *out_exited_opt = exited;
    if (length == 0)
        return exit_unknown("HCS gave no ProcessStatus");
    if (!json_is_object(json))
        return exit_unknown("HCS's ProcessStatus is no JSON object, or was cut");
    if (!exited)
        return exit_unknown("HCS's ProcessStatus does not say that the process has exited");
    return code_from(json);
}

/* ---- properties and errors ---- */

void status_of_properties(const char *document, struct status_properties *out)
{
    _cleanup_(json_drop) json_t *json = NULL;
    const char *state;

    assert(document && out);
    json = parse(document, strlen(document));
    state = json_string_value(json_object_get(json, "State"));
    copy_string(json, "Owner", out->owner, sizeof out->owner);
    copy_string(json, "SystemType", out->type, sizeof out->type);
    out->stopped =
        (state && strcmp(state, "Stopped") == 0) || json_is_true(json_object_get(json, "Stopped"));
    out->exit = type_from(json);
}

int status_error_message(const char *document_opt, char *buffer, size_t size)
{
    _cleanup_(json_drop) json_t *json = NULL;

    assert(buffer && size > 0);
    json = document_opt ? parse(document_opt, strlen(document_opt)) : NULL;
    copy_string(json, "ErrorMessage", buffer, size);
    return buffer[0] != '\0';
}
