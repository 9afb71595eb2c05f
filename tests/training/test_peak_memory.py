"""The memory counter is right about a tensor whose size is known."""

import subprocess
import sys

import pytest

# A process of its own, as the runs of a study have: here, memory that earlier tests freed would be
# used again.
SCRIPT = """
import torch
from ue_bench.training.peak_memory import PeakMemory
with PeakMemory(torch.device("cpu")) as memory:
    torch.ones({megabytes} * 250_000)
print(memory.n_bytes)
"""


@pytest.mark.parametrize("megabytes", [40, pytest.param(120, marks=pytest.mark.slow)])
def test_the_peak_counts_what_was_freed_again(megabytes):
    command = [sys.executable, "-c", SCRIPT.format(megabytes=megabytes)]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert megabytes * 0.95e6 < int(printed) < megabytes * 1.05e6 + 4e6
