"""What `torch.compile` would gain over the eager program. On a CPU it has not paid, so nothing else
here is compiled.

The lookup from codes is compiled, and of a training step the model with its gradients; the
optimizer is torch's fused one in both programs. A C++ compiler is needed.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any

import torch

from ue_bench.speed.interleaved_timing import time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import adam_recipe, model_and_batches
from ue_bench.training.train import Optimizers, train_step

TITLE = (
    "torch.compile beside the eager program: 7 lookups of 16 numbers, a table of 10,000 rows, "
    "one thread"
)
USUAL: dict[str, Any] = {"features": 7, "lookups": 1, "dim": 16, "rows": 10_000, "values": 14_000}
BATCHES: tuple[int, ...] = (1, 256, 4096)
COMPILERS = ("g++", "clang++", "c++")

Call = Callable[[], Any]


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for the lookup and one for the training step at each batch size.

    Without a compiler the only line gives the reason.
    """
    if not any(map(shutil.which, COMPILERS)):
        names = ", ".join(COMPILERS)
        yield Line(
            what="the lookup and the training step",
            value=None,
            unit="s",
            note=f"torch.compile needs one of {names}, and none was found",
        )
        return
    batches = BATCHES
    seconds = 4.0
    if quick:
        batches = (256,)
        seconds = 1.0
    for batch in batches:
        for what, (eager, compiled) in _eager_and_compiled(batch).items():
            start = time.perf_counter()
            compiled()
            compiling = time.perf_counter() - start
            times = time_in_turns({"eager": eager, "compiled": compiled}, seconds)
            claim = Claim(times.ratio("eager", "compiled"), "x as fast once compiled")
            yield Line(
                what=f"{what}, batch {batch:,}",
                value=times.seconds("eager"),
                unit="s",
                beside={"compiled": times.seconds("compiled"), "compiling": compiling},
                claims=(claim,),
            )


def _eager_and_compiled(batch: int) -> dict[str, tuple[Call, Call]]:
    """Return the lookup and the training step of one batch size, each eager and compiled."""
    torch.compiler.reset()  # otherwise the second size would be compiled for sizes that vary
    model, batches = model_and_batches(batch=batch, **USUAL)
    optimizers = Optimizers(model, adam_recipe(batch))
    turns = cycle(batches)
    ratings = torch.rand(batch) * 4 + 1

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
