"""Advice from Python."""

from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

from ue_bench.advise.ask import advise
from ue_bench.advise.question import Question
from ue_bench.config import RunConfig
from ue_bench.config.units import parse_bytes, parse_micros
from ue_bench.strategies import load_plugins


def advice(
    config: RunConfig,
    memory: int | str,
    *,
    minutes: float = 10.0,
    latency: str | None = None,
    workers: int = 1,
    results: str | PathLike[str] = "results/local",
    plugins: Collection[str | PathLike[str]] = (),
    data_dir: str | PathLike[str] | None = None,
) -> dict[str, Any]:
    """Return which strategy, size, dim and lookups suit the data, as `ue-bench advise --json` does.

    config: names data, features, split, task and head; its seeds are the first of the search.
    memory: bytes in all, or a text such as ``"50kB"``. minutes: of the clock, with those of earlier
    calls for the same question. latency: the largest median lookup of 256 rows: ``"800us"``.

    `ue_bench.advise.as_text(answer, results)` writes it in plain text. Raises BenchError for what
    cannot work.
    """
    files = tuple(Path(path) for path in plugins)
    load_plugins(files)
    question = Question.of(
        config,
        memory if isinstance(memory, int) else parse_bytes(memory, "memory"),
        None if latency is None else parse_micros(latency, "latency"),
        minutes,
        None if data_dir is None else Path(data_dir),
        files,
    )
    return advise(question, Path(results), workers)
