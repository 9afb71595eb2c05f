"""Names of forms: a strategy with its regions, whatever the bits, lookups and rule of an arm."""

import pandas as pd

from ue_bench.report.evidence.frames import rows


def form_names(scored: pd.DataFrame) -> list[str]:
    """Return the strategy of each row, with its regions where it has several forms."""
    several = scored.groupby("strategy")["regions"].nunique() > 1
    names = []
    for row in rows(scored):
        names.append(f"{row.strategy} {row.regions}" if several[row.strategy] else row.strategy)
    return names
