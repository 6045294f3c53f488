"""Bad input: a clear error each time, and a service that goes on."""

import json
import os

import pytest

from conftest import DEADLINE, CallFailed, wait_for


def create(service, document, id="bad"):
    text = document if isinstance(document, str) else json.dumps(document)
    return service.hcs("create", "-", "--id", id, input=text)


@pytest.fixture(autouse=True)
def goes_on(service, document):
    yield
    assert service.process.poll() is None, service.read_log()
    assert create(service, document, "probe").returncode == 0
    service.hcs("kill", "probe", check=0)
    service.hcs("rm", "probe", check=0)
    assert service.list() == []


def with_change(document, change):
    copy = json.loads(json.dumps(document))
    change(copy)
    return copy


def refused(r, *words):
    assert r.returncode != 0, r.stdout
    for word in words:
        assert word in r.stderr, r.stderr


def test_broken_json_by_line_and_column(service):
    refused(create(service, '{\n  "Owner": "x",\n  oops\n}'), "line 3", "column")


def test_wrong_type_by_path(service, document):
    refused(create(service, with_change(document, lambda d: d["Container"].update(Memory={"SizeInMB": "64"}))),
            "$.Container.Memory")
    refused(create(service, with_change(document, lambda d: d.update(Owner=7))), "$.Owner")


def test_unknown_field_by_path(service, document):
    refused(create(service, with_change(document, lambda d: d["Container"].update(Stroage={}))),
            "$.Container.Stroage", "Storage")


def test_field_that_is_not_honoured_by_path(service, document):
    refused(create(service, with_change(document, lambda d: d["Container"].update(Networking={}))),
            "$.Container.Networking")
    refused(create(service, with_change(document, lambda d: d.update(ShouldTerminateOnLastHandleClosed=True))),
            "$.ShouldTerminateOnLastHandleClosed")


def test_duplicate_id(service, document):
    assert create(service, document, "twice").returncode == 0
    refused(create(service, document, "twice"), "twice", "already")
    service.hcs("kill", "twice", check=0)


def test_unknown_id(service):
    for verb in ("start", "stop", "kill", "inspect", "rm"):
        refused(service.hcs(verb, "nobody"), "nobody")


@pytest.mark.parametrize("id,word", [("../etc", "'.'"), ("a/../b", "'/'"), ("", "empty"), ("x" * 300, "300"), ("-a", "'-'"),
                                     ("a b", "' '"), ("a\tb", "")])
def test_bad_ids(service, document, id, word):
    with service.connect() as w:
        with pytest.raises(CallFailed) as e:
            w.call("CreateSystem", {"id": id, "document": json.dumps(document)})
    assert e.value.name == "HCS_E_INVALIDARG"
    assert word in e.value.text


def test_bad_root_file_systems(service, document, place, needs_containers):
    a_file = place / "a-file"
    a_file.write_text("")
    for path, word in ((str(place / "missing"), "missing"), (str(a_file), "a-file"), ("relative/path", "absolute")):
        changed = with_change(document, lambda d: d["Container"]["Storage"].update(Path=path))
        refused(create(service, changed), "$.Container.Storage.Path", word)


def test_limits_out_of_range(service, document, needs_containers):
    for change, path in (({"Processor": {"Maximum": 10001}}, "$.Container.Processor.Maximum"),
                         ({"Processor": {"Count": 1, "Weight": 5}}, "$.Container.Processor"),
                         ({"Processor": {"Count": 100000}}, "$.Container.Processor.Count"),
                         ({"Memory": {"SizeInMB": 0}}, "$.Container.Memory.SizeInMB"),
                         ({"Memory": {"SizeInMB": -5}}, "$.Container.Memory.SizeInMB")):
        refused(create(service, with_change(document, lambda d: d["Container"].update(change))), path)


def test_start_twice_and_stop_before_start(service, document):
    assert create(service, document, "order").returncode == 0
    with service.connect() as w:
        with pytest.raises(CallFailed) as e:
            w.call("ShutDownSystem", {"id": "order"})
        assert e.value.name == "HCS_E_INVALID_STATE"
    service.hcs("start", "order", check=0)
    refused(service.hcs("start", "order"), "order")
    service.hcs("kill", "order", check=0)
    refused(service.hcs("kill", "order"), "order")


def test_bad_process_parameters(service, document):
    assert create(service, document, "params").returncode == 0
    service.hcs("start", "params", check=0)
    with service.connect() as w:
        for parameters, name in (("{", "HCS_E_INVALID_JSON"), ("{}", "HCS_E_INVALIDARG"),
                                 ('{"CommandArgs":[]}', "HCS_E_INVALIDARG"),
                                 ('{"CommandArgs":[1]}', "HCS_E_INVALID_JSON"),
                                 ('{"CommandArgs":["true"],"CommandLine":"true"}', "HCS_E_INVALIDARG"),
                                 ('{"CommandArgs":["true"],"Nonsense":1}', "HCS_E_INVALID_JSON"),
                                 ('{"CommandArgs":["true"],"User":"root"}', "HCS_E_WIN32_NOT_SUPPORTED")):
            with pytest.raises(CallFailed) as e:
                w.call("CreateProcess", {"id": "params", "parameters": parameters})
            assert e.value.name == name, e.value.text
        with pytest.raises(CallFailed) as e:
            w.call("CreateProcess", {"id": "params", "parameters": '{"CommandArgs":["true"]}', "stdin": 3})
        assert e.value.name == "HCS_E_INVALIDARG"
        for n, name in ((0, "HCS_E_WIN32_NOT_FOUND"), (2**40, "HCS_E_WIN32_NOT_FOUND")):
            with pytest.raises(CallFailed) as e:
                w.call("WaitProcess", {"id": "params", "processId": n})
            assert e.value.name == name
    service.hcs("kill", "params", check=0)


def test_subscriptions_that_make_no_sense(service):
    for parameters, text in (({"from": "yesterday"}, "'yesterday'"), ({"from": "after"}, "`after`"),
                             ({"from": "now", "after": 1}, "`after`"), ({"from": "nowOrExit"}, "`systemId`"),
                             ({"incarnation": 1}, "`systemId`")):
        with service.connect() as w:
            w.send("Subscribe", parameters, more=True)
            answer = w.receive()["parameters"]
            assert answer["name"] == "HCS_E_INVALIDARG"
            assert text in answer["text"]


# ---- the wire ----

def test_methods_and_parameters_that_do_not_exist(service):
    with service.connect() as w:
        for method, parameters, error in (("Nonsense", {}, "MethodNotFound"),
                                          ("GetInfo", {"x": 1}, "InvalidParameter"),
                                          ("OpenSystem", {}, "InvalidParameter"),
                                          ("OpenSystem", {"id": 5}, "InvalidParameter"),
                                          ("StartSystem", {"id": "a", "incarnation": -1}, "InvalidParameter"),
                                          ("Subscribe", {}, "InvalidParameter")):
            with pytest.raises(CallFailed) as e:
                w.call(method, parameters)
            assert e.value.error == "org.varlink.service." + error
        with pytest.raises(CallFailed) as e:
            w.call("Foo", interface="no.such.thing")
        assert e.value.error == "org.varlink.service.InterfaceNotFound"


def test_message_that_is_not_json(service):
    with service.connect() as w:
        w.send_raw(b"this is not json\0")
        assert w.receive()["parameters"]["name"] == "HCS_E_INVALID_JSON"
        w.send_raw(b"[1,2]\0")
        assert w.receive()["parameters"]["name"] == "HCS_E_INVALID_JSON"
        assert w.call("GetInfo")["info"]["name"] == "hcsd"


def test_half_a_message_harms_nobody(service):
    with service.connect() as w:
        w.send_raw(b'{"method":"org.libhcs.Comp')
        with service.connect() as other:
            assert other.call("GetInfo")["info"]["name"] == "hcsd"


def memory(service):
    with open(f"/proc/{service.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_hundred_megabytes_are_refused(service):
    before = memory(service)
    with service.connect() as w:
        sent = 0
        chunk = b"x" * 65536
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while sent < 100 << 20:
                w.send_raw(chunk)
                sent += len(chunk)
        assert sent < 100 << 20
    if "HCS_TEST_WRAPPER" not in os.environ:
        assert memory(service) - before < 16 << 10  # kB


def test_client_that_never_reads_is_bounded(service):
    """Calls are answered in order and none is begun while answers pile up: the flood stops at the socket."""
    before = memory(service)
    with service.connect() as w:
        w.s.settimeout(1)
        message = json.dumps({"method": "org.varlink.service.GetInterfaceDescription",
                              "parameters": {"interface": "org.libhcs.ComputeService"}}).encode() + b"\0"
        with pytest.raises(TimeoutError):
            while True:
                w.send_raw(message * 100)
        with service.connect() as other:
            assert other.call("GetInfo")["info"]["name"] == "hcsd"
        if "HCS_TEST_WRAPPER" not in os.environ:
            assert memory(service) - before < 16 << 10


# ---- pipelined, one-way and half-closed calls ----

def test_answers_survive_a_half_close(service):
    import socket
    with service.connect() as w:
        message = json.dumps({"method": "org.varlink.service.GetInterfaceDescription",
                              "parameters": {"interface": "org.libhcs.ComputeService"}}).encode() + b"\0"
        w.s.settimeout(DEADLINE)
        w.send_raw(message * 400)
        w.s.shutdown(socket.SHUT_WR)
        answers = 0
        while (reply := w.receive()) is not None:
            assert "description" in reply["parameters"]
            answers += 1
        assert answers == 400


def test_oneway_calls_are_carried_out_in_order(service, document):
    with service.connect() as w:
        for method, parameters in (("CreateSystem", {"id": "oneway", "document": json.dumps(document)}),
                                   ("StartSystem", {"id": "oneway"})):
            w.send_raw(json.dumps({"method": f"org.libhcs.ComputeService.{method}", "parameters": parameters,
                                   "oneway": True}).encode() + b"\0")
    wait_for(lambda: [x for x in service.list() if x["Id"] == "oneway" and x["State"] == "Running"], "it runs")
    service.hcs("kill", "oneway", check=0)
    with service.connect() as w:
        w.send_raw(json.dumps({"method": "org.libhcs.ComputeService.Subscribe", "more": True, "oneway": True,
                               "parameters": {}}).encode() + b"\0")
        assert w.receive()["error"] == "org.varlink.service.InvalidParameter"


def test_a_busy_client_does_not_keep_others_waiting(service, document):
    import threading
    create(service, document, "quick")
    service.hcs("kill", "quick", check=0)
    stop = threading.Event()

    def flood():
        message = json.dumps({"method": "org.libhcs.ComputeService.GetInfo", "parameters": {}}).encode() + b"\0"
        with service.connect() as w:
            while not stop.is_set():
                w.send_raw(message * 50)
                for _ in range(50):
                    w.receive()
    threads = [threading.Thread(target=flood) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        with service.connect() as w:  # answered by the turn; the flood ends only after it
            w.s.settimeout(DEADLINE)
            assert w.call("WaitSystem", {"id": "quick"})["exit"]["how"] == "status"
    finally:
        stop.set()
        for t in threads:
            t.join(DEADLINE)


def test_many_empty_arguments_do_not_lose_the_event(service, document):
    create(service, document, "empty")
    service.hcs("start", "empty", check=0)
    with service.connect() as w:
        p = w.call("CreateProcess", {"id": "empty", "parameters": json.dumps({"CommandArgs": ["true"] + [""] * 2000})})
        w.call("WaitProcess", {"id": "empty", "processId": p["processId"]})
    service.hcs("kill", "empty", check=0)
    names = [e["name"] for e in service.events() if e["system"]["id"] == "empty"]
    assert names == ["SystemCreated", "SystemStarted", "ProcessStarted", "ProcessExited", "SystemExited"]
