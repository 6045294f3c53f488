#!/usr/bin/env python3
"""Count the tests of JUnit files as Meson writes them: count_tests.py testlog.junit.xml... [--steps FILE]

Prints what failed, what was skipped and why, and one closing line: N passed, N failed, N skipped.
The exit status is 1 when a test failed or none was run.
"""
import collections
import json
import pathlib
import re
import sys
import xml.etree.ElementTree as ET


def tap_reasons(path):
    """Why tests were skipped: Meson keeps that in testlog.json only.  {(program, case): reason}"""
    reasons = {}
    if not path.exists():
        return reasons
    for line in path.read_text(encoding="utf-8").splitlines():
        test = json.loads(line)
        for match in re.finditer(r"^ok (\d+) - (.*?) # SKIP\S* ?(.*)$", test.get("stdout", ""), re.MULTILINE):
            number, name, reason = match.groups()
            reasons[test["name"], f"{number} - {name}"] = reason
    return reasons


def reason_of(element):
    text = element.get("message") or (element.text or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else ""


def program_of(suite):
    """"libhcs.libhcs:unit / buf" as testlog.json has it."""
    return suite.get("name", "").split(".", 1)[-1]


def name_of(suite, case):
    return f"{program_of(suite)}: {case.get('name')}".removeprefix("libhcs: ").replace("libhcs:", "")


def count(root, reasons):
    passed, failed, skipped = 0, [], []
    for suite in root.iter("testsuite"):
        for case in suite.findall("testcase"):
            bad = [e for tag in ("failure", "error") for e in case.findall(tag)]
            skip = case.find("skipped")
            if bad:
                failed.append((name_of(suite, case), reason_of(bad[0])))
            elif skip is not None:
                reason = reasons.get((program_of(suite), case.get("name"))) or reason_of(skip)
                skipped.append((name_of(suite, case), reason))
            else:
                passed += 1
        # a test program that crashed or timed out may have no case of its own that says so
        if int(suite.get("errors") or 0) and not suite.findall("testcase/error"):
            failed.append((program_of(suite), "the test program ended early"))
    return passed, failed, skipped


def ended_early(path, failed):
    """Programs that were ended by a time limit or a signal: their cases so far may all have passed."""
    if not path.exists():
        return []
    tests = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    named = " ".join(name for name, _ in failed)
    return [(t["name"], f"the program ended with {t['result']}") for t in tests
            if t["result"] in ("TIMEOUT", "ERROR", "INTERRUPT", "FAIL")
            and t["name"].split(":", 1)[-1].removeprefix("libhcs:") not in named]


def count_steps(path):
    """Further checks: a name, a tab, and passed, failed or skipped; then perhaps a tab and the reason."""
    passed, failed, skipped = 0, [], []
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name, outcome, reason = (line.split("\t") + [""])[:3]
        if outcome == "passed":
            passed += 1
        else:
            (skipped if outcome == "skipped" else failed).append((name, reason))
    return passed, failed, skipped


def main(paths, steps):
    passed, failed, skipped = 0, [], []
    counts = [count(ET.parse(p).getroot(), tap_reasons(pathlib.Path(p).with_name("testlog.json"))) for p in paths]
    for path in paths:
        failed += ended_early(pathlib.Path(path).with_name("testlog.json"), [f for c in counts for f in c[1]])
    for p, f, s in counts + [count_steps(p) for p in steps]:
        passed += p
        failed += f
        skipped += s
    by_reason = collections.defaultdict(list)
    for name, reason in skipped:
        by_reason[reason or "no reason given"].append(name)
    for reason, names in by_reason.items():
        print(f"skipped, {reason}: " + ", ".join(names))
    for name, reason in failed:
        print(f"FAILED  {name}" + (f": {reason}" if reason else ""))
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    at = arguments.index("--steps") if "--steps" in arguments else len(arguments)
    if not arguments:
        sys.exit(__doc__)
    sys.exit(main(arguments[:at], arguments[at + 1:]))
