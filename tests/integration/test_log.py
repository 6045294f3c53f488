"""The event log under a real hcsd: a disk that is full, a file that is damaged, what is kept."""

import errno
import json
import os
import subprocess
import time

import pytest
from conftest import DEADLINE, HCSD, CallFailed, Service, wait_for


@pytest.fixture
def small(place, request):
    """A service whose state is on a file system of 512 KB."""
    root = place / request.node.name.replace("[", "-")[-40:].strip("]")
    state = root / "state"
    state.mkdir(mode=0o700, parents=True)
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k,mode=700", "none", state]).returncode != 0:
        pytest.skip("this machine does not let us mount")
    s = Service(root)
    yield s
    s.stop()
    subprocess.run(["umount", "-l", state], check=True)


@pytest.mark.parametrize("age", ["10", "1", "10x", "h", "-1h", "1.5h", "10mm", ""])
def test_an_age_without_a_unit_is_refused(place, age):
    r = subprocess.run([HCSD, "--socket", place / "x" / "s", "--state-dir", place / "y", "--keep-age", age],
                       capture_output=True, text=True, timeout=DEADLINE)
    assert r.returncode == 2 and f"--keep-age '{age}' is neither 0 nor a time with s, m, h or d" in r.stderr


@pytest.mark.parametrize("age, seconds", [("0", 0), ("0h", 0), ("90s", 90), ("90m", 5400), ("36h", 129600), ("30d", 2592000)])
def test_an_age_is_what_it_says(place, age, seconds):
    path = place / f"age-{age}"
    path.mkdir()
    s = Service(path, "--driver", "fake", "--keep-age", age)
    with s.connect() as w:
        kept = w.call("GetStatus")["status"]["log"]["ageMaxNs"]
    assert s.stop() == 0
    assert kept == seconds * 10**9


def fill(service):
    fd = os.open(service.root / "state" / "filler", os.O_CREAT | os.O_WRONLY)
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except OSError as e:
        assert e.errno == errno.ENOSPC
    finally:
        os.close(fd)


def is_stuck(service):
    return "events cannot be made durable" in service.read_log()


def fill_until_stuck(service, name):
    """What the log has of room in its files is used up by programs in a system; the last waits, and is returned."""
    fill(service)
    for _ in range(1000):
        p = service.popen("exec", name, "--", "true")
        wait_for(lambda: p.poll() is not None or is_stuck(service), "it has ended, or waits for room")
        if is_stuck(service):
            return p
    raise AssertionError("a full disk takes everything")


def make_room(service):
    (service.root / "state" / "filler").unlink()


def run_until_told(service, run_args, name):
    """A program that ends with 42 when it is told to, and its system."""
    p = service.popen("run", "--id", name, *run_args, "--", "sh", "-c", "read x; exit 42", stdin=subprocess.PIPE)
    wait_for(lambda: any(e["name"] == "ProcessStarted" for e in service.events()), "the program runs")
    return p


def last(service):
    with service.connect() as w:
        return w.call("GetInfo")["info"]["log"]["last"]


def resident_kb(service):
    with open(f"/proc/{service.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def check_dense(events):
    assert [e["sequence"] for e in events] == list(range(events[0]["sequence"], events[0]["sequence"] + len(events)))


def has_record(service, name):
    """Whether the keeper of a system knows the end of a program."""
    return any(p.name.startswith("exit") for p in (service.root / "run" / "systems").glob(f"{name}.*/**/*"))


def check_ends(events, name, code):
    """The one program that ends with @code did so once, and each that has begun has ended."""
    assert [e["how"] for e in exits(events, name) if e.get("code") == code] == ["code"]
    names = [e["name"] for e in events if e["system"]["id"] == name]
    assert names.count("ProcessStarted") == names.count("ProcessExited")


def exits(events, name):
    return [e["exit"] for e in events if e["system"]["id"] == name and e["name"] == "ProcessExited"]


def test_a_full_disk_delays_an_exit_and_loses_nothing(small, run_args):
    p = run_until_told(small, run_args, "full")
    other = small.popen("run", "--id", "other", *run_args, "--", "sh", "-c", "read x; exit 7", stdin=subprocess.PIPE)
    wait_for(lambda: [e["name"] for e in small.events()].count("ProcessStarted") == 2, "both run")
    filler = fill_until_stuck(small, "other")
    before, memory = last(small), None
    p.stdin.write("\n")
    p.stdin.flush()
    with small.connect() as w:
        for i in range(300):
            with pytest.raises(CallFailed) as refused:
                w.call("CreateSystem", {"id": f"refused-{i}", "document": json.dumps({
                    "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"IsolationType": "None"}})})
            memory = memory or resident_kb(small)
    assert "the event log cannot be written" in refused.value.text and "full" in refused.value.text
    if os.environ.get("SANITIZER", "none") == "none" and "HCS_TEST_WRAPPER" not in os.environ:  # there freed memory stays
        assert resident_kb(small) < memory + 2048
    assert p.poll() is None and other.poll() is None  # nobody was told, and nothing was stopped
    assert last(small) == before and exits(small.events(), "full") == []
    assert {s["Id"] for s in small.list()} >= {"full", "other"}

    make_room(small)
    assert p.wait(60) == 42
    filler.wait(60)
    other.communicate("\n", timeout=60)
    assert other.returncode == 7
    events = small.events()
    check_dense(events)
    check_ends(events, "full", 42)
    check_ends(events, "other", 7)
    assert "the event log can be written again" in small.read_log()


@pytest.mark.parametrize("room", ["before", "after"])
def test_an_exit_that_had_no_room_is_told_by_the_next_hcsd(small, run_args, room):
    """Whether there is room again when that one begins, or only later."""
    p = run_until_told(small, run_args, "killed")
    filler = fill_until_stuck(small, "killed")
    p.stdin.write("\n")
    p.stdin.flush()
    wait_for(lambda: has_record(small, "killed"), "the keeper has recorded the exit")
    small.process.kill()
    small.process.wait()
    if room == "before":
        make_room(small)
    small.start()
    if room == "after":
        make_room(small)
    wait_for(lambda: any(e.get("code") == 42 for e in exits(small.events(), "killed")), "the exit is told")
    p.communicate(timeout=60)  # it has waited for the service, and ends its container
    assert p.returncode == 42
    filler.wait(60)
    events = small.events()
    check_dense(events)
    check_ends(events, "killed", 42)


def test_hcsd_begins_again_on_a_full_disk(small, run_args):
    small.hcs("run", "--id", "before", *run_args, "--", "true", check=0)
    assert small.stop() == 0, small.read_log()
    fill(small)
    small.start()
    assert exits(small.events(), "before")
    make_room(small)


# ---- with many events, which the fake driver makes ----

DOCUMENT = json.dumps({"SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": "/"}}})


def make_events(service, name, n):
    """A system that has run, with @n events of its own."""
    service.hcs("create", "-", "--id", name, input=DOCUMENT, check=0)
    service.hcs("start", name, check=0)
    arguments = ["sleep", "0"] + ["event", "77", "{}"] * n
    with service.connect() as w:
        systems = {s["Id"]: s for s in service.list()}
        assert name in systems
        before = last(service)
        w.send("CreateProcess", {"id": name, "parameters": json.dumps({"CommandArgs": arguments})})
        wait_for(lambda: last(service) >= before + n, "its events are there")
    service.hcs("kill", name, check=0)


@pytest.fixture
def fake(place, request):
    root = place / request.node.name[:40]
    root.mkdir()
    s = Service(root, start=False)
    yield s
    s.stop()


def read_from(w, position):
    """Subscribe, and give what comes as (name, value), without bookmarks."""
    w.send("Subscribe", {"from": "after", "after": position} if position else {"from": "beginning"}, more=True)
    assert "ready" in w.receive()["parameters"]
    while True:
        for name, value in w.receive()["parameters"].items():
            if name in ("event", "gap", "end"):
                yield name, value


def test_what_was_trimmed_is_an_exact_gap(fake):
    fake.start("--driver", "fake", "--keep-events", "500")
    make_events(fake, "many", 3000)
    make_events(fake, "more", 3000)
    wait_for(lambda: first_and_last(fake)[0] > 4000, "the oldest are trimmed")
    begin, end = first_and_last(fake)
    assert end - begin < 3100
    with fake.connect() as w:
        stream = read_from(w, 17)
        name, gap = next(stream)
        assert name == "gap" and gap["first"] == 18
        seen = [next(stream)[1]["sequence"]]
        while seen[-1] < end:
            seen.append(next(stream)[1]["sequence"])
        assert seen == list(range(gap["last"] + 1, end + 1))


def first_and_last(service):
    with service.connect() as w:
        log = w.call("GetInfo")["info"]["log"]
        return log["first"], log["last"]


def spoil(path):
    """The middle of a file."""
    size = path.stat().st_size
    with open(path, "r+b") as f:
        f.seek(size // 2 // 4096 * 4096)
        f.write(b"\xee" * (size // 4))


def start_with_damage(fake):
    fake.start("--driver", "fake")
    for i in range(4):
        make_events(fake, f"before-{i}", 1000)
    assert fake.stop() == 0
    spoil(fake.root / "state" / "events.db")
    fake.start("--driver", "fake")


def test_damage_while_it_runs_is_a_gap_and_the_service_goes_on(fake):
    start_with_damage(fake)
    fake.hcs("create", "-", "--id", "lives", input=DOCUMENT, check=0)
    with fake.connect() as w:
        old = w.call("GetInfo")["info"]["log"]
        stream = read_from(w, 0)
        seen = []
        for name, value in stream:
            if name != "event":
                break
            seen.append(value["sequence"])
        assert name == "gap" and 500 < len(seen) < old["last"]
        assert seen == list(range(1, len(seen) + 1))
        assert value == {"first": len(seen) + 1, "last": old["last"]}
        fake.hcs("start", "lives", check=0)
        name, event = next(stream)
        assert name == "event" and event["sequence"] == 1
        assert event["name"] == "SystemStarted" and event["system"]["id"] == "lives"
    with fake.connect() as w:
        assert w.call("GetInfo")["info"]["log"]["id"] != old["id"]
    assert "is damaged" in fake.read_log() and "set aside as" in fake.read_log()
    assert [p for p in (fake.root / "state").iterdir() if p.name.startswith("events.db.damaged-")]
    assert {s["Id"] for s in fake.list()} == {"lives"}
    assert {s["Id"] for s in fake.list(everything=True)} >= {"lives", "before-0", "before-3"}


def test_several_ids_behind_a_cursor_of_the_log_before(fake):
    """The numbers of a log that is gone say nothing about what was seen of the one that there is."""
    start_with_damage(fake)
    with fake.connect() as w:
        old = w.call("GetInfo")["info"]["log"]
        assert "gap" in (name for name, _ in read_from(w, 0))  # it is seen to be damaged
    for name in ("a", "b"):
        fake.hcs("run", "--id", name, "--rootfs", "/", "--", "exit", 0, check=0)
    r = fake.hcs("events", "--no-follow", "--after", f"hcs1.{old['id']}.{old['last'] - 3}", "--format", "json", "a", "b",
                 check=0)
    seen = [json.loads(line) for line in r.stdout.splitlines()]
    assert seen[0]["name"] == "Gap" and seen[0]["gap"] == {"first": old["last"] - 2, "last": old["last"]}
    assert [e["system"]["id"] for e in seen[1:] if e["name"] == "SystemExited"] == ["a", "b"]


def test_a_log_of_many_events_does_not_delay_the_start(fake):
    fake.start("--driver", "fake")
    for i in range(20):
        make_events(fake, f"many-{i}", 2000)
    assert fake.stop() == 0
    begin = time.monotonic()
    fake.start("--driver", "fake")
    assert last(fake) >= 40000
    assert time.monotonic() - begin < 5  # bench/run.py measures it; here only that nothing reads it all
