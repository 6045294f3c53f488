"""run, exec and wait while the service is killed, replaced, or does not come back as it was."""

import json
import pathlib
import shutil
import signal
import subprocess

import pytest

from conftest import HCSD, Service, wait_for

GONE = "the service is gone"
WAITS = "echo ready; read x; exit 42"


class Away:
    """A service of its own that nobody starts but the test, and a system or a program that outlives it."""

    def __init__(self, path):
        path.mkdir()
        self.s = Service(path)
        self.s.env["HCS_HCSD"] = "/nonexistent"

    def popen(self, *args):
        return self.s.popen(*args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self):
        self.s.process.send_signal(signal.SIGKILL)
        self.s.process.wait(60)
        self.s.log.close()

    def replace(self):
        old, self.s.process = self.s.process, subprocess.Popen(
            [HCSD, "--socket", str(self.s.socket), "--group", "", "--replace"], env=self.s.env,
            stdin=subprocess.DEVNULL, stdout=self.s.log, stderr=self.s.log)
        assert old.wait(60) == 0

    def ready(self, p):
        """The program runs, and the service has told so: nothing is under way that a kill would cut off."""
        assert p.stdout.readline() == "ready\n"
        wait_for(lambda: self.calls() == 0, "the answer is sent")

    def calls(self):
        with self.s.connect() as w:
            return sum(u["used"]["calls"] for u in w.call("GetStatus")["status"]["users"])

    def streams(self):
        with self.s.connect() as w:
            return w.call("GetInfo")["info"]["streams"]

    def living(self):
        return [s["Id"] for s in self.s.list()]

    def make(self, document, name):
        self.s.hcs("create", "-", "--id", name, input=json.dumps(document), check=0)
        self.s.hcs("start", name, check=0)


@pytest.fixture
def away(place):
    a = Away(place / f"away-{len(list(place.glob('away-*')))}")
    yield a
    if a.s.process.poll() is not None:
        a.s.start()
    for name in a.living():
        a.s.hcs("kill", name, check=0)
    assert a.s.stop() == 0, a.s.read_log()


def says_it_waits(p):
    line = p.stderr.readline()
    assert GONE in line and "waiting for it" in line, line


def runs(word):
    """Whether the program whose last argument is this runs."""
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().endswith(f"{WAITS}\0{word}\0".encode()) and b"run" not in path.read_bytes().split(b"\0"):
                return True
        except OSError:  # it has ended
            pass
    return False


def test_run_tells_the_true_status_of_a_program_that_goes_on(away, run_args):
    p = away.popen("run", "--id", "on", *run_args, "--", "sh", "-c", WAITS)
    away.ready(p)
    away.kill()
    says_it_waits(p)
    away.s.start()
    assert "back" in p.stderr.readline()
    out, err = p.communicate("\n", 60)
    assert (p.returncode, out, err) == (42, "", "")
    assert away.living() == []


def test_run_tells_the_true_status_of_a_program_that_ended_meanwhile(away, run_args):
    p = away.popen("run", "--rm", "--id", "meanwhile", *run_args, "--", "sh", "-c", WAITS, "meanwhile")
    away.ready(p)
    away.kill()
    says_it_waits(p)
    assert runs("meanwhile")
    p.stdin.write("\n")
    p.stdin.flush()
    wait_for(lambda: not runs("meanwhile"), "the program has ended")
    assert p.poll() is None
    away.s.start()
    assert p.wait(60) == 42, p.stderr.read()
    assert away.s.list(everything=True) == []


def test_run_does_not_mind_that_the_service_is_replaced(away, run_args):
    p = away.popen("run", "--id", "replaced", *run_args, "--", "sh", "-c", WAITS)
    away.ready(p)
    away.replace()
    says_it_waits(p)
    p.communicate("\n", 60)
    assert p.returncode == 42
    assert away.living() == []


def test_exec_and_wait_go_on(away, document):
    away.make(document, "box")
    e = away.popen("exec", "box", "--", "sh", "-c", WAITS)
    w = away.popen("wait", "box")
    away.ready(e)
    wait_for(lambda: away.streams() == 2, "both have their streams")
    away.kill()
    says_it_waits(e)
    says_it_waits(w)
    away.s.start()
    e.communicate("\n", 60)
    assert e.returncode == 42
    away.s.hcs("kill", "box", check=0)
    out, err = w.communicate(timeout=60)
    assert (w.returncode, out) == (0, "box: terminated by client\n"), err


def test_a_signal_is_kept_until_the_service_is_back(away, run_args):
    script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    p = away.popen("run", "--id", "kept", *run_args, "--", "sh", "-c", script)
    away.ready(p)
    away.kill()
    p.send_signal(signal.SIGTERM)
    says_it_waits(p)
    away.s.start()
    p.communicate(timeout=60)
    assert p.returncode == 9
    assert away.living() == []


def pending_signals(p):
    with open(f"/proc/{p.pid}/status") as f:
        return int(dict(line.split(":\t") for line in f.read().splitlines())["ShdPnd"], 16)


def test_the_third_ctrl_c_gives_up_and_says_what_is_left(away, run_args):
    p = away.popen("run", "--id", "left", *run_args, "--", "sh", "-c", WAITS)
    away.ready(p)
    away.kill()
    says_it_waits(p)
    for _ in range(3):
        wait_for(lambda: p.poll() is not None or pending_signals(p) == 0, "it has taken the one before")
        p.send_signal(signal.SIGINT)
    assert p.wait(60) == 125
    err = [p.stderr.readline() for _ in range(3)]  # not to its end: the program has it, too
    assert "third Ctrl-C" in err[0] and "is not back" in err[1] and "hcs kill left" in err[2], err
    away.s.start()
    assert away.living() == ["left"]


def test_a_service_without_memory_of_the_program_is_told(place):
    """The fake driver's systems end with their service; a new state directory knows nothing of them."""
    path = place / "forgetful"
    path.mkdir()
    s = Service(path, "--driver", "fake")
    s.env["HCS_HCSD"] = "/nonexistent"
    p = s.popen("run", "--id", "lost", "--rootfs", "/", "--", "hang", stderr=subprocess.PIPE)
    wait_for(lambda: "ProcessStarted" in [e["name"] for e in s.events()], "the program runs")
    s.process.send_signal(signal.SIGKILL)
    s.process.wait(60)
    s.log.close()
    says_it_waits(p)
    shutil.rmtree(path / "state")
    s.start("--driver", "fake")
    assert p.wait(60) == 125
    assert "not known" in p.stderr.read()
    assert s.stop() == 0
