"""Readers that connect, resume, stop reading and vanish; each keeps its history."""

import random
import threading
import time

from conftest import Wire
from history import text_of


class Reader(threading.Thread):
    """Reads everything from the beginning, in as many connections as it takes.  `manner` is what it does between: "steady"
    reads on, "leaves" closes its connection now and then, "sleeps" lets the service wait for it."""

    def __init__(self, name, socket_path, manner, seed):
        super().__init__(daemon=True)
        self.name_, self.path, self.manner = name, socket_path, manner
        self.rng = random.Random(seed)
        self.history = []
        self.at = 0
        self.connections = 0
        self.error = None
        self.target = None  # the number to read up to, once it is known
        self.start()

    def run(self):
        try:
            while not self.is_done():
                self.read_once()
        except Exception as e:  # told at the end
            self.error = f"{self.name_}: {type(e).__name__}: {e}"

    def is_done(self):
        return self.target is not None and self.at >= self.target

    def read_once(self):
        try:
            wire = Wire(self.path)
        except OSError:
            time.sleep(0.005)
            return
        wire.s.settimeout(0.2)
        with wire:
            try:
                wire.send("Subscribe", {"from": "after", "after": self.at}, more=True)
                self.connections += 1
                self.history.append(("resumed", self.at))
                self.read_on(wire)
            except (ConnectionError, BrokenPipeError):
                pass

    def read_on(self, wire):
        left = self.rng.randrange(1, 200) if self.manner == "leaves" else None
        while not self.is_done() and left != 0:
            try:
                message = wire.receive()
            except TimeoutError:
                continue
            if message is None:
                return
            if "error" in message:
                raise AssertionError(f"resuming after {self.at}: {message}")
            self.take(message["parameters"])
            if left:
                left -= 1
            if self.manner == "sleeps" and self.target is None and self.rng.random() < 0.02:
                time.sleep(self.rng.random())

    def take(self, parameters):
        if "event" in parameters:
            event = parameters["event"]
            self.history.append(("event", event["sequence"], text_of(event)))
            self.at = event["sequence"]
        elif "gap" in parameters:
            self.history.append(("gap", parameters["gap"]["first"], parameters["gap"]["last"]))
            self.at = parameters["gap"]["last"]

    def finish(self, last, deadline):
        self.target = last
        self.join(deadline)
        if self.is_alive():
            self.error = f"{self.name_}: read up to {self.at} of {last} and no further"
