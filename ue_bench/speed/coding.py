"""How fast 25 million ratings become codes, in how much memory, and the same steps in pandas beside it."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ue_bench import data
from ue_bench.errors import BenchError
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.made_ratings import write_official
from ue_bench.speed.pandas_coding import encode_with_pandas
from ue_bench.training.measure import PeakMemory

TITLE = "Ratings in the official layout (made-up file) to codes of the base features: read, split, encoded; beside pandas"
DATASET = "ml-25m"
ROWS = 25_000_095
ARMS = ("ours", "pandas")


def measure(quick: bool) -> Iterator[Line]:
    """A line for the rows a second and one for memory."""
    with TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        found = coding(ROWS // 10 if quick else ROWS, 0, Path(folder))
    rows, what = found["rows"], f"{found['rows']:,} ratings"
    faster = Claim(
        found["pandas_seconds"] / found["seconds"], "x the rows a second of pandas", ">= 5"
    )
    yield Line(
        what,
        rows / found["seconds"],
        "rows/s",
        {"pandas": rows / found["pandas_seconds"]},
        (faster,),
    )
    peak = Claim(found["peak_bytes"] / found["coded_bytes"], "x the coded arrays", "<= 3")
    beside = {"coded arrays": found["coded_bytes"], "pandas": found["pandas_peak_bytes"]}
    yield Line(f"{what}, memory at the peak", found["peak_bytes"], "B", beside, (peak,))


def coding(rows: int, seed: int, folder: Path) -> dict[str, Any]:
    """Write made-up files of `rows` ratings into `folder`, which exists, and take them to the codes of the `base` features twice.

    Each arm loads, splits at random and encodes in a process of its own, with as many threads as its libraries take, right after
    the file was written, so that it comes from memory. coded_bytes: all arrays of `Encoded`, each once. peak_bytes: by how much
    the process grew at its peak, everything that it still holds in it. seconds: wall clock. Raises BenchError when an arm ends
    without an answer, which is what running out of memory looks like.
    """
    write_official(folder, rows, seed)
    ours, pandas = (_in_a_process(arm, folder, seed) for arm in ARMS)
    return {
        "rows": rows,
        "coded_bytes": ours["coded_bytes"],
        "peak_bytes": ours["peak_bytes"],
        "seconds": ours["seconds"],
        "pandas_seconds": pandas["seconds"],
        "pandas_peak_bytes": pandas["peak_bytes"],
    }


def measured(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    """One arm, in this process: seconds, peak_bytes and, of ours, coded_bytes."""
    with PeakMemory(torch.device("cpu")) as memory:
        started = time.perf_counter()
        done = _encode(folder, seed) if arm == "ours" else encode_with_pandas(folder, seed)
        seconds = time.perf_counter() - started
    found: dict[str, Any] = {"seconds": seconds, "peak_bytes": memory.n_bytes}
    return found | ({"coded_bytes": coded_bytes(done)} if isinstance(done, data.Encoded) else {})


def coded_bytes(encoded: data.Encoded) -> int:
    """Bytes of the arrays, without what is a view of another of them."""
    arrays = [value for value in vars(encoded).values() if isinstance(value, np.ndarray)]
    return sum(array.nbytes for array in arrays if not any(array.base is other for other in arrays))


def _encode(folder: Path, seed: int) -> data.Encoded:
    dataset = data.load(DATASET, folder)
    return data.encode(dataset, dataset.feature_names("base"), data.split(dataset, "random", seed))


def _in_a_process(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "ue_bench.speed.coding", arm, str(folder), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # nosec B603 # our own words, no shell
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BenchError(
            f"coding: {arm} gave no answer ({said[0]}); give fewer rows, or more memory"
        )
    return dict(json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(measured(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
