#!/usr/bin/env python3
"""The demo: containers that end in five ways, and the event stream of each as a person wants to read it.

demo.py HCS    HCS_HOST, HCS_HCSD, HCS_ROOTFS are in the environment (./dev demo sets them)."""
import json
import os
import subprocess
import sys
import time

hcs = sys.argv[1]
colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
prefix = f"demo-{os.getpid()}"


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def info():
    text = subprocess.run([hcs, "version", "--format", "json"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(text)["service"]


service = info()
oci = next((d for d in service["drivers"] if d["name"] == "oci"), None)
if oci:
    can = [name for name, yes in oci["capabilities"].items() if yes]
    print(f"This machine runs containers: {oci['runtime']['name']} {oci['runtime']['version']}, {oci['mode']}"
          f" ({', '.join(can) or 'no limits'}).")
    where = []
else:
    print(f"No containers on this kernel ({service.get('noContainers', 'unknown reason')}): plain processes, --isolation none.")
    where = ["--isolation", "none"]


class Watcher:
    """hcs events, from its position on: lines as they come."""

    def __init__(self):
        before = info()["connections"]
        self.process = subprocess.Popen([hcs, "events", "--format", "json"], stdout=subprocess.PIPE, text=True)
        while info()["connections"] <= before:  # it has its position when it is connected and subscribed
            if self.process.poll() is not None:
                sys.exit("demo: the watcher ended")
            time.sleep(0.01)

    def until_exit_of(self, id):
        events = []
        for line in self.process.stdout:
            event = json.loads(line)
            if event["system"]["id"] == id:
                events.append(event)
                if event["name"] == "SystemExited":
                    return events
        sys.exit("demo: the event stream ended")

    def end(self):
        self.process.terminate()
        self.process.wait()


def words(event):
    report = event.get("exit")
    if event["name"] == "ProcessStarted":
        return f"process {event['processId']}: {' '.join(event['detail'].get('CommandArgs', []))}"
    if event["name"] == "ProcessExited":
        return f"process {event['processId']}: {how(report)}"
    if report:
        return how(report)
    return ""


def how(report):
    if report["how"] == "code":
        return f"code {report['code']}"
    if report["how"] == "signal":
        return f"signal {report['signal']}"
    if report["how"] == "unknown":
        return f"unknown: {report['reason']}"
    return {"graceful": "shut down", "forced": "terminated"}.get(report["type"], report["type"]) + f" by {report['initiator']}"


def run(watcher, letter, title, command, expected_status, expected_end, kill=False):
    id = f"{prefix}-{letter}"
    print(f"\n{paint('1', f'({letter}) {title}')}")
    print(paint("2", f"    $ hcs run --id {id} {' '.join(where)}{' ' if where else ''}-- "
                     + " ".join(f"'{a}'" if " " in a else a for a in command)))
    process = subprocess.Popen([hcs, "run", "--id", id, *where, "--", *command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if kill:
        process.stdout.readline()  # it runs
        print(paint("2", f"    $ hcs kill {id}"))
        subprocess.run([hcs, "kill", id], check=True, stdout=subprocess.DEVNULL)
    _, errors = process.communicate()
    for line in errors.splitlines():
        print(f"    {line}")
    events = watcher.until_exit_of(id)
    start = events[0]["monotonicNs"]
    for event in events:
        took = f"+{(event['monotonicNs'] - start) / 1e6:.1f} ms"
        print(f"    #{event['sequence']:<6} {took:>12}  {event['name']:<16} {words(event)}")
    ends = [how(e["exit"]) for e in events if e["name"] == "ProcessExited"]
    ended = ends[0] if ends else "program did not start"
    good = process.returncode == expected_status and ended == expected_end
    dense = all(b["sequence"] > a["sequence"] for a, b in zip(events, events[1:]))
    subprocess.run([hcs, "rm", id], check=True, stdout=subprocess.DEVNULL)
    return {"what": title, "ended": ended, "status": process.returncode, "system": how(events[-1]["exit"]),
            "events": len(events), "good": good and dense}


watcher = Watcher()
try:
    rows = [
        run(watcher, "a", "a program that succeeds", ["sh", "-c", "exit 0"], 0, "code 0"),
        run(watcher, "b", "a program that fails", ["sh", "-c", "exit 42"], 42, "code 42"),
        run(watcher, "c", "a program that crashes", ["sh", "-c", "kill -SEGV $$"], 139, "signal 11"),
        run(watcher, "d", "a program that is killed from outside", ["sh", "-c", "echo running; exec sleep 1000"], 137, "signal 9",
            kill=True),
        run(watcher, "e", "a program that does not exist", ["no-such-program"], 127, "program did not start"),
    ]
finally:
    watcher.end()

print(f"\n{paint('1', 'What each was, and how it ended')}")
print(f"    {'':2}{'container':<40}{'program':<24}{'hcs run':>8}  {'system':<24}events")
for row in rows:
    mark = paint("32", "ok") if row["good"] else paint("31", "WRONG")
    print(f"    {mark:<2} {row['what']:<39}{row['ended']:<24}{row['status']:>8}  {row['system']:<24}{row['events']}")
sys.exit(0 if all(row["good"] for row in rows) else 1)
