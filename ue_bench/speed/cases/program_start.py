"""How long the program takes to print its help: what every command waits for."""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from ue_bench import safe_path
from ue_bench.speed.line import Claim, Line

TITLE = "Start"
LIMIT = 0.3  # seconds


def measure(quick: bool) -> Iterator[Line]:
    """Yield one line: `ue-bench --help`, beside a Python that does nothing."""
    rounds = 20
    if quick:
        rounds = 5
    python_seconds = []
    help_seconds = []
    for _ in range(rounds):
        python_seconds.append(_run_seconds(["-c", ""]))
        help_seconds.append(_run_seconds(["-m", "ue_bench", "--help"]))
    python = statistics.median(python_seconds)
    ours = statistics.median(help_seconds)
    yield Line(
        what="ue-bench --help",
        value=ours,
        unit="s",
        beside={"python -c ''": python},
        claims=(
            Claim(ours / LIMIT, f"x {LIMIT} s", "<= 1"),
            Claim(ours / python, "x the start of Python"),
        ),
    )


def _run_seconds(arguments: Sequence[str]) -> float:
    command = [sys.executable, *arguments]
    environment = safe_path.environment()
    start = time.perf_counter()
    # The words of the command are fixed, and there is no shell.
    subprocess.run(  # nosec B603
        command, check=True, stdout=subprocess.DEVNULL, env=environment
    )
    return time.perf_counter() - start
