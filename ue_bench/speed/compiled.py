"""What `torch.compile` would gain, beside the eager program. On a CPU it has not paid, so nothing here is compiled.

Compiled are the lookup from codes and, for a training step, the model with its gradients; the optimizer is torch's fused one in
both. Needs a C++ compiler.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import torch

from ue_bench.speed.line import Claim, Line
from ue_bench.speed.steps import world
from ue_bench.speed.turns import in_turns
from ue_bench.training.train import Optimizers, Recipe, train_step

TITLE = "torch.compile beside the eager program: 7 lookups of 16 numbers, a table of 10,000 rows, one thread"
USUAL: dict[str, Any] = {"features": 7, "lookups": 1, "dim": 16, "rows": 10_000, "values": 14_000}
COMPILERS = ("g++", "clang++", "c++")


def measure(quick: bool) -> Iterator[Line]:
    """A line for the lookup and one for the training step at each batch size; none, and the reason, without a compiler."""
    if not any(map(shutil.which, COMPILERS)):
        yield Line(
            "the lookup and the training step",
            None,
            "s",
            note=f"torch.compile needs one of {', '.join(COMPILERS)}, and none was found",
        )
        return
    for batch in (256,) if quick else (1, 256, 4096):
        for what, (eager, compiled) in _both(batch).items():
            start = time.perf_counter()
            compiled()
            spent = time.perf_counter() - start
            clocked = in_turns({"eager": eager, "compiled": compiled}, 1.0 if quick else 4.0)
            claim = Claim(clocked.ratio("eager", "compiled"), "x as fast once compiled")
            beside = {"compiled": clocked.seconds("compiled"), "compiling": spent}
            yield Line(f"{what}, batch {batch:,}", clocked.seconds("eager"), "s", beside, (claim,))


def _both(batch: int) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """The lookup and the training step of one batch size, each eager and compiled."""
    torch.compiler.reset()  # or the second size would be compiled for sizes that vary
    model, batches = world(batch=batch, **USUAL)
    optimizers = Optimizers(model, Recipe("adam", 4e-3, 0.0, batch, 1, None, 1, 0))
    turns, ratings = cycle(batches), torch.rand(batch) * 4 + 1

    def look_up(forward: Any) -> Any:
        with torch.no_grad():
            return forward(next(turns))

    def train(model: Any) -> Any:
        return train_step(model, optimizers, next(turns), ratings)

    forward = model.strategy.forward
    return {
        "lookup": (partial(look_up, forward), partial(look_up, torch.compile(forward))),
        "training step": (partial(train, model), partial(train, torch.compile(model))),
    }
