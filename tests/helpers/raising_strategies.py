"""Strategies that raise what is hard to report, or end their process, as a plugin file."""

import os
import signal

import ue_bench.training.run_once
from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick


class Unreadable(Exception):
    """Its text is no text."""

    def __str__(self):
        return 5


class NoException(BaseException):
    """Is not derived from Exception."""


RAISED = {
    "half_a_character": ValueError("\ud800\x00\x1b[2J\nmore"),
    "unreadable": Unreadable(),
    "unreadable_memory": type("NoMemory", (MemoryError,), {"__str__": Unreadable.__str__})(),
    "long": ValueError("x" * 10**7),
    "long_escapes": ValueError("\x1b" * 10**7),
    "no_exception": NoException("\x1b[31mno"),
    "generator_exit": GeneratorExit(),
    "interrupt": KeyboardInterrupt("mine"),
    "no_message": ValueError(),
}


class Raises(HashingTrick):
    """Raises what has its name."""

    def embed(self, slots):
        raise RAISED[self.spec.name]


class Exits(HashingTrick):
    """Ends its process without a word."""

    def embed(self, slots):
        os._exit({"exits_0": 0, "exits_1": 1, "exits_7": 7}[self.spec.name])


class RealTime(HashingTrick):
    """Dies of a signal that Python has no name of."""

    def embed(self, slots):
        os.kill(os.getpid(), signal.SIGRTMIN + 6)


class BreaksThePackage(HashingTrick):
    """Leaves ue_bench itself broken, so that the error is none of the file's."""

    def __init__(self, spec):
        super().__init__(spec)
        ue_bench.training.run_once.sizes = int


CLASSES = {
    **dict.fromkeys(RAISED, Raises),
    **dict.fromkeys(("exits_0", "exits_1", "exits_7"), Exits),
    "real_time": RealTime,
    "breaks_the_package": BreaksThePackage,
    "is_right": HashingTrick,
}
STRATEGIES = {
    name: Entry(method, ("multiplexed",), "raises on purpose", "a test")
    for name, method in CLASSES.items()
}
