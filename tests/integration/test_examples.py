"""The examples do what they say, over a real service."""

import os
import subprocess

from conftest import wait_for

EXAMPLES = os.environ["EXAMPLES"]


def test_run_one(service, containers, run_args):
    env = dict(service.env)
    if containers:
        env["HCS_ROOTFS"] = run_args[1]
    r = subprocess.run([f"{EXAMPLES}/run_one", 'sh -c "exit 42"'], env=env, capture_output=True, text=True, timeout=60)
    assert "code 42" in r.stdout, r.stderr


def test_watch_host(service, run_args):
    def streams():
        with service.connect() as w:
            return w.call("GetInfo")["info"]["streams"]
    before = streams()
    p = subprocess.Popen([f"{EXAMPLES}/watch_host", "2"], env=service.env, stdout=subprocess.PIPE, text=True)
    wait_for(lambda: streams() > before, "the watcher has its position")
    for code in (5, 6):
        service.hcs("run", "--rm", "--id", f"watched-{code}", *run_args, "--", "sh", "-c", f"exit {code}", check=code)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0
    for code in (5, 6):
        assert any(f"watched-{code} process" in line and f"code {code}" in line for line in out.splitlines()), out


def test_follow_exits(service, run_args, place):
    """What happened while it did not run is told when it runs again, and nothing twice."""
    file = place / "exits"
    seen = []
    for codes in ((3,), (4, 5)):
        for code in codes:
            service.hcs("run", "--rm", "--id", f"followed-{code}", *run_args, "--", "sh", "-c", f"exit {code}", check=code)
        while not any(line.split()[1:3] == [f"followed-{codes[-1]}", "ended"] or f"followed-{codes[-1]} " in line and "shut down" in line
                      for line in seen):
            r = subprocess.run([f"{EXAMPLES}/follow_exits", file, "1"], env=service.env, capture_output=True, text=True, timeout=60)
            assert r.returncode == 0, r.stderr
            seen += r.stdout.splitlines()
    numbers = [int(line.split()[0]) for line in seen]
    assert numbers == sorted(set(numbers))
    for code in (3, 4, 5):
        assert len([line for line in seen if f"followed-{code} code {code}" in line]) == 1, seen
