"""Streams that go on: cursors, filters, times, and services that are killed while they are read."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import Service, wait_for

SEED = int(os.environ.get("HCS_TEST_SEED", "1"))
KILLS = int(os.environ.get("HCS_TEST_KILLS", "12"))


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def run_fake(service, name, code=0):
    """One system of the fake driver, which lives and ends at once."""
    service.hcs("run", "--id", name, "--rootfs", "/", "--", "exit", code, check=code)


@pytest.fixture(scope="module")
def fake(place):
    path = place / "resume-fake"
    path.mkdir()
    s = Service(path, "--driver", "fake")
    run_fake(s, "first", 0)
    run_fake(s, "second", 3)
    run_fake(s, "third", 0)
    yield s
    assert s.stop() == 0, s.read_log()


def events(service, *args, check=0):
    return lines(service.hcs("events", "--no-follow", "--format", "json", *args, check=check).stdout)


# ---- where it begins and ends ----

def test_no_follow_ends_with_what_there_is(fake):
    seen = events(fake, "--all")
    assert [e["sequence"] for e in seen] == list(range(1, len(seen) + 1))
    assert [e for e in seen] == [dict(e, cursor=f"hcs1.{e['logId']}.{e['sequence']}") for e in seen]
    assert len({(e["hostId"], e["logId"], e["bootId"]) for e in seen}) == 1
    assert events(fake) == []


def test_last_and_cursor(fake):
    everything = events(fake, "--all")
    assert events(fake, "--last", "4") == everything[-4:]
    assert events(fake, "-n", "100000") == everything
    for at in (0, 3, len(everything) - 1):
        assert events(fake, "--after", everything[at]["cursor"]) == everything[at + 1:]
        assert events(fake, "--after", everything[at]["sequence"]) == everything[at + 1:]


def test_times(fake):
    everything = events(fake, "--all")
    middle = everything[len(everything) // 2]
    ns = middle["realtimeNs"]
    since = f"{ns // 10**9}.{ns % 10**9:09}"
    assert events(fake, "--since", since) == [e for e in everything if e["realtimeNs"] >= ns]
    assert events(fake, "--all", "--until", since) == [e for e in everything if e["realtimeNs"] <= ns]
    assert events(fake, "--since", "1h") == everything
    assert events(fake, "--since", "+1h") == []
    stamp = fake.hcs("events", "--no-follow", "--all", "--format", "{{.Time}}", check=0).stdout.split()[everything.index(middle)]
    assert events(fake, "--since", stamp) == [e for e in everything if e["realtimeNs"] >= ns]
    # until the moment itself, as seen from a reader that follows
    before = time.monotonic()
    r = fake.hcs("events", "--last", "1", "--until", "+300ms", "--format", "json", check=0)
    assert time.monotonic() - before >= 0.29 and lines(r.stdout) == everything[-1:]


def test_filters(fake):
    everything = events(fake, "--all")
    for args, wanted in (
            (["kind=ProcessExited,SystemExited"], lambda e: e["name"] in ("ProcessExited", "SystemExited")),
            (["kind=0x4C480001"], lambda e: e["name"] == "SystemCreated"),
            (["id=f*,id=?econd"], lambda e: e["system"]["id"] in ("first", "second")),
            (["exit=3"], lambda e: e.get("exit", {}).get("code") == 3),
            (["exit=nonzero", "kind=ProcessExited"], lambda e: e.get("exit", {}).get("code") == 3),
            (["owner=nobody"], lambda e: False)):
        options = [word for f in args for word in ("--filter", f)]
        assert events(fake, "--all", *options) == [e for e in everything if wanted(e)], args
    exits = [e for e in everything if e["name"] == "ProcessExited"]
    assert events(fake, "--last", "2", "--filter", "kind=ProcessExited") == exits[-2:]


def test_several_ids_with_what_is_new(fake):
    seen = events(fake, "--all", "first", "third")
    assert {e["system"]["id"] for e in seen} == {"first", "third"}
    everything = events(fake, "--all")
    assert seen == [e for e in everything if e["system"]["id"] in ("first", "third")]


def test_a_system_that_was_removed_is_in_the_log_still(fake):
    run_fake(fake, "removed")
    fake.hcs("rm", "removed", check=0)
    r = fake.hcs("events", "--all", "removed", check=1)
    hint = r.stderr.splitlines()[-1]
    assert "hcs events --all --filter id=removed" in hint
    assert {e["system"]["id"] for e in events(fake, *hint.partition("hcs events ")[2].split())} == {"removed"}
    assert "--filter id=ID" in fake.hcs("events", "removed", "first", check=1).stderr


def test_templates(fake):
    out = fake.hcs("events", "--all", "--no-follow", "--filter", "exit=3", "--format",
                   r"{{.ID}}\t{{.Kind}}\t{{.Exit}}\t{{json .ExitCode}}", check=0).stdout
    assert out == "second\tProcessExited\tcode 3\t3\n"


def test_the_manual_lists_the_fields(fake):
    r = fake.hcs("events", "--format", "{{.Zzzzzzzzzzzz}}", check=2)
    fields = set(re.findall(r"\.(\w+)", r.stderr.split("there are", 1)[1].splitlines()[0]))
    manual = (open(os.path.join(os.environ["SOURCE_ROOT"], "man", "hcs.1.scd"))).read()
    listed = set(re.findall(r"\*\.(\w+)\*", manual))
    assert fields == listed


@pytest.mark.parametrize("args, text", [
    (["--since", "yesterday"], "--since 'yesterday' is no moment: write"),
    (["--until", "2026-02-29T00:00:00Z"], "--until '2026-02-29T00:00:00Z' has a date that is in no calendar"),
    (["--since", "1h", "--until", "2h"], "--until 2h is before --since 1h"),
    (["--since", "1h", "--last", "2"], "--all, --after, --since and --last exclude each other"),
    (["--last", "0"], "--last '0' must be a whole number from 1"),
    (["--after", "12x"], "--after '12x' must be a whole number"),
    (["--filter", "knd=a"], "'knd' is no key, did you mean 'kind='?"),
    (["--filter", "exit=bad"], "'exit=bad': it must be a code"),
    (["--filter", "kind=0"], "'0' is no kind of event"),
    (["--filter", "id=a", "b", "c"], "--filter goes with one ID or none"),
    (["--format", "{{.Knd}}"], "there is no field '.Knd', did you mean '.Kind'?"),
    (["--format", "yaml"], "--format is 'yaml', must be 'table', 'json' or a template"),
])
def test_usage_is_refused_by_name(fake, args, text):
    r = fake.hcs("events", *args, check=2)
    assert text in r.stderr and "try: hcs events --help" in r.stderr


@pytest.mark.parametrize("cursor, text", [
    ("hcs1.", "at character 6 one of the log id's 32 digits"),
    ("hcs2.x", "at character 4"),
    ("hcs1." + "0" * 32 + ".1", "the position is of event log '" + "0" * 32 + "'"),
])
def test_cursors_are_refused_by_name(fake, cursor, text):
    r = fake.hcs("events", "--after", cursor, check=1)
    assert text in r.stderr


def test_a_cursor_ahead_of_the_log_is_refused(fake):
    last = events(fake, "--last", "1")[0]
    r = fake.hcs("events", "--after", last["cursor"] + "0", check=1)
    assert "does not exist yet" in r.stderr


# ---- a cursor in a file ----

def test_a_script_goes_on_where_it_was(fake, place):
    file = place / "cursor"
    args = ["--cursor-file", file]
    everything = events(fake, "--all")
    assert events(fake, "--all", *args) == everything
    assert file.read_text() == everything[-1]["cursor"] + "\n"
    assert events(fake, "--all", *args) == []
    run_fake(fake, "fourth")
    assert [e["system"]["id"] for e in events(fake, *args)] == ["fourth"] * 5
    assert events(fake, *args) == []
    # what does not match moves it, too
    run_fake(fake, "fifth")
    assert events(fake, *args, "--filter", "id=nobody") == []
    assert file.read_text() == events(fake, "--last", "1")[0]["cursor"] + "\n"
    assert not (place / "cursor.new").exists()


def test_a_cursor_file_that_cannot_be_used_is_refused(fake, place):
    empty = place / "empty"
    empty.write_text("")
    assert "is empty" in fake.hcs("events", "--cursor-file", empty, check=1).stderr
    bad = place / "bad"
    bad.write_text("17\n")
    r = fake.hcs("events", "--cursor-file", bad, check=1)
    assert "cursor '17'" in r.stderr and str(bad) in r.stderr
    r = fake.hcs("events", "--cursor-file", place / "no" / "such", check=1)
    assert "cannot keep the cursor in" in r.stderr and "No such file" in r.stderr


def test_what_lies_beside_a_cursor_file_is_not_written_through(fake, place):
    file, victim = place / "beside", place / "victim"
    victim.write_text("precious\n")
    (place / "beside.new").symlink_to(victim)
    last = events(fake, "--last", "1", "--cursor-file", file)[0]
    assert victim.read_text() == "precious\n"
    assert file.read_text() == last["cursor"] + "\n" and not file.is_symlink()
    assert not (place / "beside.new").is_symlink()


def test_a_template_without_the_kind_tells_the_service_apart(place):
    """A service that is gone and back is no line of the template, blank as it would be, but words on stderr."""
    path = place / "apart"
    path.mkdir()
    s = Service(path, "--driver", "fake")
    s.env["HCS_HCSD"] = "/nonexistent"
    p = s.popen("events", "--reconnect", "--filter", "kind=ProcessExited", "--format", "{{.ID}} {{.Exit}}",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: streams(s) == 1, "the reader has its position")
    kill_and_restart(s, "--driver", "fake")
    assert p.stderr.readline() == "hcs: the service is gone: waiting for it to come back\n"
    assert "the service is back" in p.stderr.readline()
    run_fake(s, "apart", 3)
    assert p.stdout.readline() == "apart code 3\n"
    p.send_signal(signal.SIGINT)
    p.communicate(timeout=60)
    assert s.stop() == 0


# ---- a service that is killed ----

class Reader:
    """hcs events, read as it comes."""

    def __init__(self, service, *args, env=None):
        self.seen = []
        self.p = subprocess.Popen([os.environ["HCS_BIN"], "events", "--reconnect", "--format", "json", *args], text=True,
                                  env=dict(service.env, **(env or {})), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.p.stdout:
            self.seen.append(json.loads(line))

    def names(self):
        return [e["name"] for e in self.seen]

    def sequences(self):
        return [e["sequence"] for e in self.seen if e["sequence"]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.p.send_signal(signal.SIGINT)
        self.thread.join(60)
        self.p.wait(60)
        self.p.stdout.close()
        self.errors = self.p.stderr.read()
        self.p.stderr.close()


def kill_and_restart(service, *args):
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(60)
    service.log.close()
    service.start(*args)


def check_dense(reader, last):
    seen = reader.sequences()
    assert seen == list(range(seen[0], last + 1))
    assert reader.names().count("Gap") == 0


class Churn:
    """Systems that come and go, as fast as they can, whether or not a service is there."""

    def __init__(self, service, n_threads):
        self.service, self.ended, self.n = service, False, 0
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(n_threads)]

    def run(self, n):
        i = 0
        while not self.ended:
            i += 1
            self.service.hcs("run", "--id", f"churn-{n}-{i}", "--rootfs", "/", "--", "exit", str(i % 256))
            self.n += 1

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.ended = True
        for t in self.threads:
            t.join(60)


def test_no_hole_and_no_duplicate_over_kills(place):
    """hcsd is killed at any moment, while systems come and go and readers read; nothing is lost, nothing comes twice."""
    path = place / "kills"
    path.mkdir()
    s = Service(path, "--driver", "fake")
    s.env["HCS_HCSD"] = "/nonexistent"  # the test starts it, and nobody else
    chance = random.Random(SEED)
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(Reader(s, "--all")) for _ in range(3)]
        exits = stack.enter_context(Reader(s, "--all", "--filter", "kind=ProcessExited,SystemExited"))
        with Churn(s, 2) as churn:
            for i in range(KILLS):
                target = len(readers[0].seen) + chance.randrange(1, 40)
                wait_for(lambda: len(readers[0].seen) >= target, f"events go on after {i} kills")
                kill_and_restart(s, "--driver", "fake")
        wait_for(lambda: not s.list(), "every system has ended, so that nothing more is told")
        everything = s.events()
        last = everything[-1]["sequence"]
        wanted = [e["sequence"] for e in everything if e["name"] in ("ProcessExited", "SystemExited")]
        for r in readers:
            wait_for(lambda: r.sequences()[-1:] == [last], "the reader has everything")
            wait_for(lambda: r.names().count("ServiceDisconnect") == r.names().count("ServiceReconnected"), "it is back")
        wait_for(lambda: exits.sequences()[-1:] == wanted[-1:], "the reader has every exit")
    for r in readers:
        check_dense(r, last)
        assert r.sequences()[0] == 1
        assert r.names().count("ServiceDisconnect") == r.names().count("ServiceReconnected") > 0
    assert exits.sequences() == wanted
    print(f"# seed {SEED}: {KILLS} kills, {last} events, {churn.n} programs")
    assert s.stop() == 0


def test_the_reader_starts_the_service(place):
    """What a client had started is started again by a stream that reconnects."""
    path = place / "again"
    path.mkdir()
    s = Service(path, start=False)
    before = json.loads(s.hcs("version", "--format", "json", check=0).stdout)["service"]["pid"]
    with Reader(s) as r:
        wait_for(lambda: streams(s) == 1, "the reader has its position")
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: "ServiceReconnected" in r.names(), "the reader has its place again")
        info = json.loads(s.hcs("version", "--format", "json", check=0).stdout)["service"]
    assert info["pid"] != before
    os.kill(info["pid"], signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{info['pid']}"), "the service has ended")


def test_hcsd_says_who_started_it(place):
    path = place / "who"
    path.mkdir()
    s = Service(path, start=False)
    ready = {}
    info = json.loads(s.hcs("version", "--format", "json", check=0).stdout)["service"]
    with s.connect() as w:
        w.send("Subscribe", more=True)
        ready["client"] = w.receive()["parameters"]
    os.kill(info["pid"], signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{info['pid']}"), "the service has ended")
    s.start()
    with s.connect() as w:
        w.send("Subscribe", more=True)
        ready["hand"] = w.receive()["parameters"]
    assert s.stop() == 0
    assert ready["client"]["automatic"] is True and "automatic" not in ready["hand"]


def streams(service):
    with service.connect() as w:
        return w.call("GetInfo")["info"]["streams"]


def test_real_exits_over_a_kill(place, run_args):
    """A real program that ends while no service is there: its exit is told once, with its code."""
    path = place / "real"
    path.mkdir()
    s = Service(path)
    s.env["HCS_HCSD"] = "/nonexistent"
    with Reader(s, "--all") as r:
        one = subprocess.Popen([os.environ["HCS_BIN"], "run", "--id", "ends", *run_args, "--", "sh", "-c", "read x; exit 42"],
                               env=s.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: "ProcessStarted" in r.names(), "the program runs")
        s.process.send_signal(signal.SIGKILL)
        s.process.wait(60)
        s.log.close()
        one.stdin.write(b"\n")
        one.stdin.flush()
        s.start()
        wait_for(lambda: "SystemExited" in r.names(), "the exits are told")
        last = s.events()[-1]["sequence"]
        wait_for(lambda: r.sequences()[-1] == last, "the reader has everything")
    check_dense(r, last)
    exited = [e for e in r.seen if e["name"] == "ProcessExited"]
    assert len(exited) == 1 and exited[0]["exit"]["code"] == 42
    assert [e["system"]["id"] for e in exited] == ["ends"]
    one.communicate(timeout=60)
    assert one.returncode == 42  # hcs waited for the service, too
    assert s.stop() == 0


def test_a_stream_of_one_system_tells_its_exit_once(place, document):
    """The next hcsd tells the end of what it found; who followed the system by its id sees that, and no later system of the id."""
    path = place / "one"
    path.mkdir()
    s = Service(path)
    s.env["HCS_HCSD"] = "/nonexistent"
    s.hcs("create", "-", "--id", "one", input=json.dumps(document), check=0)
    s.hcs("start", "one", check=0)
    with Reader(s, "--all", "one") as r:
        wait_for(lambda: "SystemStarted" in r.names(), "the system runs")
        r.p.send_signal(signal.SIGSTOP)  # it shall come late
        kill_and_restart(s)
        s.hcs("kill", "one")  # it has ended already where nobody took it over
        assert s.list(everything=True)[0]["State"] == "Stopped"
        r.p.send_signal(signal.SIGCONT)
        assert r.p.wait(60) == 0
        r.thread.join(60)
    assert r.names().count("SystemExited") == 1 and r.names()[-1] == "SystemExited"
    assert "ServiceReconnected" in r.names()
    # a second reader is late until the system is forgotten, and another one has its id
    s.hcs("rm", "one", check=0)
    s.hcs("create", "-", "--id", "one", input=json.dumps(document), check=0)
    with Reader(s, "--all", "one") as r:
        wait_for(lambda: "SystemCreated" in r.names(), "the system is there")
        r.p.send_signal(signal.SIGSTOP)
        kill_and_restart(s)
        s.hcs("kill", "one")
        s.hcs("rm", "one", check=0)
        s.hcs("create", "-", "--id", "one", input=json.dumps(document), check=0)
        r.p.send_signal(signal.SIGCONT)
        assert r.p.wait(60) == 1
        r.thread.join(60)
    assert len({e["system"]["incarnation"] for e in r.seen if "system" in e}) == 1
    assert "no system 'one'" in r.errors
    s.hcs("kill", "one", check=0)
    assert s.stop() == 0
