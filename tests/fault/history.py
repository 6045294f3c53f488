"""What readers saw and what the log has, checked against what was really done.

A history is what one reader got, in the order it came: ("event", sequence, bytes of the event), ("gap", first, last),
("resumed", position) where it began or went on after that position.  Every check gives sentences; none means that
everything holds.
"""

import json


def text_of(event):
    """The same event is the same bytes, whoever reads it and whenever."""
    return json.dumps(event, sort_keys=True)


def check_dense(events):
    """The whole log: numbers without a hole."""
    numbers = [e["sequence"] for e in events]
    if not numbers:
        return ["the log is empty"]
    return [f"the log goes from {a} to {b}" for a, b in zip(numbers, numbers[1:]) if b != a + 1]


def check_reader(name, history, log_by_number):
    """One reader: each number once, in order, or in a gap; and what it saw is what the log has."""
    wrong = []
    at = None
    for record in history:
        if record[0] == "resumed":
            if at is not None and record[1] != at:
                wrong.append(f"{name}: resumed after {record[1]} although it had read up to {at}")
            at = record[1]
        elif record[0] == "gap":
            _, first, last = record
            if first != at + 1 or last < first:
                wrong.append(f"{name}: gap {first} to {last} after {at}")
            at = last
        else:
            _, number, text = record
            if number != at + 1:
                wrong.append(f"{name}: event {number} after {at}")
            at = number
            if number in log_by_number and log_by_number[number] != text:
                wrong.append(f"{name}: event {number} was {text}, and the log has {log_by_number[number]}")
            elif number not in log_by_number:
                wrong.append(f"{name}: event {number} was delivered, and the log does not have it: {text}")
    return wrong


def end_of(report):
    """("code", 3), ("signal", 9) or ("unknown", reason)."""
    how = report["how"]
    return how, report.get({"code": "code", "signal": "signal", "status": "status", "unknown": "reason"}[how])


def check_order(id, events):
    """One life: created first, exited last and once, each process started before its end, and all of them ended."""
    wrong = []
    names = [e["name"] for e in events]
    if names[0] != "SystemCreated":
        wrong.append(f"{id}: begins with {names[0]}")
    if names.count("SystemExited") != 1 or names[-1] != "SystemExited":
        wrong.append(f"{id}: {names.count('SystemExited')} ends, the last event is {names[-1]}: {names}")
    if names.count("SystemCreated") != 1 or names.count("SystemStarted") > 1:
        wrong.append(f"{id}: created or started twice: {names}")
    running = []
    for e in events:
        if e["name"] == "ProcessStarted":
            running.append(e["processId"])
        elif e["name"] == "ProcessExited":
            if e["processId"] in running:
                running.remove(e["processId"])
            else:
                wrong.append(f"{id}: process {e['processId']} ended without having been started, or twice")
    if running:
        wrong.append(f"{id}: no end of processes {running}")
    return wrong


def check_life(system, events):
    """One system against its plan: `ends` that its processes may have, `disturbed` when its keeper was killed (then the
    truth may be out of reach, and the report must say so), `unsure` when an answer was lost with hcsd (then the test does
    not know whether it ended a process itself), `runs` how many processes at least were seen to run."""
    id = system.id
    wrong = check_order(id, events)
    for e in events:
        if e["name"] != "ProcessExited":
            continue
        end = end_of(e["exit"])
        allowed = set(system.ends)
        if system.disturbed or system.unsure:
            allowed.add(("signal", 9))
        if end[0] == "unknown":
            if not system.disturbed:
                wrong.append(f"{id}: the end of process {e['processId']} is unknown ({end[1]}) without need")
            elif not end[1]:
                wrong.append(f"{id}: the end of process {e['processId']} is unknown, and no reason is given")
        elif end not in allowed:
            wrong.append(f"{id}: process {e['processId']} ended with {end}, and it can only have been {sorted(allowed)}")
    return wrong


def check_answers(system, events):
    """What clients were told of a system, in all its lives: a system may be created anew when its first life ended before
    the lost answer to its creation was asked for again."""
    told = [end_of(e["exit"]) for e in events if e["name"] == "ProcessExited"]
    wrong = []
    if len(told) < system.runs:
        wrong.append(f"{system.id}: {system.runs} processes ran, {len(told)} ends are told")
    for answer in system.answers:
        if answer not in told:
            wrong.append(f"{system.id}: a wait was answered with {answer}, and the log says {told}")
    return wrong


def check_all(log, histories, systems):
    wrong = check_dense(log)
    by_number = {e["sequence"]: text_of(e) for e in log}
    for name, history in histories.items():
        wrong += check_reader(name, history, by_number)
    lives = {}
    for e in log:
        lives.setdefault((e["system"]["id"], e["system"]["incarnation"]), []).append(e)
    known = {s.id: s for s in systems}
    for (id, _), events in lives.items():
        if id not in known:
            wrong.append(f"{id}: nobody made it")
        else:
            wrong += check_life(known[id], events)
    for s in systems:
        n = sum(1 for id, _ in lives if id == s.id)
        if n == 0 and s.created:
            wrong.append(f"{s.id}: was created and is not in the log")
        if n > 1 and not s.unsure and not s.disturbed:
            wrong.append(f"{s.id}: {n} lives")
        wrong += check_answers(s, [e for e in log if e["system"]["id"] == s.id])
    return wrong
