"""How often is a verdict wrong? Counted on draws of planted worlds, where the truth is known."""

import pandas as pd

from ue_bench.report.evidence.error_rates import VERDICTS, calibrations
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.figures.section import Section, StudyData

CAPTION = (
    "How often verdicts and intervals are wrong. Each draw of a planted world is fresh data, on "
    "which one arm and the same arm under other hash functions are searched, confirmed and judged "
    "as in any study: whatever tells them apart is wrong."
)
COLUMNS = ["world", "families", "runs", "what", "found", "of", "share", "low", "high", "bound"]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each rate. low, high: its 95 % interval. bound: what it should be."""
    lines = []
    for world, families, runs, rates in calibrations(study.drawn):
        for rate in rates:
            low, high = rate.interval
            bound = rate.bound
            lines.append(
                [
                    world,
                    families,
                    runs,
                    rate.what,
                    rate.found,
                    rate.of,
                    rate.share,
                    low,
                    high,
                    bound,
                ]
            )
    return pd.DataFrame(lines, columns=COLUMNS)


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each world, then a table of its rates."""
    lines = []
    for world, part in groups(frame, "world"):
        first = part.iloc[0]
        lines += [
            f"- {world}: {first['families']} families on as many draws, {first['runs']:,} runs.",
            "",
            "| what | found | share [95 %] | should be |",
            "|---|--:|--:|--:|",
        ]
        for row in rows(part):
            share = f"{row.share:.1%} [{row.low:.1%}, {row.high:.1%}]"
            lines.append(f"| {row.what} | {row.found} of {row.of} | {share} | {row.bound} |")
        lines.append("")
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return how often a verdict told equal arms apart."""
    verdicts = frame[frame["what"] == VERDICTS]
    found, of = int(verdicts["found"].sum()), int(verdicts["of"].sum())
    return (
        f"In {found} of {of} families of arms that are equal by design, a verdict tells two apart."
    )


SECTION = Section(
    name="calibration",
    title="How often a verdict is wrong",
    tidy=tidy,
    empty="no run is on a draw of a planted world",
    caption=CAPTION,
    table=table,
    gist=gist,
)
