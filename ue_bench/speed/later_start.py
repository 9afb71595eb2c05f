"""A run on data that are in the cache: how long until its first step, and what memory it adds.

A process of its own imports what a run imports, gets the rows, makes the model and takes one step.
Several of them at once show whether they share the rows.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ue_bench import safe_path
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError

# Goes on with each line of its input, and answers: when its imports are there, with what it holds
# then, with the seconds up to its first step, and with what it holds beyond the imports.
_PROGRAM = """
import json, sys, time
import torch
from ue_bench.config import RunConfig
from ue_bench.speed.later_start import proportional_bytes
from ue_bench.training.assembly import make_model, make_recipe
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import encoded_of, rows_of, spec_of
from ue_bench.training.split_parts import PARTS
from ue_bench.training.train import Optimizers, train_step

def answer(number):
    print(json.dumps(number), flush=True)
    sys.stdin.readline()

torch.set_num_threads(1)
answer(0)
before = proportional_bytes()
answer(before)
start = time.perf_counter()
config = resolve(RunConfig.from_dict(json.loads(sys.argv[1])))
_, encoded = encoded_of(config, None)
rows = rows_of(encoded, PARTS["train"], torch.device("cpu"))
model = make_model(config, spec_of(config, encoded), 0.5).train()  # the mean changes no time
size = config.batch_size
targets = model.loss.scaled(rows.ratings[:size])
train_step(model, Optimizers(model, make_recipe(config)), rows.codes[:size], targets)
answer(time.perf_counter() - start)
answer(proportional_bytes() - before)
"""
_PAGES = "/proc/self/smaps_rollup"  # of Linux


@dataclass(frozen=True)
class Started:
    """What a process took. seconds: from its imports to its first step. bytes: of memory that it
    added, of which it counts its share where others have the page too."""

    seconds: float
    bytes: float


def proportional_bytes() -> int:
    """Return the resident memory of this process, with its share of each page that others have.

    Raises BenchError where the system does not tell.
    """
    try:
        with open(_PAGES) as pages:
            for line in pages:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError as error:
        raise BenchError(f"{_PAGES} cannot be read ({error}); measure this on Linux") from error
    raise BenchError(f"{_PAGES} has no line Pss; measure this on Linux")


def started(config: RunConfig, processes: int) -> list[Started]:
    """Start so many processes of a run, which take their first step one after the other.

    Raises BenchError where one of them fails; it has said why on standard error.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps(config.to_dict())]
    running: list[subprocess.Popen[str]] = []
    try:
        for _ in range(processes):
            process = subprocess.Popen(  # nosec B603 # a list, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=safe_path.environment(),
            )
            running.append(process)
            _number(process)
        # While all are there, so that each has the same share of what they have in common.
        _numbers_after_a_line(running)
        seconds = _numbers_after_a_line(running)
        added = _numbers_after_a_line(running)
        return [Started(*each) for each in zip(seconds, added, strict=True)]
    finally:
        for process in running:
            process.communicate()


def _numbers_after_a_line(running: Iterable[subprocess.Popen[str]]) -> list[float]:
    """Let processes go on, one after the other, and return what they answer."""
    numbers = []
    for process in running:
        print(file=process.stdin, flush=True)
        numbers.append(_number(process))
    return numbers


def _number(process: subprocess.Popen[str]) -> float:
    """Return the number in the next line of a process."""
    line = "" if process.stdout is None else process.stdout.readline()
    if not line:
        raise BenchError("a process of the run has ended (see above)")
    return float(json.loads(line))
