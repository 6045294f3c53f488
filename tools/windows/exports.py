#!/usr/bin/env python3
"""What hcs.dll exports, as a .def file: exports.py NAME.dll HEADER...  Every function with HCS_API in the public headers, and nothing else."""
import re
import sys

name, headers = sys.argv[1], sys.argv[2:]
functions = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header, encoding="utf-8").read(), flags=re.DOTALL)
    for declaration in re.findall(r"^HCS_API\b([^;]*);", text, flags=re.MULTILINE):
        functions.add(re.search(r"(hcs_\w+)\s*\(", declaration)[1])
print(f"LIBRARY {name}\nEXPORTS")
for function in sorted(functions):
    print("    " + function)
