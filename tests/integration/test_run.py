"""hcs run: what container users expect of it."""

import json
import os
import pty
import signal
import subprocess

import pytest

from conftest import HCS, wait_for


def test_exit_status_is_the_programs_own(service, run_args):
    for code in (0, 1, 42, 125, 255):
        service.hcs("run", "--rm", *run_args, "--", "sh", "-c", f"exit {code}", check=code)


def test_signal_gives_128_plus_its_number(service, run_args):
    for number in (signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM):
        service.hcs("run", "--rm", *run_args, "--", "sh", "-c", f"kill -{int(number)} $$", check=128 + number)


def test_missing_program_is_127_and_is_named(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "no-such-program", check=127)
    assert "no-such-program" in r.stderr
    if "HCS_TEST_WRAPPER" not in os.environ:  # valgrind has no openat2: then the runtime says it, too
        assert r.stderr.count("no-such-program") == 1 and r.stderr.startswith("hcs: ")
    r = service.hcs("run", "--rm", *run_args, "--", "/no/such/program", check=127)
    assert "/no/such/program" in r.stderr


def test_program_that_is_not_executable_is_126(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "/etc/passwd", check=126)
    assert "/etc/passwd" in r.stderr


def test_standard_handles_are_passed_through(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "cat; echo error >&2", input="hello\n", check=0)
    assert r.stdout == "hello\n"
    assert r.stderr == "error\n"


def test_much_output_arrives_whole(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "yes 0123456789 | head -n 500000", check=0)
    assert len(r.stdout) == 500000 * 11


def test_output_closed_early_ends_the_program(service, run_args):
    p = service.popen("run", "--rm", *run_args, "--", "yes", stdout=subprocess.PIPE)
    p.stdout.read(10)
    p.stdout.close()
    assert p.wait(30) == 128 + signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_forwarded(service, run_args, number):
    script = f"trap 'echo got; exit 9' {int(number)}; echo ready; while :; do sleep 0.1; done"
    p = service.popen("run", "--rm", *run_args, "--", "sh", "-c", script, stdout=subprocess.PIPE)
    assert p.stdout.readline() == "ready\n"
    p.send_signal(number)
    assert p.stdout.readline() == "got\n"
    assert p.wait(30) == 9


def test_ctrl_c_on_a_terminal_reaches_the_program(service, run_args):
    leader, follower = pty.openpty()
    p = subprocess.Popen([HCS, "run", "--rm", *run_args, "--", "sh", "-c",
                          "trap 'echo got; exit 7' INT; echo ready; while :; do sleep 0.1; done"],
                         env=service.env, stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
                         preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
    os.close(follower)
    seen = b""
    while b"ready" not in seen:
        seen += os.read(leader, 100)
    os.write(leader, b"\x03")
    assert p.wait(30) == 7
    os.close(leader)


def test_environment_and_directory(service, run_args):
    r = service.hcs("run", "--rm", *run_args, "-e", "A=b c", "-w", "/tmp", "--", "sh", "-c", "echo $A; pwd", check=0)
    assert r.stdout == "b c\n/tmp\n"


def test_id_and_owner_are_kept_and_listed_until_removed(service, run_args):
    service.hcs("run", "--id", "kept", "--owner", "somebody", *run_args, "--", "true", check=0)
    found = [s for s in service.list(everything=True) if s["Id"] == "kept"]
    assert found and found[0]["State"] == "Stopped" and found[0]["Owner"] == "somebody"
    assert not [s for s in service.list() if s["Id"] == "kept"]
    properties = json.loads(service.hcs("inspect", "kept", check=0).stdout)
    properties = properties[0] if isinstance(properties, list) else properties
    assert properties["ExitType"] == "GracefulExit"
    service.hcs("rm", "kept", check=0)
    assert not [s for s in service.list(everything=True) if s["Id"] == "kept"]


def test_rm_leaves_no_record(service, run_args):
    service.hcs("run", "--rm", "--id", "gone", *run_args, "--", "true", check=0)
    assert not [s for s in service.list(everything=True) if s["Id"] == "gone"]


def test_same_id_twice_in_a_row(service, run_args):
    for _ in range(5):
        service.hcs("run", "--id", "again", *run_args, "--", "true", check=0)


def test_no_root_file_system_says_how(service, needs_containers):
    r = service.hcs("run", "--", "true", check=125)
    assert "hcs rootfs make" in r.stderr


def test_container_is_a_container(service, run_args, needs_containers):
    r = service.hcs("run", "--rm", "--id", "boxed", *run_args, "--hostname", "boxed-host", "--", "sh", "-c",
                    "hostname; cat /proc/1/comm; echo $$; ls /dev | sort | tr '\\n' ' '; id -u", check=0)
    lines = r.stdout.splitlines()
    assert lines[0] == "boxed-host"
    assert int(lines[2]) < 10
    assert "sda" not in lines[3] and "null" in lines[3]


def test_privileges_are_small(service, run_args, needs_containers):
    r = service.hcs("run", "--rm", *run_args, "--", "grep", "-E", "NoNewPrivs|CapEff", "/proc/self/status", check=0)
    status = dict(line.split(":\t") for line in r.stdout.splitlines())
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) & (1 << 21) == 0  # CAP_SYS_ADMIN
    r = service.hcs("run", "--rm", *run_args, "--", "sh", "-c", "echo x > /proc/sysrq-trigger")
    assert r.returncode != 0


def test_mapped_directories(service, run_args, place, needs_containers):
    shared = place / "shared"
    shared.mkdir()
    (shared / "in").write_text("from the host\n")
    r = service.hcs("run", "--rm", *run_args, "-v", f"{shared}:/mnt/rw", "--", "sh", "-c",
                    "cat /mnt/rw/in; echo back > /mnt/rw/out", check=0)
    assert r.stdout == "from the host\n"
    assert (shared / "out").read_text() == "back\n"
    r = service.hcs("run", "--rm", *run_args, "-v", f"{shared}:/mnt/ro:ro", "--", "sh", "-c", "echo x > /mnt/ro/no")
    assert r.returncode != 0
    assert not (shared / "no").exists()


def test_memory_limit_kills_and_is_told(service, run_args, needs_containers):
    info = json.loads(service.hcs("version", "--format", "json", check=0).stdout)
    oci = next(d for d in info["service"]["drivers"] if d["name"] == "oci")
    if not oci["capabilities"]["limits"]:
        pytest.skip(f"mode {oci['mode']} has no limits")
    r = service.hcs("run", "--id", "oom", "--memory", "16M", *run_args, "--", "sh", "-c",
                    "x=0123456789abcdef; while :; do x=$x$x; done", check=137)
    event = [e for e in service.events() if e["system"]["id"] == "oom" and e["name"] == "ProcessExited"][-1]
    assert event["exit"]["how"] == "signal" and event["exit"]["signal"] == 9
    assert event["exit"]["oomKills"] >= 1


def test_isolation_none_is_marked_everywhere(service):
    service.hcs("run", "--id", "bare", "--isolation", "none", "--", "sh", "-c", "exit 3", check=3)
    events = [e for e in service.events() if e["system"]["id"] == "bare"]
    assert [e["name"] for e in events] == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited",
                                           "SystemExited"]
    assert all(e["system"]["isolation"] == "none" for e in events)
    listed = [s for s in service.list(everything=True) if s["Id"] == "bare"]
    assert listed[0]["Isolation"] == "none"
    assert "none" in service.hcs("list", "--all", check=0).stdout


def test_isolation_none_leaves_no_process(service):
    p = service.popen("run", "--rm", "--id", "strays", "--isolation", "none", "--", "sh", "-c",
                      "setsid sleep 4242 & setsid sh -c 'sleep 4243 & sleep 4244' & echo started; wait",
                      stdout=subprocess.PIPE)
    assert p.stdout.readline() == "started\n"
    service.hcs("kill", "strays", check=0)
    p.wait(30)

    def none_left():
        return subprocess.run(["pgrep", "-f", "^sleep 424[234]$"], stdout=subprocess.DEVNULL).returncode == 1
    wait_for(none_left, "no process of the system is left")
