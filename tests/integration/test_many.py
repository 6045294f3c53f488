"""Two hundred containers, eight at a time, each with a way to end of its own; and nothing left behind."""

import concurrent.futures
import glob
import json
import os
import signal
import subprocess

from conftest import wait_for

MANY = int(os.environ.get("HCS_TEST_MANY", "200"))


def ways():
    """(what to run, expected status of hcs run, expected exit report of the process or None)"""
    for i in range(MANY):
        kind = i % 6
        if kind == 0:
            code = i % 256
            yield ["sh", "-c", f"exit {code}"], code, {"how": "code", "code": code}
        elif kind == 1:
            number = (6, 9, 11, 15, 1, 10)[i // 6 % 6]
            yield ["sh", "-c", f"kill -{number} $$"], 128 + number, {"how": "signal", "signal": number}
        elif kind == 2:
            yield ["no-such-program"], 127, None
        elif kind == 3:
            yield ["sh", "-c", "sleep 0.02; exit 3"], 3, {"how": "code", "code": 3}
        elif kind == 4:
            yield ["sh", "-c", "(sleep 100 &) ; exit 5"], 5, {"how": "code", "code": 5}
        else:
            yield ["sh", "-c", "sleep 1000"], 137, {"how": "signal", "signal": 9}


def left_behind(service):
    """What a container could leave: processes, mounts, cgroups, files."""
    left = []
    left += subprocess.run(["pgrep", "-af", f"hcs-keeper --keep {service.root}"], capture_output=True, text=True).stdout.split()
    with open("/proc/self/mountinfo") as f:
        left += [line for line in f if str(service.root) in line]
    left += [p for p in glob.glob("/sys/fs/cgroup/**/hcs/many-*", recursive=True) if os.path.isdir(p)]
    left += os.listdir(service.root / "run" / "systems")
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat") as f:
                    stat = f.read()
                if stat.rsplit(")", 1)[1].split()[1] == str(service.process.pid):
                    left.append("child of hcsd: " + stat[:60])
            except OSError:
                pass
    return left


def run_one(service, run_args, i, what):
    id = f"many-{i}"
    if what == ["sh", "-c", "sleep 1000"]:
        p = service.popen("run", "--id", id, *run_args, "--", "sh", "-c", "echo up; exec sleep 1000",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert p.stdout.readline() == "up\n", p.stderr.read()
        service.hcs("kill", id, check=0)
        p.communicate(timeout=60)
        return p.returncode
    return service.hcs("run", "--id", id, *run_args, "--", *what).returncode


def test_each_ends_once_and_truly(service, run_args):
    expected = list(ways())
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda iw: run_one(service, run_args, iw[0], iw[1][0]), enumerate(expected)))
    for i, (what, status, _) in enumerate(expected):
        assert statuses[i] == status, f"{what}: {statuses[i]} instead of {status}"

    events = service.events()
    assert [e["sequence"] for e in events] == list(range(events[0]["sequence"], events[-1]["sequence"] + 1))
    of = {}
    for e in events:
        of.setdefault(e["system"]["id"], []).append(e)
    for i, (what, _, report) in enumerate(expected):
        mine = of[f"many-{i}"]
        names = [e["name"] for e in mine]
        assert names.count("SystemExited") == 1 and names[-1] == "SystemExited", names
        assert names[:2] == ["SystemCreated", "SystemStarted"]
        exits = [e for e in mine if e["name"] == "ProcessExited"]
        assert len(exits) == (report is not None), f"{what}: {names}"
        if report:
            got = exits[0]["exit"]
            assert {k: got.get(k) for k in report} == report, f"{what}: {got}"
        last = mine[-1]["exit"]
        assert last["how"] == "status"
        # a program that was killed by `hcs kill` ends with its system, which was terminated
        forced = what == ["sh", "-c", "sleep 1000"] or report is None
        assert last["type"] in (("forced",) if what[-1] == "sleep 1000" else ("forced", "graceful")), (what, last, forced)


def test_nothing_is_left(service, run_args):
    wait_for(lambda: not left_behind(service), "nothing is left: " + str(left_behind(service)), 30)
