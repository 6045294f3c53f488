"""Who may use a service, and how much of it: real users, by the kernel's word."""

import contextlib
import grp
import json
import os
import pathlib
import socket
import stat
import subprocess

import pytest

from conftest import HCS, HCSD, CallFailed, Service, Wire, wait_for

NOBODY, SOMEBODY = 65534, 65533
DENIED, BUSY = "HCS_E_ACCESS_DENIED", "HCS_E_WIN32_BUSY"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")


@contextlib.contextmanager
def user(uid, gid=None, groups=()):
    """Be somebody else for a while: the kernel notes who connects when he does."""
    before = os.getgroups()
    os.setgroups(list(groups))
    os.setegid(uid if gid is None else gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(before)


def open_to_all(s):
    """Take the modes out of the way: what is left is hcsd's own check."""
    os.chmod(s.root, 0o755)
    os.chmod(s.socket.parent, 0o755)
    os.chmod(s.socket, 0o666)


def status(s):
    with s.connect() as w:
        return w.call("GetStatus")["status"]


def first_word(w):
    """What the service says before it was asked, and that it then closes."""
    reply = w.receive()
    assert reply["error"] == "org.libhcs.ComputeService.Failed"
    with contextlib.suppress(ConnectionResetError):  # the end, with bytes of ours unread
        assert w.receive() is None
    return reply["parameters"]


@pytest.fixture(scope="module")
def group():
    """A group that is not root's; any will do."""
    found = [g for g in grp.getgrall() if g.gr_gid not in (0, NOBODY, SOMEBODY)]
    if not found:
        pytest.skip("this machine has no group but root's")
    return found[0]


@pytest.fixture
def begin(place, request):
    started = []

    def start(*args):
        path = place / f"s{len(os.listdir(place))}"
        path.mkdir()
        started.append(Service(path, "--driver", "fake", *args))
        os.chmod(path, 0o755)
        os.chmod(place, 0o755)
        return started[-1]

    yield start
    os.chmod(place, 0o700)
    for s in started:
        assert s.stop() == 0, s.read_log()


# ---- who ----

def test_a_stranger_gets_one_answer_and_the_end(begin):
    s = begin("--group", "")
    open_to_all(s)
    for n in (1, 2, 3):
        with user(NOBODY, groups=[0]), Wire(s.socket) as w:
            said = first_word(w)
        assert said["name"] == DENIED and f"uid {NOBODY} " in said["text"] and "root alone" in said["text"]
        now = status(s)
        assert now["refused"]["access"] == n
        assert [u["uid"] for u in now["users"]] == [0]
    assert s.read_log().count(f"uid {NOBODY} may not use") == 2  # the first, the second, the fourth...


def test_hcs_shows_a_stranger_the_way_out(begin):
    if subprocess.run(["test", "-x", HCS], user=NOBODY, group=NOBODY, extra_groups=[]).returncode != 0:
        pytest.skip("another user cannot reach the build directory")
    s = begin("--group", "")
    open_to_all(s)
    r = subprocess.run([HCS, "list"], env=s.env, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True,
                       text=True)
    assert r.returncode == 1
    assert f"uid {NOBODY} may not use the service of uid 0" in r.stderr


@pytest.mark.parametrize("second", [False, True])
def test_members_of_the_group_are_served_and_nobody_else(begin, group, second):
    s = begin("--group", group.gr_name)
    st = os.stat(s.socket)
    assert stat.S_IMODE(st.st_mode) == 0o660 and st.st_gid == group.gr_gid
    st = os.stat(s.socket.parent)
    assert stat.S_IMODE(st.st_mode) == 0o750 and st.st_gid == group.gr_gid
    member = {"groups": [4711, group.gr_gid]} if second else {"gid": group.gr_gid}
    with user(NOBODY, **member), Wire(s.socket) as w:
        assert w.call("GetInfo")["info"]["shared"]  # so isolation none is refused
        assert [(u["uid"], u["privileged"]) for u in w.call("GetStatus")["status"]["users"]] == [(NOBODY, False)]
    with user(SOMEBODY), socket.socket(socket.AF_UNIX) as other, pytest.raises(PermissionError):
        other.connect(str(s.socket))
    open_to_all(s)
    with user(SOMEBODY), Wire(s.socket) as w:
        said = first_word(w)
    assert said["name"] == DENIED and f"join group {group.gr_name}" in said["text"]


def test_the_service_of_a_user_is_for_him_and_root(place):
    path = place / "of-a-user"
    path.mkdir()
    for directory in (place, path):
        os.chmod(directory, 0o755)
    os.chown(path, NOBODY, NOBODY)
    if subprocess.run(["test", "-x", HCSD], user=NOBODY, group=NOBODY, extra_groups=[]).returncode != 0:
        pytest.skip("another user cannot reach the build directory")
    s = Service(path, start=False)
    with open(path / "hcsd.log", "ab") as log:
        p = subprocess.Popen([HCSD, "--socket", s.socket, "--driver", "fake"], env=s.env, user=NOBODY, group=NOBODY,
                             extra_groups=[], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for(lambda: s.answers() or p.poll() is not None, "hcsd answers")
        os.chmod(s.socket.parent, 0o755)
        os.chmod(s.socket, 0o666)
        with user(NOBODY), Wire(s.socket) as w:
            assert w.call("GetStatus")["status"]["uid"] == NOBODY
        with s.connect() as w:  # root
            assert {u["uid"]: u["privileged"] for u in w.call("GetStatus")["status"]["users"]} == {0: True}
        with user(SOMEBODY, gid=NOBODY, groups=[0]), Wire(s.socket) as w:
            said = first_word(w)
        assert said["name"] == DENIED and f"become uid {NOBODY}" in said["text"]
        assert status(s)["refused"]["access"] == 1
    finally:
        p.terminate()
        assert p.wait(60) == 0
        os.chmod(place, 0o700)


def test_a_group_that_is_not_there_is_told(place):
    r = subprocess.run([HCSD, "--socket", place / "x" / "s", "--state-dir", place / "y", "--group", "no-such-group"],
                       capture_output=True, text=True)
    assert r.returncode == 1 and "no-such-group" in r.stderr and "groupadd" in r.stderr


def test_limits_that_cannot_be_are_told(place):
    r = subprocess.run([HCSD, "--socket", place / "x" / "s", "--state-dir", place / "y", "--limits", "streems=3"],
                       capture_output=True, text=True)
    assert r.returncode == 1 and "'streems=3'" in r.stderr and "streams=N" in r.stderr


@pytest.mark.parametrize("which", ["state", "run/systems"])
def test_a_directory_that_others_see_is_refused(place, which):
    path = place / f"open-{which.replace('/', '-')}"
    (path / which).mkdir(parents=True)
    os.chmod(path / which, 0o755)
    r = subprocess.run([HCSD, "--socket", path / "run" / "s", "--state-dir", path / "state", "--driver", "fake"],
                       capture_output=True, text=True)
    assert r.returncode == 1 and str(path / which) in r.stderr and "chmod 700" in r.stderr
    assert stat.S_IMODE(os.stat(path / which).st_mode) == 0o755  # it may be somebody else's


# ---- how much ----

@pytest.fixture
def limited(begin, group):
    """A service, and how to come to it as a member of its group."""
    s = begin("--group", group.gr_name, "--limits", "connections=6,streams=2,calls=2,bytes=64K")
    open_to_all(s)
    opened = []

    def come(uid=NOBODY):
        with user(uid, gid=group.gr_gid):
            opened.append(Wire(s.socket))
        return opened[-1]

    yield s, come
    for w in opened:
        w.s.close()


def refused(w, method, parameters=None, **kw):
    with pytest.raises(CallFailed) as e:
        w.call(method, parameters, **kw)
    assert e.value.name == BUSY
    return e.value.text


def counts(s):
    return {u["uid"]: u["used"] for u in status(s)["users"]}


def test_one_user_cannot_take_all_connections(limited):
    s, come = limited
    mine = [come() for _ in range(6)]
    for w in mine:
        w.call("GetInfo")
    said = first_word(come())
    assert said["name"] == BUSY
    assert f"uid {NOBODY} has 6 connections and may have 6" in said["text"] and "--limits" in said["text"]
    come(SOMEBODY).call("GetInfo")
    s.list()  # and root
    assert counts(s)[NOBODY]["connections"] == 6
    assert status(s)["refused"]["connections"] == 1
    mine[0].s.close()
    wait_for(lambda: counts(s)[NOBODY]["connections"] == 5, "it is counted no more")
    come().call("GetInfo")


def test_root_has_four_times_as_much_and_then_is_told_too(limited):
    s, _ = limited
    mine = [s.connect() for _ in range(24)]
    mine[23].call("GetInfo")
    with s.connect() as w:
        assert "uid 0 has 24 connections and may have 24" in first_word(w)["text"]
    for w in mine:
        w.s.close()


def test_one_user_cannot_take_all_streams(limited):
    s, come = limited
    mine = [come() for _ in range(3)]
    for w in mine[:2]:
        w.call("Subscribe", more=True)
    text = refused(mine[2], "Subscribe", more=True)
    assert f"uid {NOBODY} has 2 streams of events and may have 2" in text and "of the host" in text
    mine[2].call("GetInfo")  # the connection goes on
    come(SOMEBODY).call("Subscribe", more=True)
    assert counts(s)[NOBODY]["streams"] == 2
    mine[0].s.close()
    wait_for(lambda: counts(s)[NOBODY]["streams"] == 1, "it is counted no more")
    mine[2].call("Subscribe", more=True)


def test_one_user_cannot_take_all_calls(limited, document):
    s, come = limited
    document = {"Owner": "test", "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": "/"}}}
    mine = [come() for _ in range(3)]
    mine[2].call("CreateSystem", {"id": "alive", "document": json.dumps(document)})
    for w in mine[:2]:
        w.send("WaitSystem", {"id": "alive"})
    wait_for(lambda: counts(s)[NOBODY]["calls"] == 2, "both wait")
    text = refused(mine[2], "WaitSystem", {"id": "alive"})
    assert f"uid {NOBODY} has 2 calls that wait and may have 2" in text
    mine[2].call("ListSystems")  # what is answered at once is answered
    mine[2].call("GetStatus")
    with s.connect() as w:
        w.call("TerminateSystem", {"id": "alive"})
    assert [w.receive()["parameters"]["exit"]["how"] for w in mine[:2]] == ["status", "status"]
    wait_for(lambda: counts(s)[NOBODY]["calls"] == 0, "they wait no more")
    mine[2].call("WaitSystem", {"id": "alive"})


def test_half_messages_of_one_user_are_bounded(limited):
    s, come = limited
    first, second, third = come(), come(), come()
    half = b'{"method":"' + b"x" * 40000
    first.send_raw(half)
    wait_for(lambda: counts(s)[NOBODY]["bytes"] >= len(half), "it is counted")
    second.send_raw(half)
    said = first_word(second)
    assert said["name"] == BUSY and "bytes on their way and may have 65536" in said["text"]
    whole = b'{"method":"' + b"x" * (1 << 20) + b'"}\0'
    for rest in (half, whole):  # behind a stream, too, which is never read
        third.call("Subscribe", more=True)
        with contextlib.suppress(BrokenPipeError):  # refused before all of it was there
            third.send_raw(rest)
        said = first_word(third)
        assert said["name"] == BUSY and "bytes on their way" in said["text"]
        third = come()
    wait_for(lambda: counts(s)[NOBODY]["streams"] == 0, "the stream has ended with that")
    come().call("GetInfo")
    come(SOMEBODY).call("GetInfo")
    first.s.close()
    wait_for(lambda: counts(s)[NOBODY]["bytes"] == 0, "it is counted no more")


def test_answers_that_one_user_does_not_read_are_bounded(limited):
    s, come = limited
    deaf, other = come(), come()
    ask = json.dumps({"method": "org.libhcs.ComputeService.GetInfo"}).encode() + b"\0"
    requests, sent = ask * 20000, 0

    def ask_more():
        nonlocal sent
        with contextlib.suppress(TimeoutError):
            sent += deaf.s.send(requests[sent:sent + 4096])
        return counts(s)[NOBODY]["bytes"] >= 64 << 10

    deaf.s.settimeout(0.01)
    wait_for(ask_more, "as much as is allowed waits")
    deaf.s.settimeout(60)
    assert counts(s)[NOBODY]["bytes"] < (64 << 10) + (64 << 10)  # one answer more, and what was read with it
    text = refused(other, "GetInfo")
    assert "read the answers" in text
    come(SOMEBODY).call("GetInfo")
    for _ in range(sent // len(ask)):
        assert "info" in deaf.receive()["parameters"]  # each, once it reads
    deaf.send_raw(requests[sent:sent + -sent % len(ask)] or ask)  # the other half of the last
    assert "info" in deaf.receive()["parameters"]
    other.call("GetInfo")
    wait_for(lambda: counts(s)[NOBODY]["bytes"] == 0, "it is counted no more")


def test_a_reader_that_does_not_read_goes_on_when_it_does(limited):
    """Streams of a user over his bytes are slow, never stuck, and miss nothing."""
    s, come = limited
    document = {"Owner": "x" * 128, "SchemaVersion": {"Major": 2, "Minor": 1}, "Container": {"Storage": {"Path": "/"}}}
    readers = [come(), come()]
    for w in readers:
        w.call("Subscribe", {"from": "beginning"}, more=True)
    with s.connect() as w:
        for i in range(1500):
            w.call("CreateSystem", {"id": f"s{i % 8}", "document": json.dumps(document)})
            w.call("TerminateSystem", {"id": f"s{i % 8}"})
    now = status(s)
    assert sum(r["blocked"] for r in now["readers"]["list"]) > 0
    assert counts(s)[NOBODY]["bytes"] < (64 << 10) + 2 * 4096
    last = now["log"]["last"]
    assert last == 3000
    for w in readers:
        assert [w.receive()["parameters"]["event"]["sequence"] for _ in range(last)] == list(range(1, last + 1))
    assert status(s)["readers"]["lagMax"] == 0


def test_what_users_had_is_forgotten_when_they_go(limited):
    s, come = limited
    for uid in range(50000, 50100):
        w = come(uid)
        w.call("GetInfo")
        w.s.close()
    wait_for(lambda: list(counts(s)) == [0], "only who asks is there")
