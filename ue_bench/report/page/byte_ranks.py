"""Ranks by all bytes, as Markdown: who is best on validation at no more than so many bytes in all.

A total is told twice, so that each size has two rankings: with a dictionary of the values, and with
a vocabulary that stores no keys.
"""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import SCOPE, TOTALS, score
from ue_bench.report.format import NOTHING, bytes_text, mse_text
from ue_bench.report.page.cells import full_title, in_short

MOST = 4  # places of a ranking


def byte_ranks(summary: pd.DataFrame) -> list[str]:
    """Return Markdown lines; none where no comparison has an arm with a vocabulary.

    The sizes are the byte budgets of the comparison. Each strategy, and each anchor, has the place
    of its variant that is best on validation among those that are small enough. The error that is
    quoted is that of the test part, which does not choose.
    """
    lines: list[str] = []
    scored = score(summary)
    scored["label"] = in_short(scored)
    for _, part in groups(scored, SCOPE):
        has_vocabulary = part["vocabulary_bytes"].gt(0).any()
        if has_vocabulary and part["budget"].notna().any() and part["group"].nunique() > 1:
            lines += ["", f"### Ranks by all bytes: {full_title(part)}", "", *_table(part)]
    return lines


def _table(part: pd.DataFrame) -> Iterator[str]:
    titles = [f"vocabulary: {vocabulary}" for vocabulary in TOTALS.values()]
    yield f"| at most, in all | {' | '.join(titles)} |"
    yield "|--:|" + "---|" * len(titles)
    for size in sorted(part["budget"].dropna().unique()):
        cells = [_ranking(part, total, size) for total in TOTALS]
        yield f"| {bytes_text(size)} | {' | '.join(cells)} |"


def _ranking(part: pd.DataFrame, total: str, size: Any) -> str:
    """The best few that take at most `size` bytes, the best one first."""
    small = part[part[total].notna() & part[total].le(size).fillna(False)]
    ordered = small.sort_values(["val_mse_mean", "label"], kind="stable")
    best = ordered.drop_duplicates("group").head(MOST)
    texts = []
    for place, row in enumerate(rows(best), start=1):
        bytes_of_row = bytes_text(getattr(row, total))
        texts.append(f"{place}. {row.label} {mse_text(row.mse)} ({bytes_of_row})")
    return "; ".join(texts) or NOTHING
