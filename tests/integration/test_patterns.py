"""The documented ways to use the flat API: every pattern runs, ends with the true code of its program, and compiles for
Windows as it is."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import Service, wait_for

PATTERNS = os.environ["PATTERNS"]
SOURCES = pathlib.Path(os.environ["SOURCE_ROOT"], "tests", "patterns")
NAMES = sorted(p.stem for p in SOURCES.glob("*.c"))
MINGW = "x86_64-w64-mingw32-gcc"


def storage(containers, run_args):
    return run_args[1] if containers else "none"


def run(service, name, *args):
    return subprocess.run([f"{PATTERNS}/{name}", *args], env=service.env, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("script, code", [("exit 0", 0), ("exit 42", 42), ("kill -SEGV $$", 139)])
def test_pattern_ends_with_the_true_code(service, containers, run_args, name, script, code):
    r = run(service, name, f"{name}-{code}".replace("_", "-"), storage(containers, run_args), "sh", "-c", script)
    assert r.returncode == code, r.stderr + r.stdout
    assert r.stderr == ""


def test_event_kinds_sees_both_exits(service, containers, run_args):
    r = run(service, "event_kinds", "kinds-both", storage(containers, run_args), "sh", "-c", "exit 7")
    lines = r.stdout.splitlines()
    assert r.returncode == 7
    assert [line.split()[0] for line in lines] == ["ProcessExited", "SystemExited"]
    assert '"ExitCode":7' in lines[0].replace(" ", "") and '"ExitType":"ForcedExit"' in lines[1].replace(" ", "")


def test_operation_events_shows_the_refusal(service, containers, run_args):
    r = run(service, "operation_events", "refusal", storage(containers, run_args), "sh", "-c", "exit 0")
    assert "refused: 0x80370119" in r.stdout


def test_service_disconnect_is_told_once_for_each_handle(tmp_path, containers, run_args):
    service = Service(tmp_path)
    try:
        p = subprocess.Popen([f"{PATTERNS}/event_kinds", "lost", storage(containers, run_args), "sleep", "1000"],
                             env=dict(service.env, HCS_HCSD="/nonexistent"), stdout=subprocess.PIPE, text=True)
        wait_for(lambda: service.list() and service.list()[0]["State"] == "Running" and
                 any(e["name"] == "ProcessStarted" for e in service.events()), "the program runs")
        with service.connect() as w:
            wait_for(lambda: w.call("GetInfo")["info"]["streams"] >= 2, "both callbacks have their streams")
        service.process.kill()
        service.process.wait()
        out, _ = p.communicate(timeout=60)
        assert [line.split()[0] for line in out.splitlines()] == ["ServiceDisconnect"] * 2
        assert p.returncode == 125
    finally:
        service.start()
        for system in service.list():
            service.hcs("kill", system["Id"], check=0)
        assert service.stop() == 0


@pytest.mark.parametrize("name", NAMES)
def test_pattern_compiles_for_windows(name):
    if not shutil.which(MINGW):
        pytest.skip(f"{MINGW} is not installed")
    r = subprocess.run([MINGW, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"{SOURCES}/{name}.c"],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
