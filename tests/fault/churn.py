"""Systems that come and go, whatever happens to the service meanwhile.

Each worker makes one system after the other, runs programs in it that end in a way that is known beforehand, and ends it;
an answer that is lost with the service is asked for again.  What each program must have returned stands in its plan, not
in what the service says.
"""

import json
import random
import threading
import time

from conftest import CallFailed, Wire
from history import end_of

PATIENCE = 60  # seconds without an answer after which something hangs
GONE = {"HCS_E_SYSTEM_NOT_FOUND", "HCS_E_SYSTEM_ALREADY_STOPPED"}
SIGNALS = (1, 6, 9, 10, 11, 12, 14, 15)  # not 3: the shell of busybox ignores it


class Lost(Exception):
    """The service went away before it answered."""


class System:
    """What was asked of a system, and what must therefore be true of its end."""

    def __init__(self, id, way, programs, ends, finish, memory=None):
        self.id, self.way, self.programs, self.ends, self.finish, self.memory = id, way, programs, ends, finish, memory
        self.disturbed = False  # its keeper was killed
        self.unsure = False  # an answer to CreateSystem or CreateProcess was lost
        self.created = False  # CreateSystem was answered
        self.runs = 0  # CreateProcess calls that were answered
        self.answers = []  # ends that WaitProcess told


def plan(number, rng, with_memory):
    """A system with a way to end of its own."""
    nap = rng.choice(("0", "0.02", "0.1", "0.3"))
    way = rng.choice(["code", "code", "signal", "several", "terminate", "stop", "refused", "empty"] + ["oom"] * with_memory)
    id = f"churn-{number}-{way}"
    if way == "code":
        code = rng.randrange(256)
        return System(id, way, [f"sleep {nap}; exit {code}"], {("code", code)}, "TerminateSystem")
    if way == "signal":
        signal = rng.choice(SIGNALS)
        return System(id, way, [f"sleep {nap}; kill -{signal} $$"], {("signal", signal)}, "TerminateSystem")
    if way == "several":
        codes = [rng.randrange(1, 256) for _ in range(rng.randrange(2, 4))]
        return System(id, way, [f"sleep {nap}; exit {c}" for c in codes], {("code", c) for c in codes}, "ShutDownSystem")
    if way == "terminate":
        return System(id, way, ["exec sleep 1000"], {("signal", 9)}, "TerminateSystem")
    if way == "stop":
        # it may be told to stop before it has become the program that dies of it
        return System(id, way, ["exec sleep 1000"], {("signal", 15)}, "ShutDownSystem")
    if way == "refused":
        return System(id, way, [None], set(), "TerminateSystem")
    if way == "oom":
        program = 'x=x; while :; do x="$x$x"; done'
        return System(id, way, [program], {("signal", 9)}, "TerminateSystem", memory=16)
    return System(id, way, [], set(), rng.choice(("TerminateSystem", "ShutDownSystem")))


class Client:
    """Calls of one worker; a new connection when the old one is lost."""

    def __init__(self, socket_path):
        self.path = socket_path
        self.wire = None

    def call(self, method, parameters):
        """Its answer; Lost when the service has gone meanwhile."""
        end = time.monotonic() + PATIENCE
        while self.wire is None:
            try:
                self.wire = Wire(self.path)
            except OSError:
                assert time.monotonic() < end, f"no service for {PATIENCE} s"
                time.sleep(0.005)
        try:
            self.wire.send(method, parameters)
            reply = self.wire.receive()
        except (ConnectionError, BrokenPipeError):
            reply = None
        except TimeoutError as e:
            raise AssertionError(f"no answer to {method} {parameters}") from e
        if reply is None:
            self.wire.s.close()
            self.wire = None
            raise Lost
        if "error" in reply:
            raise CallFailed(reply["error"], reply["parameters"])
        return reply["parameters"]

    def until_answered(self, method, parameters, on_lost=None):
        """Ask again when the answer is lost, and when the disk is full."""
        end = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < end, f"{method} {parameters} is asked again and again"
            try:
                return self.call(method, parameters)
            except Lost:
                if on_lost:
                    on_lost()
            except CallFailed as e:
                if e.name != "HCS_E_WIN32_DISK_FULL":
                    raise
                time.sleep(0.02)


class Worker:
    def __init__(self, socket_path, document):
        self.client = Client(socket_path)
        self.document = document

    def live(self, system):
        """One system from its creation to its end."""
        try:
            self.create(system)
            self.start(system)
            pids = [self.run(system, program) for program in system.programs]
            if system.way not in ("terminate", "stop"):
                self.wait_for_all(system, [pid for pid in pids if pid])
        except CallFailed as e:
            # without its keeper a system ends by itself
            if e.name not in GONE and not system.disturbed:
                raise
        self.finish(system)

    def unsure(self, system):
        system.unsure = True

    def create(self, system):
        document = json.loads(json.dumps(self.document))
        if system.memory:
            document["Container"]["Memory"] = {"SizeInMB": system.memory}
        parameters = {"id": system.id, "document": json.dumps(document)}
        try:
            self.client.until_answered("CreateSystem", parameters, lambda: self.unsure(system))
        except CallFailed as e:
            if not (system.unsure and e.name == "HCS_E_SYSTEM_ALREADY_EXISTS"):
                raise
        system.created = True

    def start(self, system):
        lost = []
        try:
            self.client.until_answered("StartSystem", {"id": system.id}, lambda: lost.append(1))
        except CallFailed as e:
            if not (lost and e.name == "HCS_E_INVALID_STATE"):
                raise

    def run(self, system, program):
        """The pid of a program that runs; None of one that cannot be started."""
        arguments = ["sh", "-c", program] if program else ["no-such-program"]
        parameters = {"id": system.id, "parameters": json.dumps({"CommandArgs": arguments, "Environment": {"PATH": "/bin"}})}
        try:
            pid = self.client.until_answered("CreateProcess", parameters, lambda: self.unsure(system))["processId"]
        except CallFailed:
            if program:
                raise
            return None
        assert program, f"{system.id}: a program that is not there was started as {pid}"
        system.runs += 1
        return pid

    def wait_for_all(self, system, pids):
        for pid in pids:
            answer = self.client.until_answered("WaitProcess", {"id": system.id, "processId": pid})
            system.answers.append(end_of(answer["exit"]))
        end = time.monotonic() + PATIENCE
        while system.unsure:  # those whose pids were lost with the answer
            properties = self.client.until_answered("GetSystemProperties", {"id": system.id})["properties"]
            left = [p["ProcessId"] for p in properties.get("ProcessList", [])]
            if not left:
                return
            assert time.monotonic() < end, f"{system.id}: processes {left} do not end"
            try:
                self.client.until_answered("WaitProcess", {"id": system.id, "processId": left[0]})
            except CallFailed as e:
                if e.name != "HCS_E_WIN32_NOT_FOUND":
                    raise

    def finish(self, system):
        try:
            self.client.until_answered(system.finish, {"id": system.id})
        except CallFailed as e:
            if e.name not in GONE and not system.disturbed:
                raise
        try:
            self.client.until_answered("WaitSystem", {"id": system.id})
        except CallFailed as e:
            if e.name != "HCS_E_SYSTEM_NOT_FOUND":
                raise


class Churn:
    """Workers, each with one system at a time, until told to stop."""

    def __init__(self, socket_path, document, seed, n_workers, with_memory):
        self.systems = []
        self.errors = []
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.with_memory = with_memory
        self.rng = random.Random(seed)
        self.threads = [threading.Thread(target=self.work, args=(Worker(socket_path, document),), daemon=True) for _ in range(n_workers)]
        for t in self.threads:
            t.start()

    def next(self):
        with self.lock:
            system = plan(len(self.systems), self.rng, self.with_memory)
            self.systems.append(system)
            return system

    def work(self, worker):
        while not self.stopping.is_set():
            system = self.next()
            try:
                worker.live(system)
            except Exception as e:  # told at the end, with all others
                self.errors.append(f"{system.id}: {type(e).__name__}: {e}")
                if len(self.errors) > 20:
                    return

    def find(self, id):
        with self.lock:
            return next(s for s in self.systems if s.id == id)

    def stop(self):
        self.stopping.set()
        for t in self.threads:
            t.join()
