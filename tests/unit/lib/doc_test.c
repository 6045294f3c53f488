/* The promises of hcs/doc.h, over the public API. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hcs/hcs.h>

#define N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))

static void has_text(const hcs_doc *doc, const char *expected)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;

    if (hcs_doc_text(doc, &text, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(text, expected);
    hcs_string_free(text);
}

static hcs_doc *parsed(const char *type, const char *text)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;

    if (hcs_doc_parse(type, text, &doc, &err) < 0)
        fail_msg("%s: %s", type, err.text);
    return doc;
}

/* ---- the documents that are written most ---- */

static void a_container_takes_five_lines(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;
    char *text = NULL;

    (void) state;
    hcs_doc_container("/srv/rootfs", &doc, &err);
    hcs_doc_set_unsigned(doc, "Container.Memory.SizeInMB", 256);
    hcs_doc_set_string(doc, "Container.GuestOs.HostName", "demo");
    hcs_doc_text(doc, &text, &err);
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_HCSD, &err), HCS_OK);

    assert_string_equal(text,
                        "{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
                        "\"Container\":{\"Storage\":{\"Path\":\"/srv/rootfs\"},"
                        "\"Memory\":{\"SizeInMB\":256},\"GuestOs\":{\"HostName\":\"demo\"}}}");
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err), HCS_OK);
    hcs_string_free(text);
    hcs_doc_free(doc);
}

#define DISK "VirtualMachine.Devices.Scsi.disks.Attachments.0."
#define BOOT "VirtualMachine.Chipset.LinuxKernelDirect."

static void a_virtual_machine_takes_ten_lines(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;
    char *text = NULL;

    (void) state;
    hcs_doc_virtual_machine(1024, 2, &doc, &err);
    hcs_doc_set_string(doc, BOOT "KernelFilePath", "/boot/vmlinuz");
    hcs_doc_set_string(doc, BOOT "InitRdPath", "/boot/initrd.img");
    hcs_doc_set_string(doc, BOOT "KernelCmdLine", "root=/dev/sda console=ttyS0");
    hcs_doc_set_string(doc, DISK "Type", "VirtualDisk");
    hcs_doc_set_string(doc, DISK "Path", "/srv/disk.vhdx");
    hcs_doc_set_string(doc, "VirtualMachine.Devices.ComPorts.0.NamedPipe", "/run/com0");
    hcs_doc_set_json(doc, "VirtualMachine.Devices.Plan9", "{}");
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err), HCS_OK);
    hcs_doc_text(doc, &text, &err);

    assert_string_equal(
        text,
        "{\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"VirtualMachine\":{\"StopOnReset\":true,"
        "\"ComputeTopology\":{\"Memory\":{\"SizeInMB\":1024},\"Processor\":{\"Count\":2}},"
        "\"Chipset\":{\"LinuxKernelDirect\":{\"KernelFilePath\":\"/boot/vmlinuz\","
        "\"InitRdPath\":\"/boot/initrd.img\","
        "\"KernelCmdLine\":\"root=/dev/sda console=ttyS0\"}},"
        "\"Devices\":{\"Scsi\":{\"disks\":{\"Attachments\":{\"0\":{\"Type\":\"VirtualDisk\","
        "\"Path\":\"/srv/disk.vhdx\"}}}},\"ComPorts\":{\"0\":{\"NamedPipe\":\"/run/com0\"}},"
        "\"Plan9\":{}}}}");
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_HCSD, &err), HCS_E_WIN32_NOT_SUPPORTED);
    assert_string_equal(err.text, "$.VirtualMachine is not supported by this service");
    hcs_string_free(text);
    hcs_doc_free(doc);
}

static void a_process_takes_one_line(void **state)
{
    static const char *const arguments[] = { "sh", "-c", "exit 42", NULL };
    static const char *const bad[] = { "sh", "\xFF", NULL };
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;

    (void) state;
    assert_int_equal(hcs_doc_process(arguments, &doc, &err), HCS_OK);
    has_text(doc, "{\"CommandArgs\":[\"sh\",\"-c\",\"exit 42\"],\"CreateStdOutPipe\":true,"
                  "\"CreateStdErrPipe\":true}");
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_HCSD, &err), HCS_OK);
    hcs_doc_free(doc);
    doc = NULL;
    assert_int_equal(hcs_doc_process(bad, &doc, &err), HCS_E_INVALIDARG);
    assert_non_null(strstr(err.text, "$.CommandArgs[1]"));
    assert_null(doc);
}

/* ---- every type of the schema ---- */

static const struct {
    const char *kind;
    const char *json;
} examples[] = {
    { "any", "{\"x\":[1,null]}" },
    { "string", "\"text\"" },
    { "guid", "\"01234567-89ab-cdef-0123-456789ABCDEF\"" },
    { "date-time", "\"2026-01-02T03:04:05.678Z\"" },
    { "base64", "\"AAEC\"" },
    { "mac", "\"00-15-5D-00-00-01\"" },
    { "boolean", "true" },
    { "int32", "-2147483648" },
    { "int64", "-9223372036854775808" },
    { "uint8", "255" },
    { "uint16", "65535" },
    { "uint32", "4294967295" },
    { "uint64", "18446744073709551615" },
};

/* One more than what fits, or less. */
static const struct {
    const char *kind;
    const char *json;
} beyond[] = {
    { "int32", "2147483648" }, { "int64", "9223372036854775808" }, { "uint8", "256" },
    { "uint16", "-1" },        { "uint32", "4294967296" },         { "uint64", "-1" },
    { "guid", "\"{0}\"" },
};

/* "Layer[]" and "{Layer}" without the signs. */
static void base_of(const char *type, char out[80])
{
    size_t n;

    snprintf(out, 80, "%s", type[0] == '{' ? type + 1 : type);
    n = strcspn(out, "[}");
    out[n] = '\0';
}

static void example_of(const char *kind, char out[160])
{
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    const char *value;

    for (size_t i = 0; i < N_ELEMENTS(examples); i++)
        if (strcmp(examples[i].kind, kind) == 0) {
            snprintf(out, 160, "%s", examples[i].json);
            return;
        }
    assert_int_equal(hcs_doc_type_of(kind, &type, NULL), HCS_OK);
    snprintf(out, 160, "{}");
    if (type.n_values) {
        assert_int_equal(hcs_doc_value_at(kind, type.n_values - 1, &value, NULL), HCS_OK);
        snprintf(out, 160, "\"%s\"", value);
    }
}

/* The path of the field's value, or of its first entry. */
static void path_of(const hcs_doc_field *field, char out[200])
{
    snprintf(out, 200, "%s%s", field->name,
             strstr(field->type, "[]")  ? "[0]"
             : strchr(field->type, '{') ? "['a.b']"
                                        : "");
}

static void refuses(const char *type, const char *path, const char *json, hcs_result code)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;
    char *text = NULL;

    assert_int_equal(hcs_doc_new(type, &doc, &err), HCS_OK);
    assert_int_equal(hcs_doc_set_json(doc, path, json), code);
    assert_int_equal(hcs_doc_text(doc, &text, &err), code);
    assert_int_equal(strncmp(err.text, "$.", 2), 0);
    assert_int_equal(strncmp(err.text + 2, path, strcspn(path, "[")), 0);
    assert_null(text);
    hcs_doc_free(doc);
}

/* What has no other type than that which the schema says. */
static void field_has_its_type(const char *type, const hcs_doc_field *field)
{
    char path[200], base[80], example[160];

    path_of(field, path);
    base_of(field->type, base);
    example_of(base, example);
    if (strcmp(base, "any") != 0) {
        refuses(type, path, example[0] == '"' ? "5" : "\"text\"", HCS_E_INVALID_JSON);
        refuses(type, path, "[1.5]", HCS_E_INVALID_JSON);
    }
    if (strcmp(path, field->name) != 0)
        refuses(type, field->name, "5", HCS_E_INVALID_JSON);
    for (size_t i = 0; i < N_ELEMENTS(beyond); i++)
        if (strcmp(beyond[i].kind, base) == 0)
            refuses(type, path, beyond[i].json, HCS_E_INVALIDARG);
}

static size_t whole_document_comes_back(const hcs_doc_type *type)
{
    hcs_doc_field field = HCS_DOC_FIELD_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL, *again;
    char path[200], base[80], example[160];
    char *text = NULL;

    assert_int_equal(hcs_doc_new(type->name, &doc, &err), HCS_OK);
    for (size_t i = 0; i < type->n_fields; i++) {
        assert_int_equal(hcs_doc_field_at(type->name, i, &field, &err), HCS_OK);
        path_of(&field, path);
        base_of(field.type, base);
        example_of(base, example);
        hcs_doc_set_json(doc, path, example);
        field_has_its_type(type->name, &field);
    }
    assert_int_equal(hcs_doc_field_at(type->name, type->n_fields, &field, &err),
                     HCS_E_WIN32_NO_MORE_ITEMS);
    if (hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err) < 0 || hcs_doc_text(doc, &text, &err) < 0)
        fail_msg("%s: %s", type->name, err.text);
    again = parsed(type->name, text);
    has_text(again, text);
    hcs_doc_free(again);
    hcs_doc_free(doc);
    hcs_string_free(text);
    return type->n_fields;
}

static void every_field_of_every_type_is_set_checked_and_read(void **state)
{
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    size_t n_fields = 0, i;

    (void) state;
    for (i = 0; hcs_doc_type_at(i, &type, NULL) == HCS_OK; i++)
        if (type.n_values == 0)
            n_fields += whole_document_comes_back(&type);
    assert_true(i > 240 && n_fields > 600);
}

static void the_documents_come_first(void **state)
{
    static const char *const names[] = {
        "ComputeSystem", "Container",        "VirtualMachine",       "ProcessParameters",
        "SystemQuery",   "SystemExitStatus", "CrashReport",          "ProcessStatus",
        "Statistics",    "Properties",       "ModifySettingRequest", "ResultError",
    };
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    size_t found = 0;

    (void) state;
    for (size_t i = 0; hcs_doc_type_at(i, &type, NULL) == HCS_OK && type.service != HCS_DOC_PART;
         i++)
        for (size_t j = 0; j < N_ELEMENTS(names); j++)
            found += strcmp(type.name, names[j]) == 0;
    assert_int_equal(found, N_ELEMENTS(names));
}

/* ---- documents of a service ---- */

static void what_is_not_known_survives(void **state)
{
    static const char *const texts[][2] = {
        { "SystemExitStatus", "{\"Status\":-1,\"ExitType\":\"Reboot\",\"Newer\":{\"a\":[null]}}" },
        { "Properties", "{\"State\":\"Frozen\",\"Owner\":null,\"SystemType\":\"Container\"}" },
        { "CrashReport", "{\"SystemId\":\"a\",\"CrashParameters\":[26,18446703986658459648],"
                         "\"CrashLog\":\"\\u0001 \xC3\xA4\"}" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        hcs_doc *doc = parsed(texts[i][0], texts[i][1]);

        has_text(doc, texts[i][1]);
        hcs_doc_free(doc);
    }
}

static void is_of_the_schema(const char *type, const hcs_exit *report)
{
    hcs_error err = HCS_ERROR_INIT;
    char *text = NULL;
    hcs_doc *doc;

    assert_int_equal(hcs_exit_document(report, 77, &text, &err), HCS_OK);
    doc = parsed(type, text);
    if (hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    hcs_doc_free(doc);
    hcs_string_free(text);
}

static void exit_documents_are_of_the_schema(void **state)
{
    hcs_exit report = HCS_EXIT_INIT;

    (void) state;
    for (report.how = HCS_EXIT_UNKNOWN; report.how <= HCS_EXIT_STATUS; report.how++)
        for (report.type = 0; report.type <= HCS_EXIT_TYPE_UNKNOWN; report.type++)
            for (report.initiator = 0; report.initiator <= HCS_INITIATOR_UNKNOWN;
                 report.initiator++)
                is_of_the_schema(
                    report.how == HCS_EXIT_STATUS ? "SystemExitStatus" : "ProcessStatus", &report);
}

static void values_are_read_by_their_paths(void **state)
{
    hcs_doc *doc = parsed("CrashReport",
                          "{\"Status\":-5,\"CrashParameters\":[26,18446703986658459648],"
                          "\"CrashStackUnavailable\":true,\"CrashLog\":\"oops\",\"PreOSId\":null,"
                          "\"WindowsCrashInfo\":{\"FinalPhase\":\"Later\"},\"New\":{\"a\":[7]}}");
    hcs_error err = HCS_ERROR_INIT;
    const char *text = NULL;
    uint64_t wide = 0;
    int64_t number = 0;
    size_t n = 0;
    int flag = 5;
    char *json = NULL;

    (void) state;
    assert_int_equal(hcs_doc_get_integer(doc, "Status", &number, &err), HCS_OK);
    assert_int_equal(number, -5);
    assert_int_equal(hcs_doc_get_unsigned(doc, "CrashParameters[1]", &wide, &err), HCS_OK);
    assert_true(wide == 18446703986658459648u);
    assert_int_equal(hcs_doc_get_unsigned(doc, "Status", &wide, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_doc_get_integer(doc, "CrashParameters[1]", &number, &err),
                     HCS_E_INVALIDARG);
    assert_int_equal(hcs_doc_get_size(doc, "CrashParameters", &n, &err), HCS_OK);
    assert_int_equal(n, 2);
    assert_int_equal(hcs_doc_get_boolean(doc, "CrashStackUnavailable", &flag, &err), HCS_OK);
    assert_int_equal(flag, 1);
    assert_int_equal(hcs_doc_get_string(doc, "WindowsCrashInfo.FinalPhase", &text, &err), HCS_OK);
    assert_string_equal(text, "Later");
    assert_int_equal(hcs_doc_get_json(doc, "CrashParameters", &json, &err), HCS_OK);
    assert_string_equal(json, "[26,18446703986658459648]");
    hcs_string_free(json);
    /* what the schema does not know is there all the same */
    assert_int_equal(hcs_doc_get_integer(doc, "New.a[0]", &number, &err), HCS_OK);
    assert_int_equal(number, 7);

    assert_int_equal(hcs_doc_get_string(doc, "CrashParameters[1]", &text, &err),
                     HCS_E_INVALID_JSON);
    assert_string_equal(err.text, "$.CrashParameters[1] is a number, not a string");
    assert_int_equal(hcs_doc_get_string(doc, "SystemId", &text, &err), HCS_E_WIN32_NOT_FOUND);
    assert_string_equal(err.text, "$.SystemId is not in the document");
    assert_int_equal(hcs_doc_get_integer(doc, "PreOSId", &number, &err), HCS_E_WIN32_NOT_FOUND);
    assert_int_equal(hcs_doc_get_integer(doc, "CrashParameters[2]", &number, &err),
                     HCS_E_WIN32_NOT_FOUND);
    assert_int_equal(hcs_doc_get_integer(doc, "Statu", &number, &err), HCS_E_INVALID_JSON);
    assert_string_equal(err.text, "$.Statu is not a field of CrashReport (did you mean Status?)");
    hcs_doc_free(doc);
}

static void members_are_named_in_their_order(void **state)
{
    hcs_doc *doc =
        parsed("ProcessParameters", "{\"Environment\":{\"B.C\":\"1\",\"A\":\"2\"},\"X\":5}");
    hcs_error err = HCS_ERROR_INIT;
    const char *name = NULL;

    (void) state;
    assert_int_equal(hcs_doc_get_name(doc, "Environment", 0, &name, &err), HCS_OK);
    assert_string_equal(name, "B.C");
    assert_int_equal(hcs_doc_get_name(doc, "Environment", 1, &name, &err), HCS_OK);
    assert_string_equal(name, "A");
    assert_int_equal(hcs_doc_get_name(doc, "Environment", 2, &name, &err),
                     HCS_E_WIN32_NO_MORE_ITEMS);
    assert_int_equal(hcs_doc_get_name(doc, "", 1, &name, &err), HCS_OK);
    assert_string_equal(name, "X");
    assert_int_equal(hcs_doc_get_name(doc, "X", 0, &name, &err), HCS_E_INVALID_JSON);
    assert_int_equal(hcs_doc_get_string(doc, "Environment['B.C']", &name, &err), HCS_OK);
    assert_string_equal(name, "1");
    hcs_doc_free(doc);
}

static void a_wrong_type_is_told_by_its_path(void **state)
{
    static const char *const texts[][3] = {
        { "Properties", "{\"ProcessList\":[{\"ProcessId\":1},{\"ProcessId\":\"2\"}]}",
          "$.ProcessList[1].ProcessId must be an integer, not a string" },
        { "ComputeSystem",
          "{\"VirtualMachine\":{\"Devices\":{\"Scsi\":{\"a\":{\"Attachments\":5}}}}}",
          "$.VirtualMachine.Devices.Scsi.a.Attachments must be an object, not a number" },
        { "ProcessStatus", "{\"ExitCode\":4294967296}",
          "$.ExitCode is 4294967296, must be 0 to 4294967295" },
        { "Statistics", "{\"Uptime100ns\":1.5}",
          "$.Uptime100ns must be an integer, not a number with a fraction or an exponent" },
        { "ResultError", "[]", "$ must be an object, not an array" },
        { "ResultError", "{\"Error\":18446744073709551615}",
          "$.Error is 18446744073709551615, too large for int32" },
        { "ResultError", "{\n\"Error\":1,}", "line 2, column 11: string or '}' expected near '}'" },
        { "NoSuch", "{}", "'NoSuch' is no type of the schema" },
        { "Propertys", "{}", "'Propertys' is no type of the schema (did you mean Properties?)" },
        { "State", "{}", "State is a list of values, a document has the type of an object" },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
        hcs_error err = HCS_ERROR_INIT;
        hcs_doc *doc = NULL;

        assert_true(hcs_doc_parse(texts[i][0], texts[i][1], &doc, &err) < 0);
        assert_string_equal(err.text, texts[i][2]);
        assert_null(doc);
    }
}

/* ---- setting ---- */

static void setters_make_what_is_on_the_way(void **state)
{
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;

    (void) state;
    assert_int_equal(hcs_doc_new("ComputeSystem", &doc, &err), HCS_OK);
    hcs_doc_set_string(doc, "Container.MappedDirectories[0].HostPath", "/a");
    hcs_doc_set_string(doc, "Container.MappedDirectories[1].HostPath", "/b");
    hcs_doc_set_boolean(doc, "Container.MappedDirectories[0].ReadOnly", 1);
    hcs_doc_set_boolean(doc, "Container.MappedDirectories[0].ReadOnly", 0);
    hcs_doc_set_unsigned(doc, "Container.RegistryChanges.AddValues[0].QWordValue", UINT64_MAX);
    has_text(doc, "{\"Container\":{\"MappedDirectories\":[{\"HostPath\":\"/a\",\"ReadOnly\":false},"
                  "{\"HostPath\":\"/b\"}],"
                  "\"RegistryChanges\":{\"AddValues\":[{\"QWordValue\":18446744073709551615}]}}}");
    hcs_doc_free(doc);

    assert_int_equal(hcs_doc_new("ProcessParameters", &doc, &err), HCS_OK);
    hcs_doc_set_string(doc, "Environment['A.B']", "1");
    hcs_doc_set_string(doc, "Environment.PATH", "/bin");
    hcs_doc_set_json(doc, "OCIProcess", "{\"any\":[18446744073709551615]}");
    has_text(doc, "{\"Environment\":{\"A.B\":\"1\",\"PATH\":\"/bin\"},"
                  "\"OCIProcess\":{\"any\":[18446744073709551615]}}");
    hcs_doc_free(doc);
}

static const struct {
    const char *path;
    const char *text;
    hcs_result code;
} bad_paths[] = {
    { "", "the path is empty", HCS_E_INVALIDARG },
    { "Container..Memory", "the path 'Container..Memory' has no name at position 11",
      HCS_E_INVALIDARG },
    { "Container.", "the path 'Container.' has no name at position 11", HCS_E_INVALIDARG },
    { ".Container", "the path '.Container' has no name at position 1", HCS_E_INVALIDARG },
    { "Container.MappedDirectories[x]",
      "the path 'Container.MappedDirectories[x]' has no index and ']' at position 29",
      HCS_E_INVALIDARG },
    { "Container.MappedDirectories['x]",
      "the path 'Container.MappedDirectories['x]' has a quote without its end at position 29",
      HCS_E_INVALIDARG },
    { "Container.MappedDirectories[0]HostPath",
      "the path 'Container.MappedDirectories[0]HostPath' has no '.' or '[' at position 31",
      HCS_E_INVALIDARG },
    { "Container.MappedDirectories[1].HostPath",
      "$.Container.MappedDirectories has 0 entries: the next is [0], not [1]", HCS_E_INVALIDARG },
    { "Container.MappedDirectories.HostPath",
      "$.Container.MappedDirectories is an array: an index is needed, [0]", HCS_E_INVALID_JSON },
    { "Container[0]", "$.Container is an object: a name is needed, not an index",
      HCS_E_INVALID_JSON },
    { "VirtualMachine.Devices.Scsi[0]",
      "$.VirtualMachine.Devices.Scsi is an object: a name is needed, not an index",
      HCS_E_INVALID_JSON },
    { "Owner.Name", "$.Owner is a string and has no parts", HCS_E_INVALID_JSON },
    { "HostedSystem.Name", "$.HostedSystem may hold any JSON: set it as a whole",
      HCS_E_INVALID_JSON },
    { "Container.Memroy", "$.Container.Memroy is not a field of Container (did you mean Memory?)",
      HCS_E_INVALID_JSON },
    { "Container.Memory.SizeInMB", "$.Container.Memory.SizeInMB must be an integer, not a string",
      HCS_E_INVALID_JSON },
};

static void the_first_error_stays_and_nothing_is_changed(void **state)
{
    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(bad_paths); i++) {
        hcs_error err = HCS_ERROR_INIT;
        hcs_doc *doc = NULL;
        const char *owner = NULL;
        char *json = NULL;

        assert_int_equal(hcs_doc_new("ComputeSystem", &doc, &err), HCS_OK);
        assert_int_equal(hcs_doc_set_string(doc, "Owner", "me"), HCS_OK);
        assert_int_equal(hcs_doc_set_string(doc, bad_paths[i].path, "x"), bad_paths[i].code);
        assert_int_equal(hcs_doc_set_string(doc, "Owner", "you"), bad_paths[i].code);
        assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err), bad_paths[i].code);
        assert_string_equal(err.text, bad_paths[i].text);
        assert_int_equal(hcs_doc_text(doc, &json, &err), bad_paths[i].code);
        assert_string_equal(err.text, bad_paths[i].text);
        assert_int_equal(hcs_doc_get_string(doc, "Owner", &owner, &err), HCS_OK);
        assert_string_equal(owner, "me");
        assert_int_equal(hcs_doc_get_json(doc, "", &json, &err), HCS_OK);
        assert_string_equal(json, "{\"Owner\":\"me\"}");
        hcs_string_free(json);
        hcs_doc_free(doc);
    }
}

/* ---- checking ---- */

static void check_names_what_neither_schema_nor_service_has(void **state)
{
    static const struct {
        const char *type;
        const char *text;
        const char *schema; /* NULL: good */
        const char *hcsd;
    } cases[] = {
        { "ComputeSystem", "{\"Onwer\":\"a\"}",
          "$.Onwer is not a field of ComputeSystem (did you mean Owner?)",
          "$.Onwer is not a field of ComputeSystem (did you mean Owner?)" },
        { "ComputeSystem", "{\"Owner\":\"a\"}", NULL,
          "$.SchemaVersion is missing: add {\"Major\":2,\"Minor\":1}" },
        { "Container", "{\"MappedDirectories\":[{\"HostPathType\":\"Absolute\"}]}",
          "$.MappedDirectories[0].HostPathType is 'Absolute', which PathType has not: "
          "'AbsolutePath', 'VirtualSmbShareName'",
          "$.MappedDirectories[0].HostPathType is 'Absolute', must be 'AbsolutePath'" },
        { "ProcessParameters", "{\"CommandLine\":\"a\",\"CommandArgs\":[\"a\"]}", NULL,
          "$.CommandLine and $.CommandArgs cannot be had together: give one of them" },
        { "ProcessParameters", "{\"CommandLine\":\"a\",\"User\":\"me\"}", NULL,
          "$.User is not supported by this service" },
        { "ModifySettingRequest", "{\"RequestType\":\"Add\"}", NULL,
          "$ is a document of the type ModifySettingRequest, which hcsd does not take" },
        { "SystemExitStatus", "{\"ExitType\":\"Reboot\"}",
          "$.ExitType is 'Reboot', which NotificationType has not: 'None', 'GracefulExit', "
          "'ForcedExit', 'UnexpectedExit', 'Unknown'",
          NULL },
        { "SystemQuery", "{\"Ids\":[\"a\"]}", NULL, NULL },
    };

    (void) state;
    for (size_t i = 0; i < N_ELEMENTS(cases); i++) {
        hcs_doc *doc = parsed(cases[i].type, cases[i].text);

        for (hcs_doc_for what = HCS_DOC_FOR_SCHEMA; what <= HCS_DOC_FOR_HCSD; what++) {
            const char *expected = what == HCS_DOC_FOR_HCSD ? cases[i].hcsd : cases[i].schema;
            hcs_error err = HCS_ERROR_INIT;

            assert_int_equal(hcs_doc_check(doc, what, &err) < 0, expected != NULL);
            assert_string_equal(err.text, expected ? expected : "");
        }
        assert_int_equal(hcs_doc_check(doc, 2, NULL), HCS_E_INVALIDARG);
        hcs_doc_free(doc);
    }
}

static void missing_pointers_are_refused(void **state)
{
    hcs_doc_type type = HCS_DOC_TYPE_INIT;
    hcs_error err = HCS_ERROR_INIT;
    hcs_doc *doc = NULL;
    char *text = NULL;

    (void) state;
    assert_int_equal(hcs_doc_new(NULL, &doc, &err), HCS_E_POINTER);
    assert_int_equal(hcs_doc_parse("Container", NULL, &doc, &err), HCS_E_POINTER);
    assert_int_equal(hcs_doc_text(NULL, &text, &err), HCS_E_POINTER);
    assert_int_equal(hcs_doc_set_string(NULL, "Owner", "a"), HCS_E_POINTER);
    assert_int_equal(hcs_doc_type_at(0, NULL, &err), HCS_E_POINTER);
    type.size = 4;
    assert_int_equal(hcs_doc_type_at(0, &type, &err), HCS_E_INVALIDARG);
    assert_int_equal(hcs_doc_new("Container", &doc, &err), HCS_OK);
    assert_int_equal(hcs_doc_set_string(doc, "GuestOs.HostName", NULL), HCS_E_POINTER);
    assert_int_equal(hcs_doc_check(doc, HCS_DOC_FOR_SCHEMA, &err), HCS_E_POINTER);
    assert_string_equal(err.text, "the value must not be NULL");
    hcs_doc_free(doc);
    hcs_doc_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_container_takes_five_lines),
        cmocka_unit_test(a_virtual_machine_takes_ten_lines),
        cmocka_unit_test(a_process_takes_one_line),
        cmocka_unit_test(every_field_of_every_type_is_set_checked_and_read),
        cmocka_unit_test(the_documents_come_first),
        cmocka_unit_test(what_is_not_known_survives),
        cmocka_unit_test(exit_documents_are_of_the_schema),
        cmocka_unit_test(values_are_read_by_their_paths),
        cmocka_unit_test(members_are_named_in_their_order),
        cmocka_unit_test(a_wrong_type_is_told_by_its_path),
        cmocka_unit_test(setters_make_what_is_on_the_way),
        cmocka_unit_test(the_first_error_stays_and_nothing_is_changed),
        cmocka_unit_test(check_names_what_neither_schema_nor_service_has),
        cmocka_unit_test(missing_pointers_are_refused),
    };

    return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
