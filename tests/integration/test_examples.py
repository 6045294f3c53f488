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
