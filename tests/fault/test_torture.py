"""hcsd is killed at random moments, keepers too, while real containers come and go and readers resume, stop and vanish.

Then what all readers saw and what the log has is checked against what the programs really did (history.py).  How long:
HCS_TORTURE_SECONDS (20; a quarter of it with a full disk, and with a wild clock); the same again: HCS_TORTURE_SEED.
"""

import collections
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import history
from churn import Churn
from conftest import HCSD, Service, wait_for
from readers import Reader

SECONDS = float(os.environ.get("HCS_TORTURE_SECONDS", "20"))
SEED = int(os.environ.get("HCS_TORTURE_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
WORKERS = 4


def keepers(service):
    """{pid: id of the system} of the keepers of this service."""
    listing = subprocess.run(["pgrep", "-af", f"hcs-keeper --keep {service.root}"], capture_output=True, text=True).stdout
    found = {}
    for line in listing.splitlines():
        match = re.search(r"/systems/(\S+)\.\d+", line)
        if match:
            found[int(line.split()[0])] = match.group(1)
    return found


class Killer:
    def __init__(self, service, churn, rng, besides):
        self.service, self.churn, self.rng, self.besides = service, churn, rng, besides
        self.hcsd = self.keeper = self.replaced = 0
        self.slowest = 0.0

    def kill_hcsd(self):
        self.service.process.send_signal(signal.SIGKILL)
        self.service.process.wait(30)
        self.service.log.close()
        self.service.process = None
        if self.rng.random() < 0.3:
            time.sleep(self.rng.random() * 0.3)  # nobody is there for a while: the pause is what is tested
        begin = time.monotonic()
        self.service.start()
        self.slowest = max(self.slowest, time.monotonic() - begin)
        self.hcsd += 1

    def replace_hcsd(self):
        old = self.service.process
        self.service.process = subprocess.Popen([HCSD, "--socket", str(self.service.socket), "--replace"], env=self.service.env,
                                                stdin=subprocess.DEVNULL, stdout=self.service.log, stderr=self.service.log)
        assert old.wait(30) == 0, self.service.read_log()
        wait_for(lambda: self.service.answers() or self.service.process.poll() is not None, "the new hcsd answers")
        assert self.service.process.poll() is None, self.service.read_log()
        self.replaced += 1

    def kill_keeper(self):
        found = keepers(self.service)
        if not found:
            return
        pid = self.rng.choice(sorted(found))
        try:
            self.churn.find(found[pid]).disturbed = True
            os.kill(pid, signal.SIGKILL)
            self.keeper += 1
        except ProcessLookupError:
            pass

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and len(self.churn.errors) == 0:
            time.sleep(self.rng.expovariate(1 / 0.25))  # a random moment is what is tested
            if self.rng.random() < 0.2:
                self.besides.disturb(self.service, self.rng)
            what = self.rng.random()
            if what < 0.15:
                self.kill_keeper()
            elif what < 0.25:
                self.replace_hcsd()
            else:
                self.kill_hcsd()


class FullDisk:
    """A small file system for the state, which something else fills now and then."""

    name = "disk full"
    seconds = SECONDS / 4

    def __init__(self, root):
        if os.geteuid() != 0:
            pytest.skip("only root can mount a small file system")
        self.state = root / "state"
        self.state.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs", str(self.state)], check=True)
        self.times = 0
        self.ballast = self.state / "ballast"

    def disturb(self, service, rng):
        if self.ballast.exists():
            self.ballast.unlink()
            return
        try:
            with open(self.ballast, "wb", buffering=0) as f:
                while True:
                    f.write(b"\0" * 4096)
        except OSError:
            self.times += 1

    def end(self):
        self.ballast.unlink(missing_ok=True)

    def drop(self):
        subprocess.run(["umount", "-l", str(self.state)], check=True)


class WildClock:
    """Each hcsd lives at another time of the wall clock, earlier or later than the one before."""

    name = "clock jumps"
    seconds = SECONDS / 4

    def __init__(self, _root):
        self.times = 0

    def disturb(self, service, rng):
        service.env.update(LD_PRELOAD=os.environ["WILD_CLOCK_LIB"], WILD_CLOCK=str(rng.randrange(-400, 400) * 86400))
        # under a sanitizer, too, which wants to be the first library
        service.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.times += 1

    def end(self):
        pass

    def drop(self):
        pass


class Nothing:
    name = "nothing else"
    seconds = SECONDS
    times = 0

    def __init__(self, _root):
        pass

    def disturb(self, service, rng):
        pass

    def end(self):
        pass

    def drop(self):
        pass


def left_behind(service):
    left = [f"keeper of {id}" for id in keepers(service).values()]
    left += [f"run directory {d}" for d in os.listdir(service.root / "run" / "systems")]
    with open("/proc/self/mountinfo") as f:
        left += [f"mount {line.split()[4]}" for line in f if str(service.root / "run") in line]
    return left


def table(churn, killer, readers, log):
    ways = collections.Counter(s.way for s in churn.systems)
    ends = collections.Counter(history.end_of(e["exit"])[0] for e in log if e["name"] == "ProcessExited")
    rows = [
        ("seed", SEED), ("hcsd killed", killer.hcsd), ("hcsd replaced", killer.replaced), ("keepers killed", killer.keeper),
        (killer.besides.name, killer.besides.times), ("slowest start of hcsd", f"{killer.slowest:.2f} s"),
        ("systems", len(churn.systems)), *((f"  {way}", n) for way, n in sorted(ways.items())), ("events", len(log)),
        *((f"  ends by {how}", n) for how, n in sorted(ends.items())),
        *((f"reader {r.name_}", f"{sum(1 for h in r.history if h[0] == 'event')} events, {r.connections} connections")
          for r in readers),
    ]
    return "".join(f"# {name:28} {value}\n" for name, value in rows)


@pytest.fixture
def root():
    path = tempfile.mkdtemp(prefix="hcs-torture-")
    yield pathlib.Path(path)
    shutil.rmtree(path)


def end_keepers(service):
    """Whatever went wrong, nothing of ours stays on the machine."""
    for pid in keepers(service):
        os.kill(pid, signal.SIGKILL)


def torture(service, document, with_memory, besides):
    rng = random.Random(SEED)
    churn = Churn(service.socket, document, rng.random(), WORKERS, with_memory)
    readers = [Reader(f"{manner} {i}", service.socket, manner, rng.random())
               for manner in ("steady", "leaves", "sleeps") for i in range(2)]
    killer = Killer(service, churn, rng, besides)
    killer.run(besides.seconds)
    besides.end()
    churn.stop()
    try:
        wait_for(lambda: not left_behind(service), "everything is cleaned up", 30)
    except AssertionError:
        churn.errors += left_behind(service)
    log = service.events()
    for r in readers:
        r.finish(log[-1]["sequence"] if log else 0, 30)
    wrong = churn.errors + [r.error for r in readers if r.error]
    wrong += history.check_all(log, {r.name_: r.history for r in readers}, churn.systems)
    return wrong, killer, table(churn, killer, readers, log)


@pytest.mark.parametrize("besides", [Nothing, FullDisk, WildClock], ids=lambda b: b.name.replace(" ", "_"))
def test_no_exit_is_lost_or_made_up(root, rootfs, document, containers, capsys, besides):
    besides = besides(root)
    service = Service(root)
    try:
        wrong, killer, rows = torture(service, document, bool(containers), besides)
    finally:
        service.stop()
        end_keepers(service)
        besides.drop()
    with capsys.disabled():
        print("\n" + rows, end="")
    assert not wrong, f"seed {SEED}: {len(wrong)} things are wrong\n" + "\n".join(wrong[:40])
    assert killer.hcsd >= besides.seconds, "hcsd was not killed often enough for this to mean anything"
