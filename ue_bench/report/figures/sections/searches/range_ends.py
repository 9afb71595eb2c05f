"""Which winners of searches lie on an end of the range of a knob."""

import pandas as pd

from ue_bench.report.evidence.edges import COLUMNS, EDGE, edges
from ue_bench.report.evidence.effort import efforts_of
from ue_bench.report.evidence.frames import rows
from ue_bench.report.figures.section import Section, StudyData


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a numeric knob of the searches of the study, as `edges.edges` returns them."""
    runs = [run for trial in study.trials for run in trial.records]
    frame = edges(efforts_of(runs))
    return frame[frame["winners"] > 0].reindex(columns=COLUMNS)


def table(frame: pd.DataFrame) -> list[str]:
    """A sentence about all knobs that are searched alike, then a row a knob."""
    lines = [_sentence(frame[frame["kind"] == "recipe"]), ""]
    lines += [
        "| knob | range | winners | on the low end | on the high end | on an end | by chance |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for row in rows(frame):
        cells = [
            row.knob,
            f"{row.low:g} to {row.high:g}",
            str(row.winners),
            str(row.on_low),
            str(row.on_high),
            f"{row.share:.0%}",
            f"{row.by_chance:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _sentence(common: pd.DataFrame) -> str:
    winners = int(common["winners"].sum())
    if not winners:
        return "No search varied the recipe or the numbers of a lookup."
    on_end = int((common["on_low"] + common["on_high"]).sum())
    return (
        f"Of {winners} choices of recipe and numbers of a lookup that won a search, {on_end} "
        f"({on_end / winners:.0%}) lie on an end of their range."
    )


SECTION = Section(
    name="range_ends",
    title="Ends of the searches' ranges",
    tidy=tidy,
    empty="no search whose records name its space",
    caption=(
        "How many winners of the searches lie on an end of what they could choose from: the first "
        f"or last value of a list, or the outer {EDGE:.1%} of a range. A winner there says that a "
        "better value may lie beyond it, except on the least that the knob may be (one lookup, one "
        "number, no dropout), which does not count. By chance: the share if all values were as "
        "likely. The most lookups that were tried are a choice of the study."
    ),
    table=table,
)
