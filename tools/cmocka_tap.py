#!/usr/bin/env python3
"""Run a cmocka program and repair its TAP: cmocka 1.1.5 says "not ok N # SKIP name" for a skipped test, which readers count as
failed.  The line the test printed before is the reason.  Exit status: the program's."""
import re
import subprocess
import sys

process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True, errors="replace")
before = ""
for line in process.stdout:
    skipped = re.match(r"(?:not )?ok (\d+) # SKIP (?:- )?(.*)", line)
    if skipped:
        line = f"ok {skipped[1]} - {skipped[2]} # SKIP {before.strip() or 'no reason given'}\n"
    print(line, end="", flush=True)
    before = line if not re.match(r"(not )?ok |#|\d+\.\.", line) else ""
status = process.wait()
if status < 0:
    print(f"Bail out! ended by signal {-status}")
sys.exit(1 if status < 0 else status)
