"""How fast 25 million ratings become codes, and in how much memory, beside pandas."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch

from ue_bench import data
from ue_bench.speed.arm_process import measured_in_a_process
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.made_ratings import write_official
from ue_bench.speed.pandas_coding import encode_with_pandas
from ue_bench.training.peak_memory import PeakMemory

READ, SPLIT, ENCODE = "read and check", "split", "encode"  # our stages
TITLE = (
    "Ratings in the official layout (made-up file) to codes of the base features: read, split, "
    "encoded; beside pandas"
)
DATASET = "ml-25m"
ROWS = 25_000_095
TIMES = 5  # as fast as pandas: the aim


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for the rows a second, one for memory, and one for where the time goes."""
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
        claims=(Claim(times_as_fast, "x the rows a second of pandas", f">= {TIMES}"),),
    )
    times_the_codes = costs["peak_bytes"] / costs["coded_bytes"]
    yield Line(
        what=f"{rows:,} ratings, memory at the peak",
        value=costs["peak_bytes"],
        unit="B",
        beside={"coded arrays": costs["coded_bytes"], "pandas": costs["pandas_peak_bytes"]},
        claims=(Claim(times_the_codes, "x the coded arrays", "<= 3"),),
    )
    least = costs["parser_seconds"] + costs["stages"][SPLIT]
    yield Line(
        what=f"{rows:,} ratings, where the time goes",
        value=costs["seconds"],
        unit="s",
        beside=costs["stages"] | {"polars' parser alone, no check": costs["parser_seconds"]},
        claims=(
            Claim(
                least / (costs["pandas_seconds"] / TIMES),
                f"x 1/{TIMES} of pandas' time for that parser and the split",
            ),
        ),
    )


def coding(rows: int, seed: int, folder: Path) -> dict[str, Any]:
    """Write made-up files of `rows` ratings into `folder`, and encode their `base` features twice.

    Each of the two arms loads, splits at random and encodes in a process of its own, with as many
    threads as its libraries use, right after the file was written, so that it is read from memory.
    A third process only parses the file.

    coded_bytes: all arrays of `Encoded`, each once.
    peak_bytes: by how much the process grew at its peak, with all that it still holds then.
    seconds: wall clock. stages: those of our stages. parser_seconds: those of polars' parser, which
    checks nothing.

    Raises BenchError when an arm ends without an answer, as it does when it runs out of memory.
    """
    write_official(folder, rows, seed)
    ours = _in_a_process("ours", folder, seed)
    pandas = _in_a_process("pandas", folder, seed)
    parser = _in_a_process("parser", folder, seed)
    return {
        "rows": rows,
        "coded_bytes": ours["coded_bytes"],
        "peak_bytes": ours["peak_bytes"],
        "seconds": ours["seconds"],
        "stages": ours["stages"],
        "parser_seconds": parser["seconds"],
        "pandas_seconds": pandas["seconds"],
        "pandas_peak_bytes": pandas["peak_bytes"],
    }


def measure_arm(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    """Return the costs of one arm, run here: seconds and peak_bytes.

    Of ours also coded_bytes, and the seconds of its stages by name.
    """
    with PeakMemory(torch.device("cpu")) as memory:
        started = time.perf_counter()
        result = ARMS[arm](folder, seed)
        seconds = time.perf_counter() - started
    costs: dict[str, Any] = {"seconds": seconds, "peak_bytes": memory.n_bytes}
    if isinstance(result, _Ours):
        costs["coded_bytes"] = coded_bytes(result.encoded)
        costs["stages"] = result.stages
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


class _Ours(NamedTuple):
    encoded: data.Encoded
    stages: dict[str, float]  # seconds by name


def _encode(folder: Path, seed: int) -> _Ours:
    times = [time.perf_counter()]
    dataset = data.load(DATASET, folder, keep=False)
    times.append(time.perf_counter())
    parts = data.split(dataset, "random", seed)
    times.append(time.perf_counter())
    encoded = data.encode(dataset, dataset.feature_names("base"), parts)
    times.append(time.perf_counter())
    seconds = [end - start for start, end in pairwise(times)]
    return _Ours(encoded, dict(zip((READ, SPLIT, ENCODE), seconds, strict=True)))


def _parse(folder: Path, seed: int) -> pl.DataFrame:
    """Parse the ratings in one call and check nothing: the least that reading them takes."""
    types = {"userId": pl.UInt32, "movieId": pl.UInt32, "rating": pl.Float32, "timestamp": pl.Int64}
    return pl.read_csv(folder / "ratings.csv", schema=types)


ARMS: dict[str, Callable[[Path, int], Any]] = {
    "ours": _encode,
    "pandas": encode_with_pandas,
    "parser": _parse,
}


def _in_a_process(arm: str, folder: Path, seed: int) -> dict[str, Any]:
    return measured_in_a_process(__name__, "coding", arm, str(folder), str(seed))


if __name__ == "__main__":
    print(json.dumps(measure_arm(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))
