"""How many seeds the comparisons of a study need, as a table; `evidence/power.py` calculates it."""

import pandas as pd

from ue_bench.report.evidence import power
from ue_bench.report.evidence.frames import rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import missing


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a comparison, as `power.tidy` describes it."""
    return power.tidy(study.every_arm, study.all_summary)


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: one row a comparison."""
    lines = [
        f"| comparison | pairs | sd of a difference | seeds to see {power.TARGET} | seeds it has "
        "| what many seeds show | by |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows(frame):
        needed = "no number" if missing(row.needed) else str(row.needed)
        cells = [
            row.panel,
            str(row.pairs),
            f"{row.sd:.4f}",
            needed,
            str(row.n),
            f"{row.smallest:.4f}",
            row.interval_by,
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


SECTION = Section(
    name="power",
    title="Seeds needed",
    tidy=tidy,
    empty=power.EMPTY,
    caption=(
        f"How many seeds a comparison needs to see a difference of {power.TARGET} MSE (two-sided 5 "
        "%, power 80 %), from the noise of the differences between arms at one budget, pooled over "
        "these pairs. Overlapping splits, or the one sample of users, leave a part of that noise "
        "however many seeds there are: the last number is the difference that is seen in spite of "
        "it. A pair with less noise than all pairs together needs fewer seeds: `ue-bench compare` "
        "says it of each."
    ),
    table=table,
)
