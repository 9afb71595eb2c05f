"""How fast 25 million ratings become codes, and in how much memory, beside pandas."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ue_bench import data, safe_path
from ue_bench.errors import BenchError
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.made_ratings import write_official
from ue_bench.speed.pandas_coding import encode_with_pandas
from ue_bench.training.peak_memory import PeakMemory

TITLE = (
    "Ratings in the official layout (made-up file) to codes of the base features: read, split, "
    "encoded; beside pandas"
)
DATASET = "ml-25m"
ROWS = 25_000_095


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for the rows a second and one for memory."""
    n_ratings = ROWS
    if quick:
        n_ratings = ROWS // 10
    with TemporaryDirectory(prefix="ue_bench-speed-") as folder:
        costs = coding(n_ratings, 0, Path(folder))
    rows = costs["rows"]
    times_as_fast = costs["pandas_seconds"] / costs["seconds"]
    yield Line(
        what=f"{rows:,} ratings",
        value=rows / costs["seconds"],
        unit="rows/s",
        beside={"pandas": rows / costs["pandas_seconds"]},
        claims=(Claim(times_as_fast, "x the rows a second of pandas", ">= 5"),),
    )
    times_the_codes = costs["peak_bytes"] / costs["coded_bytes"]
    yield Line(
        what=f"{rows:,} ratings, memory at the peak",
        value=costs["peak_bytes"],
        unit="B",
        beside={"coded arrays": costs["coded_bytes"], "pandas": costs["pandas_peak_bytes"]},
        claims=(Claim(times_the_codes, "x the coded arrays", "<= 3"),),
    )


def coding(rows: int, seed: int, folder: Path) -> dict[str, Any]:
    """Write made-up files of `rows` ratings into `folder`, and encode their `base` features twice.

    Each of the two arms loads, splits at random and encodes in a process of its own, with as many
    threads as its libraries use, right after the file was written, so that it is read from memory.

    coded_bytes: all arrays of `Encoded`, each once.
    peak_bytes: by how much the process grew at its peak, with all that it still holds then.
    seconds: wall clock.

    Raises BenchError when an arm ends without an answer, as it does when it runs out of memory.
    """
    write_official(folder, rows, seed)
    ours = _measure_in_a_process("ours", folder, seed)
    pandas = _measure_in_a_process("pandas", folder, seed)
    return {
        "rows": rows,
        "coded_bytes": ours["coded_bytes"],
        "peak_bytes": ours["peak_bytes"],
        "seconds": ours["seconds"],
        "pandas_seconds": pandas["seconds"],
        "pandas_peak_bytes": pandas["peak_bytes"],
    }


def measure_arm(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    """Return the seconds, the peak_bytes and, of ours, the coded_bytes of one arm, run here."""
    with PeakMemory(torch.device("cpu")) as memory:
        started = time.perf_counter()
        encoded = ENCODERS[arm](folder, seed)
        seconds = time.perf_counter() - started
    costs: dict[str, Any] = {"seconds": seconds, "peak_bytes": memory.n_bytes}
    if isinstance(encoded, data.Encoded):
        costs["coded_bytes"] = coded_bytes(encoded)
    return costs


def coded_bytes(encoded: data.Encoded) -> int:
    """Return the bytes of the arrays, each once, without those that are views of another one."""
    values = vars(encoded).values()
    arrays = {id(value): value for value in values if isinstance(value, np.ndarray)}
    total = 0
    for array in arrays.values():
        if id(array.base) not in arrays:
            total += array.nbytes
    return total


def _encode(folder: Path, seed: int) -> data.Encoded:
    dataset = data.load(DATASET, folder, keep=False)
    parts = data.split(dataset, "random", seed)
    return data.encode(dataset, dataset.feature_names("base"), parts)


ENCODERS: dict[str, Callable[[Path, int], Any]] = {"ours": _encode, "pandas": encode_with_pandas}


def _measure_in_a_process(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    command = [sys.executable, "-m", __name__, arm, str(folder), str(seed)]
    # The words of the command are fixed, and there is no shell.
    finished = subprocess.run(  # nosec B603
        command, capture_output=True, text=True, check=False, env=safe_path.environment()
    )
    if finished.returncode:
        reason = f"exit code {finished.returncode}"
        if finished.stderr.strip():
            reason = finished.stderr.strip().splitlines()[-1]
        raise BenchError(
            f"coding: {arm} gave no answer ({reason}); give fewer rows, or more memory"
        )
    return dict(json.loads(finished.stdout))


if __name__ == "__main__":
    print(json.dumps(measure_arm(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
