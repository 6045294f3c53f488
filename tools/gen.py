#!/usr/bin/env python3
"""Generate C from the tables in idl/.

  gen.py error-codes errors.tsv          include/hcs/error_codes.h
  gen.py tables errors.tsv events.tsv    src/base/tables.gen.c
  gen.py varlink FILE                    a C file with the interface text in it
  gen.py schema schema.tsv               src/model/schema.gen.c
  gen.py errors-doc errors.tsv           docs/errors.md
  gen.py documents-doc schema.tsv doc_test.c   docs/documents.md
  gen.py conformance-doc conformance.c   docs/conformance.md
"""
import csv
import pathlib
import re
import sys


def rows(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def class_words(name):
    return name.lower().replace("_", " ")


def error_codes(path):
    print("/* error_codes.h - result codes.  Generated from idl/errors.tsv by tools/gen.py. */")
    print("#ifndef HCS_ERROR_CODES_H\n#define HCS_ERROR_CODES_H\n")
    print("#include <stdint.h>\n\n/* The winerror.h of newer Windows SDKs has some of these, the same: include windows.h first. */\n")
    for r in rows(path):
        print(f"/* {r['meaning']} */")
        print(f"#ifndef HCS_E_{r['name']}\n#define HCS_E_{r['name']} ((int32_t) {r['code']}u)\n#endif")
    print("\n#endif")


def tables(errors, events):
    print("/* Generated from idl/errors.tsv and idl/events.tsv by tools/gen.py. */")
    print('#include "tables.h"\n#include <errno.h>\n')
    rs = rows(errors)
    print("const struct error_row error_rows[] = {")
    for r in rs:
        retry = {"yes": 1, "no": 0}[r["retry"]]
        print(f"    {{ (hcs_result) {r['code']}u, \"HCS_E_{r['name']}\", HCS_CLASS_{r['class']}, {retry}, "
              f"{r['errno']},\n      {quoted(r['meaning'])},\n      {quoted(r['advice'])} }},")
    print("};\nconst size_t n_error_rows = sizeof error_rows / sizeof error_rows[0];\n")
    print("const char *const class_names[] = {\n    [HCS_CLASS_NONE] = \"no failure\",")
    for name in dict.fromkeys(r["class"] for r in rs):
        print(f"    [HCS_CLASS_{name}] = {quoted(class_words(name))},")
    print("};\nconst size_t n_class_names = sizeof class_names / sizeof class_names[0];\n")
    print("const struct event_row event_rows[] = {")
    for r in rows(events):
        ends = {"yes": 1, "no": 0}[r["ends"]]
        print(f"    {{ HCS_EVENT_{r['constant']}, {r['kind']}u, {quoted(r['name'])}, {ends},\n"
              f"      {quoted(r['fires when'])} }},")
    print("};\nconst size_t n_event_rows = sizeof event_rows / sizeof event_rows[0];")


def varlink(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    name = next(l.split()[1] for l in text.splitlines() if l.startswith("interface "))
    print(f"/* Generated from idl/{pathlib.Path(path).name} by tools/gen.py. */")
    print('#include "interface_text.h"\n')
    print(f"const char interface_name[] = {quoted(name)};")
    print("const char interface_text[] =")
    for line in text.splitlines():
        print("    " + quoted(line)[:-1] + '\\n"')
    print("    ;")


# schema.tsv, a row for each field.  type, field: as HCS's schema writes them.  kind: its type; T[] an array, {T} an object
# of T with any names; the first row of a type has "document" (sent or told as a whole) or "object", and a row of an
# enumeration is one of its values.  from: the schema it is in; "newer"; "libhcs", our own.  service: what hcsd makes of it.
# rule: what hcsd asks of the value: a range (of numbers, or of how many entries an array has) or a function of rule.c.
# required: hcsd needs it; the words tell what to do.  note: for people, and why hcsd takes one value only.
KINDS = {"any": "ANY", "string": "STRING", "guid": "GUID", "date-time": "TIME", "base64": "BASE64", "mac": "MAC",
         "boolean": "BOOLEAN", "int32": "INT32", "int64": "INT64", "uint8": "UINT8", "uint16": "UINT16",
         "uint32": "UINT32", "uint64": "UINT64"}
RULES = {"absolute": "an absolute path", "container_path": "an absolute path below '/', without '..'",
         "host_name": "a host name", "path_type": "only 'AbsolutePath'", "isolation": "only 'None'"}


def schema_types(path):
    """name -> rows, in the order of the table; the rows of a type stand together"""
    types = {}
    last = None
    for r in rows(path):
        if r["type"] != last and r["type"] in types:
            sys.exit(f"{path}: the rows of {r['type']} do not stand together")
        last = r["type"]
        types.setdefault(last, []).append(r)
    return types


def schema_service(text):
    return "HCS_DOC_" + (text.upper().replace(" ", "_") or "PART")


def schema_rule(rule):
    """.has_range and .check, and the words for both"""
    bounds = re.fullmatch(r"(\d*)\.\.(\d+)", rule)
    if bounds:
        low, high = bounds[1] or "0", bounds[2]
        words = f"{low} to {high}" if bounds[1] else f"at most {high} entries"
        return f".has_range = 1, .low = {low}, .high = {high}", low if low == high else words
    return (f".check = rule_{rule}", RULES[rule]) if rule else ("", "")


def schema_field(r, numbers, enums):
    base = re.fullmatch(r"\{?(\w[\w-]*)(\[\]|\})?", r["kind"])[1]
    shape = "ARRAY" if r["kind"].endswith("[]") else "MAP" if r["kind"].startswith("{") else "ONE"
    kind = KINDS.get(base) or ("ENUM" if base in enums else "OBJECT")
    of = f"&field_tables[{numbers[base]}]" if base in numbers else "NULL"
    code, words = schema_rule(r["rule"])
    required = quoted(r["required"]) if r["required"] else "NULL"
    return (f"    {{ {quoted(r['field'])}, {quoted(r['kind'])}, KIND_{kind}, SHAPE_{shape}, {of}, {quoted(r['from'])}, "
            f"{quoted(r['unit'])}, {schema_service(r['service'])},\n      {code + ', ' if code else ''}.rule = {quoted(words)}, "
            f".required = {required}, .note = {quoted(r['note'])} }},")


def schema(path):
    types = schema_types(path)
    numbers = {name: i for i, name in enumerate(types)}
    enums = {name for name, rs in types.items() if rs[0]["kind"] == "value"}
    print("/* Generated from idl/schema.tsv by tools/gen.py. */")
    print('#include "field.h"\n#include "rule.h"\n')
    for name, rs in types.items():
        if name in enums:
            print(f"static const char *const values_{name}[] = {{ {', '.join(quoted(r['field']) for r in rs)} }};")
        elif len(rs) > 1:
            print(f"static const struct field fields_{name}[] = {{")
            print("\n".join(schema_field(r, numbers, enums) for r in rs[1:]))
            print("};")
    print("\nconst struct field_table field_tables[] = {")
    for name, rs in types.items():
        head = rs[0]
        if name in enums:
            print(f"    {{ .name = {quoted(name)}, .values = values_{name}, .n_values = {len(rs)}, .note = \"\" }},")
            continue
        fields = f".fields = fields_{name}, " if len(rs) > 1 else ""
        print(f"    {{ .name = {quoted(name)}, {fields}.n_fields = {len(rs) - 1}, "
              f".is_document = {int(head['kind'] == 'document')}, .service = {schema_service(head['service'])}, "
              f".note = {quoted(head['note'])} }},")
    print("};\nconst size_t n_field_tables = sizeof field_tables / sizeof field_tables[0];")


def schema_reached(types):
    """the types that somebody who uses hcsd meets, in the order of the table"""
    met = [name for name, rs in types.items() if rs[0]["kind"] == "document" and rs[0]["service"] in ("honoured", "given")]
    for name in met:
        for r in types[name]:
            base = re.sub(r"[\[\]{}]", "", r["kind"])
            if base in types and base not in met and r["service"] in ("honoured", "given"):
                met.append(base)
    return [name for name in types if name in met]


def lines_of_test(source, test):
    body = re.search(rf"^static void {test}\(.*?^}}", source, re.M | re.S)[0]
    return re.findall(r"^    (hcs_doc_(?!free).*;)$", body, re.M)


def documents_doc(path, test):
    types = schema_types(path)
    source = pathlib.Path(test).read_text(encoding="utf-8")
    print("# Documents\n")
    print("The documents that hcsd takes and gives, field by field. Generated from `idl/schema.tsv`, which has all of HCS's schema")
    print("2.4; `hcs explain TYPE` shows the rest at a terminal, `hcs check FILE` says whether a document is good, and")
    print("`hcs/doc.h` builds and reads documents in C. A field that hcsd does not honour is refused by its path: nothing is")
    print("ignored.\n")
    print("A container, with `hcs/doc.h`:\n\n```c\n" + "\n".join(lines_of_test(source, "a_container_takes_five_lines")) + "\n```\n")
    print("A virtual machine, for a service that has them (hcsd has not yet):\n\n```c")
    print("\n".join(re.findall(r'^#define (?:DISK|BOOT) .*$', source, re.M)))
    print("\n".join(lines_of_test(source, "a_virtual_machine_takes_ten_lines")) + "\n```\n")
    for name in schema_reached(types):
        rs = types[name]
        print(f"## {name}\n")
        if rs[0]["kind"] == "value":
            print("One of " + ", ".join(f'`"{r["field"]}"`' for r in rs) + ", or what a newer schema has.\n")
            continue
        if rs[0]["note"]:
            print(rs[0]["note"][0].upper() + rs[0]["note"][1:] + ".\n")
        print("| field | type | unit | hcsd | about |\n|---|---|---|---|---|")
        for r in rs[1:]:
            needed = f"needed: {r['required']}" if r["required"] else ""
            source_of = {"2.4": "", "newer": "of a newer schema", "libhcs": "not of HCS"}[r["from"]]
            about = "; ".join(filter(None, (schema_rule(r["rule"])[1], needed, r["note"], source_of)))
            print(f"| {r['field']} | {r['kind']} | {r['unit']} | {r['service']} | {about} |")
        print()


def errors_doc(path):
    print("# Result codes\n")
    print("Generated from `idl/errors.tsv`. `hcs explain CODE` prints the same at a terminal. In a program: `hcs_result_class`,")
    print("`hcs_result_retryable`, `hcs_result_errno` of `hcs/error.h`. \"Retry\" says whether the same call may succeed later")
    print("without anything being mended.\n")
    print("A code of the older API, 0xC037nnnn, is explained by 0x8037nnnn unless it has a row of its own. A code of either")
    print("family that is in no row is classified by its low 16 bits where the other family has them.\n")
    print("| code | name | class | retry | errno | meaning | what to do |\n|---|---|---|---|---|---|---|")
    for r in rows(path):
        print(f"| {r['code']} | HCS_E_{r['name']} | {class_words(r['class'])} | {r['retry']} | {r['errno']} | "
              f"{r['meaning']} | {r['advice']} |")


def conformance_doc(path):
    source = pathlib.Path(path).read_text(encoding="utf-8")
    print("# Promises\n")
    print("Each is a test of `tests/conformance/conformance.c`, over the public API, run against every driver: `fake`")
    print("(scripted), `plain` (isolation none) and `oci` (real containers), each over the unix socket and over TCP; the latter two")
    print("over the flat API (`computecore:`), too. As a program for Windows it runs under Wine, over TCP and over our computecore.dll.")
    print("Generated from it by `tools/gen.py conformance-doc`.\n")
    print("| number | promise | begins with a system that is |\n|---|---|---|")
    for begin, number, name in re.findall(r"^\s+(CREATED|RUNNING)\(c(\d+)_(\w+)\),$", source, re.M):
        print(f"| C{number} | {name.replace('_', ' ')} | {begin.lower()} |")


def flat_doc(path):
    source = pathlib.Path(path).read_text(encoding="utf-8")
    print("# Promises of the flat API\n")
    print("Each is a test of `tests/compat/flat.c`, over libcomputecore, run against every driver: `fake` (scripted), `plain`")
    print("(isolation none) and `oci` (real containers); under Wine over our computecore.dll, against the same drivers. Generated")
    print("from it by `tools/gen.py flat-doc`.\n")
    print("| number | promise | begins with a system that is |\n|---|---|---|")
    for begin, number, name in re.findall(r"^\s+(CREATED|RUNNING)\(f(\d+)_(\w+)\),$", source, re.M):
        print(f"| F{number} | {name.replace('_', ' ')} | {begin.lower()} |")


if __name__ == "__main__":
    calls = {"error-codes": error_codes, "tables": tables, "varlink": varlink, "schema": schema, "documents-doc": documents_doc, "errors-doc": errors_doc,
             "conformance-doc": conformance_doc, "flat-doc": flat_doc}
    if len(sys.argv) < 3 or sys.argv[1] not in calls:
        sys.exit(__doc__)
    calls[sys.argv[1]](*sys.argv[2:])
