"""What a user asks: the data, and the memory, latency and time there are."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.config.first_seed import require_first_seed
from ue_bench.errors import BenchError
from ue_bench.record import ADVICE

RECIPE: dict[str, Any] = {"measure": "quality"}  # and otherwise the default one, as in studies

MOST_BYTES = 2**60
MOST_MINUTES = 1_000_000


@dataclass(frozen=True)
class Question:
    """One question, whose runs share a folder.

    base: data, split, head and recipe of every run. Its four seeds are the first of the search.
    memory: bytes of table, auxiliary data and vocabulary together.
    latency: the most microseconds that the median lookup of 256 rows may take from raw values,
    which are hashed or looked up first; None for no limit.
    minutes: the wall-clock time, including that of earlier commands for the same question.
    plugins: loaded Python files whose strategies are candidates too.

    Raises BenchError for a number out of range.
    """

    base: RunConfig
    memory: int
    latency: float | None = None
    minutes: float = 10.0
    data_dir: Path | None = None
    plugins: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        require_first_seed(self.seed)
        if not 1 <= self.memory <= MOST_BYTES:
            raise BenchError(
                f"memory: {self.memory} bytes were given; give from 1 byte to {MOST_BYTES:,}"
            )
        if not 0 < self.minutes <= MOST_MINUTES:
            raise BenchError(
                f"minutes: {self.minutes:g} was given; "
                f"give a number above 0, up to {MOST_MINUTES:,}"
            )

    @classmethod
    def of(
        cls,
        base: RunConfig,
        memory: int,
        latency: float | None,
        minutes: float,
        data_dir: Path | None,
        plugins: tuple[Path, ...] = (),
    ) -> "Question":
        """Return the question of a configuration that names data, split, head and epochs.

        The rest of the recipe is that of all advice.
        """
        return cls(
            base=replace(base, **RECIPE),
            memory=memory,
            latency=latency,
            minutes=minutes,
            data_dir=data_dir,
            plugins=plugins,
        )

    @property
    def name(self) -> str:
        """The name of the folder of its records.

        It depends on neither latency nor minutes: both may change, and no run is repeated.
        """
        return f"{ADVICE}{replace(self.base, budget=self.memory).run_id[:8]}"

    @property
    def seed(self) -> int:
        """The first seed of the search."""
        return self.base.init_seed
