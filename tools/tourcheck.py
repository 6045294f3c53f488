#!/usr/bin/env python3
"""Check that every `file` and `file:function` named in ARCHITECTURE.md and docs/events.md exists; prints TAP."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
pattern = r"`((?:src|include|idl|tests|tools|packaging|docs|man|bench)/[\w./*-]+(?::\w+)?)`"
names = [(page, name) for page in ("ARCHITECTURE.md", "docs/events.md")
         for name in sorted(set(re.findall(pattern, (root / page).read_text(encoding="utf-8"))))]
failed = 0
for n, (page, name) in enumerate(names, 1):
    path, _, function = name.partition(":")
    found = list(root.glob(path))
    ok = bool(found)
    if ok and function:
        ok = any(re.search(rf"^[\w][^;\n]*\b{function}\s*\([^;]*$", f.read_text(encoding="utf-8"), re.M) for f in found)
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - {page} names {name}")
print(f"1..{len(names)}")
sys.exit(1 if failed or not names else 0)
