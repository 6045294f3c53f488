"""hcsd is killed, ends or is replaced while systems live: the next one takes them over, and tells each end once."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from conftest import HCSD, Service, wait_for

ISOLATIONS = ["none", "namespaces"]

# A runtime that can be held up at one verb: as long as there is a FIFO of its name, it waits to read it.  What hcsd tries
# when it begins is not held up.
RUNTIME = """#!/bin/sh
for word; do
    case $word in run|exec|delete) break ;; esac
done
case $* in *hcs-probe*) exec crun "$@" ;; esac
if [ -p "$HOLD/$word" ]; then
    : > "$HOLD/$word.held"
    read -r _ < "$HOLD/$word"
fi
exec crun "$@"
"""


class Place:
    """A service that is killed and started again, with systems of one kind of isolation."""

    def __init__(self, path, isolation, rootfs):
        self.path = path
        path.mkdir()
        self.hold = path / "hold"
        self.hold.mkdir()
        self.isolation = isolation
        self.arguments = []
        if isolation == "namespaces":
            container = {"Storage": {"Path": str(rootfs())}}
            runtime = path / "runtime"
            runtime.write_text(RUNTIME.replace("$HOLD", str(self.hold)))
            runtime.chmod(0o755)
            self.arguments = ["--runtime", str(runtime)]
        else:
            container = {"IsolationType": "None"}
        self.document = {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": container}
        self.service = Service(path, start=False)
        self.systems = path / "run" / "systems"
        self.start()

    def start(self):
        self.service.start(*self.arguments)
        self.call("GetInfo")  # who serves has adopted

    def end(self, number=signal.SIGKILL):
        self.service.process.send_signal(number)
        self.service.process.wait(30)

    def again(self, number=signal.SIGKILL):
        self.end(number)
        self.start()

    def call(self, method, **parameters):
        with self.service.connect() as w:
            return w.call(method, parameters)

    def run(self, id, *, start=True):
        system = self.call("CreateSystem", id=id, document=json.dumps(self.document))["system"]
        if start:
            self.call("StartSystem", id=id)
        return system

    def spawn(self, id, script):
        """A program whose output and input are pipes: its pid, and what it says, and what it is told."""
        w = self.service.connect()
        parameters = {"CommandArgs": ["sh", "-c", script], "CreateStdInPipe": True, "CreateStdOutPipe": True}
        w.send("CreateProcess", {"id": id, "parameters": json.dumps(parameters)})
        message, fds, _, _ = socket.recv_fds(w.s, 65536, 3)
        w.s.close()
        answer = json.loads(message.rstrip(b"\0"))["parameters"]
        return Program(answer["processId"], fds[answer["stdin"]], fds[answer["stdout"]])

    def events(self, id):
        return [e for e in self.service.events() if e["system"]["id"] == id]

    def names(self, id):
        return [e["name"] for e in self.events(id)]

    def ends(self, id):
        """How its processes ended, by pid."""
        ends = {}
        for e in self.events(id):
            if e["name"] == "ProcessExited":
                assert e["processId"] not in ends, "told twice"
                ends[e["processId"]] = e["exit"]
        return ends

    def end_of(self, id):
        wait_for(lambda: "SystemExited" in self.names(id), f"the end of {id} is told")
        assert self.names(id).count("SystemExited") == self.names(id).count("SystemCreated") == 1
        return self.events(id)[-1]["exit"]

    def keepers(self):
        """Pids of the keepers of this service."""
        pids = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as f:
                    words = f.read().split(b"\0")
                with open(f"/proc/{entry}/stat") as f:
                    state = f.read().rsplit(")", 1)[1].split()[0]
            except OSError:
                continue
            if words[1:2] == [b"--keep"] and words[2].startswith(bytes(self.systems)) and state != "Z":
                pids.append(int(entry))
        return pids

    def hold_up(self, verb):
        os.mkfifo(self.hold / verb)

    def held(self, verb):
        wait_for((self.hold / f"{verb}.held").exists, f"the runtime is held up at {verb}")

    def let_go(self, verb):
        """Whoever waits goes on, and nobody waits again."""
        fifo = self.hold / verb
        os.rename(fifo, self.hold / f"{verb}.was")
        fd = os.open(self.hold / f"{verb}.was", os.O_RDWR)
        os.write(fd, b"go\n")
        return fd

    def in_runtime(self):
        """Containers that the runtime knows, but for those that hcsd tries when it begins."""
        return [c for c in (self.path / "run").glob("systems.runtime/*/*") if not c.name.startswith("hcs-probe")]

    def nothing_is_left(self):
        wait_for(lambda: os.listdir(self.systems) == [], "the run directories are removed")
        wait_for(lambda: not self.keepers(), "no keeper is left")
        assert self.in_runtime() == []


def lost(w):
    """The service is gone, and with it the answer."""
    try:
        assert w.receive() is None
    except ConnectionResetError:
        pass


class Program:
    def __init__(self, pid, stdin, stdout):
        self.pid = pid
        self.stdin = os.fdopen(stdin, "w")
        self.stdout = os.fdopen(stdout)

    def said(self, word):
        assert self.stdout.readline() == word + "\n"

    def tell(self, word="go"):
        self.stdin.write(word + "\n")
        self.stdin.flush()

    def ends(self):
        """Until all who have its output are gone."""
        return self.stdout.read()

    def drop(self):
        self.stdin.close()
        self.stdout.close()


WAITS = "echo up; read x; exit 5"
STAYS = "echo up; trap '' TERM; while :; do read x || exec sleep 1000; done"


def new_path(place):
    return place / f"adopt-{len(list(place.glob('adopt-*')))}"


@pytest.fixture(params=ISOLATIONS)
def at(request, place):
    if request.param == "namespaces" and not request.getfixturevalue("containers"):
        pytest.skip("this kernel allows no containers")
    p = Place(new_path(place), request.param,
              lambda: request.getfixturevalue("rootfs"))
    yield p
    if p.service.process and p.service.process.poll() is None:
        for s in p.service.list():
            p.call("TerminateSystem", id=s["Id"])
        p.nothing_is_left()
        assert p.service.stop() == 0


@pytest.fixture
def containers_at(request, place, needs_containers):
    p = Place(new_path(place), "namespaces", lambda: request.getfixturevalue("rootfs"))
    yield p
    p.nothing_is_left()
    assert p.service.stop() == 0


# ---- what lives, goes on to ----

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_lives_is_what_it_was(at, number):
    created = at.run("created", start=False)
    system = at.run("a")
    stays = at.spawn("a", STAYS)
    waits = at.spawn("a", WAITS)
    stays.said("up")
    waits.said("up")
    assert at.isolation == "none" or at.in_runtime()
    before = at.call("GetSystemProperties", id="a")["properties"]
    at.again(number)
    # the same system
    assert at.call("OpenSystem", id="a")["system"] == system
    assert at.call("GetSystemProperties", id="a", incarnation=system["incarnation"])["properties"] == before
    assert at.call("OpenSystem", id="created")["system"] == created
    assert {s["Id"]: s["State"] for s in at.service.list()} == {"a": "Running", "created": "Created"}
    # waiters wait again, signals arrive, programs start
    with at.service.connect() as w, at.service.connect() as system_wait:
        w.send("WaitProcess", {"id": "a", "processId": waits.pid})
        system_wait.send("WaitSystem", {"id": "a"})
        waits.tell()
        exit = w.receive()["parameters"]["exit"]
        assert (exit["how"], exit["code"]) == ("code", 5)
        at.call("SignalProcess", id="a", processId=stays.pid, signal=0)
        at.call("SignalProcess", id="a", processId=stays.pid, signal=9)
        assert at.call("WaitProcess", id="a", processId=stays.pid)["exit"]["signal"] == 9
        more = at.spawn("a", "exit 7")
        assert at.call("WaitProcess", id="a", processId=more.pid)["exit"]["code"] == 7
        at.call("StartSystem", id="created")
        at.call("TerminateSystem", id="a")
        assert system_wait.receive()["parameters"]["exit"]["type"] == "forced"
    assert at.end_of("a")["initiator"] == "client"
    events = at.service.events()
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    assert {pid: e.get("code") for pid, e in at.ends("a").items()} == {waits.pid: 5, stays.pid: None, more.pid: 7}
    for p in (stays, waits, more):
        p.drop()


def test_ends_while_nobody_is_there_are_told_as_they_were(at):
    at.run("a")
    programs = {at.spawn("a", f"echo up; read x; {end}"): exit for end, exit in [
        ("exit 0", {"how": "code", "code": 0}), ("exit 143", {"how": "code", "code": 143}),
        ("kill -9 $$", {"how": "signal", "signal": 9, "coreDumped": False}),
        ("kill -TERM $$", {"how": "signal", "signal": 15, "coreDumped": False})]}
    for p in programs:
        p.said("up")
    at.end()
    for p in programs:
        p.tell()
        p.ends()
    at.start()
    wait_for(lambda: len(at.ends("a")) == 4, "four ends are told")
    for p, exit in programs.items():
        assert at.ends("a")[p.pid] == exit
        assert at.call("WaitProcess", id="a", processId=p.pid)["exit"] == exit
    at.again()
    assert len(at.ends("a")) == 4  # once is enough
    wait_for(lambda: not list(at.systems.glob("a.*/exit.*")), "the records are acknowledged")


def test_kills_in_a_row_lose_nothing(at):
    at.run("a")
    programs = [at.spawn("a", f"echo up; read x; exit {i}") for i in range(8)]
    for i, p in enumerate(programs):
        p.said("up")
        p.tell()
        at.again()
    wait_for(lambda: len(at.ends("a")) == 8, "all ends are told")
    assert [at.ends("a")[p.pid]["code"] for p in programs] == list(range(8))
    assert at.names("a").count("ProcessStarted") == 8


@pytest.mark.parametrize("verb", ["ShutDownSystem", "TerminateSystem"])
@pytest.mark.parametrize("away", [True, False])
def test_a_stop_that_was_asked_for_is_told_as_that(at, verb, away):
    at.run("a")
    program = at.spawn("a", "trap 'echo told' TERM; echo up; while ! read x; do :; done; exit 3")
    program.said("up")
    if verb == "ShutDownSystem":
        at.call(verb, id="a")
        program.said("told")
    else:  # killed between the order and its being done, or right after
        with at.service.connect() as w:
            w.send(verb, {"id": "a"})
            program.ends()
    if away:
        at.end()
        if verb == "ShutDownSystem":
            program.tell()
            program.ends()
        at.start()
    else:
        at.again()
        if verb == "ShutDownSystem":
            program.tell()
    if verb == "ShutDownSystem":
        end = at.end_of("a")
        assert (end["type"], end["initiator"], end["status"]) == ("graceful", "client", 0)
        assert at.ends("a")[program.pid]["code"] == 3
    else:
        end = at.end_of("a")
        assert (end["type"], end["initiator"], end["status"]) == ("forced", "client", 0)
        assert at.ends("a")[program.pid]["signal"] == 9


def test_a_container_whose_first_process_is_killed_while_nobody_is_there(containers_at):
    at = containers_at
    at.run("a")
    program = at.spawn("a", STAYS)
    program.said("up")
    init = int((next(at.systems.glob("a.*")) / "init").read_text().split()[0])
    at.end()
    os.kill(init, signal.SIGKILL)
    program.ends()
    at.start()
    end = at.end_of("a")
    assert (end["how"], end["type"], end["initiator"]) == ("status", "unexpected", "unknown")
    assert at.ends("a")[program.pid]["signal"] == 9


# ---- what was under way ----

@pytest.mark.parametrize("goes_on", [False, True])
def test_a_creation_under_way_leaves_nothing(containers_at, goes_on):
    at = containers_at
    at.hold_up("run")
    with at.service.connect() as w:
        w.send("CreateSystem", {"id": "a", "document": json.dumps(at.document)})
        at.held("run")
        at.end()
        lost(w)
    fd = at.let_go("run") if goes_on else None
    if goes_on:  # the container comes to be, with nobody who knows of it
        wait_for(at.in_runtime, "the runtime has gone on")
    else:
        os.rename(at.hold / "run", at.hold / "run.was")
    at.start()
    at.nothing_is_left()
    assert at.service.events() == []
    assert at.service.list(everything=True) == []
    at.run("a")
    at.call("TerminateSystem", id="a")
    assert at.names("a") == ["SystemCreated", "SystemStarted", "SystemExited"]
    if fd is not None:
        os.close(fd)


@pytest.mark.parametrize("runs", [True, False])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_start_under_way_is_told_as_what_came_of_it(containers_at, runs, when):
    """No hcsd was there when it became known whether the program runs; nobody is told a code that is not its own."""
    at = containers_at
    at.run("a")
    at.hold_up("exec")
    program = ["sh", "-c", "exit 9"] if runs else ["no-such-program"]
    with at.service.connect() as w:
        w.send("CreateProcess", {"id": "a", "parameters": json.dumps({"CommandArgs": program})})
        at.held("exec")
        at.end()
    run_dir = next(at.systems.glob("a.*"))
    fd = None
    if when == "before":
        fd = at.let_go("exec")
        wait_for(lambda: list(run_dir.glob("exit.*")), "what was to become the program has ended")
    at.start()
    if when == "after":
        assert at.names("a") == ["SystemCreated", "SystemStarted"]
        fd = at.let_go("exec")
    if runs:
        wait_for(lambda: at.ends("a"), "the end of the program is told")
        assert [e["code"] for e in at.ends("a").values()] == [9]
        assert at.names("a") == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited"]
    wait_for(lambda: not list(run_dir.glob("exit.*")) and not list(run_dir.glob("process.*")),
             "its record is gone, and so are its files")
    p = at.spawn("a", "exit 4")
    assert at.call("WaitProcess", id="a", processId=p.pid)["exit"]["code"] == 4
    p.drop()
    at.call("TerminateSystem", id="a")
    assert len(at.ends("a")) == 1 + runs
    os.close(fd)


def test_a_start_that_never_gets_anywhere_is_ended_with_its_container(containers_at):
    at = containers_at
    at.run("a")
    at.hold_up("exec")
    with at.service.connect() as w:
        w.send("CreateProcess", {"id": "a", "parameters": '{"CommandArgs":["true"]}'})
        at.held("exec")
        at.again()
    at.call("TerminateSystem", id="a")
    assert at.names("a") == ["SystemCreated", "SystemStarted", "SystemExited"]


def test_a_clean_up_under_way_is_finished(containers_at):
    at = containers_at
    at.run("a")
    at.hold_up("delete")
    at.call("TerminateSystem", id="a")
    at.held("delete")
    with at.service.connect() as w:
        w.send("CreateSystem", {"id": "a", "document": json.dumps(at.document)})  # waits for that
        at.end()
        lost(w)
    os.rename(at.hold / "delete", at.hold / "delete.was")
    at.start()
    at.run("a")
    assert at.names("a") == ["SystemCreated", "SystemStarted", "SystemExited", "SystemCreated", "SystemStarted"]
    at.call("TerminateSystem", id="a")


def test_calls_in_flight_end_for_their_callers(place):
    """Over the public API: each call that the killed service had not answered ends, with what has happened to it."""
    p = Place(new_path(place), "none", None)
    program = subprocess.Popen([os.environ["CALLS_IN_FLIGHT"]], env=p.service.env, text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert program.stdout.readline() == "ready\n"
    p.service.process.send_signal(signal.SIGSTOP)
    program.stdin.write("go\n")
    program.stdin.flush()
    assert program.stdout.readline() == "begun\n"
    wait_for(lambda: all("poll" in at for at in where_threads_wait(program.pid)), "all threads wait for the service")
    p.end()
    out, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    assert out.split("\n")[:-1] == [f"{call} HCS_E_SERVICE_DISCONNECT" for call in [
        "create", "start", "process", "shut-down", "wait", "process-wait"]]
    p.start()
    assert {s["Id"]: s["State"] for s in p.service.list()} == {"running": "Running", "created": "Created"}
    for id in ["running", "created"]:
        p.call("TerminateSystem", id=id)
    p.nothing_is_left()
    assert p.service.stop() == 0


def where_threads_wait(pid):
    places = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/wchan") as f:
            places.append(f.read())
    if "0" in places and os.geteuid() != 0:
        pytest.skip("this user may not see where a thread waits")
    return places


# ---- keepers ----

def test_a_killed_keeper_is_noticed_by_an_hcsd_that_is_not_its_parent(at):
    at.run("a")
    program = at.spawn("a", STAYS)
    program.said("up")
    at.again()
    os.kill(at.keepers()[0], signal.SIGKILL)
    end = at.end_of("a")
    reasons = ["the keeper was killed by signal 9"]
    if "HCS_TEST_WRAPPER" in os.environ:
        reasons.append("the keeper closed the connection")  # valgrind knows no pidfd of another's child
    assert end["how"] == "unknown" and end["reason"] in reasons, end
    assert at.ends("a")[program.pid]["how"] == "unknown"


def both_killed(at, end):
    """A program whose exit the keeper could record before it was killed, too, and one that ran; and the end of all that."""
    at.run("a")
    stays, waits = at.spawn("a", STAYS), at.spawn("a", WAITS)
    stays.said("up")
    waits.said("up")
    end()
    waits.tell()
    wait_for(lambda: list(at.systems.glob("a.*/exit.*")), "the keeper has recorded the exit")
    os.kill(at.keepers()[0], signal.SIGKILL)
    wait_for(lambda: not at.keepers(), "the keeper is dead")
    at.start()
    end = at.end_of("a")
    assert end["how"] == "unknown" and "keeper" in end["reason"], end
    return stays, waits, end


def test_both_killed_what_was_recorded_is_true_and_the_rest_unknown(at):
    stays, waits, end = both_killed(at, at.end)
    assert at.ends("a")[waits.pid] == {"how": "code", "code": 5}
    assert at.ends("a")[stays.pid]["how"] == "unknown"
    stays.ends()  # nobody of the system is left
    assert at.call("WaitSystem", id="a")["exit"] == end


def test_a_keeper_that_does_not_answer_holds_up_nobody_else(at):
    at.run("stuck")
    at.run("a")
    waits = at.spawn("stuck", WAITS)
    waits.said("up")
    stuck = [k for k in at.keepers() if b"/stuck." in open(f"/proc/{k}/cmdline", "rb").read()][0]
    at.end()
    os.kill(stuck, signal.SIGSTOP)
    before = time.monotonic()
    at.start()
    assert {s["Id"]: s["State"] for s in at.service.list()} == {"a": "Running", "stuck": "Running"}
    assert time.monotonic() - before < 20
    at.call("TerminateSystem", id="a")
    assert "does not answer" in at.service.read_log()
    os.kill(stuck, signal.SIGCONT)
    waits.tell()
    wait_for(lambda: at.ends("stuck") == {waits.pid: {"how": "code", "code": 5}}, "it answers after all")
    assert at.names("stuck").count("ProcessStarted") == 1


def test_what_hcsd_lacks_is_no_loss_of_a_system(at):
    """With no descriptor left for a keeper its system is neither told as ended nor ended."""
    if "HCS_TEST_WRAPPER" in os.environ:
        pytest.skip("a wrapper has descriptors of its own, so that the limit would mean another number")
    needs = len(os.listdir(f"/proc/{at.service.process.pid}/fd"))
    ids = [f"m{i}" for i in range(12)]
    programs = {}
    for id in ids:
        at.run(id)
        programs[id] = at.spawn(id, WAITS)
        programs[id].said("up")
    at.end()
    few = ["sh", "-c", f'ulimit -n {needs + 8}; exec "$@"', "few", HCSD, "--socket", str(at.service.socket), "--group", ""]
    at.service.process = subprocess.Popen([*few, *at.arguments], env=at.service.env, stdin=subprocess.DEVNULL,
                                          stdout=at.service.log, stderr=at.service.log)
    wait_for(lambda: "serving at" in at.service.read_log().split("trying again until it works")[-1]
             and "trying again until it works" in at.service.read_log(), "it serves, and lacks descriptors")
    at.again()
    assert {s["Id"]: s["State"] for s in at.service.list()} == {id: "Running" for id in ids}
    for id in ids:
        assert at.names(id) == ["SystemCreated", "SystemStarted", "ProcessStarted"]
        programs[id].tell()
        assert at.call("WaitProcess", id=id, processId=programs[id].pid)["exit"] == {"how": "code", "code": 5}
        programs[id].drop()


def test_told_to_end_while_it_waits_for_a_keeper(at):
    at.run("a")
    at.end()
    os.kill(at.keepers()[0], signal.SIGSTOP)
    p = subprocess.Popen([HCSD, "--socket", str(at.service.socket), *at.arguments], env=at.service.env,
                         stdin=subprocess.DEVNULL, stdout=at.service.log, stderr=at.service.log)
    try:
        wait_for(at.service.answers, "it has its socket, and no signal ends it by itself any more")
        p.send_signal(signal.SIGTERM)
        assert p.wait(30) == 0
    finally:
        os.kill(at.keepers()[0], signal.SIGCONT)
    at.start()
    assert [s["State"] for s in at.service.list()] == ["Running"]


# ---- the log is lost ----

def files_of_log(at):
    return [f for f in (at.path / "state").glob("events.db*") if "damaged" not in f.name and "was" not in f.name]


def lose_log(at, loss):
    """The service is killed, and its log is gone: before that, or while nobody is there."""
    if loss == "set aside":
        db = at.path / "state" / "events.db"
        db.rename(db.with_name("was.db"))
        at.run("sign")  # it has to be written
        assert "a new event log" in at.service.read_log()
    at.end()
    if loss == "removed":
        for f in files_of_log(at):
            f.unlink()
    if loss == "garbage":
        for f in files_of_log(at):
            f.write_bytes(b"\xa5" * max(f.stat().st_size, 4096))


@pytest.mark.parametrize("loss", ["removed", "garbage", "set aside"])
def test_a_log_that_is_lost_loses_no_system_and_no_exit(at, loss):
    at.run("before")
    at.call("TerminateSystem", id="before")
    created = at.run("created", start=False)
    system = at.run("a")
    document = at.call("GetSystemProperties", id="a")["properties"]["Document"]
    stays, waits = at.spawn("a", STAYS), at.spawn("a", WAITS)
    ends = {at.spawn("a", f"echo up; read x; {end}"): exit for end, exit in [
        ("exit 143", {"how": "code", "code": 143}),
        ("kill -TERM $$", {"how": "signal", "signal": 15, "coreDumped": False})]}
    for p in (stays, waits, *ends):
        p.said("up")
    lose_log(at, loss)
    for p in ends:
        p.tell()
        p.ends()
    at.start()
    # the same systems, and their programs run
    assert at.call("OpenSystem", id="a")["system"] == system
    assert at.call("OpenSystem", id="created")["system"] == created
    assert {s["Id"]: s["State"] for s in at.service.list() if s["Id"] in ("a", "created")} == {
        "a": "Running", "created": "Created"}
    assert at.call("GetSystemProperties", id="a")["properties"]["Document"] == document
    at.call("SignalProcess", id="a", processId=stays.pid, signal=0)
    waits.tell()
    assert at.call("WaitProcess", id="a", processId=waits.pid)["exit"] == {"how": "code", "code": 5}
    more = at.spawn("a", "exit 7")
    assert at.call("WaitProcess", id="a", processId=more.pid)["exit"]["code"] == 7
    at.call("StartSystem", id="created")
    assert at.run("next")["incarnation"] > system["incarnation"]
    # told once, and as it was
    exits = {p.pid: exit for p, exit in ends.items()} | {
        waits.pid: {"how": "code", "code": 5}, more.pid: {"how": "code", "code": 7}}
    for _ in range(2):
        wait_for(lambda: len(at.ends("a")) == len(exits), "all ends are told")
        assert at.ends("a") == exits
        at.again()
    at.call("TerminateSystem", id="a")
    wait_for(lambda: "SystemExited" in at.names("a"), "the end is told")
    assert at.events("a")[-1]["exit"]["type"] == "forced"
    names = at.names("a")
    if loss != "set aside":  # the hcsd that set it aside knew them, and they are in the old one
        assert names[:2] == ["SystemCreated", "SystemStarted"]
        assert names.count("ProcessStarted") == names.count("ProcessExited") == len(exits) + 1
        assert at.service.read_log().count("adopted without the event log") == 2
    assert names.count("SystemExited") == 1
    events = at.service.events()
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    for p in (stays, waits, more, *ends):
        p.drop()


def test_without_log_and_keeper_the_end_is_unknown_and_what_was_recorded_true(at):
    stays, waits, _ = both_killed(at, lambda: lose_log(at, "removed"))
    assert at.ends("a") == {waits.pid: {"how": "code", "code": 5}}
    stays.ends()  # nobody of the system is left
    at.nothing_is_left()
    at.again()
    assert at.names("a").count("SystemExited") == 1


def test_a_log_that_is_lost_while_a_clean_up_is_under_way_tells_no_end_twice(containers_at):
    at = containers_at
    at.run("a")
    at.hold_up("delete")
    at.call("TerminateSystem", id="a")
    at.held("delete")
    lose_log(at, "removed")
    os.rename(at.hold / "delete", at.hold / "delete.was")
    at.start()
    at.nothing_is_left()
    assert at.names("a") == []


# ---- others ----

def test_after_a_restart_of_the_host_each_end_is_told_once(at):
    at.run("a")
    program = at.spawn("a", STAYS)
    program.said("up")
    at.end()
    with contextlib.closing(sqlite3.connect(at.path / "state" / "events.db")) as db:  # as if it had been made before
        assert db.execute("UPDATE living SET boot_id = ?", ("0" * 32,)).rowcount == 1
        db.commit()
    at.start()
    for _ in range(2):
        end = at.end_of("a")
        assert (end["how"], end["type"], end["reason"]) == ("unknown", "unexpected", "the host was restarted")
        assert at.ends("a")[program.pid] == {"how": "unknown", "reason": "the host was restarted"}
        at.again()
    at.nothing_is_left()


def test_directories_without_a_keeper_are_removed_and_others_left_alone(at):
    at.end()
    for name in ["a.7", "b-1.2.99"]:
        (at.systems / name / "bundle").mkdir(parents=True)
    for name in ["not-ours", "c.x", ".d.3"]:
        (at.systems / name).mkdir()
    at.start()
    wait_for(lambda: sorted(os.listdir(at.systems)) == [".d.3", "c.x", "not-ours"], "they are removed")
    assert at.run("e")["incarnation"] > 99  # theirs are not given again
    at.call("TerminateSystem", id="e")
    for name in [".d.3", "c.x", "not-ours"]:
        (at.systems / name).rmdir()


def test_the_systems_of_another_state_directory_are_not_touched(at):
    at.run("a")
    at.end()
    other = subprocess.run([HCSD, "--socket", str(at.service.socket)], capture_output=True, text=True, timeout=60,
                           env=dict(at.service.env, HCS_STATE_DIR=str(at.path / "other-state")))
    assert other.returncode == 1
    assert "holds systems of state directory" in other.stderr and str(at.path / "state") in other.stderr
    at.start()
    assert [s["State"] for s in at.service.list()] == ["Running"]
    other = subprocess.run([HCSD, "--socket", str(at.path / "run" / "other.sock")], capture_output=True, text=True,
                           timeout=60, env=dict(at.service.env, HCS_STATE_DIR=str(at.path / "other-state")))
    assert other.returncode == 1 and "another hcsd uses run directory" in other.stderr


def test_many_systems_are_adopted_in_little_time(place):
    p = Place(place / "many", "none", None)
    ids = [f"m{i}" for i in range(60)]
    programs = []
    for id in ids:
        p.run(id)
        programs.append(p.spawn(id, WAITS))
    for program in programs:
        program.said("up")
    p.end()
    for program in programs[::2]:
        program.tell()
        program.ends()
    before = time.monotonic()
    p.start()
    assert len(p.service.list()) == 60
    assert time.monotonic() - before < 10
    wait_for(lambda: len([e for e in p.service.events() if e["name"] == "ProcessExited"]) == 30, "30 ends are told")
    for id in ids:
        p.call("TerminateSystem", id=id)
    p.nothing_is_left()
    assert p.service.stop() == 0


# ---- replaced ----

def replace(at):
    return subprocess.Popen([HCSD, "--socket", str(at.service.socket), "--replace", *at.arguments], env=at.service.env,
                            stdin=subprocess.DEVNULL, stdout=at.service.log, stderr=at.service.log)


def test_replaced_while_clients_come_and_programs_end(at):
    at.run("a")
    programs = [at.spawn("a", f"echo up; read x; exit {i}") for i in range(20)]
    for p in programs:
        p.said("up")
    old = at.service.process
    at.service.process = replace(at)
    for p in programs:  # meanwhile
        p.tell()
        assert at.service.hcs("list").returncode == 0  # never "nobody serves"
    assert old.wait(30) == 0
    wait_for(lambda: len(at.ends("a")) == 20, "all ends are told")
    assert [at.ends("a")[p.pid]["code"] for p in programs] == list(range(20))
    events = at.service.events()
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    assert at.service.process.poll() is None, at.service.read_log()
    assert at.call("OpenSystem", id="a")["system"]["incarnation"] == 1


def test_with_nobody_to_replace_it_just_begins(at):
    at.end()
    at.service.process = replace(at)
    wait_for(at.service.answers, "it serves")
    at.run("a")


def test_only_the_owner_may_replace_it(at):
    """Whoever may use the service may not therefore end it."""
    if os.geteuid() != 0:
        pytest.skip("another user is needed")
    at.end()
    at.service.start("--group", "nogroup", *at.arguments)
    probe = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
             "s.sendall(b'{\"method\":\"org.libhcs.ComputeService.HandOver\",\"parameters\":{}}\\0'); print(s.recv(4096))")
    for path in (at.path.parent, at.path, at.path / "run"):
        path.chmod(0o755)
    r = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-c", probe,
                        str(at.service.socket)], capture_output=True, text=True, timeout=60)
    at.path.parent.chmod(0o700)
    assert "HCS_E_ACCESS_DENIED" in r.stdout and "may replace it" in r.stdout, r.stdout + r.stderr
    assert at.service.process.poll() is None
    at.call("GetInfo")


def test_what_cannot_begin_replaces_nobody(at):
    r = subprocess.run([HCSD, "--socket", str(at.service.socket), "--replace", "--keeper", "/no/such/keeper"],
                       env=at.service.env, capture_output=True, text=True, timeout=60)
    assert r.returncode == 1 and "/no/such/keeper" in r.stderr
    assert at.service.process.poll() is None
    at.run("a")
