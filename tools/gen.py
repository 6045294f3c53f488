#!/usr/bin/env python3
"""Generate C from the tables in idl/.

  gen.py error-codes errors.tsv          include/hcs/error_codes.h
  gen.py tables errors.tsv events.tsv    src/base/tables.gen.c
  gen.py varlink FILE                    a C file with the interface text in it
  gen.py errors-doc errors.tsv           docs/errors.md
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
    calls = {"error-codes": error_codes, "tables": tables, "varlink": varlink, "errors-doc": errors_doc,
             "conformance-doc": conformance_doc, "flat-doc": flat_doc}
    if len(sys.argv) < 3 or sys.argv[1] not in calls:
        sys.exit(__doc__)
    calls[sys.argv[1]](*sys.argv[2:])
