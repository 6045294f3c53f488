#!/usr/bin/env python3
"""Measure an event's way from the callback to the reader, beside other designs: bench/trampoline/run.py BUILD_DIR [ROUNDS [PART...]]

Parts: burst, cross, crowds, latency, memory, exact; all when none is named.

Prints tables for docs/performance.md.  Designs take turns within a round; figures are medians of rounds, and ratios are medians of
the rounds' ratios, so that a busy machine hits both sides.  Rust's way is built with cargo when it is there and reaches tokio, else
left out, and said so; instructions and allocations are counted with valgrind when it is there.  Nothing here decides a test."""
import collections
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

build = pathlib.Path(sys.argv[1]).resolve()
rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 41
here = pathlib.Path(__file__).resolve().parent
program = build / "bench/trampoline/trampoline"
counted = build / "bench/trampoline/trampoline_count"

PLAIN, SHIPPED = "libhcs without clocks", "libhcs"
OBVIOUS, RUST = "mutex, malloc, condition", "Rust, tokio"
WORDS = {"none": "no payload", "120": "120 B", "120-mixed": "120 units, some not ASCII", "4k": "4 KiB",
         "4k-mixed": "4096 units, some not ASCII"}


def build_rust():
    """The library of the Rust way, or None and why."""
    if not shutil.which("cargo"):
        return None, "there is no cargo"
    target = build / "bench/trampoline/rust"
    source = target / "source"
    shutil.copytree(here / "rust", source, dirs_exist_ok=True)  # cargo writes beside what it builds
    made = subprocess.run(["cargo", "build", "--release", "--target-dir", target], cwd=source, capture_output=True,
                          text=True)
    library = target / "release/libtrampoline_rust.so"
    if made.returncode or not library.exists():
        last = [line for line in made.stderr.splitlines() if line.strip()]
        return None, f"cargo: {last[-1].strip() if last else 'no reason given'}"
    return library, re.search(r"tokio v(\S+)", subprocess.run(["cargo", "tree"], cwd=source, capture_output=True,
                                                              text=True).stdout)


def lines_of(*arguments):
    output = subprocess.run([program, *map(str, arguments)], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def by(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return groups


def median(rows, field):
    return statistics.median(row[field] for row in rows)


def ratio(groups, a, b, field):
    """Median over the rounds of a / b."""
    if a not in groups or b not in groups:
        return None
    return statistics.median(x[field] / y[field] for x, y in zip(groups[a], groups[b]))


def number(x, digits=3):
    if x is None:
        return "-"
    return f"{x:,.0f}" if x >= 100 else f"{x:.{digits}g}"


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")


def burst(rust):
    print("\nOne thread, ns an event: the put, and in brackets the read; then how many times libhcs without clocks is faster "
          "in putting, and in both.")
    rows = []
    for payload in WORDS:
        g = by(lines_of("burst", payload, rounds, *rust), "design")
        for lines in g.values():
            for line in lines:
                line["both"] = line["put"] + line["take"]
        cells = [f"{number(median(g[d], 'put'))} ({number(median(g[d], 'take'))})" if d in g else "-"
                 for d in (SHIPPED, PLAIN, OBVIOUS, RUST)]
        rows.append([WORDS[payload], *cells, *(number(ratio(g, d, PLAIN, f)) for d in (OBVIOUS, RUST)
                                               for f in ("put", "both"))])
    table(["payload", SHIPPED, PLAIN, OBVIOUS, RUST, "x obvious, put", "both", "x Rust, put", "both"], rows)


def cross(rust):
    print("\nAcross threads, ns an event from the first put to the last read, the same number in flight for all; with one "
          "producer each thread has a processor.  In brackets the share of runs in which another program had a processor.")
    rows = []
    for payload, producers in [("none", 1), ("120", 1), ("4k", 1), ("4k-mixed", 1), ("none", 4), ("120", 4)]:
        lines = lines_of("cross", payload, producers, max(rounds // 2, 5), *rust)
        g = by(lines, "design")
        busy = sum(line["busy"] for line in lines) / len(lines)
        cells = [number(median(g[d], "ns")) if d in g else "-" for d in (SHIPPED, PLAIN, OBVIOUS, RUST)]
        rows.append([f"{WORDS[payload]}, {producers} producer{'s' * (producers > 1)} ({busy:.0%})", *cells,
                     number(ratio(g, OBVIOUS, PLAIN, "ns")), number(ratio(g, RUST, PLAIN, "ns")),
                     number(ratio(g, RUST, SHIPPED, "ns")), number(1e3 / median(g[PLAIN], "ns"))])
    table(["payload", SHIPPED, PLAIN, OBVIOUS, RUST, "x obvious", "x Rust", "x Rust, with clocks",
           "million a second, without clocks"], rows)


def crowds():
    print("\nCursors on one log, as shipped: the put beside cursors that nobody reads, and ratio to none; the put that sets "
          "the wakes of cursors that wait.")
    rows = []
    for payload in ("none", "120", "4k"):
        g = by(lines_of("cursors", payload, rounds), "cursors")
        rows.append([WORDS[payload], *(number(median(g[n], "put")) for n in (0, 8, 64)),
                     f"{ratio(g, 8, 0, 'put'):.2f}", f"{ratio(g, 64, 0, 'put'):.2f}"])
    table(["payload", "no other, ns", "8 idle", "64 idle", "8 / none", "64 / none"], rows)
    g = by(lines_of("wakes", 2000), "cursors")
    table(["wakes set by one put", "ns, p50"], [[n, number(median(g[n], "put"))] for n in (1, 8, 64)])


def latency():
    print("\nLatency, as shipped, 120 B: from the put to the reader, and the callback itself; medians of the runs.  The clock that "
          "measures is a part of all of them: the last column is what it measures of nothing.")
    g = by(lines_of("latency", 5), "reader")
    table(["reader", "p50", "p99", "callback p50", "p99", "nothing p50"],
          [[reader, *(f"{number(median(g[reader], f))} ns" for f in ("p50", "p99", "put_p50", "put_p99", "clock_p50"))]
           for reader in ("bare eventfd", "asleep", "spinning")])
    print(f"\nasleep / bare eventfd, median of {len(g['asleep'])} pairs: p50 {ratio(g, 'asleep', 'bare eventfd', 'p50'):.2f}")


def memory(rust):
    rows = []
    for payload in WORDS:
        g = by(lines_of("memory", payload, *rust), "design")
        rows.append([WORDS[payload], *(number(g[d][0]["bytes"]) if d in g else "-" for d in (SHIPPED, OBVIOUS, RUST))])
    print("\nBytes held for an event that nobody has read yet.")
    table(["payload", SHIPPED, OBVIOUS, RUST], rows)


def valgrind(tool, pattern, *arguments):
    report = subprocess.run(["valgrind", f"--tool={tool}", *(["--callgrind-out-file=/dev/null"] * (tool == "callgrind")),
                             counted, "count", *map(str, arguments)], capture_output=True, text=True).stderr
    return int(re.search(pattern, report)[1].replace(",", ""))


def each(tool, pattern, design, payload, what, rust):
    """Of one event: the difference of two runs, so that the beginning does not count."""
    n = 8000 if payload.startswith("4k") else 40000
    few, many = (valgrind(tool, pattern, design, payload, count, what, *rust) for count in (n, 2 * n))
    return (many - few) / n


def exact(rust):
    if not shutil.which("valgrind"):
        print("\nvalgrind is not there: instructions and allocations were not counted.")
        return
    print("\nInstructions an event (callgrind), put + read, the loop around them included; allocations an event.")
    rows = []
    designs = [PLAIN, OBVIOUS] + [RUST] * bool(rust)
    for payload in ("none", "120", "4k", "4k-mixed"):
        cells = []
        for design in designs:
            put = each("callgrind", r"Collected : (\d+)", design, payload, "put", rust)
            both = each("callgrind", r"Collected : (\d+)", design, payload, "take", rust)
            # when nothing is read the others allocate more, which is not the put's own
            cells.append(f"{number(put)} + {number(max(both - put, 0))}" if design == PLAIN else number(both))
        rows.append([WORDS[payload], *cells,
                     *(f"{each('memcheck', r'total heap usage: ([0-9,]+) allocs', d, payload, 'take', rust):.3g}"
                       for d in designs)])
    table(["payload", *designs, *(f"allocations: {d}" for d in designs)], rows)


def main():
    library, how = build_rust()
    rust = [library] if library else []
    print(f"# {os.cpu_count()} processors, kernel {os.uname().release}, load {os.getloadavg()[0]:.1f}, {rounds} rounds; Rust: "
          + (f"tokio {how[1] if how else '?'}" if library else f"left out, {how}"))
    parts = {"burst": burst, "cross": cross, "crowds": lambda _: crowds(), "latency": lambda _: latency(),
             "memory": memory, "exact": exact}
    for name in sys.argv[3:] or parts:
        parts[name](rust)
        sys.stdout.flush()
    print(f"\n# load at the end {os.getloadavg()[0]:.1f}")


main()
