"""What a search may choose for a knob, beside a list of values: a range, or a list that ends at the
value of another knob."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ue_bench.errors import BenchError

DIGITS = 3  # significant ones of a proposed number, so that a configuration stays readable


@dataclass(frozen=True)
class Between:
    """Every number from `low` to `high`.

    log: equal ratios are equally likely, and not equal differences.
    Raises BenchError for limits that are no range.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        least = -math.inf
        if self.log:
            least = 0.0
        if not least < self.low < self.high < math.inf:
            raise BenchError(
                f"a range from {self.low} to {self.high} was given; the first must be the smaller "
                "one, and above 0 where log=True"
            )

    def rounded(self, number: float) -> float:
        """Return the number with few digits, inside the range."""
        return self.clipped(float(f"{number:.{DIGITS}g}"))

    def clipped(self, number: float) -> float:
        """Return the number of the range that is nearest."""
        return min(max(float(number), self.low), self.high)

    def place(self, number: float) -> float:
        """Return where a number lies: 0 at the low end, 1 at the high end."""
        low, high = self.low, self.high
        if self.log:
            if number <= 0:
                return -math.inf
            low, high, number = math.log(low), math.log(high), math.log(number)
        return (number - low) / (high - low)


@dataclass(frozen=True)
class UpTo:
    """Those of `values`, which are in order, that are at most the value of the knob `limit`.

    Where one is left, nothing is chosen; where none is left, the knob keeps its default. A limit of
    None, as the dim has where the width is given, allows all. Raises BenchError for values that are
    no numbers.
    """

    limit: str
    values: tuple[Any, ...]

    def __post_init__(self) -> None:
        for value in self.values:
            if not isinstance(value, (int, float)):
                raise BenchError(f"values up to {self.limit}: {value!r} was given; give numbers")

    def allowed(self, most: Any) -> tuple[Any, ...]:
        """Return the values that are at most `most`."""
        if most is None:
            return self.values
        return tuple(value for value in self.values if value <= most)


Allowed = tuple[Any, ...] | Between | UpTo


def to_json(allowed: Allowed) -> list[Any] | dict[str, Any]:
    """Return what a knob may be, as a record holds it."""
    if isinstance(allowed, Between):
        return {"low": allowed.low, "high": allowed.high, "log": allowed.log}
    if isinstance(allowed, UpTo):
        return {"limit": allowed.limit, "values": list(allowed.values)}
    return list(allowed)


def from_json(content: list[Any] | Mapping[str, Any]) -> Allowed:
    """Return what `to_json` made into JSON. Raises BenchError for anything else."""
    try:
        if isinstance(content, Mapping) and "limit" in content:
            return UpTo(content["limit"], tuple(content["values"]))
        if isinstance(content, Mapping):
            return Between(content["low"], content["high"], content["log"])
        return tuple(content)
    except (KeyError, TypeError) as error:
        raise BenchError(f"the space of a search has {content!r} for a knob") from error
