"""Varlink over TCP: real programs over a connection that passes no descriptors, and who is kept out."""

import json
import os
import pathlib
import signal
import socket
import stat
import subprocess

import pytest

from conftest import DEADLINE, HCS, HCSD, CallFailed, Service, Wire, wait_for


MANY = min(60, int(os.environ.get("HCS_TEST_MANY", "60")))


class TcpService(Service):
    """An hcsd that listens on TCP too; `hcs` talks to it there."""

    def start(self, *args, address="127.0.0.1:0"):
        self.token_file = self.root / "token"
        super().start("--tcp", address, "--token-file", str(self.token_file), *args)
        wait_for(self.token_file.exists, "the token is written")
        self.env.update(HCS_HOST=f"tcp:{address.rsplit(':', 1)[0]}:{self.port}", HCS_TOKEN_FILE=str(self.token_file))

    @property
    def port(self):
        return int(self.token_file.read_text().split()[0])

    @property
    def token(self):
        return self.token_file.read_text().split()[1]

    def stranger(self):
        return TcpWire(self.port)

    def connect(self):
        wire = TcpWire(self.port)
        wire.call("Authenticate", {"token": self.token})
        return wire

    def refused(self):
        return json.loads(self.hcs("version", "--format", "json", check=0).stdout)["service"]["tcp"]["refused"]


class TcpWire(Wire):
    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), DEADLINE)
        self.rest = b""


@pytest.fixture(scope="module")
def service(place):
    s = TcpService(place)
    yield s
    assert s.stop() == 0, s.read_log()


@pytest.fixture(scope="module", params=["namespaces", "none"])
def isolation(request, containers):
    if request.param == "namespaces" and not containers:
        pytest.skip("this kernel allows no containers")
    return request.param


@pytest.fixture(scope="module")
def run_args(isolation, rootfs):
    return ["--isolation", "none"] if isolation == "none" else ["--rootfs", str(rootfs)]


@pytest.fixture(scope="module")
def document(isolation, rootfs):
    container = {"IsolationType": "None"} if isolation == "none" else {"Storage": {"Path": str(rootfs)}}
    return {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": container}


def run_binary(service, *args, input):
    return subprocess.run([HCS, *map(str, args)], env=service.env, input=input, capture_output=True, timeout=DEADLINE)


def listening(pid):
    """Local addresses, as the kernel writes them, at which a process listens on TCP."""
    inodes = sockets(pid)
    found = []
    for table in ("tcp", "tcp6"):
        try:
            lines = pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == "0A" and fields[9] in inodes:
                found.append(fields[1])
    return found


def sockets(pid):
    inodes = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    return inodes


# ---- programs ----

def test_exit_status_is_the_programs_own(service, run_args):
    for code in (0, 1, 42, 255):
        service.hcs("run", "--rm", *run_args, "--", "sh", "-c", f"exit {code}", check=code)
    service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "kill -9 $$", check=137)
    r = service.hcs("run", "--rm", *run_args, "--", "no-such-program", check=127)
    assert r.stderr.count("no-such-program") == 1 or "HCS_TEST_WRAPPER" in os.environ


def test_standard_handles_are_carried(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "cat; echo error >&2; exit 42", input="hello\n", check=42)
    assert r.stdout == "hello\n"
    assert r.stderr == "error\n"


def test_a_reader_may_take_his_time(service, run_args):
    """hcs holds what the program has said until it is read, however long after its end that is."""
    p = subprocess.Popen([HCS, "run", "--rm", *map(str, run_args), "--", "sh", "-c", "head -c 1000000 /dev/zero"],
                         env=service.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        p.wait(3)
    assert len(p.stdout.read()) == 1000000
    assert p.wait(60) == 0


def test_a_signal_ends_the_wait_for_a_reader(service, run_args):
    p = subprocess.Popen([HCS, "run", "--rm", "--id", "stalled", *map(str, run_args), "--", "sh", "-c",
                          "head -c 1000000 /dev/zero"], env=service.env, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    with pytest.raises(subprocess.TimeoutExpired):
        p.wait(3)
    p.send_signal(signal.SIGTERM)
    assert p.wait(60) == 0


def test_a_mebibyte_comes_back_unchanged(service, run_args):
    data = os.urandom(1 << 20)
    r = run_binary(service, "run", "--rm", *run_args, "--", "cat", input=data)
    assert r.returncode == 0 and r.stdout == data and r.stderr == b""


def test_much_output_of_a_program_that_ends_at_once_arrives_whole(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "yes 0123456789 | head -n 500000", check=0)
    assert len(r.stdout) == 500000 * 11


def test_input_that_nobody_reads_holds_nothing_up(service, run_args):
    r = run_binary(service, "run", "--rm", *run_args, "--", "sh", "-c", "exit 5", input=bytes(10 << 20))
    assert r.returncode == 5


def test_output_closed_early_ends_the_program(service, run_args):
    p = service.popen("run", "--rm", *run_args, "--", "yes", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    p.stdout.read(10)
    p.stdout.close()
    assert p.wait(30) == 128 + signal.SIGPIPE


def test_a_program_left_behind_does_not_hold_its_starter(service, run_args):
    service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "sleep 1000 & echo left; exit 6", check=6)
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "yes & exit 6", check=6)
    assert len(r.stdout) < 200 << 20


def test_signals_are_forwarded(service, run_args):
    script = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.1; done"
    p = service.popen("run", "--rm", *run_args, "--", "sh", "-c", script, stdout=subprocess.PIPE)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(signal.SIGTERM)
    assert p.stdout.readline() == "got\n"
    assert p.wait(30) == 9


def test_input_is_echoed_line_by_line(service, run_args):
    p = service.popen("run", "--rm", *run_args, "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
    for line in ("one\n", "two\n"):
        p.stdin.write(line)
        p.stdin.flush()
        assert p.stdout.readline() == line
    p.stdin.close()
    assert p.wait(30) == 0


def test_exec_in_a_running_system(service, document):
    service.hcs("create", "-", "--id", "over-tcp", input=json.dumps(document), check=0)
    service.hcs("start", "over-tcp", check=0)
    r = service.hcs("exec", "over-tcp", "--", "sh", "-c", "cat; exit 3", input="in\n", check=3)
    assert r.stdout == "in\n"
    service.hcs("kill", "over-tcp", check=0)


def test_many_at_once(service, run_args):
    clients = [service.popen("run", "--rm", *run_args, "--", "sh", "-c", f"cat; echo {i}; exit {i}",
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE) for i in range(MANY)]
    for i, p in enumerate(clients):
        assert p.communicate(f"in {i}\n", timeout=DEADLINE)[0] == f"in {i}\n{i}\n"
        assert p.returncode == i


def test_the_program_has_blocking_sockets(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c",
                    "for i in 0 1 2; do grep flags /proc/self/fdinfo/$i; done", input="", check=0)
    flags = [int(line.split()[1], 8) for line in r.stdout.splitlines()]
    assert len(flags) == 3 and not any(f & os.O_NONBLOCK for f in flags)


def test_events_arrive(service, run_args):
    with service.connect() as w:
        w.send("Subscribe", {"from": "now"}, more=True)
        assert "ready" in w.receive()["parameters"]
        service.hcs("run", "--rm", "--id", "seen", *run_args, "--", "sh", "-c", "exit 42", check=42)
        events = []
        while not events or events[-1]["name"] != "SystemExited":
            event = w.receive()["parameters"]["event"]
            if event["system"]["id"] == "seen":
                events.append(event)
    assert [e["name"] for e in events] == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited",
                                           "SystemExited"]
    assert events[3]["exit"] == {"how": "code", "code": 42}


# ---- bare connections as standard handles ----

def create_process(service, document, command, handles):
    """A program whose standard handles are connections of ours: (process id, {name: socket})."""
    with service.connect() as w:
        w.call("CreateSystem", {"id": "bare-" + command[0], "document": json.dumps(document)})
        w.call("StartSystem", {"id": "bare-" + command[0]})
        ends, tickets = {}, {}
        for name in handles:
            wire = service.connect()
            tickets[name + "Ticket"] = wire.call("OpenStdio")["ticket"]
            ends[name] = wire.s
        pid = w.call("CreateProcess", {"id": "bare-" + command[0], "parameters": json.dumps({"CommandArgs": command}),
                                       **tickets})["processId"]
        return pid, ends


def read_all(s):
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece


def test_the_end_of_sending_is_the_end_of_input(service, document):
    _, ends = create_process(service, document, ["cat"], ["stdin", "stdout"])
    ends["stdin"].sendall(b"to the end")
    ends["stdin"].shutdown(socket.SHUT_WR)
    assert read_all(ends["stdout"]) == b"to the end"
    service.hcs("kill", "bare-cat", check=0)


def test_the_program_has_the_connection_and_the_service_has_not(service, document):
    pid, ends = create_process(service, document, ["sleep", "1000"], ["stdin", "stdout", "stderr"])
    theirs = {os.readlink(f"/proc/{pid}/fd/{i}")[8:-1] for i in range(3)}
    assert len(theirs) == 3
    assert not theirs & sockets(service.process.pid)
    service.hcs("kill", "bare-sleep", check=0)
    assert read_all(ends["stdout"]) == b"" and read_all(ends["stderr"]) == b""


def test_a_ticket_is_good_once(service, document):
    with service.connect() as w, service.connect() as handle:
        ticket = handle.call("OpenStdio")["ticket"]
        w.call("CreateSystem", {"id": "once", "document": json.dumps(document)})
        w.call("StartSystem", {"id": "once"})
        parameters = {"id": "once", "parameters": json.dumps({"CommandArgs": ["echo", "first"]}), "stdoutTicket": ticket}
        w.call("CreateProcess", parameters)
        assert read_all(handle.s) == b"first\n"
        with pytest.raises(CallFailed) as failure:
            w.call("CreateProcess", parameters)
        assert failure.value.name == "HCS_E_WIN32_NOT_FOUND" and "stdoutTicket" in failure.value.text
        w.call("TerminateSystem", {"id": "once"})


def test_bare_connections_at_the_unix_socket_too(service, document):
    with Wire(service.socket) as w, Wire(service.socket) as handle:
        ticket = handle.call("OpenStdio")["ticket"]
        w.call("CreateSystem", {"id": "unix", "document": json.dumps(document)})
        w.call("StartSystem", {"id": "unix"})
        w.call("CreateProcess", {"id": "unix", "parameters": json.dumps({"CommandArgs": ["echo", "there"]}),
                                 "stdoutTicket": ticket})
        assert read_all(handle.s) == b"there\n"
        w.call("TerminateSystem", {"id": "unix"})


# ---- who is kept out ----

def test_a_wrong_token_is_refused_and_counted(service):
    before = service.refused()
    with service.stranger() as w:
        with pytest.raises(CallFailed) as failure:
            w.call("Authenticate", {"token": "0" * 64})
        assert failure.value.name == "HCS_E_ACCESS_DENIED"
        assert w.receive() is None
    with service.stranger() as w:
        with pytest.raises(CallFailed) as failure:
            w.call("ListSystems")
        assert failure.value.name == "HCS_E_ACCESS_DENIED"
        assert w.receive() is None
    assert service.refused() == before + 2
    assert f"{before + 2} connections refused" in service.hcs("version", check=0).stdout


def test_a_wrong_token_is_a_clear_error(service, place):
    wrong = place / "wrong-token"
    wrong.write_text(f"{service.port} {'0' * 64}\n")
    r = service.hcs("list", env={"HCS_TOKEN_FILE": str(wrong)})
    assert r.returncode == 1 and "open to others" in r.stderr
    wrong.chmod(0o600)
    r = service.hcs("list", env={"HCS_TOKEN_FILE": str(wrong)})
    assert r.returncode == 1 and "token" in r.stderr and "HCS_TOKEN_FILE" in r.stderr
    wrong.write_text(f"{service.port % 60000 + 1} {service.token}\n")
    r = service.hcs("list", env={"HCS_TOKEN_FILE": str(wrong)})
    assert r.returncode == 1 and str(service.port) in r.stderr
    wrong.write_text("a line\n")
    r = service.hcs("list", env={"HCS_TOKEN_FILE": str(wrong)})
    assert r.returncode == 1 and "wrong-token" in r.stderr
    r = service.hcs("list", env={"HCS_TOKEN_FILE": ""})
    assert r.returncode == 1 and "--token-file" in r.stderr


def test_the_token_file_is_for_its_user_alone(service):
    st = service.token_file.stat()
    assert stat.S_IMODE(st.st_mode) == 0o600 and st.st_uid == os.geteuid()
    assert len(service.token) == 64


def test_it_listens_on_the_loopback_and_nowhere_else(service):
    assert listening(service.process.pid) == [f"0100007F:{service.port:04X}"]
    with socket.socket(socket.AF_INET6) as s:
        with pytest.raises(OSError):
            s.connect(("::1", service.port))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: only asks which address would be ours
        except OSError:
            return
        own = probe.getsockname()[0]
    with socket.socket(socket.AF_INET) as s:
        with pytest.raises(OSError):
            s.connect((own, service.port))


def test_without_the_option_there_is_no_tcp_socket(place):
    path = place / "no-tcp"
    path.mkdir()
    s = Service(path)
    assert listening(s.process.pid) == []
    assert "tcp" not in json.loads(s.hcs("version", "--format", "json", check=0).stdout)["service"]
    assert "tcp" not in s.hcs("version", check=0).stdout
    assert s.stop() == 0


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "localhost:0", "127.0.0.1:70000", ""])
def test_other_addresses_are_refused_at_the_start(place, address):
    r = subprocess.run([HCSD, "--tcp", address, "--token-file", str(place / "no-token")], capture_output=True, text=True,
                       timeout=DEADLINE)
    assert r.returncode == 2 and address in r.stderr and "--tcp" in r.stderr
    assert not (place / "no-token").exists()


@pytest.mark.parametrize("args, words", [
    (["--tcp", "127.0.0.1:0"], "--token-file"),
    (["--token-file", "/tmp/x"], "--tcp"),
    (["--tcp", "127.0.0.1:0", "--token-file", "/tmp/x", "--idle-exit", "5"], "--idle-exit"),
])
def test_options_that_do_not_go_together_are_refused(args, words):
    r = subprocess.run([HCSD, *args], capture_output=True, text=True, timeout=DEADLINE)
    assert r.returncode == 2 and words in r.stderr


# ---- the service ----

def test_six_instead_of_four(place):
    path = place / "six"
    path.mkdir()
    try:
        socket.socket(socket.AF_INET6).bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no ::1")
    s = TcpService(path, start=False)
    s.start(address="[::1]:0")
    s.hcs("run", "--rm", "--isolation", "none", "--", "sh", "-c", "exit 7", check=7)
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.1", s.port)) != 0
    assert s.stop() == 0


def test_the_token_goes_with_the_service_and_the_next_one_is_found(place):
    path = place / "again"
    path.mkdir()
    s = TcpService(path)
    first = s.token
    # an address without a port: it is that of the token file
    s.hcs("list", env={"HCS_HOST": "tcp:127.0.0.1"}, check=0)
    assert s.stop() == 0
    assert not s.token_file.exists()
    r = s.hcs("list", env={"HCS_HOST": "tcp:127.0.0.1"})
    assert r.returncode == 1 and "token" in r.stderr
    s.start()
    assert s.token != first
    s.hcs("list", env={"HCS_HOST": "tcp:127.0.0.1"}, check=0)
    assert s.stop() == 0


def test_nobody_is_started_over_tcp(place, service):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    token = place / "nobody-token"
    token.write_text(f"{port} {'0' * 64}\n")
    token.chmod(0o600)
    r = service.hcs("list", env={"HCS_HOST": f"tcp:127.0.0.1:{port}", "HCS_TOKEN_FILE": str(token)})
    assert r.returncode == 1 and "hcsd --tcp" in r.stderr


def test_a_shared_service_refuses_isolation_none_over_tcp_too(place):
    path = place / "shared-tcp"
    path.mkdir()
    s = TcpService(path, "--shared")
    r = s.hcs("run", "--isolation", "none", "--", "true")
    assert r.returncode == 125 and "shared" in r.stderr
    assert s.stop() == 0
