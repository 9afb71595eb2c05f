"""What follows from records alone, worked out once for everything that is made from them."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from ue_bench.config.drawn_worlds import is_draw
from ue_bench.record import Record, SpeedRecord
from ue_bench.report.evidence.arms import Arms, collect
from ue_bench.report.evidence.dataset_labels import told_apart
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.verdict import verdicts

Made = TypeVar("Made")


@dataclass(frozen=True)
class Evidence:
    """The records, their arms, the summary of these and the verdicts on them.

    records: the runs; different tables of one name have labels as names (see `dataset_labels`).
    speed: the measurements of `ue-bench speed`, which are given with the runs.
    drawn: the runs on draws of planted worlds. They are in no arm, and tell how often a verdict on
    such data is wrong (see `error_rates`).
    """

    records: Sequence[Any]
    speed: Sequence[SpeedRecord] = field(init=False)
    drawn: Sequence[Record] = field(init=False)
    arms: Arms = field(init=False)
    summary: pd.DataFrame = field(init=False)
    verdicts: pd.DataFrame = field(init=False)
    _made: dict[Hashable, Any] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        runs = []
        speed = []
        drawn = []
        for record in self.records:
            if isinstance(record, SpeedRecord):
                speed.append(record)
            elif is_draw(record.config):
                drawn.append(record)
            else:
                runs.append(record)
        runs = told_apart(runs)
        arms = collect(runs)
        summary = summarise(arms.kept)
        object.__setattr__(self, "records", runs)
        object.__setattr__(self, "speed", speed)
        object.__setattr__(self, "drawn", drawn)
        object.__setattr__(self, "arms", arms)
        object.__setattr__(self, "summary", summary)
        object.__setattr__(self, "verdicts", verdicts(arms.kept, summary))

    def of(self, study: str, features: Sequence[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the summary and verdicts of one study, or of some of its feature sets."""
        summary = self.summary[self.summary["study"] == study]
        if features:
            summary = summary[summary["features"].isin(list(features))]
        verdicts = self.verdicts
        if len(verdicts):
            of_study = verdicts["study"] == study
            verdicts = verdicts[of_study & verdicts["features"].isin(summary["features"])]
        return summary.reset_index(drop=True), verdicts

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """Return what `make` returns; it is called the first time that something asks for `name`.

        Figures, pages and blocks of documents need the same things of a study. Nobody may change
        what is returned.
        """
        if name not in self._made:
            self._made[name] = make()
        made: Made = self._made[name]
        return made
