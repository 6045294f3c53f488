#!/usr/bin/env python3
"""Pages that are made by tools/gen.py are what it makes now.  Prints TAP.  Arguments: gen.py, then KIND SOURCE[:SOURCE] PAGE
..."""
import subprocess
import sys

gen, *rest = sys.argv[1:]
n = failed = 0
for kind, source, page in zip(rest[0::3], rest[1::3], rest[2::3]):
    n += 1
    sources = source.split(":")
    fresh = subprocess.run([sys.executable, gen, kind, *sources], capture_output=True, text=True, check=True).stdout
    ok = bool(fresh) and fresh == open(page, encoding="utf-8").read()
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - {page} is fresh (tools/gen.py {kind} {' '.join(sources)} > {page})")
print(f"1..{n}")
sys.exit(bool(failed))
