#!/usr/bin/env python3
"""Each public header compiles alone, without a warning, as C11 and C17, and as C++ where a compiler is there; every exported
function has a comment.  Prints TAP.  Arguments: source root, build root."""
import pathlib
import re
import shutil
import subprocess
import sys

source, build = map(pathlib.Path, sys.argv[1:])
n = failed = 0


def say(ok, what, skip=""):
    global n, failed
    n += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - {what}{' # SKIP ' + skip if skip else ''}")


headers = sorted((source / "include/hcs").glob("*.h"))
for language, compiler, standards in (("c", "cc", ("c11", "c17")), ("c++", "c++", ("c++11", "c++20"))):
    for standard in standards:
        for header in headers:
            what = f"{header.name} is clean as {standard}"
            if not shutil.which(compiler):
                say(True, what, f"{compiler} is not installed")
                continue
            r = subprocess.run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                                "-fsyntax-only", f"-I{source}/include", f"-I{build}/include", "-"],
                               input=f'#include "hcs/{header.name}"\n', text=True, capture_output=True)
            say(r.returncode == 0, what)
            for line in r.stderr.splitlines()[:5]:
                print("#", line)

for header in headers:
    text = header.read_text()
    for match in re.finditer(r"(\*/\s*)?HCS_API[^;]*?\b(hcs_\w+)\s*\([^;]*;", text):
        say(bool(match[1]), f"{match[2]} has a comment")
print(f"1..{n}")
sys.exit(bool(failed))
