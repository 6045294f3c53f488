#!/usr/bin/env python3
"""The flat API's headers for Linux say what mingw-w64's say: same functions with the same parameters, same numbers, same
sizes.  And every function that is declared is exported, and nothing else.  Prints TAP.  Arguments: source root, build root, library."""
import pathlib
import re
import shutil
import subprocess
import sys

source, build, library = map(pathlib.Path, sys.argv[1:])
MINGW = pathlib.Path("/usr/share/mingw-w64/include")
ours = source / "include/computecore"
n = failed = 0


def say(ok, what, skip="", notes=()):
    global n, failed
    n += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - {what}{' # SKIP ' + skip if skip else ''}")
    for note in notes:
        print("#", note)


def strip(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    return re.sub(r"^\s*#.*(\\\n.*)*$", " ", text, flags=re.M)


def functions(text):
    """name -> return type and parameter types, without names."""
    found = {}
    text = strip(text).replace("HCS_COMPUTECORE_API", "")
    for kind, name, parameters in re.findall(r"([\w *]+?)\s*WINAPI\s+(Hcs\w+)\s*\(([^()]*)\)\s*;", text):
        types = []
        for parameter in parameters.split(","):
            words = re.sub(r"\*", " * ", parameter).split()
            if len(words) > 1 and re.fullmatch(r"\w+", words[-1]):
                words.pop()
            types.append(" ".join(words))
        found[name] = " ".join(re.sub(r"\*", " * ", kind).split()) + f" ({', '.join(types)})"
    return found


def numbers(text):
    return {name: int(value, 0) & 0xFFFFFFFF for name, value in
            re.findall(r"\b(Hcs\w+)\s*=\s*(?:\(int32_t\)\s*)?(-?0[xX][0-9A-Fa-f]+|-?\d+)", strip(text))}


own_functions = functions((ours / "computecore.h").read_text())
own_numbers = numbers((ours / "computedefs.h").read_text())
sizes = ("sizeof(HCS_EVENT) == 24 && sizeof(HCS_PROCESS_INFORMATION) == 32 && sizeof(HCS_CREATE_OPTIONS_1) == 48 && "
         "sizeof(HCS_EVENT_TYPE) == 4 && sizeof(WCHAR) == 2 && sizeof(DWORD) == 4 && sizeof(HRESULT) == 4")

if (MINGW / "computecore.h").exists():
    theirs = functions((MINGW / "computecore.h").read_text())
    wrong = [f"{name}: {theirs[name]}, ours {own_functions.get(name)}" for name in theirs
             if own_functions.get(name) != theirs[name]]
    say(len(theirs) > 50 and not wrong, f"{len(theirs)} functions of mingw-w64's header are declared alike", notes=wrong)
    theirs = numbers((MINGW / "computedefs.h").read_text())
    wrong = [f"{name}: {theirs[name]:#x}, ours {own_numbers.get(name)}" for name in theirs if own_numbers.get(name) != theirs[name]]
    say(len(theirs) > 40 and not wrong, f"{len(theirs)} numbers of mingw-w64's header are ours", notes=wrong)
else:
    say(True, "functions of mingw-w64's header are declared alike", f"{MINGW}/computecore.h is not installed")
    say(True, "numbers of mingw-w64's header are ours", f"{MINGW}/computedefs.h is not installed")

for compiler, first, flags in (("cc", "", [f"-I{ours}", f"-I{source}/include", f"-I{build}/include"]),
                               ("x86_64-w64-mingw32-gcc", "#include <windows.h>\n", [])):
    what = f"sizes are right for {compiler}"
    if not shutil.which(compiler):
        say(True, what, f"{compiler} is not installed")
        continue
    r = subprocess.run([compiler, "-std=c11", "-fsyntax-only", *flags, "-x", "c", "-"], capture_output=True, text=True,
                       input=f'{first}#include <computecore.h>\n_Static_assert({sizes}, "sizes");\n')
    say(r.returncode == 0, what, notes=r.stderr.splitlines()[:5])

for language, compiler, standards in (("c", "cc", ("c11", "c17")), ("c++", "c++", ("c++11", "c++20"))):
    for standard in standards:
        for header in sorted(ours.glob("*.h")):
            what = f"{header.name} is clean as {standard}"
            if not shutil.which(compiler):
                say(True, what, f"{compiler} is not installed")
                continue
            r = subprocess.run([compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
                                "-fsyntax-only", f"-I{ours}", f"-I{source}/include", f"-I{build}/include", "-"],
                               input=f'#include "{header.name}"\n', text=True, capture_output=True)
            say(r.returncode == 0, what, notes=r.stderr.splitlines()[:5])

listing = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
exported = {line.split()[2].split("@")[0] for line in listing.splitlines() if line.split()[1] == "T"}
base = set(re.findall(r"\b(\w+)\((?!\s*\*)[^()]*\);", strip((ours / "computebase.h").read_text()))) - {"__attribute__"}
declared = set(own_functions) | base
say(exported == declared, f"{len(declared)} functions are declared and exported, nothing else is",
    notes=[f"only declared: {sorted(declared - exported)}", f"only exported: {sorted(exported - declared)}"]
    if exported != declared else ())
print(f"1..{n}")
sys.exit(bool(failed))
