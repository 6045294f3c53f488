#!/usr/bin/env python3
"""docs/errors.md is what tools/gen.py makes of idl/errors.tsv now.  Prints TAP."""
import subprocess
import sys

gen, table, page = sys.argv[1:]
fresh = subprocess.run([sys.executable, gen, "errors-doc", table], capture_output=True, text=True, check=True).stdout
ok = fresh == open(page, encoding="utf-8").read()
print(f"{'ok' if ok else 'not ok'} 1 - docs/errors.md is fresh (tools/gen.py errors-doc idl/errors.tsv > docs/errors.md)")
print("1..1")
sys.exit(not ok)
