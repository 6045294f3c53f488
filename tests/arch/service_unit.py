#!/usr/bin/env python3
"""The systemd units: they are understood, no less closed than SECURITY.md says, and what stays open has a reason.

Called with the source directory; prints TAP."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(sys.argv[1])
template = (root / "packaging" / "hcsd.service.in").read_text()
security = (root / "SECURITY.md").read_text()
ANALYZE = shutil.which("systemd-analyze")
names = ["units are understood", "exposure is what SECURITY.md says", "what is not set has a reason in the unit"]
number = failed = 0


def say(name, problems, skip=None):
    global number, failed
    number += 1
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {number} - {name}" + (f" # SKIP {skip}" if skip else ""))
    for problem in problems:
        print(f"# {problem}")


def analyze(*args):
    return subprocess.run([ANALYZE, *args], capture_output=True, text=True)


def offline(unit):
    return analyze("security", "--offline=yes", "--no-pager", "--json=short", str(unit))


print(f"1..{len(names)}")
with tempfile.TemporaryDirectory(prefix="hcs-unit-") as place:
    unit = pathlib.Path(place, "hcsd.service")
    unit.write_text(template.replace("@sbindir@/hcsd", "/bin/true"))  # a program that is there
    shutil.copy(root / "packaging" / "hcsd.socket", place)
    why = None
    if not ANALYZE:
        why = "there is no systemd-analyze (apt-get install systemd)"
    elif offline(unit).returncode != 0:
        why = "this systemd-analyze knows no --offline (it came with 250): " + offline(unit).stderr.strip()
    if why:
        for name in names:
            say(name, [], why)
        sys.exit(0)

    told = [line for line in analyze("verify", "--man=no", str(unit)).stderr.splitlines() if "hcsd" in line]
    say(names[0], told)

    text = analyze("security", "--offline=yes", "--no-pager", str(unit)).stdout
    now = float(re.search(r"Overall exposure level.*?: ([0-9.]+)", text)[1])
    said = re.search(r"exposure of \*\*([0-9.]+)\*\*", security)
    say(names[1], [] if said and now <= float(said[1]) else [f"now {now}, SECURITY.md says {said and said[1]}"])

    missing = set()
    for row in json.loads(offline(unit).stdout):
        if row["set"] is False and float(row["exposure"] or 0) > 0:
            for directive in row["name"].partition("=~")[0].rstrip("=").split("=/"):
                if not re.search(rf"\b{directive}=", template):
                    missing.add(f"{directive}= is neither set nor explained")
    say(names[2], sorted(missing))
sys.exit(1 if failed else 0)
