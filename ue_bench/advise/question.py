"""What is asked: data, and the memory, latency and time there are."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import ADVICE

# Large tables peak within the first epoch, so validation is looked at four times an epoch.
RECIPE: dict[str, Any] = {"evals_per_epoch": 4, "patience": 2, "measure": "quality"}

MOST_BYTES = 2**60
MOST_MINUTES = 1_000_000


@dataclass(frozen=True)
class Question:
    """One question, whose runs share a folder.

    base: data, split, head and recipe of every run; its four seeds are the first of the search. memory: bytes of table, auxiliary
    data and vocabulary together. latency: most microseconds of the median lookup of 256 rows from codes, or None. minutes: of
    wall-clock time in all, what earlier commands took for the same question included.

    Raises BenchError for a number out of range.
    """

    base: RunConfig
    memory: int
    latency: float | None = None
    minutes: float = 10.0
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.memory <= MOST_BYTES:
            raise BenchError(
                f"memory: {self.memory} bytes were given; give from 1 byte to {MOST_BYTES:,}"
            )
        if not 0 < self.minutes <= MOST_MINUTES:
            raise BenchError(
                f"minutes: {self.minutes:g} was given; give a number above 0, up to {MOST_MINUTES:,}"
            )

    @classmethod
    def of(
        cls,
        base: RunConfig,
        memory: int,
        latency: float | None,
        minutes: float,
        data_dir: Path | None,
    ) -> "Question":
        """The question of a configuration that names data, split, head and epochs: the recipe is the house's."""
        return cls(replace(base, **RECIPE), memory, latency, minutes, data_dir)

    @property
    def name(self) -> str:
        """Of the folder of its records. Neither latency nor minutes are in it: both may change, and nothing is run twice."""
        return f"{ADVICE}{replace(self.base, budget=self.memory).run_id[:8]}"

    @property
    def seed(self) -> int:
        """The first seed of the search."""
        return self.base.init_seed
