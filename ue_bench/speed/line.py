"""One line of the table of speeds: what was measured, what it stands beside, and what it must reach."""

import operator
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

MUST = {"<=": operator.le, ">=": operator.ge, "<": operator.lt}


@dataclass(frozen=True)
class Claim:
    """A ratio inside one run, and what is demanded of it. must: `<= 1.15`; empty: nothing is."""

    ratio: float
    of: str  # completes `1.06 ...`: "x the limit"
    must: str = ""

    @property
    def reached(self) -> bool | None:
        """None where nothing is demanded."""
        if not self.must:
            return None
        sign, number = self.must.split()
        return bool(MUST[sign](self.ratio, float(number)))


@dataclass(frozen=True)
class Line:
    """unit: s, s/call, rows/s or B. beside: peers and limits, by name, in the same unit. note: what a reader must know of it."""

    what: str
    value: float | None  # None: it could not be measured, and `note` says why
    unit: str
    beside: Mapping[str, float] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        claims = [{**asdict(claim), "reached": claim.reached} for claim in self.claims]
        return {**asdict(self), "beside": dict(self.beside), "claims": claims}
