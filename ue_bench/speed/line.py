"""One line of the table of speeds: what was measured, what it is compared with, and what it has to
reach."""

import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


@dataclass(frozen=True)
class Claim:
    """A ratio inside one run.

    of: completes `1.06 ...`: "x the limit".
    must: what the ratio has to reach, such as `<= 1.15`; empty: nothing.
    """

    ratio: float
    of: str
    must: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the ratio reaches what it has to; None where that is nothing."""
        if not self.must:
            return None
        sign, bound = self.must.split()
        return bool(COMPARISONS[sign](self.ratio, float(bound)))


@dataclass(frozen=True)
class Line:
    """One measurement.

    value: in `unit`; None: it could not be measured, and `note` says why.
    unit: s, s/call, rows/s, runs/s or B.
    beside: peers and limits, by name, in the same unit.
    note: what a reader has to know of the measurement.
    """

    what: str
    value: float | None
    unit: str
    beside: Mapping[str, float] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of a record's `lines`."""
        claims = [{**asdict(claim), "reached": claim.reached} for claim in self.claims]
        return {**asdict(self), "beside": dict(self.beside), "claims": claims}
