"""How long calls take: lookups of a strategy and training steps of a model.

Every latency is a median with its spread and its count, and it says when it is unstable. No timing
runs while memory is measured.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe, Rows, train_step

BATCHES = (1, 32, 256, 4096)
UNSTABLE = 0.15  # interquartile range over median from which a timing is called unstable

Clock = Callable[[Callable[[], Any]], float]  # runs a call, and returns its microseconds


@dataclass(frozen=True)
class Timing:
    """Microseconds of repeated calls."""

    p50_us: float
    p90_us: float
    p99_us: float
    iqr_us: float
    n: int

    @property
    def unstable(self) -> bool:
        """Whether the middle half of the calls spreads over more than 15 % of the median.

        The machine was busy then.
        """
        return self.iqr_us > UNSTABLE * self.p50_us

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of a record's `latency`."""
        return {
            "p50_us": round(self.p50_us, 3),
            "p90_us": round(self.p90_us, 3),
            "p99_us": round(self.p99_us, 3),
            "iqr_us": round(self.iqr_us, 3),
            "n": self.n,
            "unstable": self.unstable,
        }


def time_call(
    call: Callable[[], Any],
    device: torch.device,
    seconds: float,
    least: int = 30,
    most: int = 5_000,
) -> Timing:
    """Time `call` again and again for `seconds`, after a warm-up of a fifth of that.

    On CUDA a call lasts from an event before it to an event after it, by the device's own clock,
    and each call finds an idle device.

    least, most: bounds on the number of timed calls.
    """
    microseconds_of: Clock = _host_microseconds
    if device.type == "cuda":
        microseconds_of = _cuda_clock(device)
    _warm_up(call, microseconds_of, seconds / 5, most)
    samples: list[float] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        until = time.perf_counter() + seconds
        while len(samples) < most and (len(samples) < least or time.perf_counter() < until):
            samples.append(microseconds_of(call))
    finally:
        if collecting:
            gc.enable()
    percentiles = statistics.quantiles(samples, n=100, method="inclusive")
    return Timing(
        p50_us=percentiles[49],
        p90_us=percentiles[89],
        p99_us=percentiles[98],
        iqr_us=percentiles[74] - percentiles[24],
        n=len(samples),
    )


def _warm_up(call: Callable[[], Any], clock: Clock, seconds: float, most: int) -> None:
    until = time.perf_counter() + seconds
    for _ in range(most):
        clock(call)
        if time.perf_counter() > until:
            break


def _host_microseconds(call: Callable[[], Any]) -> float:
    """Return the microseconds of a call by the host's clock."""
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1000


def _cuda_clock(device: torch.device) -> Clock:
    """Return a function that measures a call in microseconds between two events of the stream.

    The time in which the stream waits for the host is included.
    """
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    stream = torch.cuda.current_stream(device)

    def microseconds(call: Callable[[], Any]) -> float:
        start.record(stream)
        call()
        end.record(stream)
        end.synchronize()
        return 1000 * start.elapsed_time(end)

    return microseconds


@torch.no_grad()
def lookup_latency(
    strategy: EmbeddingStrategy,
    rows: torch.Tensor,
    batches: Sequence[int] = BATCHES,
    seconds: float = 0.08,
) -> list[dict[str, Any]]:
    """Return the latency of turning a batch into vectors, one entry a source and batch size.

    The sources are `codes`, whose slots are cached, and `values`, which are hashed or looked up in
    every call.

    rows: codes int32 or int64 [N, F] that batches are drawn from, repeated where N is too small.
    """
    strategy.eval()
    entries = []
    for batch in batches:
        codes = rows[torch.arange(batch) % len(rows)].long()
        values = []
        for feature, column in zip(strategy.spec.features, codes.t().tolist(), strict=True):
            values.append([feature.raw(code) for code in column])
        calls = {
            "codes": partial(strategy, codes),
            "values": partial(strategy.from_values, values),
        }
        for source, call in calls.items():
            timing = time_call(call, rows.device, seconds)
            entries.append({"source": source, "batch": batch, **timing.to_dict()})
    return entries


def step_time(
    model: RatingModel, train: Rows, recipe: Recipe, seconds: float = 0.15
) -> dict[str, Any]:
    """Return the time of one training step on one batch, in milliseconds.

    The steps change the weights of the model.
    """
    model.train()
    optimizers = Optimizers(model, recipe)
    size = recipe.batch_size or len(train)
    codes = train.codes[:size]
    targets = model.loss.scaled(train.ratings[:size])
    step = partial(train_step, model, optimizers, codes, targets)
    timing = time_call(step, targets.device, seconds)
    return {
        "p50_ms": round(timing.p50_us / 1000, 5),
        "p90_ms": round(timing.p90_us / 1000, 5),
        "n": timing.n,
        "batch": len(targets),
    }
