#!/usr/bin/env python3
"""Count the tests of a JUnit file as Meson writes it: count_tests.py testlog.junit.xml

Prints what failed, what was skipped and why, and one closing line: N passed, N failed, N skipped.
The exit status is 1 when a test failed or none was run.
"""
import collections
import sys
import xml.etree.ElementTree as ET


def reason_of(element):
    text = element.get("message") or (element.text or "")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0] if lines else ""


def name_of(suite, case):
    names = [n for n in (suite.get("name"), case.get("name")) if n]
    return " ".join(dict.fromkeys(names))


def count(root):
    passed, failed, skipped = 0, [], []
    for suite in root.iter("testsuite"):
        for case in suite.findall("testcase"):
            bad = [e for tag in ("failure", "error") for e in case.findall(tag)]
            skip = case.find("skipped")
            if bad:
                failed.append((name_of(suite, case), reason_of(bad[0])))
            elif skip is not None:
                skipped.append((name_of(suite, case), reason_of(skip)))
            else:
                passed += 1
        # a test program that crashed or timed out may have no case of its own that says so
        if int(suite.get("errors") or 0) and not suite.findall("testcase/error"):
            failed.append((suite.get("name"), "the test program ended early"))
    return passed, failed, skipped


def main(path):
    passed, failed, skipped = count(ET.parse(path).getroot())
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
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
