"""What `torch.compile` would gain, beside the eager program in one process: `python -m ue_bench.speed.compiled`.

Compiled are the lookup from codes and, for a training step, the model with its gradients; the optimizer is torch's fused one in
both. Needs a C++ compiler. Compiling, the first call, is timed on its own. On a CPU it has not paid: a lookup is a few gathers,
as fast without it, and a step got slower; so nothing here is compiled.
"""

from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter, perf_counter_ns
from typing import Any

import pandas as pd
import torch

from ue_bench.allocator import keep_freed_memory
from ue_bench.feature import Feature
from ue_bench.model import RatingModel
from ue_bench.strategies import Spec, build
from ue_bench.train import Optimizers, Recipe, train_step

Call = Callable[[], Any]
BATCHES = (1, 256, 4096)
FEATURES, VALUES, DIM, HIDDEN = 7, 2000, 16, 64


def compiled_beside_eager(rows: int = 10_000, batches: Sequence[int] = BATCHES, repeats: int = 300) -> pd.DataFrame:
    """A line for the lookup and one for the training step at each batch size, of a table of `rows` rows.

    Columns: what, batch, eager_us, compiled_us, gain (eager over compiled), compile_seconds. A lookup of 7 features from codes; a
    step with the article's head and Adam.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    features = tuple(Feature(f"feature {i}", [str(value) for value in range(VALUES)], VALUES) for i in range(FEATURES))
    lines = []
    for batch in batches:
        for what, (eager, compiled) in _both(features, rows, batch).items():
            start = perf_counter()
            compiled()
            seconds = perf_counter() - start
            eager_us, compiled_us = in_turn((eager, compiled), repeats)
            lines.append((what, batch, eager_us, compiled_us, eager_us / compiled_us, seconds))
    return pd.DataFrame(lines, columns=["what", "batch", "eager_us", "compiled_us", "gain", "compile_seconds"])


def _both(features: tuple[Feature, ...], rows: int, batch: int) -> dict[str, tuple[Call, Call]]:
    """The lookup and the training step of one batch, each eager and compiled."""
    torch.compiler.reset()  # or the second size would be compiled for sizes that vary
    torch.manual_seed(0)
    codes, ratings = torch.randint(VALUES, (batch, len(features))), torch.rand(batch)
    strategy = build(Spec("unified", features, (1,) * len(features), DIM, 4 * DIM * rows))
    strategy.slots(codes)  # locates every value
    model: Any = RatingModel(strategy, "mlp", HIDDEN, 0.2, 3.5)
    optimizers = Optimizers(model, Recipe("adam", 4e-3, 0.0, batch, 1, None, 1, 0))
    lookup, compiled = torch.compile(strategy.forward), torch.compile(model)

    def step(model: Any) -> Call:
        return lambda: train_step(model, optimizers, codes, ratings)

    without_gradients = torch.no_grad()
    return {
        "lookup": (without_gradients(lambda: strategy(codes)), without_gradients(lambda: lookup(codes))),
        "training step": (step(model), step(compiled)),
    }


def in_turn(calls: Sequence[Call], repeats: int) -> list[float]:
    """Median microseconds of each call. They take turns, each once untimed, for the caches hold the others' memory then."""
    times: list[list[int]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, spent in zip(calls, times, strict=True):
            call()
            start = perf_counter_ns()
            call()
            spent.append(perf_counter_ns() - start)
    return [median(spent) / 1000 for spent in times]


if __name__ == "__main__":
    print(compiled_beside_eager().to_string(index=False))
