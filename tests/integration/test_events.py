"""hcs events: the stream as a person and as a program reads it."""

import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios
import threading

import pytest

from conftest import wait_for


def follow(service, *args):
    return service.popen("events", "--format", "json", *args, stdout=subprocess.PIPE)


def read_until(p, last):
    events = []
    while not events or not last(events[-1]):
        line = p.stdout.readline()
        assert line, f"the stream ended after {events}"
        events.append(json.loads(line))
    return events


def streams(service):
    with service.connect() as w:
        return w.call("GetInfo")["info"]["streams"]


def test_two_terminals(service, run_args):
    """The README's promise: created, started, process started, process exited (code 42), exited; dense."""
    before = streams(service)
    p = follow(service)
    wait_for(lambda: streams(service) > before, "the watcher has its position")
    service.hcs("run", "--id", "two", *run_args, "--", "sh", "-c", "exit 42", check=42)
    events = read_until(p, lambda e: e["name"] == "SystemExited")
    p.send_signal(signal.SIGINT)
    p.wait(30)
    mine = [e for e in events if e["system"]["id"] == "two"]
    assert [e["name"] for e in mine] == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited",
                                         "SystemExited"]
    sequence = [e["sequence"] for e in events]
    assert sequence == list(range(sequence[0], sequence[0] + len(sequence)))
    exited = mine[3]
    assert exited["exit"] == dict(exited["exit"], how="code", code=42)
    assert exited["detail"]["ExitCode"] == 42 and exited["detail"]["Exited"] is True
    assert mine[4]["detail"]["ExitType"] == "GracefulExit"
    for e in mine:
        assert e["realtimeNs"] > 1_600_000_000_000_000_000 and e["monotonicNs"] > 0
        assert e["system"]["owner"]
    times = [e["monotonicNs"] for e in events]
    assert times == sorted(times)


def test_stream_of_one_system_ends_with_it(service, run_args, document):
    service.hcs("create", "-", "--id", "one", input=json.dumps(document), check=0)
    p = follow(service, "--all", "one")
    service.hcs("start", "one", check=0)
    service.hcs("stop", "one", check=0)
    out, _ = p.communicate(timeout=30)
    events = [json.loads(line) for line in out.splitlines()]
    names = [e["name"] for e in events if e["name"] not in ("End",)]
    assert names == ["SystemCreated", "SystemStarted", "SystemExited"]
    assert all(e["system"]["id"] == "one" for e in events if e["name"] != "End")


def test_table_says_it_in_words(service, run_args):
    service.hcs("run", "--id", "words", *run_args, "--", "sh", "-c", "exit 7", check=7)
    out = service.hcs("events", "--all", "words", check=0).stdout
    assert "words" in out and "code 7" in out
    assert "\x1b[" not in out  # no colours when it is not a terminal


def in_terminal(service, columns, *args):
    """What hcs writes to a terminal that wide."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    p = service.popen(*args, stdout=follower)
    os.close(follower)
    text = b""
    try:
        while data := os.read(leader, 65536):
            text += data
    except OSError:  # nobody has the other end any more
        pass
    os.close(leader)
    assert p.wait(30) == 0
    return text.decode().splitlines()


def test_rows_fit_a_terminal_of_80_columns(service, run_args):
    service.hcs("run", "--id", "narrow-0123x", *run_args, "--", "true", check=0)
    args = ("events", "--all", "--no-follow", "--filter", "id=narrow-0123x")
    rows = in_terminal(service, 80, *args)
    assert len(rows) == 6 and max(len(re.sub(r"process \d+", "process 1234", row)) for row in rows) <= 80, rows
    assert rows[0].split() == ["TIME", "NUMBER", "ID", "EVENT", "WHAT", "IT", "MEANS"]
    assert "exited: code 0" in " ".join(rows)
    column = rows[0].index("WHAT")
    assert all(row[column - 1] == " " and row[column] != " " for row in rows)
    assert in_terminal(service, 120, *args) == service.hcs(*args, check=0).stdout.splitlines() != rows


def test_hundred_readers_see_the_same(service, run_args):
    before = streams(service)
    readers = [follow(service) for _ in range(20)]
    wait_for(lambda: streams(service) >= before + len(readers), "all watchers have their position")
    for i in range(5):
        service.hcs("run", "--rm", "--id", f"same-{i}", *run_args, "--", "true", check=0)
    service.hcs("run", "--rm", "--id", "same-last", *run_args, "--", "true", check=0)
    seen = []

    def read(p):
        events = read_until(p, lambda e: e["name"] == "SystemExited" and e["system"]["id"] == "same-last")
        first = next(i for i, e in enumerate(events) if e["system"]["id"] == "same-0")
        seen.append([(e["sequence"], e["name"]) for e in events[first:]])
    threads = [threading.Thread(target=read, args=(p,)) for p in readers]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    for p in readers:
        p.kill()
        p.wait()
    assert len(seen) == len(readers)
    assert all(s == seen[0] for s in seen)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_it_ends_when_nobody_reads_its_output(service, kind):
    if kind == "pipe":
        ours, its = os.pipe()
    else:
        ours, its = (s.detach() for s in socket.socketpair())
    before = streams(service)
    p = service.popen("events", "--format", "json", stdout=its)
    os.close(its)
    wait_for(lambda: streams(service) > before, "the watcher has its position")
    os.close(ours)
    try:
        assert p.wait(10) == 0
    finally:
        p.kill()
        p.wait()


def test_end_of_the_service_is_told(place, run_args):
    from conftest import Service
    sub = place / "ending"
    sub.mkdir()
    other = Service(sub)
    before = streams(other)
    p = other.popen("events", "--format", "json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: streams(other) > before, "the watcher has its position")
    assert other.stop() == 0
    out, err = p.communicate(timeout=30)
    assert [json.loads(line)["name"] for line in out.splitlines()][0] == "ServiceDisconnect"
    assert p.returncode == 1
