"""How many seeds the comparisons of a study need, as a table; `evidence/power.py` calculates it."""

import pandas as pd

from ue_bench.report.evidence import power
from ue_bench.report.evidence.frames import rows
from ue_bench.report.figures.section import Section, StudyData


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a comparison, as `power.tidy` describes it."""
    return power.tidy(study.every_arm, study.all_summary)


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: one row a comparison."""
    lines = [
        f"| comparison | pairs | sd of a difference | seeds to see {power.TARGET} | seeds it has |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in rows(frame):
        lines.append(f"| {row.panel} | {row.pairs} | {row.sd:.4f} | {row.needed} | {row.n} |")
    return lines


SECTION = Section(
    name="power",
    title="Seeds needed",
    tidy=tidy,
    empty=power.EMPTY,
    caption=(
        f"How many seeds a comparison needs to see a difference of {power.TARGET} MSE (paired "
        "t-test, two-sided 5 %, power 80 %), from the standard deviation of the paired "
        "differences between arms at one budget, pooled over these pairs."
    ),
    table=table,
)
