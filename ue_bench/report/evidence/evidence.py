"""What records say, worked out once for everything that is made from them: arms, their summary, and who is told apart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ue_bench.record import Record, SpeedRecord
from ue_bench.report.evidence.arms import Arms, collect
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.verdict import verdicts


@dataclass(frozen=True)
class Evidence:
    """The records, and what follows from them alone. `records` keeps the runs; `speed` is what `ue-bench speed` measured."""

    records: Sequence[Any]
    speed: Sequence[SpeedRecord] = field(init=False)
    arms: Arms = field(init=False)
    summary: pd.DataFrame = field(init=False)
    verdicts: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "speed", [record for record in self.records if isinstance(record, SpeedRecord)]
        )
        object.__setattr__(
            self, "records", [record for record in self.records if isinstance(record, Record)]
        )
        object.__setattr__(self, "arms", collect(self.records))
        object.__setattr__(self, "summary", summarise(self.arms.kept))
        object.__setattr__(self, "verdicts", verdicts(self.arms.kept, self.summary))

    def of(self, study: str, features: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Summary and verdicts of one study (and of some of its feature sets)."""
        chosen = self.summary["features"].isin(list(features)) if features else True
        own = self.summary[(self.summary["study"] == study) & chosen].reset_index(drop=True)
        if not len(self.verdicts):
            return own, self.verdicts
        return own, self.verdicts[
            (self.verdicts["study"] == study) & self.verdicts["features"].isin(own["features"])
        ]
