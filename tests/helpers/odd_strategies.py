"""Strategies that never end, or die, as a plugin file."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick


class Hangs(HashingTrick):
    """Waits for ever."""

    def locate(self, feature, values):
        time.sleep(10**6)


class Dies(HashingTrick):
    """Ends as one whose machine has run out of memory."""

    def locate(self, feature, values):
        os.kill(os.getpid(), signal.SIGKILL)


class DiesAtTimes(HashingTrick):
    """Ends so at one value of its knob."""

    knobs: Mapping[str, Any] = {"which": 0}

    def __init__(self, spec):
        super().__init__(spec)
        if self.options["which"] == 2:
            os.kill(os.getpid(), signal.SIGKILL)


STRATEGIES = {
    name: Entry(method, ("multiplexed",), "odd on purpose", "a test")
    for name, method in (("hangs", Hangs), ("dies", Dies), ("dies_at_times", DiesAtTimes))
}
