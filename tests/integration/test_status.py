"""hcs status: the wire, the table, JSON and Prometheus; and what no log may hold."""

import contextlib
import json
import os
import pathlib
import re
import stat
import subprocess

import pytest

from conftest import HCS, Service, wait_for

IDL = pathlib.Path(os.environ["SOURCE_ROOT"]) / "idl" / "org.libhcs.ComputeService.varlink"


def status(s):
    return json.loads(s.hcs("status", "--json", check=0).stdout)


# ---- the object ----

def test_every_field_is_described(service):
    """GetStatus answers with the fields that the interface describes, and no other."""
    text = IDL.read_text().split("method GetStatus")[0].split("\n\n")[-1]
    words = set(re.findall(r"\w+", text))

    def names(value):
        if isinstance(value, dict):
            for key, inner in value.items():
                yield key
                yield from names(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from names(inner)

    reader = service.popen("events", stdout=subprocess.DEVNULL)
    wait_for(lambda: status(service)["readers"]["count"] == 1, "there is a reader")
    now = status(service)
    reader.terminate()
    reader.wait(60)
    now.pop("drivers")  # as GetInfo has them
    assert set(names(now)) - words == set()


def test_the_documents_say_what_is_kept(service):
    kept = status(service)["log"]
    size = f"{kept['bytesMax'] // 2**20}M"
    docs = pathlib.Path(os.environ["SOURCE_ROOT"])
    assert kept["ageMaxNs"] == 0
    assert f"the newest {kept['eventsMax']} events, up to {size} of them, of any age" in (docs / "docs/behaviour.md").read_text()
    table = (docs / "docs/events.md").read_text()
    assert f"| `--keep-events N` | {kept['eventsMax']} |" in table and f"| `--keep-bytes SIZE` | {size} |" in table


def test_it_tells_what_there_is(service, run_args):
    before = status(service)
    assert before["pid"] == service.process.pid and before["socket"] == str(service.socket)
    assert before["uid"] == os.geteuid()
    assert before["refused"] == {k: 0 for k in before["refused"]}
    run = service.popen("run", "--id", "seen", *run_args, "--", "cat", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    reader = service.popen("events", stdout=subprocess.DEVNULL)
    wait_for(lambda: status(service)["systems"]["running"] == 1, "it runs")
    wait_for(lambda: status(service)["log"]["last"] >= before["log"]["last"] + 3, "so does its program")
    wait_for(lambda: status(service)["readers"]["count"] >= 1, "there is a reader")
    now = status(service)
    assert now["log"]["id"] == before["log"]["id"]
    assert now["uptimeNs"] > before["uptimeNs"] and now["startedNs"] == before["startedNs"]
    assert [u["uid"] for u in now["users"]] == [os.geteuid()]
    used = now["users"][0]["used"]
    assert used["connections"] == now["connections"] and used["streams"] == now["readers"]["count"]
    run.communicate()
    assert run.wait(60) == 0
    reader.terminate()
    reader.wait(60)
    wait_for(lambda: (lambda x: x["readers"]["count"] == 0 and sum(x["systems"].values()) == 0)(status(service)),
             "both are gone")


def test_a_gap_is_counted(place):
    path = place / "gap"
    path.mkdir()
    s = Service(path, "--driver", "fake", "--keep-events", "100")
    document = json.dumps({"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1},
                           "Container": {"Storage": {"Path": "/"}}})
    with s.connect() as w, s.connect() as reader:
        for i in range(100):
            w.call("CreateSystem", {"id": f"s{i}", "document": document})
            w.call("TerminateSystem", {"id": f"s{i}"})
        assert (now := w.call("GetStatus")["status"])["readers"]["gaps"] == 0
        first = now["log"]["first"]
        assert first > 1 and now["log"]["events"] == now["log"]["last"] - first + 1 == 200 - first + 1
        assert now["log"]["eventsMax"] == 100
        reader.send("Subscribe", {"from": "after", "after": 0}, more=True)
        while "gap" not in (said := reader.receive()["parameters"]):
            pass
        assert said["gap"] == {"first": 1, "last": first - 1}
        now = w.call("GetStatus")["status"]["readers"]
        assert now["gaps"] == now["list"][0]["gaps"] == 1
        assert now["missedEvents"] == now["list"][0]["missedEvents"] == first - 1
    wait_for(lambda: status(s)["readers"]["count"] == 0, "the reader has gone")
    assert status(s)["readers"]["missedEvents"] == first - 1  # of those that have gone, too
    assert s.stop() == 0


@pytest.fixture
def on_small_disk(place):
    """A service whose state directory is a file system with little room."""
    path = place / "full" / "state"
    path.mkdir(parents=True)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", path], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    s = Service(path.parent, "--driver", "fake")
    yield s
    stopped = s.stop()
    subprocess.run(["umount", path], check=True)
    assert stopped == 0, s.read_log()


def fill(path):
    """Take all the room there is."""
    with open(path, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(b"x" * 4096):
            pass


def test_a_log_that_cannot_be_written_is_told(on_small_disk):
    s = on_small_disk
    document = json.dumps({"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1},
                           "Container": {"Storage": {"Path": "/"}}})
    assert status(s)["log"]["stuck"] is False
    fill(s.root / "state" / "filler")
    with contextlib.ExitStack() as opened:
        waits = []
        while not (now := status(s))["log"]["stuck"]:
            waits.append(opened.enter_context(s.connect()))
            waits[-1].send("CreateSystem", {"id": f"s{len(waits)}", "document": document})
            assert len(waits) < 2000, "the disk is not full"
        assert now["log"]["pending"] >= 1 and now["log"]["stuckSinceNs"] > 0 and "full" in now["log"]["error"]
        assert "cannot be written since" in s.hcs("status", check=0).stdout
        assert "\nhcs_log_stuck 1\n" in s.hcs("status", "--prometheus", check=0).stdout
        (s.root / "state" / "filler").unlink()
        assert all(w.receive() for w in waits)  # each is answered
    assert status(s)["log"]["stuck"] is False and status(s)["log"]["pending"] == 0
    assert "cannot be written" not in s.hcs("status", check=0).stdout


# ---- for people ----

def test_the_table_fits_a_terminal(service):
    lines = service.hcs("status", check=0).stdout.splitlines()
    titles = [line.split()[0] for line in lines if line and not line.startswith(" ")]
    for title in ("service", "socket", "log", "systems", "readers", "refused", "USER"):
        assert title in titles
    assert max(map(len, lines)) <= 80 or len(str(service.socket)) > 60


def test_without_a_service_it_starts_none(place):
    path = place / "none"
    path.mkdir()
    s = Service(path, start=False)
    for option in ([], ["--json"], ["--prometheus"]):
        r = s.hcs("status", *option, check=3)
        assert r.stdout == "" and "no service runs, and status starts none" in r.stderr
        assert not s.socket.exists()


def test_options_that_exclude_each_other_are_told(service):
    r = service.hcs("status", "--json", "--prometheus", check=2)
    assert "exclude each other" in r.stderr
    service.hcs("status", "what", check=2)


def test_control_characters_stay_out_of_the_terminal(service):
    assert "\x1b" not in service.hcs("status", check=0).stdout


# ---- for Prometheus ----

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"({NAME})(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9]+(?:\.[0-9]+)?)")
UNITS = ("_total", "_bytes", "_seconds")


def parse_metrics(text):
    """Text exposition format 0.0.4, read as strictly as its definition allows: {name: (type, {labels: value})}."""
    assert text.endswith("\n") and "\r" not in text
    metrics, current, has_help = {}, None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, help = line[7:].partition(" ")
            assert re.fullmatch(NAME, name) and help and not re.search(r"\\(?![\\n])", help), line
            assert name not in metrics, f"{name} has two HELP lines, or they are apart"
            has_help = name
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name == has_help and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), f"{name} is a {kind}"
            metrics[name] = (kind, {})
            current = name
        else:
            match = SAMPLE.fullmatch(line)
            assert match, f"not a sample: {line!r}"
            name, labels, value = match.groups()
            assert name == current, f"a sample of {name} among those of {current}"
            assert name.startswith("hcs_")
            key = frozenset(re.findall(LABEL, labels or ""))
            assert len({x.split("=")[0] for x in key}) == len(key)
            assert key not in metrics[name][1], f"twice: {line}"
            metrics[name][1][key] = float(value)
    assert all(samples for _, samples in metrics.values()), "a metric without samples"
    return metrics


def test_metrics_are_what_prometheus_reads(service):
    reader = service.popen("events", stdout=subprocess.DEVNULL)
    wait_for(lambda: status(service)["readers"]["count"] == 1, "there is a reader")
    metrics = parse_metrics(service.hcs("status", "--prometheus", check=0).stdout)
    now = status(service)
    reader.terminate()
    reader.wait(60)

    def one(name):
        assert list(metrics[name][1]) == [frozenset()]
        return metrics[name][1][frozenset()]

    assert one("hcs_events_total") == now["log"]["last"]
    assert abs(one("hcs_start_time_seconds") - now["startedNs"] / 1e9) < 1e-3
    assert 0 < one("hcs_uptime_seconds") <= now["uptimeNs"] / 1e9
    assert one("hcs_readers") == 1
    assert metrics["hcs_refused_total"][0] == "counter"
    assert {f'reason="{k}"' for k in now["refused"]} == {x for k in metrics["hcs_refused_total"][1] for x in k}
    assert {f'state="{k}"' for k in now["systems"]} == {x for k in metrics["hcs_systems"][1] for x in k}
    mine = frozenset({f'user="{os.geteuid()}"'})
    assert metrics["hcs_user_limit_bytes"][1][mine] == now["users"][0]["limits"]["bytes"]
    assert len(metrics["hcs_reader_lag_events"][1]) == 1


@pytest.mark.parametrize("bad", [
    "# TYPE hcs_x gauge\nhcs_x 1\n",                                        # no HELP
    "# HELP hcs_x X.\n# TYPE hcs_x gauge\nhcs_x{a=\"\\t\"} 1\n",            # an escape that is none
    "# HELP hcs_x X.\n# TYPE hcs_x gauge\nhcs_x 1\nhcs_x 2\n",              # twice
    "# HELP hcs_x X.\n# TYPE hcs_x gauge\nhcs_y 1\n",                       # of another
    "# HELP hcs_x X.\n# TYPE hcs_x counter\nhcs_x 1\n",                     # a counter's name ends in _total
    "# HELP hcs_x X.\n# TYPE hcs_x gauge\nhcs_x 1",                         # no end of line
    "# HELP hcs_x X.\n# TYPE hcs_x gauge\n",                                # no samples
])
def test_the_parser_is_strict(bad):
    with pytest.raises(AssertionError):
        parse_metrics(bad)


# ---- what no log may hold ----

def test_secrets_are_in_no_log(place, containers, run_args):
    path = place / "secrets"
    path.mkdir()
    s = Service(path, "--log-level", "debug")
    marker = "MARKER-7f3a9c51"
    s.hcs("run", *run_args, "-e", f"PASSWORD={marker}-env", "--", "sh", "-c", 'test "$PASSWORD"', check=0)
    s.hcs("run", *run_args, "-e", f"PASSWORD={marker}-missing", "--", "no-such-program", check=127)
    document = {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1},
                "Container": {"Storage": {"Path": f"/no/such/{marker}-path"}, f"{marker}-field": {"x": f"{marker}-x"}}}
    assert s.hcs("create", "-", input=json.dumps(document)).returncode != 0
    with s.connect() as w:  # what is not even a document
        w.send("CreateSystem", {"id": "a", "document": f'{{"{marker}-broken": '})
        w.receive()
        w.send(f"{marker}-method", {f"{marker}-parameter": 1})
        w.receive()
        w.send_raw(f"{marker}-rubbish\0".encode())
        w.receive()
    in_document = "DOCUMENT-52c1"  # of one that is carried out: no event shows it
    if containers:
        (path / in_document).mkdir()
        s.hcs("run", *run_args, "-v", f"{path}/{in_document}:/mnt", "--", "test", "-d", "/mnt", check=0)
    assert any(e["name"] == "ProcessExited" for e in s.events())
    for text in (json.dumps(s.events()), s.read_log()):
        assert marker not in text and in_document not in text
    files = [p for p in (path / "state").rglob("*") if p.is_file() and p.name.startswith("events.db")]
    assert files
    for p in [*files, path / "hcsd.log"]:
        assert marker.encode() not in p.read_bytes(), p.name
        assert stat.S_IMODE(p.stat().st_mode) & 0o077 == 0 or p.name == "hcsd.log"  # that is the test's
    assert stat.S_IMODE((path / "state").stat().st_mode) == 0o700
    assert s.stop() == 0
    for p in [*(path / "state").glob("events.db*"), path / "hcsd.log"]:
        assert marker.encode() not in p.read_bytes(), p.name
