"""How long calls take: lookups of a strategy or anchor, and training steps of a model.

Every latency is a median with its spread and its count, and it says when it is unstable. No timing
runs while memory is measured.

A lookup *from raw values* hashes them, or looks them up in a dictionary, as a request to a service
has to. It is the latency to quote. It is measured with one caller, and with two threads of this
process that call at once. A lookup *from codes* reads slots that were located before and are kept.
It says what the model alone takes, and its price is the cache that it reads (`slot_cache_bytes`).
"""

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from ue_bench.features import Feature
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe, Rows, train_step

BATCHES = (1, 32, 256, 4096)
UNSTABLE = 0.15  # interquartile range over median from which a timing is called unstable
CALLERS = 2  # threads that call at once
# Seconds of a measurement, by what is measured.
ALONE = 0.1
TOGETHER = 0.05
FROM_CODES = 0.04
FEW = 5  # timed calls of each of several callers, at least

Clock = Callable[[Callable[[], Any]], float]  # runs a call, and returns its microseconds


class Lookup(Protocol):
    """What is timed: a strategy, which gives vectors, or an anchor, which gives predictions."""

    def __call__(self, codes: Tensor) -> Tensor: ...

    def from_values(self, columns: Sequence[list[Any]]) -> Tensor: ...

    def eval(self) -> Any: ...


@dataclass(frozen=True)
class Timing:
    """Microseconds of repeated calls."""

    p50_us: float
    p90_us: float
    p99_us: float
    iqr_us: float
    mean_us: float
    n: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Timing":
        """Summarise calls, each in microseconds."""
        percentiles = statistics.quantiles(samples, n=100, method="inclusive")
        return cls(
            p50_us=percentiles[49],
            p90_us=percentiles[89],
            p99_us=percentiles[98],
            iqr_us=percentiles[74] - percentiles[24],
            mean_us=statistics.fmean(samples),
            n=len(samples),
        )

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
    with _without_collection():
        return Timing.of(_samples(call, microseconds_of, seconds, least, most))


def time_together(
    call: Callable[[], Any],
    device: torch.device,
    seconds: float,
    callers: int = CALLERS,
    least: int = FEW,
    most: int = 5_000,
) -> Timing:
    """Time `call` in several threads of this process at once: the samples of all of them.

    The threads start together and each calls again and again for `seconds`, without a warm-up: the
    call has been timed alone before. A call lasts by the host's clock, on CUDA until the device has
    ended it. Python runs one thread at a time outside of the libraries' own code, which is part of
    what is measured.

    least, most: bounds on the number of timed calls of each thread.
    """
    microseconds_of: Clock = _host_microseconds
    if device.type == "cuda":
        microseconds_of = partial(_synchronised_microseconds, device)
    samples: list[float] = []
    errors: list[BaseException] = []
    start = threading.Barrier(callers)

    def calls() -> None:
        try:
            with torch.no_grad():  # the mode is each thread's own
                start.wait()
                samples.extend(_samples(call, microseconds_of, seconds, least, most))
        except BaseException as error:
            errors.append(error)
            start.abort()  # nobody waits for a thread that has ended

    threads = [threading.Thread(target=calls) for _ in range(callers)]
    with _without_collection():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return Timing.of(samples)


def _samples(
    call: Callable[[], Any], clock: Clock, seconds: float, least: int, most: int
) -> list[float]:
    """Return the microseconds of each call."""
    samples: list[float] = []
    until = time.perf_counter() + seconds
    while len(samples) < most and (len(samples) < least or time.perf_counter() < until):
        samples.append(clock(call))
    return samples


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from searching for unused cycles of objects, which would be part of a call."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


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


def _synchronised_microseconds(device: torch.device, call: Callable[[], Any]) -> float:
    """Return the microseconds of a call by the host's clock, until the device has ended it."""
    start = time.perf_counter_ns()
    call()
    torch.cuda.current_stream(device).synchronize()
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
    lookup: Lookup,
    features: Sequence[Feature],
    rows: Tensor,
    batches: Sequence[int] = BATCHES,
    share: float = 1.0,
) -> list[dict[str, Any]]:
    """Return the latency of a batch, one entry a batch size, source and number of callers.

    The sources are `values`, with one caller and with two at once, and `codes`, with one. Each
    caller uses as many threads of torch as the process has been given.

    features: of the columns of `rows`. rows: codes int32 or int64 [N, F] that batches are drawn
    from, repeated where N is too small. share: of the usual time, for which each is measured.
    """
    lookup.eval()
    entries = []
    for batch in batches:
        codes = rows[torch.arange(batch) % len(rows)].long()
        values = []
        for feature, column in zip(features, codes.t().tolist(), strict=True):
            values.append([feature.raw(code) for code in column])
        from_values = partial(lookup.from_values, values)
        device = rows.device
        alone = time_call(from_values, device, share * ALONE)
        together = time_together(from_values, device, share * TOGETHER)
        from_codes = time_call(partial(lookup, codes), device, share * FROM_CODES)
        entries += [
            _entry("values", batch, 1, alone),
            _entry("values", batch, CALLERS, together),
            _entry("codes", batch, 1, from_codes),
        ]
    return entries


def _entry(source: str, batch: int, callers: int, timing: Timing) -> dict[str, Any]:
    """Return an entry of a record's `latency`. rows_per_second: of all callers together."""
    return {
        "source": source,
        "batch": batch,
        "callers": callers,
        **timing.to_dict(),
        "rows_per_second": round(1e6 * callers * batch / timing.mean_us),
    }


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
