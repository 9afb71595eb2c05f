"""First contact with ratings in the official layout, beside pandas: parse, check, code, and write
what later runs read."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ue_bench import data
from ue_bench.data.kept.coded_store import SIZE_VARIABLE, Store, total_bytes
from ue_bench.errors import BenchError
from ue_bench.speed.arm_process import measured_in_a_process
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.made_ratings import write_official
from ue_bench.speed.pandas_coding import keep_with_pandas
from ue_bench.training.peak_memory import PeakMemory

DATASET = "ml-25m"
TIMES = 5  # as fast as pandas: the aim
MOST_TIMES = 2  # the coded arrays: of memory at the peak


def lines(n_ratings: int) -> Iterator[Line]:
    """Yield the line of the rows a second and that of the memory, of a made file."""
    with TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        costs = first_contact(n_ratings, 0, Path(folder))
    ours, pandas = costs["ours"], costs["pandas"]
    what = f"first contact with {n_ratings:,} ratings"
    yield Line(
        what=what,
        value=n_ratings / ours["seconds"],
        unit="rows/s",
        beside={"pandas": n_ratings / pandas["seconds"]},
        claims=(
            Claim(
                pandas["seconds"] / ours["seconds"],
                "x the rows a second of pandas",
                f">= {TIMES}",
            ),
        ),
        note="parsed, checked, coded and written for later runs, in both",
    )
    yield Line(
        what=f"{what}, memory at the peak",
        value=ours["peak_bytes"],
        unit="B",
        beside={"coded arrays": ours["coded_bytes"], "pandas": pandas["peak_bytes"]},
        claims=(
            Claim(
                ours["peak_bytes"] / ours["coded_bytes"],
                "x the coded arrays",
                f"<= {MOST_TIMES}",
            ),
        ),
    )


def first_contact(rows: int, seed: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Write made files of so many ratings into `folder`, and return what each arm takes.

    Each runs in a process of its own, with as many threads as its libraries use, right after the
    file was written, so that it is read from memory. See `measure_arm` for the costs. Raises
    BenchError where an arm ends without an answer.
    """
    write_official(folder, rows, seed)
    costs = {}
    for arm in ARMS:
        kept = folder / f"kept by {arm}"
        kept.mkdir()
        costs[arm] = measured_in_a_process(__name__, "first contact", arm, str(folder), str(kept))
    return costs


def measure_arm(arm: str, folder: Path, kept: Path) -> dict[str, Any]:
    """Return the costs of one arm, run here.

    kept: the folder that it writes to. seconds: wall clock. peak_bytes: by how much the process
    grew at its peak. coded_bytes: what it has written.
    """
    with PeakMemory(torch.device("cpu")) as memory:
        started = time.perf_counter()
        coded_bytes = ARMS[arm](folder, kept)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_bytes": memory.n_bytes, "coded_bytes": coded_bytes}


def _keep(folder: Path, kept: Path) -> int:
    """Load the data set as a run does that finds nothing in the cache `kept`; return the bytes that
    are there afterwards. Raises BenchError where nothing was kept."""
    data.load(DATASET, folder, cache=kept)
    written = total_bytes(Store.of(kept).entries())
    if not written:
        raise BenchError(
            f"first contact: nothing was kept; give more rows, and more room in {SIZE_VARIABLE}"
        )
    return written


ARMS: dict[str, Callable[[Path, Path], int]] = {"ours": _keep, "pandas": keep_with_pandas}


if __name__ == "__main__":
    print(json.dumps(measure_arm(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
