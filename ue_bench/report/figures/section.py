"""What a section of a report is: a tidy frame of one study, and how it is drawn and written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.trials import Trial
from ue_bench.report.figures.style import Looks


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """What the sections of one study are made from.

    name: the name of the study.
    arms, summary: the arms that the figures show. In a study of nothing but searches these are
        the arms on fresh seeds, elsewhere those of the grid.
    confirmed: the summary of the arms on fresh seeds, which confirm a search.
    trials: those of its searches, each with its runs.
    verdicts: those on all arms, as `evidence.verdict` returns them.
    every_arm, all_summary: all arms, with those that confirm a search.
    records: all records of the study, failed ones too.
    drawn: those on draws of planted worlds, which are in no arm.
    anchors: the anchors of each panel, as `anchor_lines.tidy` returns them.
    looks: colour, marker and dash by label and by strategy.
    """

    name: str
    arms: Sequence[Arm]
    summary: pd.DataFrame
    confirmed: pd.DataFrame
    trials: Sequence[Trial]
    every_arm: Sequence[Arm]
    records: Sequence[Record]
    anchors: pd.DataFrame
    looks: Looks
    all_summary: pd.DataFrame
    verdicts: pd.DataFrame
    drawn: Sequence[Record] = ()


@dataclass(frozen=True, kw_only=True)
class Section:
    """One kind of figure or table.

    name: the name of its files, and in the blocks `section` and `sentences` of a document.
    tidy: makes the frame that the section shows.
    empty: the reason that the report gives where the frame is empty.
    draw: makes the figure from the frame, without arithmetic. Without it the section is a table.
    table: writes the lines of Markdown below the figure.
    gist: says in one plain sentence, without brackets, what the whole frame says.
    each: whether every panel has a figure of its own.
    of_labels: the measure that takes the place of the MSE where the task is binary.
    fewest: rows of the frame that make a figure; of fewer the table says all.
    """

    name: str
    title: str
    tidy: Callable[[StudyData], pd.DataFrame]
    empty: str
    caption: str
    draw: Callable[[pd.DataFrame, StudyData], Figure] | None = None
    table: Callable[[pd.DataFrame], list[str]] | None = None
    gist: Callable[[pd.DataFrame], str] | None = None
    each: bool = False
    of_labels: str = "Brier score"
    fewest: int = 1

    def parts(self, frame: pd.DataFrame) -> list[pd.DataFrame]:
        """The part of the frame that each figure of the section shows."""
        if not self.each:
            return [frame]
        return [part for _, part in frame.groupby("panel")]
