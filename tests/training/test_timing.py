"""Timings are right about calls whose cost is known."""

import time

import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.timing import Timing, lookup_latency, time_call

CPU = torch.device("cpu")


@pytest.mark.alone
def test_a_sleep_takes_as_long_as_it_sleeps():
    timing = time_call(lambda: time.sleep(0.002), CPU, seconds=0.1)
    assert 2_000 <= timing.p50_us < 6_000
    assert timing.p50_us <= timing.p90_us <= timing.p99_us
    assert timing.n >= 30


def test_on_cuda_the_clock_is_the_devices(monkeypatch):
    """The clock of this device runs half as fast as the host's; every call waits for its end."""
    log = []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self, stream):
            log.append(stream)
            self.at = time.perf_counter()

        def synchronize(self):
            log.append("waited")

        def elapsed_time(self, end):
            return 500 * (end.at - self.at)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: f"stream of {device}")
    device = torch.device("cuda", 1)
    timing = time_call(lambda: log.append(time.sleep(0.002)), device, seconds=0.1)
    assert 1_000 <= timing.p50_us < 3_000
    one_call = ["stream of cuda:1", None, "stream of cuda:1", "waited"]
    n_calls = len(log) // len(one_call)
    assert log == one_call * n_calls
    assert n_calls > timing.n >= 30, "and the first calls warm up"


def test_quantiles_and_stability_by_hand():
    calm = Timing(p50_us=100, p90_us=110, p99_us=120, iqr_us=10, n=50)
    shaken = Timing(p50_us=100, p90_us=200, p99_us=300, iqr_us=16, n=50)
    assert not calm.unstable
    assert shaken.unstable
    assert calm.to_dict() == {
        "p50_us": 100,
        "p90_us": 110,
        "p99_us": 120,
        "iqr_us": 10,
        "n": 50,
        "unstable": False,
    }


def test_lookup_latency_covers_both_sources():
    features = (
        Feature("a", [str(i) for i in range(50)], 50),
        Feature("b", ["x", "y"], 2),
    )
    spec = Spec(name="unified", features=features, lookups=(2, 1), dim=4, budget=1600)
    strategy = build(spec)
    rows = torch.tensor([[3, 1], [49, 0]])
    entries = lookup_latency(strategy, rows, batches=(1, 8), seconds=0.01)
    assert [(entry["source"], entry["batch"]) for entry in entries] == [
        ("codes", 1),
        ("values", 1),
        ("codes", 8),
        ("values", 8),
    ]
    assert all(entry["p50_us"] > 0 for entry in entries)
    assert torch.equal(strategy.from_values([["3", "49"], ["y", "x"]]), strategy(rows))
