#!/usr/bin/env python3
"""What readers cost others: bench/readers.py BUILD_DIR [STREAMS]

One client asks and reads: how long a call takes, and how long an event takes to it; alone, beside a reader that is
stopped, beside one client with STREAMS streams (1000) that are told every event, too, and (calls alone: the scripted
systems of this bench move only when the service has nothing else to do) while those streams read the log again.

Nothing here decides a test."""
import json
import os
import pathlib
import resource
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROUNDS = 300
HISTORY = 20_000
DOCUMENT = json.dumps({"SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": "/"}}})


class Wire:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(str(path))
        self.rest = b""

    def send(self, method, parameters=None, **more):
        message = {"method": f"org.libhcs.ComputeService.{method}", "parameters": parameters or {}, **more}
        self.s.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.rest:
            data = self.s.recv(65536)
            assert data, "the service closed the connection"
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        reply = json.loads(message)
        assert "error" not in reply, reply
        return reply["parameters"]

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.receive()

    def subscribe(self, **parameters):
        self.send("Subscribe", parameters, more=True)
        return self.receive()["ready"]


def script(w, steps):
    process = w.call("CreateProcess", {"id": "script", "parameters": json.dumps({"CommandLine": steps})})["processId"]
    w.call("WaitProcess", {"id": "script", "processId": process})


def crowd(path, streams, start):
    """The process that has all those streams; it says on stdout when it has them, and reads until its stdin ends."""
    wires = [Wire(path) for _ in range(streams)]
    for w in wires:
        w.subscribe(**{"from": start})
    print("there", flush=True)
    selector = selectors.DefaultSelector()
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
    for w in wires:
        selector.register(w.s, selectors.EVENT_READ, w)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return
            key.data.s.recv(1 << 20)


def quantiles(seconds):
    values = sorted(seconds)
    return (f"p50 {values[len(values) // 2] * 1e6:7.0f} us, p99 {values[len(values) * 99 // 100] * 1e6:7.0f} us, "
            f"most {values[-1] * 1e6:7.0f} us")


def calls(path):
    w, times = Wire(path), []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        w.call("GetInfo")
        times.append(time.monotonic() - begin)
    return quantiles(times)


def events(path):
    """From the request for a program to its first event, which the one client reads in its stream."""
    reader, w, times = Wire(path), Wire(path), []
    reader.subscribe(filter={"kinds": [0x4C480010]})
    for _ in range(ROUNDS):
        begin = time.monotonic()
        w.send("CreateProcess", {"id": "script", "parameters": json.dumps({"CommandLine": "exit 0"})})
        reader.receive()
        times.append(time.monotonic() - begin)
        w.receive()
    return quantiles(times)


def beside(path, streams, start, what):
    p = subprocess.Popen([sys.executable, __file__, "--crowd", str(path), str(streams), start], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"there\n"
    result = what(path)
    p.stdin.close()
    p.wait()
    return result


def measure(root, build, streams):
    path = root / "hcsd.sock"
    env = dict(os.environ, HCS_KEEPER=str(build / "src/keeper/hcs-keeper"), HCS_STATE_DIR=str(root / "state"))
    service = subprocess.Popen([build / "src/hcsd/hcsd", "--socket", path, "--driver", "fake"], env=env,
                               stderr=subprocess.DEVNULL)
    try:
        while True:
            with socket.socket(socket.AF_UNIX) as s:
                if s.connect_ex(str(path)) == 0:
                    break
            time.sleep(0.01)
        w = Wire(path)
        w.call("CreateSystem", {"id": "script", "document": DOCUMENT})
        w.call("StartSystem", {"id": "script"})
        print(f"calls,  alone:                              {calls(path)}")
        print(f"events, alone:                              {events(path)}")
        stopped = Wire(path)
        stopped.subscribe()
        for _ in range(HISTORY // 5000):
            script(w, "event 77 {} " * 5000)
        print(f"calls,  beside a stopped reader:            {calls(path)}")
        print(f"events, beside a stopped reader:            {events(path)}")
        print(f"calls,  beside {streams} streams of a client:     {beside(path, streams, 'now', calls)}")
        print(f"events, beside {streams} streams of a client:     {beside(path, streams, 'now', events)}")
        print(f"calls,  while they read {HISTORY} events again: {beside(path, streams, 'beginning', calls)}")
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if sys.argv[1] == "--crowd":
        crowd(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        return
    root = pathlib.Path(tempfile.mkdtemp(prefix="hcs-bench-"))
    try:
        measure(root, pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    finally:
        shutil.rmtree(root, ignore_errors=True)


main()
