"""hcsd is killed before the n-th system call of what it does, for every n; the next one finishes what is true, also when the
event log is lost as well.

The points are those of the exit of a program, and of each verb that leads there.  Checked as in test_torture.py.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess

import pytest

import history
from churn import System, Worker
from conftest import CallFailed, wait_for
from readers import Reader

KILL_AT = os.environ["KILL_AT_BIN"]
STEP = int(os.environ.get("HCS_FAULT_STEP", "1"))  # of n; every n-th point only, for a quick look


class Stage:
    """One system, brought to the moment before `act`."""

    def __init__(self, service, rootfs, document, id, in_container):
        self.service, self.id = service, id
        self.worker = Worker(service.socket, document)
        self.fifo = rootfs / id
        self.inside = f"/{id}" if in_container else str(self.fifo)
        os.mkfifo(self.fifo)
        self.system = System(id, "code", [], {("code", 7)}, "TerminateSystem")
        self.pids = []
        self.wire = None
        self.reply = None

    def create(self):
        self.worker.create(self.system)

    def start(self):
        self.worker.start(self.system)

    def run(self):
        self.pids.append(self.worker.run(self.system, f"read x < {self.inside}; exit 7"))

    def let_go(self):
        fd = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        os.write(fd, b"x\n" * 8)
        return fd

    def send(self, method, parameters):
        """Ask and do not wait; hcsd may be gone already."""
        try:
            self.wire.send(method, dict(parameters, id=self.id))
        except ConnectionError:
            pass


def prepare(stage, until):
    for step in ("create", "start", "run"):
        if step == until:
            return
        getattr(stage, step)()


def act_create(stage):
    stage.system.unsure = True
    stage.send("CreateSystem", {"document": json.dumps(stage.worker.document)})


def act_start(stage):
    stage.send("StartSystem", {})


def act_run(stage):
    stage.system.unsure = True
    arguments = ["sh", "-c", f"read x < {stage.inside}; exit 7"]
    stage.send("CreateProcess", {"parameters": json.dumps({"CommandArgs": arguments, "Environment": {"PATH": "/bin"}})})


def act_exit(stage):
    stage.fd = stage.let_go()
    stage.send("WaitProcess", {"processId": stage.pids[0]})


def act_terminate(stage):
    stage.system.ends = {("signal", 9)}
    stage.send("TerminateSystem", {})


SCENARIOS = {"create": act_create, "start": act_start, "run": act_run, "exit": act_exit, "terminate": act_terminate}


def complete(stage, scenario):
    """From wherever it was interrupted to the end, as a client does that asks again."""
    worker, system = stage.worker, stage.system
    try:
        if scenario == "create":
            try:
                worker.create(system)
            except CallFailed as e:
                assert e.name == "HCS_E_SYSTEM_ALREADY_EXISTS"
                system.created = True
        if scenario in ("create", "start"):
            try:
                worker.start(system)
            except CallFailed as e:
                assert e.name == "HCS_E_INVALID_STATE"
        if scenario in ("create", "start", "run"):
            stage.run()
        if scenario != "terminate":
            fd = stage.let_go()
            worker.wait_for_all(system, [p for p in stage.pids if p])
            os.close(fd)
    except CallFailed as e:
        assert scenario == "terminate" and e.name in ("HCS_E_SYSTEM_NOT_FOUND", "HCS_E_SYSTEM_ALREADY_STOPPED"), e
    worker.finish(system)
    if stage.wire:
        stage.wire.s.close()
    os.unlink(stage.fifo)


def is_clean(service, id):
    return not any(d.startswith(id + ".") for d in os.listdir(service.root / "run" / "systems"))


def kill_at_point(service, stage, scenario, n, meanwhile=lambda: None):
    """1 when hcsd was killed at point @n, 0 when all was done before it came."""
    prepare(stage, scenario if scenario in ("create", "start", "run") else None)
    stage.wire = service.connect()
    stage.wire.call("GetInfo")  # so that its connection is none of the points
    tracer = subprocess.Popen([KILL_AT, str(service.process.pid), str(n)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
    ready = tracer.stdout.readline()
    if ready != "ready\n":
        error = tracer.stderr.read()
        if "not permitted" in error:
            pytest.skip("this user may not trace processes: " + error.strip())
        raise AssertionError(error)
    SCENARIOS[scenario](stage)
    reply = None
    try:
        reply = stage.reply = stage.wire.receive()
        if reply is not None and scenario == "terminate":
            wait_for(lambda: is_clean(service, stage.id) or tracer.poll() is not None, "it is cleaned up")
    except ConnectionError:
        pass
    if reply is not None and tracer.poll() is None:
        tracer.send_signal(signal.SIGTERM)
    out = tracer.stdout.readline()
    err = tracer.stderr.read()
    tracer.wait(60)
    if out.startswith("counted"):
        return 0
    assert out.startswith("killed"), out + err
    assert service.process.wait(30) == -signal.SIGKILL
    service.log.close()
    service.process = None
    meanwhile()
    service.start()
    return 1


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_point(service, request, document, containers, place, capsys, scenario):
    rootfs = request.getfixturevalue("rootfs") if containers else place
    first = len(service.events())
    reader = Reader("steady", service.socket, "steady", 1)
    systems = []
    log = [{"sequence": 0}]
    n = 1
    try:
        while True:
            stage = Stage(service, rootfs, document, f"{scenario}-{n}", bool(containers))
            systems.append(stage.system)
            killed = kill_at_point(service, stage, scenario, n)
            complete(stage, scenario)
            if not killed:
                break
            n += STEP
        wait_for(lambda: all(is_clean(service, s.id) for s in systems), "everything is cleaned up", 30)
        log = service.events()
    finally:
        reader.finish(log[-1]["sequence"], 30)
    with capsys.disabled():
        print(f"\n# {scenario}: killed at {n - 1} points", end="")
    wrong = [reader.error] if reader.error else []
    mine = [e for e in log[first:]]
    wrong += history.check_dense(log) + history.check_reader("steady", reader.history,
                                                             {e["sequence"]: history.text_of(e) for e in log})
    wrong += history.check_all(mine, {}, systems)
    assert not wrong, f"{len(wrong)} things are wrong\n" + "\n".join(wrong[:40])
    assert n > 5, f"{scenario} has only {n} points: that cannot be"


# ---- the log is lost as well ----

def lose_log(service, id, out_events):
    state = service.root / "state"
    with contextlib.closing(sqlite3.connect(state / "events.db")) as db:
        events = [json.loads(body) for body, in db.execute("SELECT body FROM event ORDER BY sequence")]
    out_events += [e for e in events if e["system"]["id"] == id]
    for path in state.glob("events.db*"):
        path.unlink()


def running(events):
    """Pids of the processes that have no end in these events."""
    pids = [e["processId"] for e in events if e["name"] == "ProcessStarted"]
    for e in events:
        if e["name"] == "ProcessExited":
            pids.remove(e["processId"])
    return pids


def check_without_log(service, stage, old):
    """Of a system that the lost log knew as living the new one tells a whole life, with true ends."""
    names = [e["name"] for e in old]
    was_told = stage.system.created or stage.reply is not None  # else it is not known whether there is one
    lives = was_told and "SystemCreated" in names and "SystemExited" not in names
    ends = stage.system.ends | {("code", 7), ("signal", 9)}  # the order to end it may have got lost, too, and is given again
    wrong = []
    fd = stage.let_go()
    if lives:
        stage.worker.client.until_answered("OpenSystem", {"id": stage.id})
        for pid in running(old):
            exit = stage.worker.client.until_answered("WaitProcess", {"id": stage.id, "processId": pid})["exit"]
            if history.end_of(exit) not in stage.system.ends | {("code", 7)}:
                wrong.append(f"{stage.id}: process {pid} ended with {exit}")
    stage.worker.finish(stage.system)
    wait_for(lambda: is_clean(service, stage.id), f"{stage.id} is cleaned up")
    os.close(fd)
    stage.wire.s.close()
    os.unlink(stage.fifo)
    new = [e for e in service.events() if e["system"]["id"] == stage.id]
    if new:
        wrong += history.check_order(stage.id, new)
    if lives and not new:
        wrong.append(f"{stage.id}: nothing is told of it after {names}")
    if new and not old:
        wrong.append(f"{stage.id}: nobody was told of it, and the new log begins with {new[0]['name']}")
    if new and old and {e["system"]["incarnation"] for e in new} != {e["system"]["incarnation"] for e in old}:
        wrong.append(f"{stage.id}: has another incarnation")
    for e in old + new:
        if e["name"] == "ProcessExited" and history.end_of(e["exit"]) not in ends:
            wrong.append(f"{stage.id}: process {e['processId']} ended with {e['exit']}")
    return wrong


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_points_and_the_log_is_lost(service, request, document, containers, place, capsys, scenario):
    rootfs = request.getfixturevalue("rootfs") if containers else place
    wrong = []
    n = 1
    while True:
        old = []
        stage = Stage(service, rootfs, document, f"lost-{scenario}-{n}", bool(containers))
        if not kill_at_point(service, stage, scenario, n, lambda: lose_log(service, stage.id, old)):
            break
        wrong += [f"killed at {n}: {sentence}" for sentence in check_without_log(service, stage, old)]
        n += 3 * STEP  # each is a service and a log anew
    complete(stage, scenario)
    with capsys.disabled():
        print(f"\n# {scenario}: killed at points up to {n - 1}, with the log lost", end="")
    assert not wrong, f"{len(wrong)} things are wrong\n" + "\n".join(wrong[:40])
    assert n > 5, f"{scenario} has only {n} points: that cannot be"
