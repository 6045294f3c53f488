#!/usr/bin/env python3
"""Prove that an upward include does not compile: with the include directories of each layer's own objects, as Meson
has them, a header of a layer above is not found.  Prints TAP.  Argument: the build directory."""
import json
import pathlib
import shlex
import subprocess
import sys

build = pathlib.Path(sys.argv[1])
commands = json.loads((build / "compile_commands.json").read_text())

# an object of the layer, headers it may use, headers it must not see
RULES = {
    "src/base/buf.c": (["hcs/error.h"], ["state.h", "varlink.h", "engine.h", "driver.h"]),
    "src/model/state.c": (["buf.h"], ["varlink.h", "engine.h", "driver.h", "protocol.h"]),
    "src/wire/varlink.c": (["buf.h"], ["state.h", "doc.h", "engine.h", "server.h"]),
    "src/engine/engine.c": (["state.h", "driver.h"], ["varlink.h", "oci.h", "fake.h", "server.h", "protocol.h"]),
    "src/driver/fake/fake.c": (["driver.h"], ["engine.h", "varlink.h", "oci.h", "plain.h"]),
    "src/driver/oci/oci.c": (["driver.h", "protocol.h"], ["engine.h", "varlink.h", "fake.h", "plain.h"]),
    "src/driver/plain/plain.c": (["driver.h", "protocol.h"], ["engine.h", "varlink.h", "oci.h", "fake.h"]),
    "src/keeper/keeper.c": (["protocol.h"], ["engine.h", "driver.h", "varlink.h", "doc.h"]),
    "src/lib/stream.c": (["backend.h", "doc.h"], ["varlink.h", "handles.h", "engine.h", "driver.h", "server.h"]),
    "src/lib/be_varlink/stream.c": (["backend.h", "varlink.h", "exit.h"], ["engine.h", "driver.h", "server.h"]),
    "src/lib/be_computecore/stream.c": (["backend.h", "memlog.h", "exit.h"],
                                        ["varlink.h", "handles.h", "engine.h", "driver.h", "server.h"]),
    "src/lib/memlog.c": (["wake.h", "utf.h"], ["doc.h", "varlink.h", "trampoline.h", "engine.h"]),
    "src/compat/computecore/watch.c": (["hcs/hcs.h", "lock.h", "utf.h"], ["backend.h", "doc.h", "varlink.h", "engine.h"]),
    "src/cli/main.c": (["hcs/hcs.h"], ["buf.h", "doc.h", "varlink.h", "engine.h"]),
}


def flags_of(source):
    for c in commands:
        if c["file"].endswith(source):
            words = shlex.split(c["command"])
            return [w for i, w in enumerate(words) if w.startswith(("-I", "-D", "-std", "-isystem"))
                    or (i and words[i - 1] in ("-I", "-isystem"))]
    raise SystemExit(f"no compile command for {source}")


def compiles(source, header):
    # where the source stands, since a quoted include looks in the includer's folder first
    directory = pathlib.Path(sys.argv[2]) / pathlib.Path(source).parent
    return subprocess.run(["cc", *flags_of(source), f"-iquote{directory}", "-fsyntax-only", "-x", "c", "-"], cwd=build,
                          input=f'#include "{header}"\n', text=True, capture_output=True).returncode == 0


n = failed = 0
for source, (may, must_not) in RULES.items():
    for header, expected in [(h, True) for h in may] + [(h, False) for h in must_not]:
        n += 1
        ok = compiles(source, header) == expected
        failed += not ok
        print(f"{'ok' if ok else 'not ok'} {n} - {source} {'may' if expected else 'cannot'} include {header}")
print(f"1..{n}")
sys.exit(bool(failed))
