"""Timings are right about calls whose cost is known."""

import threading
import time

import pytest
import torch

from ue_bench.features import Feature
from ue_bench.strategies import Spec, build
from ue_bench.training.timing import Timing, lookup_latency, time_call, time_together

CPU = torch.device("cpu")


@pytest.mark.alone
def test_a_sleep_takes_as_long_as_it_sleeps():
    timing = time_call(lambda: time.sleep(0.002), CPU, seconds=0.1)
    assert 2_000 <= timing.p50_us < 20_000
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
    assert 1_000 <= timing.p50_us < 10_000
    one_call = ["stream of cuda:1", None, "stream of cuda:1", "waited"]
    n_calls = len(log) // len(one_call)
    assert log == one_call * n_calls
    assert n_calls > timing.n >= 30, "and the first calls warm up"


@pytest.mark.alone
def test_two_callers_sleep_side_by_side():
    inside = []
    most_inside = []

    def call():
        inside.append(threading.get_ident())
        most_inside.append(len(inside))
        time.sleep(0.002)
        inside.remove(threading.get_ident())

    timing = time_together(call, CPU, seconds=0.1)
    assert max(most_inside) == 2, "both are within a call at the same time"
    assert 2_000 <= timing.p50_us < 20_000
    assert timing.n > 50, "each makes as many calls as one alone"


def test_no_caller_records_gradients():
    weight = torch.ones(3, requires_grad=True)
    recorded = []
    with torch.no_grad():
        time_together(lambda: recorded.append((weight * 2).requires_grad), CPU, seconds=0.01)
    assert not any(recorded)


def test_an_error_of_a_caller_is_raised():
    def call():
        if threading.current_thread() is not threading.main_thread():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        time_together(call, CPU, seconds=0.01)


def test_quantiles_and_stability_by_hand():
    timing = Timing.of([float(number) for number in range(101)])
    assert (timing.p50_us, timing.p90_us, timing.p99_us) == (50, 90, 99)
    assert (timing.iqr_us, timing.mean_us, timing.n) == (50, 50, 101)
    assert timing.unstable
    calm = Timing(p50_us=100, p90_us=110, p99_us=120, iqr_us=10, mean_us=101, n=50)
    assert not calm.unstable
    assert calm.to_dict() == {
        "p50_us": 100,
        "p90_us": 110,
        "p99_us": 120,
        "iqr_us": 10,
        "n": 50,
        "unstable": False,
    }


def two_features():
    return (
        Feature("a", [str(i) for i in range(50)], 50),
        Feature("b", ["x", "y"], 2),
    )


def test_lookup_latency_covers_both_sources_and_two_callers():
    features = two_features()
    spec = Spec(name="unified", features=features, lookups=(2, 1), dim=4, budget=1600)
    strategy = build(spec)
    rows = torch.tensor([[3, 1], [49, 0]])
    entries = lookup_latency(strategy, features, rows, batches=(1, 8), share=0.1)
    assert [(entry["source"], entry["batch"], entry["callers"]) for entry in entries] == [
        ("values", 1, 1),
        ("values", 1, 2),
        ("codes", 1, 1),
        ("values", 8, 1),
        ("values", 8, 2),
        ("codes", 8, 1),
    ]
    for entry in entries:
        assert entry["p50_us"] > 0
        # all calls of all callers, none faster than the fastest: the median is near their mean
        assert 0 < entry["rows_per_second"] <= 1e6 * entry["callers"] * entry["batch"]
    assert torch.equal(strategy.from_values([["3", "49"], ["y", "x"]]), strategy(rows))


def test_a_lookup_from_codes_reads_a_cache_that_is_counted():
    features = two_features()
    spec = Spec(name="unified", features=features, lookups=(2, 1), dim=4, budget=1600)
    strategy = build(spec)
    before = strategy.footprint()
    assert strategy.slot_cache_bytes() == 0, "nothing is kept before the first lookup"
    strategy(torch.tensor([[3, 1]]))
    # 102 slots of 32 bits, the feature (int64) of 3 columns, where each starts, and the 3 columns
    # beside each other, padded to 50 values
    assert strategy.slot_cache_bytes() == 4 * 102 + 8 * 3 + 8 * 3 + 4 * 3 * 50
    assert strategy.footprint() == before, "and nothing of it is served"
