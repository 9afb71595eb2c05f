"""Numbers in prose are made from records: a document marks a block, and the block is written anew.

<!-- ue-bench: answer default -->        the answer of a study
<!-- ue-bench: table default base -->    its table for one feature set
<!-- ue-bench: ranks methods wide -->    the ranks of its strategies at each budget
<!-- end -->
"""

import re
from collections.abc import Callable

import pandas as pd

from ue_bench.errors import BenchError, unknown
from ue_bench.report import ranks
from ue_bench.report.answer import sentences
from ue_bench.report.tables import tables

BLOCK = re.compile(r"(<!-- ue-bench: (?P<words>[^\n]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(text: str, summary: pd.DataFrame, verdicts: pd.DataFrame) -> str:
    """`text` with each marked block made from the records. Raises BenchError for a block that names what is not there."""

    def block(match: re.Match[str]) -> str:
        kind, study, *rest = match["words"].split()
        if kind not in KINDS:
            raise unknown("block of generated prose", kind, KINDS)
        own = summary[(summary["study"] == study) & summary["features"].isin(rest or summary["features"])]
        if own.empty:
            raise BenchError(f"the block {match['words']!r} names what no record has; run the study or mend the marker")
        compared = (
            verdicts[(verdicts["study"] == study) & verdicts["features"].isin(own["features"])] if len(verdicts) else verdicts
        )
        return f"{match[1]}{KINDS[kind](own.reset_index(drop=True), compared).strip()}\n{match[3]}"

    return BLOCK.sub(block, text)


KINDS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], str]] = {
    "answer": lambda summary, verdicts: "\n".join(sentences(summary, verdicts)),
    "table": lambda summary, verdicts: "\n".join(tables(summary)),
    "ranks": lambda summary, verdicts: "\n".join(ranks.tables(summary)),
}
