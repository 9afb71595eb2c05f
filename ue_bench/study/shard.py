"""A part of a study's runs, for machines that share no database: the third of fifty, `3/50`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from ue_bench.errors import BenchError

_TEXT = re.compile(r"(\d{1,9})/(\d{1,9})", re.ASCII)

Value = TypeVar("Value")


@dataclass(frozen=True)
class Shard:
    """The part `number`, from 1 on, of `count` parts, which together are all runs of a list."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Return the shard of a text such as `3/50`. Raises BenchError for another text."""
        match = _TEXT.fullmatch(text)
        if match is not None:
            number, count = int(match[1]), int(match[2])
            if 1 <= number <= count:
                return cls(number, count)
        raise BenchError(
            f"shard: {text!r} was given; give the number of a part and of all parts, from 1/50 to "
            "50/50"
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def name(self) -> str:
        """The shard as a part of a file's name."""
        return f"{self.number}-of-{self.count}"

    def of(self, listed: Mapping[str, Value]) -> dict[str, Value]:
        """Return what of a list is in this part: every `count`-th entry.

        It follows from the order of the list alone.
        """
        return dict(list(listed.items())[self.number - 1 :: self.count])
