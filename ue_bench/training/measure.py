"""Clocks and memory counters, over a built module. A clock and a memory probe never run at the same time.

Every latency is a median with its spread and its count; one that is not stable says so.
"""

import gc
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.training.model import RatingModel
from ue_bench.training.train import Optimizers, Recipe, Rows, train_step

BATCHES = (1, 32, 256, 4096)
UNSTABLE = 0.15  # interquartile range over median from which a timing is called unstable


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
        """The middle half of the calls spreads over more than 15 % of the median: the machine was busy."""
        return self.iqr_us > UNSTABLE * self.p50_us

    def to_dict(self) -> dict[str, Any]:
        numbers = {
            name: round(getattr(self, name), 3) for name in ("p50_us", "p90_us", "p99_us", "iqr_us")
        }
        return {**numbers, "n": self.n, "unstable": self.unstable}


def timing(
    call: Callable[[], Any],
    device: torch.device,
    seconds: float,
    least: int = 30,
    most: int = 5_000,
) -> Timing:
    """Time `call` until `seconds` have passed, at least `least` and at most `most` times, after a warm-up of a fifth of that.

    On CUDA a call lasts from an event before it to one after it on the device's own clock, each call on an idle device.
    """
    clock = _events(device) if device.type == "cuda" else _host
    until = time.perf_counter() + seconds / 5
    for _ in range(most):
        clock(call)
        if time.perf_counter() > until:
            break
    samples: list[float] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        until = time.perf_counter() + seconds
        while len(samples) < most and (len(samples) < least or time.perf_counter() < until):
            samples.append(clock(call))
    finally:
        if collecting:
            gc.enable()
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    return Timing(cuts[49], cuts[89], cuts[98], cuts[74] - cuts[24], len(samples))


def _host(call: Callable[[], Any]) -> float:
    """Microseconds of a call by the host's clock."""
    start = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - start) / 1000


def _events(device: torch.device) -> Callable[[Callable[[], Any]], float]:
    """Microseconds of a call between two events of the device's stream, the time included in which it waits for the host."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    stream = torch.cuda.current_stream(device)

    def clock(call: Callable[[], Any]) -> float:
        start.record(stream)
        call()
        end.record(stream)
        end.synchronize()
        return 1000 * start.elapsed_time(end)

    return clock


@torch.no_grad()
def lookup_latency(
    strategy: EmbeddingStrategy,
    rows: torch.Tensor,
    batches: Sequence[int] = BATCHES,
    seconds: float = 0.08,
) -> list[dict[str, Any]]:
    """Latency of turning a batch into vectors: from codes (slots are cached) and from raw values (hashed or looked up anew).

    rows: codes int32 or int64 [N, F] to draw batches from, repeated where N is too small. One entry a source and batch size.
    """
    strategy.eval()
    found = []
    for batch in batches:
        codes = rows[torch.arange(batch) % len(rows)].long()
        columns = zip(strategy.spec.features, codes.t().tolist(), strict=True)
        values = [[feature.raw(code) for code in column] for feature, column in columns]
        for source, call in (
            ("codes", lambda c=codes: strategy(c)),
            ("values", lambda v=values: strategy.from_values(v)),
        ):
            found.append(
                {"source": source, "batch": batch, **timing(call, rows.device, seconds).to_dict()}
            )
    return found


def step_time(
    model: RatingModel, train: Rows, recipe: Recipe, seconds: float = 0.15
) -> dict[str, Any]:
    """Time of one training step on one batch, in milliseconds. Changes the model's weights."""
    model.train()
    optimizers = Optimizers(model, recipe)
    rows = slice(0, recipe.batch_size or len(train))
    codes, ratings = train.codes[rows], train.ratings[rows]
    spent = timing(lambda: train_step(model, optimizers, codes, ratings), ratings.device, seconds)
    return {
        "p50_ms": round(spent.p50_us / 1000, 5),
        "p90_ms": round(spent.p90_us / 1000, 5),
        "n": spent.n,
        "batch": len(ratings),
    }


class PeakMemory:
    """Bytes by which memory grew at its peak inside a ``with``: `n_bytes`, read from `source`."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.n_bytes = 0
        self.source = (
            "CUDA allocator, peak"
            if device.type == "cuda"
            else "resident memory of the process, growth at its peak"
        )

    def __enter__(self) -> "PeakMemory":
        _load_optimizer_code()
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            _reset_peak()
            self._before = _resident()
        return self

    def __exit__(self, *_: object) -> None:
        peak = (
            torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else _peak()
        )
        self.n_bytes = max(0, peak - self._before)


def _load_optimizer_code() -> None:
    """Torch loads some 90 MB of code at the first optimizer step of a process: not the memory of the model that is measured."""
    scratch = torch.nn.Parameter(torch.zeros(1))
    scratch.square().sum().backward()
    torch.optim.Adam([scratch]).step()


_STATUS = Path("/proc/self/status")


def _status(name: str) -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024  # the kernel writes kB and means KiB


def _reset_peak() -> None:
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM to what is resident now


def _resident() -> int:
    return _status("VmRSS") if _STATUS.exists() else _peak()


def _peak() -> int:
    if _STATUS.exists():
        return _status("VmHWM")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
