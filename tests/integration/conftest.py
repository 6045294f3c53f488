"""Fixtures: a service of its own for each test module, with real containers where the machine allows them."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest

HCS = os.environ["HCS_BIN"]
HCSD = os.environ["HCSD_BIN"]
KEEPER = os.environ["KEEPER_BIN"]
DEADLINE = float(os.environ.get("HCS_TEST_DEADLINE", "60"))
WRAPPER = os.environ.get("HCS_TEST_WRAPPER", "").split()  # valgrind, for instance


# ---- TAP, so that Meson counts each test ----

class Tap:
    def __init__(self):
        self.n = 0

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report):
        if report.when != "call" and report.outcome == "passed":
            return
        if report.when == "teardown" and report.outcome == "passed":
            return
        self.n += 1
        name = report.nodeid.split("::", 1)[-1]
        if report.outcome == "skipped":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "skipped"
            print(f"\nok {self.n} - {name} # SKIP {reason.removeprefix('Skipped: ')}")
        elif report.outcome == "passed":
            print(f"\nok {self.n} - {name}")
        else:
            print(f"\nnot ok {self.n} - {name}")
            for line in str(report.longrepr).splitlines():
                print("# " + line)
        sys.stdout.flush()

    def pytest_sessionfinish(self):
        print(f"\n1..{self.n}")


def pytest_configure(config):
    config.pluginmanager.register(Tap())


# ---- waiting for things ----

def wait_for(what, text, deadline=DEADLINE):
    """Until what() is true; the poll is the only way to see a file or a process go."""
    end = time.monotonic() + deadline
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, f"still waiting after {deadline} s: {text}"
        time.sleep(0.005)


class Service:
    """An hcsd with directories of its own."""

    def __init__(self, root, *args, start=True):
        self.root = pathlib.Path(root)
        self.socket = self.root / "run" / "hcsd.sock"
        self.env = dict(os.environ, HCS_HOST=f"unix:{self.socket}", HCS_HCSD=HCSD, HCS_KEEPER=KEEPER,
                        HCS_STATE_DIR=str(self.root / "state"), NO_COLOR="1")
        self.env.pop("HCS_ROOTFS", None)
        self.process = None
        if start:
            self.start(*args)

    def start(self, *args):
        if "--group" not in args:
            args = ("--group", "", *args)  # whether or not this machine has the group hcs
        self.log = open(self.root / "hcsd.log", "ab")
        self.process = subprocess.Popen([*WRAPPER, HCSD, "--socket", str(self.socket), *args], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        wait_for(lambda: self.answers() or self.process.poll() is not None, "hcsd answers")
        assert self.process.poll() is None, self.read_log()

    def answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            return s.connect_ex(str(self.socket)) == 0

    def read_log(self):
        return (self.root / "hcsd.log").read_text(errors="replace")

    def stop(self):
        if not self.process:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(DEADLINE)
        self.log.close()
        self.process = None
        return status

    def hcs(self, *args, check=None, input=None, timeout=DEADLINE, env=None):
        r = subprocess.run([HCS, *map(str, args)], env=dict(self.env, **(env or {})), input=input, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        if check is not None:
            assert r.returncode == check, f"hcs {args}: exit {r.returncode}\n{r.stdout}\n{r.stderr}"
        return r

    def popen(self, *args, **kw):
        return subprocess.Popen([HCS, *map(str, args)], env=self.env, text=True, **kw)

    def connect(self):
        return Wire(self.socket)

    def events(self):
        """Every event the log has, oldest first."""
        with self.connect() as w:
            info = w.call("GetInfo")["info"]["log"]
            events = []
            if info["last"] < info["first"]:
                return events
            w.send("Subscribe", {"from": "beginning"}, more=True)
            w.receive()
            while not events or events[-1]["sequence"] < info["last"]:
                events.append(w.receive()["parameters"]["event"])
            return events

    def list(self, everything=False):
        return json.loads(self.hcs("list", "--format", "json", *(["--all"] if everything else []), check=0).stdout)


class Wire:
    """A Varlink client in a few lines: proof that the interface can be used without our library."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(DEADLINE)
        self.s.connect(str(path))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send_raw(self, data):
        self.s.sendall(data)

    def send(self, method, parameters=None, more=False, interface="org.libhcs.ComputeService"):
        message = {"method": f"{interface}.{method}", "parameters": parameters or {}}
        if more:
            message["more"] = True
        self.send_raw(json.dumps(message).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.rest:
            data = self.s.recv(65536)
            if not data:
                return None
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, parameters=None, **kw):
        self.send(method, parameters, **kw)
        reply = self.receive()
        assert reply is not None, "the service closed the connection"
        if "error" in reply:
            raise CallFailed(reply["error"], reply["parameters"])
        return reply["parameters"]


class CallFailed(Exception):
    def __init__(self, error, parameters):
        super().__init__(f"{error} {parameters}")
        self.error = error
        self.name = parameters.get("name")
        self.text = parameters.get("text")


@pytest.fixture(scope="module")
def place():
    path = tempfile.mkdtemp(prefix="hcs-test-")
    yield pathlib.Path(path)
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def service(place):
    s = Service(place)
    yield s
    assert s.stop() == 0, s.read_log()


@pytest.fixture(scope="module")
def rootfs(place, service):
    path = place / "rootfs"
    service.hcs("rootfs", "make", path, check=0)
    return path


@pytest.fixture(scope="module")
def containers(service):
    """Whether this machine runs real containers."""
    info = json.loads(service.hcs("version", "--format", "json", check=0).stdout)
    return any(d["name"] == "oci" for d in info["service"]["drivers"])


@pytest.fixture(scope="module")
def run_args(request, containers):
    """How `hcs run` is told where to run: a root file system, or none where the kernel allows no containers."""
    if containers:
        return ["--rootfs", str(request.getfixturevalue("rootfs"))]
    return ["--isolation", "none"]


@pytest.fixture(scope="module")
def document(request, containers):
    """A ComputeSystem document that this machine can run."""
    if containers:
        container = {"Storage": {"Path": str(request.getfixturevalue("rootfs"))}}
    else:
        container = {"IsolationType": "None"}
    return {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": container}


@pytest.fixture(scope="module")
def needs_containers(containers):
    if not containers:
        pytest.skip("this kernel allows no containers")
