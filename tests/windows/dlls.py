#!/usr/bin/env python3
"""What is built for Windows: dlls.py OBJDUMP HCS_DLL COMPUTECORE_DLL HCS_EXE HEADERS...  Exports are those of the headers, imports the system's.  TAP."""
import re
import subprocess
import sys

objdump, hcs_dll, computecore_dll, hcs_exe = sys.argv[1:5]
headers = [open(h, encoding="utf-8").read() for h in sys.argv[5:]]
SYSTEM = {"kernel32.dll", "msvcrt.dll", "ws2_32.dll", "shell32.dll", "api-ms-win-core-synch-l1-2-0.dll"}
n = failed = 0


def check(name, problem):
    global n, failed
    n += 1
    failed += bool(problem)
    print(f"{'not ' if problem else ''}ok {n} - {name}")
    if problem:
        print(f"# {problem}")


def dump(path):
    text = subprocess.run([objdump, "-p", path], check=True, capture_output=True, text=True).stdout
    imports = {m.lower() for m in re.findall(r"DLL Name: (\S+)", text)}
    exports = set(re.findall(r"^\s*\[\s*\d+\]\s+(?:\+base\[\s*\d+\]\s+\w+\s+)?(\w+)$", text, re.MULTILINE))
    return imports, exports


def promised(pattern):
    return {name for text in headers for name in re.findall(rf"\b({pattern})\(", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL))}


for path, pattern in ((hcs_dll, r"hcs_[a-z0-9_]+"), (computecore_dll, r"Hcs[A-Za-z0-9]+"), (hcs_exe, None)):
    name = path.replace("\\", "/").rsplit("/", 1)[-1]
    imports, exports = dump(path)
    check(f"{name} needs nothing but the system", sorted(imports - SYSTEM))
    if pattern:
        check(f"{name} exports what its headers promise and nothing else", sorted(exports ^ promised(pattern)))
print(f"1..{n}")
sys.exit(1 if failed else 0)
