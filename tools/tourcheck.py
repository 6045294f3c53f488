#!/usr/bin/env python3
"""Check that every `file` and `file:function` named in ARCHITECTURE.md exists; prints TAP."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
page = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
names = sorted(set(re.findall(r"`((?:src|include|idl|tests|tools|packaging|docs|man|bench)/[\w./*-]+(?::\w+)?)`", page)))
failed = 0
for n, name in enumerate(names, 1):
    path, _, function = name.partition(":")
    found = list(root.glob(path))
    ok = bool(found)
    if ok and function:
        ok = any(re.search(rf"^[\w][^;\n]*\b{function}\s*\([^;]*$", f.read_text(encoding="utf-8"), re.M) for f in found)
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - ARCHITECTURE.md names {name}")
print(f"1..{len(names)}")
sys.exit(1 if failed or not names else 0)
