#!/usr/bin/env python3
"""What a DLL exports, as a .def file: exports.py NAME.dll PATTERN HEADER...  Every function of the headers whose name is PATTERN."""
import re
import sys

name, pattern, headers = sys.argv[1], sys.argv[2], sys.argv[3:]
functions = set()
for header in headers:
    text = re.sub(r"/\*.*?\*/", "", open(header, encoding="utf-8").read(), flags=re.DOTALL)
    functions |= set(re.findall(rf"^(?:HCS_API|\w+)\b[^;{{}}#=]*?\b({pattern})\s*\([^;{{}}]*\)\s*;", text, flags=re.MULTILINE))
if not functions:
    sys.exit(f"exports.py: no function is called {pattern}: a DLL without a list would export everything")
print(f"LIBRARY {name}\nEXPORTS")
for function in sorted(functions):
    print("    " + function)
