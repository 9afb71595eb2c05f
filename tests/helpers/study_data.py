"""`StudyData` of arms, searches or records alone, for tests of one section."""

from collections.abc import Iterable

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.summary import score, summarise
from ue_bench.report.evidence.trials import trials_of
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures import anchor_lines, style
from ue_bench.report.figures.section import StudyData


def study_of(
    arms: Iterable[Arm] = (),
    search: Iterable[Record] = (),
    records: Iterable[Record] = (),
    summary: pd.DataFrame | None = None,
) -> StudyData:
    """A study of these arms, which are those on fresh seeds too. summary: theirs, where it is at hand."""
    arms = list(arms)
    summary = summarise(arms) if summary is None else summary
    return StudyData(
        name="fake",
        arms=arms,
        summary=summary,
        confirmed=summary,
        trials=trials_of(search),
        every_arm=arms,
        records=list(records),
        anchors=anchor_lines.tidy(score(summary)),
        looks=style.looks(
            [(arm.label, arm.group) for arm in arms if not arm.is_anchor],
            anchors={arm.label for arm in arms if arm.is_anchor},
        ),
        all_summary=summary,
        verdicts=verdicts(arms, summary if arms else summary.iloc[:0]),
    )
