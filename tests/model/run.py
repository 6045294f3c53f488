#!/usr/bin/env python3
"""Check the models exhaustively with spin: tests/model/run.py.  Prints TAP.

Each model must be without error in every one of its sizes, and with an error in every one of its mutations: so it is known
that the properties would see a protocol that is broken.  Without spin the test is skipped, by name."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
SMALL = ["-DPRODUCERS=2", "-DPUTS=2", "-DREADERS=1"]
REUSE = ["-DSLOTS=2", "-DCHUNKS=2", "-DPRODUCERS=1", "-DPUTS=6"]

# model, sizes in which it holds, mutations with the size in which they show
MODELS = [
    ("memlog.pml",
     [("two producers, one reader", SMALL),
      ("one producer, two readers", ["-DPRODUCERS=1", "-DPUTS=2", "-DREADERS=2"]),
      ("chunks used again", REUSE)],
     [("a record is published before it is written", "BODY", SMALL),
      ("a record is published before the place behind it is cleared", "CLEAR", REUSE),
      ("a chunk is used again though a reader is in it", "PIN", SMALL),
      ("a reader does not compare numbers where a chunk begins", "GAP", SMALL),
      ("a reader arms without telling producers", "PARK", SMALL),
      ("a reader arms without looking again", "RECHECK", SMALL),
      ("a reader clears its wake after it armed", "WAKE_CLEAR", SMALL),
      ("a cursor is closed while somebody may be waking it", "CLOSE", SMALL)]),
    ("callback.pml",
     [("late callbacks, two who retire, the slot used again", [])],
     [("a number is not compared with the generation", "GENERATION", []),
      ("a number is found that is not live", "LIVE", []),
      ("whether a number is live is looked at after entering", "LIVE_LATE", []),
      ("word and count are changed in two steps", "TWO_WORDS", []),
      ("the number is taken away after the wait", "RETIRE_LATE", []),
      ("retire does not wait for calls in flight", "NO_WAIT", []),
      ("the last one who leaves tells nobody", "NO_SIGNAL", []),
      ("the last one who leaves tells without the lock", "SIGNAL_WITHOUT_LOCK", []),
      ("the last one who leaves tells one of those who wait", "SIGNAL_ONE", []),
      ("a second retire returns at once", "RETIRE_ONCE", []),
      ("both who retire let the slot go", "FREE_TWICE", [])]),
]


def run(command, directory, **more):
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, **more)


def errors_of(model, definitions):
    """How many errors spin finds, and its report."""
    with tempfile.TemporaryDirectory(prefix="model-") as directory:
        made = run(["spin", *definitions, "-a", here / model], directory)
        if not pathlib.Path(directory, "pan.c").exists():
            return None, made.stdout + made.stderr
        made = run(["cc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=2048", "-o", "pan", "pan.c"], directory)
        if made.returncode:
            return None, made.stderr
        report = run(["./pan", "-m1000000"], directory, timeout=600).stdout
    found = re.search(r"errors: (\d+)", report)
    whole = found and (found[1] != "0" or not re.search(r"max search depth too small|Search not completed", report))
    return int(found[1]) if whole else None, report


def cases():
    for model, sizes, mutations in MODELS:
        for words, definitions in sizes:
            yield f"{model}: {words}: every interleaving is right", model, definitions, False
        for words, mutation, definitions in mutations:
            yield f"{model}: it is seen when {words}", model, [*definitions, f"-DBREAK_{mutation}"], True


def main():
    if not shutil.which("spin"):
        print("1..0 # SKIP spin, which explores the interleavings, is not there (Debian: spin)")
        return 0
    failed = n = 0
    for n, (words, model, definitions, wrong) in enumerate(cases(), 1):
        found, report = errors_of(model, definitions)
        good = found is not None and (found > 0) == wrong
        failed += not good
        print(f"{'ok' if good else 'not ok'} {n} - {words}", flush=True)
        states = re.search(r"(\d+) states, stored", report)
        print(f"# {states[1] if states else 'no'} states, {'no' if not found else found} error(s)")
        if not good:
            print("\n".join("# " + line for line in report.splitlines()))
    print(f"1..{n}")
    return bool(failed)


sys.exit(main())
