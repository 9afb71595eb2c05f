"""Clocks and counters tell the truth about calls whose cost is known."""

import subprocess
import sys
import time

import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.measure import Timing, lookup_latency, timing

CPU = torch.device("cpu")


@pytest.mark.alone
def test_a_sleep_takes_as_long_as_it_sleeps():
    found = timing(lambda: time.sleep(0.002), CPU, seconds=0.1)
    assert 2_000 <= found.p50_us < 6_000
    assert found.p50_us <= found.p90_us <= found.p99_us
    assert found.n >= 30


def test_on_cuda_the_clock_is_the_devices(monkeypatch):
    """A device whose clock runs half as fast as the host's: its time is told, and every call waits until it is over."""
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
    found = timing(lambda: log.append(time.sleep(0.002)), torch.device("cuda", 1), seconds=0.1)
    assert 1_000 <= found.p50_us < 3_000
    one = ["stream of cuda:1", None, "stream of cuda:1", "waited"]
    assert log == one * (len(log) // 4)
    assert len(log) // 4 > found.n >= 30, "and the first calls warm up"


def test_quantiles_and_stability_by_hand():
    calm, shaken = Timing(100, 110, 120, 10, 50), Timing(100, 200, 300, 16, 50)
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


@pytest.mark.parametrize("megabytes", [40, 120])
def test_the_peak_counts_what_was_freed_again(megabytes):
    script = (  # a process of its own, as a study's runs have: here, memory that earlier tests freed would be used again
        "import torch; from ue_bench.training.measure import PeakMemory\n"
        "with PeakMemory(torch.device('cpu')) as memory:\n"
        f"    torch.ones({megabytes} * 250_000)\n"
        "print(memory.n_bytes)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert megabytes * 0.95e6 < int(told) < megabytes * 1.05e6 + 4e6


def test_lookup_latency_covers_both_roads():
    features = (Feature("a", [str(i) for i in range(50)], 50), Feature("b", ["x", "y"], 2))
    strategy = build(Spec("unified", features, (2, 1), 4, 1600))
    rows = torch.tensor([[3, 1], [49, 0]])
    found = lookup_latency(strategy, rows, batches=(1, 8), seconds=0.01)
    assert [(entry["source"], entry["batch"]) for entry in found] == [
        ("codes", 1),
        ("values", 1),
        ("codes", 8),
        ("values", 8),
    ]
    assert all(entry["p50_us"] > 0 for entry in found)
    assert torch.equal(strategy.from_values([["3", "49"], ["y", "x"]]), strategy(rows))
