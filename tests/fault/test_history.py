"""The checker itself: whatever is wrong with a history, it says so."""

import copy
import types

import pytest

import history


def event(number, name, id="a", **more):
    return dict(sequence=number, name=name, system={"id": id, "incarnation": 1}, **more)


def code(n):
    return {"how": "code", "code": n}


LOG = [
    event(1, "SystemCreated"),
    event(2, "SystemStarted"),
    event(3, "ProcessStarted", processId=10),
    event(4, "ProcessExited", processId=10, exit=code(3)),
    event(5, "SystemExited", exit={"how": "status", "status": 0}),
]


def system(**change):
    s = dict(id="a", ends={("code", 3)}, disturbed=False, unsure=False, runs=1, answers=[("code", 3)], created=True)
    return types.SimpleNamespace(**dict(s, **change))


def readers(log):
    return {"r": [("resumed", 0), *(("event", e["sequence"], history.text_of(e)) for e in log)]}


def complaints(log=LOG, seen=None, systems=None):
    return history.check_all(log, readers(LOG) if seen is None else seen, systems or [system()])


def test_nothing_is_wrong():
    assert complaints() == []


@pytest.mark.parametrize("number", range(1, 6))
def test_an_event_that_is_missing(number):
    log = [e for e in LOG if e["sequence"] != number]
    assert complaints(log)  # a reader saw it
    assert complaints(log, readers(log))


@pytest.mark.parametrize("number", range(1, 6))
def test_an_event_that_a_reader_missed_or_saw_twice(number):
    whole = readers(LOG)["r"]
    if number < 5:  # one that has not yet read the newest is no fault
        assert complaints(seen={"r": [r for r in whole if r[:2] != ("event", number)]})
    twice = whole[: number + 1] + [whole[number]] + whole[number + 1 :]
    assert complaints(seen={"r": twice})


def test_an_event_that_was_another_one_when_it_was_read():
    seen = readers(LOG)
    other = copy.deepcopy(LOG[3])
    other["exit"] = code(4)
    seen["r"][4] = ("event", 4, history.text_of(other))
    assert complaints(seen=seen)


def test_a_reader_that_goes_on_elsewhere():
    whole = readers(LOG)["r"]
    assert complaints(seen={"r": [*whole[:3], ("resumed", 2), *whole[3:]]}) == []
    assert complaints(seen={"r": [*whole[:3], ("resumed", 3), *whole[4:]]})
    assert complaints(seen={"r": [*whole[:3], ("resumed", 1), *whole[2:]]})


def test_gaps():
    whole = readers(LOG)["r"]
    assert complaints(seen={"r": [("resumed", 0), ("gap", 1, 2), *whole[3:]]}) == []
    assert complaints(seen={"r": [("resumed", 0), ("gap", 1, 3), *whole[3:]]})
    assert complaints(seen={"r": [("resumed", 0), ("gap", 2, 2), *whole[3:]]})


@pytest.mark.parametrize("report", [code(0), {"how": "signal", "signal": 9}, {"how": "unknown", "reason": "who knows"}])
def test_an_invented_end(report):
    log = copy.deepcopy(LOG)
    log[3]["exit"] = report
    assert complaints(log, readers(log))
    if report["how"] != "code":  # nobody can know after the keeper was killed; a code is never made up
        assert complaints(log, readers(log), [system(disturbed=True, answers=[])]) == []
    else:
        assert complaints(log, readers(log), [system(disturbed=True, answers=[])])


def test_an_unknown_end_without_a_reason():
    log = copy.deepcopy(LOG)
    log[3]["exit"] = {"how": "unknown", "reason": ""}
    assert complaints(log, readers(log), [system(disturbed=True, answers=[])])


def test_a_system_that_ends_twice_or_never():
    log = [*LOG, event(6, "SystemExited", exit={"how": "status", "status": 0})]
    assert complaints(log, readers(log))
    assert complaints(LOG[:4], readers(LOG[:4]))


def test_a_process_whose_end_is_not_told_or_told_twice():
    log = [*LOG[:3], event(4, "SystemExited", exit={"how": "status", "status": 0})]
    assert complaints(log, readers(log), [system(answers=[], runs=0)])
    log = [*LOG[:4], event(5, "ProcessExited", processId=10, exit=code(3)), event(6, "SystemExited")]
    assert complaints(log, readers(log))
    log = [*LOG[:2], event(3, "SystemExited", exit={"how": "status", "status": 0})]
    assert complaints(log, readers(log), [system(answers=[])])  # it ran, and is not told at all


def test_an_answer_that_the_log_does_not_have():
    assert complaints(systems=[system(answers=[("code", 4)])])


def test_a_system_that_is_not_there_or_that_nobody_made():
    assert complaints(systems=[system(), system(id="b", runs=0, answers=[])])
    assert complaints(systems=[system(id="b", created=False, runs=0, answers=[])])
