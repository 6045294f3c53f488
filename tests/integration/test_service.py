"""hcsd as a service: started by the first client, leaves when idle, introspection, systemd's protocol."""

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from conftest import HCS, HCSD, CallFailed, Service, wait_for


@pytest.fixture
def absent(place, request):
    """A place where no service runs yet."""
    path = place / request.node.name[:20]
    path.mkdir()
    s = Service(path, start=False)
    yield s
    for pid in daemons(s):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not daemons(s), "the services of this test are gone")


def daemons(s):
    """Services whose state directory is ours."""
    pids = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as f:
                environ = f.read()
            with open(f"/proc/{entry}/cmdline", "rb") as f:
                cmdline = f.read()
        except OSError:
            continue
        if f"HCS_STATE_DIR={s.root / 'state'}".encode() in environ and b"hcsd" in cmdline.split(b"\0")[0]:
            pids.append(int(entry))
    return pids


def test_first_client_starts_it(absent):
    assert not absent.socket.exists()
    info = json.loads(absent.hcs("version", "--format", "json", check=0).stdout)
    assert info["service"]["version"]
    assert len(daemons(absent)) == 1


def test_many_first_clients_start_one(absent):
    clients = [absent.popen("list", stdout=subprocess.DEVNULL) for _ in range(16)]
    assert [p.wait(60) for p in clients] == [0] * 16
    assert len(daemons(absent)) == 1


# Held up at its trial as long as there is a FIFO.
RUNTIME = """#!/bin/sh
case $* in *hcs-probe*) if [ -p "$HOLD" ]; then : > "$HOLD.held"; read -r _ < "$HOLD"; fi ;; esac
exec crun "$@"
"""


def test_killed_while_it_tries_its_runtime_it_leaves_its_place_free(absent, needs_containers):
    hold, runtime = absent.root / "hold", absent.root / "runtime"
    os.mkfifo(hold)
    runtime.write_text(RUNTIME.replace("$HOLD", str(hold)))
    runtime.chmod(0o755)
    with subprocess.Popen([HCSD, "--socket", str(absent.socket), "--group", "", "--runtime", str(runtime)], env=absent.env,
                          stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as p:
        wait_for((absent.root / "hold.held").exists, "the runtime is held up")
        p.kill()
    waits = hold.rename(absent.root / "waits")
    try:
        assert daemons(absent)  # the child that tries it is still there
        absent.start("--runtime", str(runtime))
        assert absent.stop() == 0
    finally:
        fd = os.open(waits, os.O_RDWR)
        os.write(fd, b"go\n")
        wait_for(lambda: not daemons(absent), "the trial has ended")
        os.close(fd)


def test_stale_socket_is_replaced(absent):
    absent.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(absent.socket))
    absent.hcs("list", check=0)


def test_it_leaves_when_idle_and_is_started_again(place):
    path = place / "idle"
    path.mkdir()
    s = Service(path, "--idle-exit", "1")
    assert s.process.wait(30) == 0
    assert not s.socket.exists()
    for _ in range(2):
        s.hcs("list", check=0)
    for pid in daemons(s):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not daemons(s), "it is gone")


def test_it_stays_while_a_system_lives(place, document):
    path = place / "stays"
    path.mkdir()
    s = Service(path, "--idle-exit", "1")
    s.hcs("create", "-", "--id", "alive", input=json.dumps(document), check=0)
    with pytest.raises(subprocess.TimeoutExpired):
        s.process.wait(2.5)
    s.hcs("kill", "alive", check=0)
    assert s.process.wait(30) == 0


def test_missing_hcsd_is_a_clear_error(absent):
    r = absent.hcs("list", env={"HCS_HCSD": "/no/such/hcsd"})
    assert r.returncode != 0
    assert "/no/such/hcsd" in r.stderr and "HCS_HCSD" in r.stderr


def test_hcsd_that_cannot_start_is_a_clear_error(absent):
    (absent.root / "state").write_text("a file where a directory should be")
    r = absent.hcs("list")
    assert r.returncode != 0
    assert "hcsd.log" in r.stderr


def test_other_users_are_refused(service):
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user")
    if subprocess.run(["test", "-x", HCS], user=65534, group=65534).returncode != 0:
        pytest.skip("another user cannot reach the build directory")
    os.chmod(service.root, 0o755)
    r = subprocess.run([HCS, "list"], env=service.env, user=65534, group=65534, extra_groups=[], capture_output=True, text=True)
    os.chmod(service.root, 0o700)
    assert r.returncode != 0
    assert "denied" in r.stderr.lower() or "may not" in r.stderr


def test_interface_is_served(service):
    with service.connect() as w:
        info = w.call("GetInfo", interface="org.varlink.service")
        assert "org.libhcs.ComputeService" in info["interfaces"]
        text = w.call("GetInterfaceDescription", {"interface": "org.libhcs.ComputeService"},
                      interface="org.varlink.service")["description"]
        with open(os.path.join(os.environ["SOURCE_ROOT"], "idl/org.libhcs.ComputeService.varlink")) as f:
            assert text == f.read()


def test_socket_activation(absent):
    """systemd's protocol: the listening socket is descriptor 3."""
    absent.socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(absent.socket))
        listener.listen()
        script = ("import os, sys; os.dup2(int(sys.argv[1]), 3);"
                  "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
                  "os.execv(sys.argv[2], [sys.argv[2], '--idle-exit', '1'])")
        p = subprocess.Popen([sys.executable, "-c", script, str(listener.fileno()), HCSD], env=absent.env,
                             pass_fds=[listener.fileno()])
        absent.hcs("list", check=0)
        assert p.wait(30) == 0
        assert absent.socket.exists()  # it is the manager's


def test_isolation_none_is_refused_by_a_shared_service(place):
    path = place / "shared-service"
    path.mkdir()
    s = Service(path, "--shared")
    r = s.hcs("run", "--isolation", "none", "--", "true")
    assert r.returncode == 125 and "shared" in r.stderr
    assert s.stop() == 0


def test_fake_driver(place):
    path = place / "fake"
    path.mkdir()
    s = Service(path, "--driver", "fake")
    r = s.hcs("run", "--rootfs", "/", "--", "sleep", "3600000", "exit", "42")
    assert r.returncode == 42  # an hour of virtual time
    assert s.stop() == 0


def test_memory_is_small_when_idle(service):
    with open(f"/proc/{service.process.pid}/status") as f:
        rss = next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))
    if "HCS_TEST_WRAPPER" in os.environ:
        pytest.skip("measured without a wrapper only")
    print(f"# hcsd has {rss} kB resident")
    assert rss < 64 << 10


def test_a_hand_over_that_nobody_would_get_is_refused(service):
    with service.connect() as w:
        w.send_raw(json.dumps({"method": "org.libhcs.ComputeService.HandOver", "parameters": {}, "oneway": True}).encode() + b"\0")
        assert w.receive()["parameters"]["parameter"] == "oneway"
        assert w.call("GetInfo")["info"]["pid"] == service.process.pid
    service.hcs("list", check=0)


def test_two_services_of_one_machine_keep_out_of_each_others_way(place, service, run_args, document):
    """The same id and the same incarnation in both: control groups and the runtime's names are the machine's."""
    services, running = [], []
    for name in ("here", "there"):
        path = place / name
        path.mkdir()
        s = Service(path)
        services.append(s)
        p = s.popen("run", "--id", "twin", *run_args, "--", "sh", "-c", "echo up; read x; exit 6", stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert p.stdout.readline() == "up\n", p.stderr.read()
        running.append(p)
    services[0].hcs("kill", "twin", check=0)
    running[0].communicate(timeout=30)
    wait_for(lambda: os.listdir(services[0].root / "run" / "systems") == [], "the first is cleaned up")
    assert services[0].stop() == 0
    out, err = running[1].communicate("go\n", timeout=30)
    assert running[1].returncode == 6, err
    told = [e for e in services[1].events() if e["name"] == "ProcessExited"]
    assert [e["exit"]["code"] for e in told] == [6]
    assert services[1].stop() == 0
