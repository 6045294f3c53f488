"""An hcsd that is killed, or that leaves while systems run: the next one tells how they ended."""

import os
import signal
import subprocess

import pytest

from conftest import Service, wait_for


def names(events, id):
    return [(e["name"], e.get("exit")) for e in events if e["system"]["id"] == id]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_exits_are_told_by_the_next_hcsd(place, run_args, number):
    path = place / f"left-{int(number)}"
    path.mkdir()
    s = Service(path)
    ends = s.popen("run", "--id", "ends", *run_args, "--", "sh", "-c", "echo up; read x; exit 5",
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    stays = s.popen("run", "--id", "stays", *run_args, "--", "sh", "-c", "echo up; exec sleep 1000",
                    stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert ends.stdout.readline() == stays.stdout.readline() == "up\n"
    s.process.send_signal(number)
    s.process.wait(30)
    s.process = None
    assert ends.wait(30) == stays.wait(30) == 125  # nobody can tell them how it ended
    systems = path / "run" / "systems"
    ends.stdin.write("go\n")
    ends.stdin.close()
    # nobody is there but the keeper: it records the exit
    wait_for(lambda: list(systems.glob("ends.*/exit.*")), "the keeper has recorded the exit")
    s.start()
    wait_for(lambda: len([e for e in s.events() if e["name"] == "SystemExited"]) == 2, "both ends are told")
    events = s.events()
    assert [e["sequence"] for e in events] == list(range(1, len(events) + 1))
    told = names(events, "ends")
    assert [n for n, _ in told] == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited", "SystemExited"]
    assert told[3][1] == dict(told[3][1], how="code", code=5)
    told = names(events, "stays")
    assert [n for n, _ in told] == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited", "SystemExited"]
    assert told[3][1] == dict(told[3][1], how="signal", signal=9)
    assert told[4][1]["type"] == "forced" and told[4][1]["initiator"] == "internal"
    assert os.listdir(systems) == []
    assert subprocess.run(["pgrep", "-f", f"hcs-keeper --keep {path}"], stdout=subprocess.DEVNULL).returncode == 1
    assert sorted(x["Id"] for x in s.list(everything=True)) == ["ends", "stays"]
    s.hcs("run", "--id", "stays", *run_args, "--", "true", check=0)  # the id is free again
    assert s.stop() == 0
    s.start()
    assert len([e for e in s.events() if e["system"]["id"] == "ends"]) == 5  # told once
    assert s.stop() == 0
