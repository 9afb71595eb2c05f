"""How long the program takes to say what it can do: what every command waits for."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from ue_bench.speed.line import Claim, Line

TITLE = "Start"
LIMIT = 0.3  # seconds


def measure(quick: bool) -> Iterator[Line]:
    """One line: `ue-bench --help`, beside a Python that does nothing."""
    rounds = [
        (_time(["-c", ""]), _time(["-m", "ue_bench", "--help"])) for _ in range(5 if quick else 20)
    ]
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    claims = (
        Claim(ours / LIMIT, f"x {LIMIT} s", "<= 1"),
        Claim(ours / bare, "x the start of Python"),
    )
    yield Line("ue-bench --help", ours, "s", {"python -c ''": bare}, claims)


def _time(arguments: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)  # nosec B603 # our own words, no shell
    return time.perf_counter() - start
