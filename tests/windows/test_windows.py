"""Programs for Windows, run by Wine, and real Linux containers on the other side."""

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess

import pytest

from conftest import HCS, Service, wait_for

BUILD = pathlib.Path(os.environ["WINDOWS_BUILD"])
PATTERNS = sorted(p.stem for p in (BUILD / "tests" / "patterns").glob("*.exe"))
HCS_EXE = BUILD / "src" / "cli" / "hcs.exe"
SYSTEM32 = pathlib.Path(os.environ["WINEPREFIX"], "drive_c", "windows", "system32")
ADDRESSES = ["computecore:", "tcp:127.0.0.1"]


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


class Stage(Service):
    """A service that programs under Wine reach, and computecore.dll in their system directory."""

    def __init__(self, root):
        self.token = pathlib.Path(root) / "token"
        super().__init__(root, "--tcp", "127.0.0.1:0", "--token-file", self.token)
        wait_for(self.token.exists, "the token file")
        self.wine_env = {k: v for k, v in self.env.items() if not k.startswith("HCS_")}
        self.wine_env.update(HCS_COMPUTECORE_HOST="tcp:127.0.0.1", HCS_TOKEN_FILE=windows_path(self.token))

    def wine(self, program, *args, env=None, without=None, check=None, timeout=120):
        env = dict(self.wine_env, **(env or {}))
        env.pop(without, None)
        r = subprocess.run(["wine", str(program), *map(str, args)], env=env, capture_output=True, timeout=timeout,
                           stdin=subprocess.DEVNULL)
        r.stdout, r.stderr = r.stdout.decode(), r.stderr.decode()
        if check is not None:
            assert r.returncode == check, f"{program} {args}: exit {r.returncode}\n{r.stdout}\n{r.stderr}"
        return r

    def hcs_exe(self, address, *args, check=0, **kw):
        return self.wine(HCS_EXE, "-H", address, *args, check=check, **kw)

    def pattern(self, name, *args, **kw):
        return self.wine(BUILD / "tests" / "patterns" / f"{name}.exe", *args, **kw)


@pytest.fixture(scope="module")
def dll():
    """computecore.dll where programs that take it from the system directory only find it."""
    there = SYSTEM32 / "computecore.dll"
    shutil.copy(BUILD / "src" / "compat" / "computecore" / "computecore.dll", there)
    yield there
    there.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def service(place, dll):
    s = Stage(place)
    yield s
    assert s.stop() == 0, s.read_log()


@pytest.fixture(scope="module")
def storage(containers, run_args):
    return run_args[1] if containers else "none"


# ---- programs for the flat API ----

@pytest.mark.parametrize("name", PATTERNS)
@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 42", 42), ("kill -SEGV $$", 139)])
def test_pattern_ends_with_the_true_code(service, storage, name, script, code):
    r = service.pattern(name, f"{name}-{code}".replace("_", "-"), storage, "sh", "-c", script, check=code)
    assert r.stderr == ""


def test_event_kinds_sees_both_exits(service, storage):
    lines = service.pattern("event_kinds", "kinds-both", storage, "sh", "-c", "exit 7", check=7).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ProcessExited", "SystemExited"]
    assert '"ExitCode":7' in lines[0] and '"ExitType":"ForcedExit"' in lines[1]


def test_operation_events_shows_the_refusal(service, storage):
    assert "refused: 0x80370119" in service.pattern("operation_events", "refusal", storage, "true", check=0).stdout


def test_many_programs_at_once_each_get_their_own_code(service, storage):
    programs = [subprocess.Popen(["wine", str(BUILD / "tests" / "patterns" / "event_kinds.exe"), f"many-{n}", storage, "sh", "-c",
                                  f"exit {n}"], env=service.wine_env, stdout=subprocess.DEVNULL) for n in range(8)]
    assert [p.wait(120) for p in programs] == list(range(8))


def test_service_disconnect_is_told_once_for_each_handle(tmp_path, dll, storage):
    service = Stage(tmp_path)
    try:
        p = subprocess.Popen(["wine", str(BUILD / "tests" / "patterns" / "event_kinds.exe"), "lost", storage, "sleep", "1000"],
                             env=service.wine_env, stdout=subprocess.PIPE, text=True)
        with service.connect() as w:
            wait_for(lambda: w.call("GetInfo")["info"]["streams"] >= 2, "both callbacks have their streams")
            wait_for(lambda: any(e["name"] == "ProcessStarted" for e in service.events()), "the program runs")
        service.process.kill()
        service.process.wait()
        out, _ = p.communicate(timeout=60)
        assert [line.split()[0] for line in out.splitlines()] == ["ServiceDisconnect"] * 2
        assert p.returncode == 125
    finally:
        service.start()  # ends what was left
        assert service.stop() == 0


def test_wrong_token_is_refused(service, storage, tmp_path):
    wrong = tmp_path / "token"
    port, token = service.token.read_text().split()
    wrong.write_text(f"{port} {'0' * len(token)}\n")
    wrong.chmod(0o600)
    r = service.pattern("wait_sync", "wrong-token", storage, "true", env={"HCS_TOKEN_FILE": windows_path(wrong)}, check=125)
    assert "0x8037011b" in r.stderr.lower()  # HCS_E_ACCESS_DENIED
    assert not any(s["Id"] == "wrong-token" for s in service.list(everything=True))


def test_computecore_that_is_not_told_of_a_service_says_so(service, storage):
    r = service.pattern("wait_sync", "nowhere", storage, "true", without="HCS_COMPUTECORE_HOST", check=125)
    assert "0x80370114" in r.stderr  # HCS_E_SERVICE_NOT_AVAILABLE
    assert not any(s["Id"] == "nowhere" for s in service.list(everything=True))


# ---- standard handles ----

@pytest.mark.parametrize("size", [0, 1, 65536, 5000000])
def test_standard_handles_carry_every_byte(service, storage, size, needs_containers):
    r = service.wine(BUILD / "tests" / "windows" / "pipes.exe", f"pipes-{size}", storage, "echo", size, check=5)
    assert r.stdout.split() == [str(size), "bytes,", "done"]


def test_writing_to_a_program_that_ended_ends(service, storage, needs_containers):
    service.wine(BUILD / "tests" / "windows" / "pipes.exe", "pipes-deaf", storage, "deaf", check=6)


# ---- hcs.exe ----

def create(service, address, id, document, tmp_path):
    file = tmp_path / "gr\u00fc\u00df.json"
    file.write_text(json.dumps(document))
    assert service.hcs_exe(address, "create", windows_path(file), "--id", id).stdout == id + "\n"


@pytest.mark.parametrize("address", ADDRESSES)
def test_hcs_exe_drives_a_system_through_its_life(service, address, document, tmp_path):
    id = "life-" + address.split(":")[0]
    create(service, address, id, document, tmp_path)
    service.hcs_exe(address, "start", id)
    assert re.search(rf"{id} +Running", service.hcs_exe(address, "list").stdout)
    assert json.loads(service.hcs_exe(address, "inspect", id).stdout)[0]["State"] == "Running"
    assert id not in service.hcs_exe(address, "list", "--quiet", env={"NO_COLOR": ""}).stdout.replace(id + "\n", "")
    service.hcs_exe(address, "kill", id)
    assert id not in service.hcs_exe(address, "list", "--quiet").stdout.split()


@pytest.mark.parametrize("address", ADDRESSES)
def test_hcs_exe_watches_all_systems_of_the_host(service, address, run_args):
    p = subprocess.Popen(["wine", str(HCS_EXE), "-H", address, "events", "--format", "json"], env=service.wine_env,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        with service.connect() as w:
            wait_for(lambda: w.call("GetInfo")["info"]["streams"] >= (1 if address.startswith("tcp") else 0), "the stream")
        codes = (3, 4)
        seen = []
        for n, code in enumerate(codes):
            service.hcs("run", "--id", f"watched-{address[:3]}-{n}", *run_args, "--", "sh", "-c", f"sleep 1; exit {code}", check=code)
        while sum(e["name"] == "SystemExited" for e in seen) < len(codes):
            line = p.stdout.readline()
            assert line, p.stderr.read().decode()
            assert not line.endswith(b"\r\n")
            event = json.loads(line)
            if event.get("system", {}).get("id", "").startswith("watched-"):
                seen.append(event)
        exits = [(e["system"]["id"], e["name"]) for e in seen if e["name"] == "SystemExited"]
        assert sorted(exits) == [(f"watched-{address[:3]}-{n}", "SystemExited") for n in range(len(codes))]
    finally:
        p.kill()
        p.wait()


@pytest.fixture(scope="module", params=ADDRESSES)
def running(request, service, document, tmp_path_factory):
    """Address and id of a system that runs."""
    id = "exec-" + request.param.split(":")[0]
    create(service, request.param, id, document, tmp_path_factory.mktemp("exec"))
    service.hcs_exe(request.param, "start", id)
    yield request.param, id
    service.hcs("kill", id, check=0)


def test_hcs_exe_exec_gives_the_programs_own_status(service, running):
    for code in (0, 7, 255):
        service.hcs_exe(running[0], "exec", running[1], "--", "sh", "-c", f"exit {code}", check=code)
    service.hcs_exe(running[0], "exec", running[1], "--", "sh", "-c", "kill -9 $$", check=137)
    r = service.hcs_exe(running[0], "exec", running[1], "no-such-program", check=127)
    assert "no-such-program" in r.stderr


def test_hcs_exe_exec_carries_standard_handles(service, running):
    data = b"0123456789\n" * 300000
    r = subprocess.run(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "sh", "-c", "cat; echo last words >&2"],
                       env=service.wine_env, input=data, capture_output=True, timeout=120)
    assert (r.returncode, r.stdout, r.stderr) == (0, data, b"last words\n")


def test_hcs_exe_exec_ends_with_the_program_though_its_input_goes_on(service, running):
    with subprocess.Popen(["sleep", "1000"], stdout=subprocess.PIPE) as silent:
        r = subprocess.run(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "echo", "done"], env=service.wine_env,
                           stdin=silent.stdout, stdout=subprocess.PIPE, timeout=60)
        silent.kill()
    assert (r.returncode, r.stdout) == (0, b"done\n")


def test_hcs_exe_exec_leaves_its_reader_time(service, running):
    """hcs holds what the program has said until it is read, however long after its end that is."""
    p = subprocess.Popen(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "head", "-c", "1000000", "/dev/zero"],
                         env=service.wine_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        p.wait(2)
    assert len(p.stdout.read()) == 1000000
    assert p.wait(60) == 0


def exits(service):
    return sum(e["name"] == "ProcessExited" for e in service.events())


def test_ctrl_c_ends_the_wait_for_a_reader(service, running):
    before = exits(service)
    p = subprocess.Popen(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "head", "-c", "1000000", "/dev/zero"],
                         env=service.wine_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while p.poll() is None:  # hcs has to hear of the end, too, before a Ctrl-C is its own
        wait_for(lambda: exits(service) > before, "the program has ended")
        p.send_signal(signal.SIGINT)  # Wine makes a Ctrl-C of it
        try:
            p.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
    assert p.returncode == 0


def test_ctrl_c_is_the_programs(service, running):
    script = "trap 'exit 9' INT; echo ready; sleep 1000 >/dev/null 2>&1 & wait"
    p = subprocess.Popen(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "sh", "-c", script],
                         env=service.wine_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"ready\n"
    p.send_signal(signal.SIGINT)
    assert p.wait(60) == 9


def test_hcs_exe_exec_does_not_wait_for_who_is_left_behind(service, running):
    r = subprocess.run(["wine", str(HCS_EXE), "-H", running[0], "exec", running[1], "--", "sh", "-c", "sleep 1000 & echo done"],
                       env=service.wine_env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60)
    assert (r.returncode, r.stdout) == (0, b"done\n")


def seen_on_a_terminal(service, *args):
    """What a console shows for it: Wine draws one on a terminal, with codes of its own."""
    ours, theirs = pty.openpty()
    p = subprocess.Popen(["wine", str(HCS_EXE), *args], env=dict(service.wine_env, NO_COLOR="", TERM="xterm"), stdin=theirs,
                         stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    out = b""
    try:
        while block := os.read(ours, 65536):
            out += block
    except OSError:  # nobody has the other end any more
        pass
    os.close(ours)
    p.wait(60)
    return re.sub(rb"\x1b\[[?0-9;]*[A-Za-z]", b"", out)


def test_a_console_that_shows_colour_codes_gets_none(service):
    """Wine's takes the mode in which it would have to interpret them, and shows them."""
    seen = seen_on_a_terminal(service, "-H", "tcp:127.0.0.1", "list")
    assert b"STATE" in seen
    assert b"\x1b" not in seen and b"[0m" not in seen


@pytest.mark.parametrize("command", ["run", "rootfs"])
def test_what_is_not_there_says_so(service, command):
    r = service.wine(HCS_EXE, command, "--", "true")
    assert r.returncode in (1, 125) and "not there on Windows" in r.stderr


@pytest.mark.parametrize("address", ADDRESSES)
def test_hcs_exe_waits_for_the_end(service, address, document, tmp_path):
    id = "waited-" + address.split(":")[0]
    create(service, address, id, document, tmp_path)
    service.hcs_exe(address, "start", id)
    p = subprocess.Popen(["wine", str(HCS_EXE), "-H", address, "wait", id], env=service.wine_env, stdout=subprocess.PIPE)
    service.hcs("kill", id, check=0)
    out, _ = p.communicate(timeout=60)
    assert (p.returncode, out) == (0, f"{id}: terminated by client\n".encode())


@pytest.mark.parametrize("address", ADDRESSES)
def test_hcs_exe_stops_a_system(service, address, document, tmp_path):
    id = "stopped-" + address.split(":")[0]
    create(service, address, id, document, tmp_path)
    service.hcs_exe(address, "start", id)
    service.hcs_exe(address, "stop", id)
    assert [s["State"] for s in service.list(everything=True) if s["Id"] == id] == ["Stopped"]
    r = service.hcs_exe(address, "start", id, check=1)
    assert id in r.stderr


def test_hcs_exe_says_what_it_talks_to(service):
    assert re.search(r"^service +computecore.dll, schema 2\.\d+$", service.hcs_exe("computecore:", "version").stdout, re.M)
    assert re.search(r"^service +hcsd ", service.hcs_exe("tcp:127.0.0.1", "version").stdout, re.M)
    assert "HCS_E_SYSTEM_NOT_FOUND" in service.wine(HCS_EXE, "explain", "0xC037010E", check=0).stdout


def test_names_in_any_script_come_back_as_they_are(service):
    r = service.hcs_exe("tcp:127.0.0.1", "inspect", "gr\u00fc\u00df \u2192 \U0001f4e6", check=1)
    assert "gr\u00fc\u00df \u2192 \U0001f4e6" in r.stderr


def test_a_socket_of_linux_is_refused_in_words(service):
    r = service.hcs_exe("unix:/run/hcs/hcsd.sock", "list", check=1)
    assert "Windows has no sockets of this kind" in r.stderr


def test_hcs_exe_says_what_is_missing_without_computecore(service, dll):
    aside = dll.with_suffix(".aside")
    dll.rename(aside)
    try:
        r = service.wine(HCS_EXE, "list", check=1)
    finally:
        aside.rename(dll)
    assert r.stderr.startswith("hcs: 'computecore.dll' cannot be loaded")
    assert len(r.stderr.splitlines()) == 2  # what to do


# ---- programs with hcs.dll ----

@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("turn", range(3))
def test_pollables_are_set_exactly_while_there_is_something(service, address, document, turn):
    r = service.wine(BUILD / "tests" / "windows" / "handles.exe", address, f"handles-{address[:3]}-{turn}", json.dumps(document),
                     env={"WINEPATH": windows_path(BUILD / "src" / "lib")}, check=0)
    assert r.stdout == "all promises hold\n".replace("\n", "\r\n")


def test_a_program_with_hcs_dll_watches_the_host(service, run_args):
    p = subprocess.Popen(["wine", str(BUILD / "examples" / "watch_host.exe"), "1"], stdout=subprocess.PIPE, text=True,
                         env=dict(service.wine_env, HCS_HOST="tcp:127.0.0.1", WINEPATH=windows_path(BUILD / "src" / "lib")))
    assert p.stdout.readline() == "watching\n"
    service.hcs("run", "--id", "for-dll", *run_args, "--", "sh", "-c", "exit 9", check=9)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0 and re.search(r"\d+ for-dll process \d+ code 9\n", out)
