#!/usr/bin/env python3
"""Measure libhcs against the bare runtime, in one run, and print ratios: bench/run.py BUILD_DIR [ROUNDS]

Cycle:   `hcs run -- true` against the same runtime called bare for the same work (create, start, exec, delete), in turn.
Latency: from the exit of a process to hcs_stream_next() returning the durable event.
Rate:    events a second through the durable log and the socket, live and read again.
Log:     with a million events in it: durable events a second, from the start of hcsd to its first answer, all read again.
Crowd:   hcsd resident, idle and with up to 10,000 fake systems; with these, the times to list them and to subscribe to one.

Nothing here decides a test.  Figures of one machine differ from another's; the ratios are what to look at."""
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

build = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 100
hcs, hcsd, keeper = build / "src/cli/hcs", build / "src/hcsd/hcsd", build / "src/keeper/hcs-keeper"
root = pathlib.Path(tempfile.mkdtemp(prefix="hcs-bench-"))


class Service:
    def __init__(self, name, *args):
        place = root / name
        self.socket = place / "hcsd.sock"
        self.env = dict(os.environ, HCS_HOST=f"unix:{self.socket}", HCS_KEEPER=str(keeper), HCS_HCSD="/nonexistent",
                        HCS_STATE_DIR=str(place / "state"))
        self.process = subprocess.Popen([hcsd, "--socket", self.socket, "--group", "", *args], env=self.env, stderr=subprocess.DEVNULL)
        while True:
            with socket.socket(socket.AF_UNIX) as s:
                if s.connect_ex(str(self.socket)) == 0:
                    break
            time.sleep(0.01)
        self.info = json.loads(self.hcs("version", "--format", "json"))["service"]

    def hcs(self, *args, **kw):
        return subprocess.run([hcs, *map(str, args)], env=self.env, stdout=subprocess.PIPE, check=True, text=True, **kw).stdout

    def program(self, name, *args):
        return json.loads(subprocess.run([build / "bench" / name, *map(str, args)], env=self.env, stdout=subprocess.PIPE,
                                         check=True, text=True).stdout)

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Wire:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.connect(str(path))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def call(self, method, more=False, **parameters):
        message = {"method": f"org.libhcs.ComputeService.{method}", "parameters": parameters, "more": more}
        self.s.sendall(json.dumps(message).encode() + b"\0")
        pieces = [self.rest]
        while b"\0" not in pieces[-1]:
            pieces.append(self.s.recv(1 << 20))
            if not pieces[-1]:
                raise ConnectionError(f"{method}: the service closed the connection")
        answer, self.rest = b"".join(pieces).split(b"\0", 1)
        answer = json.loads(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["parameters"]


def subscribe(service, id):
    with Wire(service.socket) as wire:
        wire.call("Subscribe", more=True, systemId=id)


def timed_call(call):
    begin = time.monotonic()
    call()
    return time.monotonic() - begin


def quantiles(values):
    values = sorted(values)
    return {"p50": values[len(values) // 2], "p90": values[len(values) * 9 // 10], "p99": values[len(values) * 99 // 100]}


def text(q):
    return ", ".join(f"{k} {v * 1000:.1f} ms" for k, v in q.items())


def timed(commands, **kw):
    begin = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, **kw)
    return time.monotonic() - begin


def bare_bundle(rootfs, runtime, mode):
    """A bundle for the bare runtime: what our driver makes, with a first process that only waits."""
    bundle = root / "bundle"
    bundle.mkdir(exist_ok=True)
    subprocess.run([runtime, "spec"], cwd=bundle, check=True)
    config = json.loads((bundle / "config.json").read_text())
    config["root"]["path"] = str(rootfs)
    config["process"].update(args=["sleep", "1000"], terminal=False)
    config["process"].pop("rlimits", None)
    config["linux"]["cgroupsPath"] = "/hcs-bench/bare"
    if "v1" not in mode:
        config["linux"].pop("resources", None)
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


def cycle(service, rootfs):
    """The same work in turn: hcs, bare, hcs, bare, ..."""
    oci = next(d for d in service.info["drivers"] if d["name"] == "oci")
    runtime = oci["runtime"]["path"]
    bundle = bare_bundle(rootfs, runtime, oci["mode"])
    state = root / "bare-state"
    base = [runtime, "--root", str(state)]
    if "no cgroup" in oci["mode"] or "none" in oci["mode"]:
        base.append("--cgroup-manager=disabled")
    bare = [[*base, "create", "--bundle", str(bundle), "bare"], [*base, "start", "bare"], [*base, "exec", "bare", "true"],
            [*base, "delete", "--force", "bare"]]
    ours = [[hcs, "run", "--rm", "--rootfs", str(rootfs), "--", "true"]]
    a, b = in_turn(lambda: timed(ours, env=service.env), lambda: timed(bare), rounds)
    print(f"hcs run -- true:                       {text(quantiles(a))}")
    print(f"bare {oci['runtime']['name']} create, start, exec, delete: {text(quantiles(b))}")
    print(f"  ratio, median of {rounds} pairs:          {statistics.median(x / y for x, y in zip(a, b)):.2f}")
    podman = shutil.which("podman")
    if not podman:
        print("podman is not installed: not compared")
        return
    theirs = [[podman, "run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096",
               "--rootfs", str(rootfs), "true"]]
    # In rows of ten: what a container leaves the kernel to clean up slows down the next one, so that each is to meet
    # its own remains and not the other's.
    blocks = [([timed(ours, env=service.env) for _ in range(10)], [timed(theirs) for _ in range(10)])
              for _ in range(max(rounds // 20, 3))]
    print(f"hcs run -- true, ten in a row:         {text(quantiles([t for a, _ in blocks for t in a]))}")
    print(f"podman run --rm --rootfs -- true:      {text(quantiles([t for _, b in blocks for t in b]))}")
    ratios = [statistics.median(b) / statistics.median(a) for a, b in blocks]
    print(f"  podman / hcs, {len(ratios)} times ten:           {', '.join(f'{r:.1f}' for r in ratios)}")


def in_turn(one, other, rounds):
    """Times of two ways, taken in turn; the first five pairs only warm up."""
    pairs = [(one(), other()) for _ in range(rounds + 5)][5:]
    return [x for x, _ in pairs], [y for _, y in pairs]


def read_bare(path, n):
    """Events a second from the beginning of the log, by a reader that only counts frames."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(path))
        begin = time.monotonic()
        s.sendall(b'{"method":"org.libhcs.ComputeService.Subscribe","parameters":{"from":"beginning"},"more":true}\0')
        left = n + 1  # the answer that says where it begins
        while left > 0:
            data = s.recv(1 << 20)
            assert data, "hcsd closed the stream"
            left -= data.count(0)
        return n / (time.monotonic() - begin)


def log_of_a_million():
    n = 1000000
    state = root / "million" / "state"
    state.mkdir(mode=0o700, parents=True)
    rate = json.loads(subprocess.run([build / "bench" / "log_rate", state / "events.db", str(n)], stdout=subprocess.PIPE,
                                     check=True, text=True).stdout)
    print(f"event log, durable events a second: {rate['batches_of_64_per_second']:,} in batches of 64, "
          f"{rate['batches_of_1024_per_second']:,} in batches of 1024")
    print(f"event log of {n:,}: opened in {rate['open_ms']:.1f} ms, a time found in {rate['find_time_ms']:.1f} ms, "
          f"{rate['read_per_second']:,} events a second read by the engine")
    begin = time.monotonic()
    service = Service("million", "--driver", "fake", "--keep-events", str(n))
    ready = time.monotonic() - begin
    assert service.info["log"]["last"] == n
    again = service.program("event_rate", "--again", n)
    bare = read_bare(service.socket, n)
    print(f"hcsd with {n:,} events: first answer {ready * 1000:.0f} ms after its start; events a second read again "
          f"over the socket: {bare:,.0f} counted, {again['per_second']:,} decoded by the library")
    service.end()


def hide_unified():
    """On a hybrid cgroup host the bare runtime needs the same private mount namespace that our keeper makes."""
    unified = pathlib.Path("/sys/fs/cgroup/unified/cgroup.controllers")
    if unified.exists() and unified.read_text().strip() and "HCS_BENCH_INSIDE" not in os.environ:
        os.environ["HCS_BENCH_INSIDE"] = "1"
        shutil.rmtree(root)
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", "sh", "-c",
                              "mount -t tmpfs -o size=64m none /sys/fs/cgroup/unified; exec \"$@\"", "sh",
                              sys.executable, *sys.argv])


def crowd():
    fake = Service("memory", "--driver", "fake")
    document = '{"SchemaVersion":{"Major":2,"Minor":1},"Container":{"Storage":{"Path":"/"}}}'
    made = 0
    with Wire(fake.socket) as wire:
        for n in (0, 1, 100, 1000, 10000):
            while made < n:
                made += 1
                wire.call("CreateSystem", id=f"memory-{made}", document=document)
            print(f"hcsd resident with {n:5} fake systems: {fake.resident_kb()} kB")
        lists = [timed_call(lambda: wire.call("ListSystems")) for _ in range(20)]
    print(f"list of {made} systems: {text(quantiles(lists))}")
    print(f"subscribing to one of {made} systems, connection and first answer: "
          f"{text(quantiles([timed_call(lambda: subscribe(fake, f'memory-{made}')) for _ in range(200)]))}")
    fake.end()



def main():
    hide_unified()
    print(f"# {os.cpu_count()} processors, kernel {os.uname().release}; {rounds} rounds")
    service = Service("real")
    rootfs = root / "rootfs"
    subprocess.run([hcs, "rootfs", "make", rootfs], check=True, stdout=subprocess.DEVNULL)
    print(f"hcsd resident, idle: {service.resident_kb()} kB")
    if any(d["name"] == "oci" for d in service.info["drivers"]):
        cycle(service, rootfs)
        document = {"SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": str(rootfs)}}}
        shutil.copy(build / "bench" / "exit_now", rootfs / "bin" / "exit_now")
        program = "/bin/exit_now"
    else:
        print("no containers on this kernel: the cycle is not measured")
        document = {"SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"IsolationType": "None"}}
        program = str(build / "bench" / "exit_now")
    latency = service.program("exit_latency", json.dumps(document), program, rounds * 10)
    print(f"exit to event, durable: p50 {latency['p50_us']} us, p90 {latency['p90_us']} us, p99 {latency['p99_us']} us "
          f"({latency['rounds']} exits)")
    service.end()

    fake = Service("fake", "--driver", "fake")
    rate = fake.program("event_rate", 100000)
    print(f"events a second, durable, to one reader: {rate['live_per_second']:,} live, {rate['replay_per_second']:,} again")
    fake.end()

    log_of_a_million()
    crowd()


try:
    main()
finally:
    shutil.rmtree(root, ignore_errors=True)
