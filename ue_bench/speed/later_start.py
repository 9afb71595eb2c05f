"""A run on data that are in the cache: how long until its first step, and what memory it adds.

A process of its own imports what a run imports, gets the rows, makes the model and takes one step.
Several of them at once show whether they share the rows.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import IO

from ue_bench import safe_path
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError

# Prints a line when it has taken its step, and ends when its input does.
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

torch.set_num_threads(1)
before = proportional_bytes()
start = time.perf_counter()
config = resolve(RunConfig(**json.loads(sys.argv[1])))
_, encoded = encoded_of(config, None)
rows = rows_of(encoded, PARTS["train"], torch.device("cpu"))
model = make_model(config, spec_of(config, encoded), 0.5).train()  # the mean changes no time
size = config.batch_size
targets = model.loss.scaled(rows.ratings[:size])
train_step(model, Optimizers(model, make_recipe(config)), rows.codes[:size], targets)
print(json.dumps(time.perf_counter() - start), flush=True)
sys.stdin.readline()
print(json.dumps(proportional_bytes() - before), flush=True)
sys.stdin.readline()
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
    """Start so many processes of a run, one after the other, and measure all while all are there.

    Raises BenchError where one of them fails; it has said why on standard error.
    """
    fields = json.dumps({"dataset": config.dataset, "task": config.task, **_table_of(config)})
    command = [sys.executable, "-c", _PROGRAM, fields]
    running: list[subprocess.Popen[str]] = []
    try:
        seconds = []
        for _ in range(processes):
            process = subprocess.Popen(  # nosec B603 # a list, no shell
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=safe_path.environment(),
            )
            running.append(process)
            seconds.append(_number(process.stdout))
        found = []
        for process, taken in zip(running, seconds, strict=True):
            print(file=process.stdin, flush=True)
            found.append(Started(taken, _number(process.stdout)))
        return found
    finally:
        for process in running:
            process.communicate()


def _table_of(config: RunConfig) -> dict[str, object]:
    return {"strategy": config.strategy, "budget": config.budget, "features": config.features}


def _number(output: IO[str] | None) -> float:
    """Return the number in the next line of a process."""
    line = "" if output is None else output.readline()
    if not line:
        raise BenchError("a process of the run has ended (see above)")
    return float(json.loads(line))
