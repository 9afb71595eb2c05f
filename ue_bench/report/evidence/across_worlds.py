"""What the worlds of one study agree in. A world is a data set with its features, split and task.

Three things are asked of each: what it is like, whether its methods rank as elsewhere, and from
which bytes on an embedding beats a linear model and boosted trees, which see the same features.
"""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pandas as pd

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.rank_agreement import FEWEST, agreement
from ue_bench.report.evidence.run_scores import anchor_scores_of
from ue_bench.report.evidence.statistics import Difference, compare_two
from ue_bench.report.evidence.summary import by_key, key, row_scores

REFERENCES = ("linear", "boosting")


def size_of(row: Any) -> int | None:
    """Return how many times smaller than the exact table the budget is; None: it has none."""
    if pd.isna(row.budget) or pd.isna(row.exact_table_bytes):
        return None
    return round(row.exact_table_bytes / row.budget)


def agreements(scored: pd.DataFrame, arms: Iterable[Arm]) -> list[dict[str, Any]]:
    """Return how well two worlds rank the same arms: one entry a pair of worlds and size.

    scored: the summary with the columns `panel` and `size`, without anchors. Arms are the same
    where label and size are, so that the bytes of the two are equal shares of their exact tables.
    Only worlds are held against each other that have the same features by name, split and head.
    """
    arm_of = by_key(arms)
    of_world: dict[str, dict[int, dict[str, Any]]] = {}
    asked: dict[str, tuple[str, ...]] = {}
    for row in rows(scored[scored["size"].notna()]):
        at_size = of_world.setdefault(row.panel, {}).setdefault(int(row.size), {})
        at_size[row.label] = row_scores(arm_of, row._asdict())
        asked[row.panel] = (row.features, row.split, row.head, row.phase, row.setting)
    lines = []
    for one, other in combinations(of_world, 2):
        if asked[one] != asked[other]:  # another question, and not the same one of other data
            continue
        for size in sorted(of_world[one].keys() & of_world[other].keys(), reverse=True):
            own, theirs = of_world[one][size], of_world[other][size]
            shared = [label for label in own if label in theirs]
            if len(shared) >= FEWEST:
                found = agreement([own[label] for label in shared], [theirs[x] for x in shared])
                lines.append({"panel": one, "other": other, "size": size, **found})
    return lines


def worths(scored: pd.DataFrame, arms: Iterable[Arm]) -> pd.DataFrame:
    """Return what the best arm within some bytes is better than each of `REFERENCES`.

    scored: as in `agreements`. One row a world, number of bytes and reference, with the fields of
    `Difference` and Holm's correction over all of them. The best arm within some bytes has the
    lowest validation MSE of those with no more bytes in all, the vocabulary counted. The bytes are
    the budgets of the world and those of its largest arm.
    """
    arm_of = by_key(arms)
    lines = []
    for panel, world in groups(scored, "panel"):
        limits = sorted(set(world["budget"].dropna()))
        if not limits or world["total_bytes"].max() > limits[-1]:
            limits.append(world["total_bytes"].max())
        for limit in limits:
            within = world[world["total_bytes"] <= limit]
            if within.empty:
                continue
            ordered = within.sort_values(["val_mse_mean", "label"], kind="stable")
            best = ordered.to_dict("records")[0]
            own = row_scores(arm_of, best)
            for name in REFERENCES:
                reference = anchor_scores_of(arm_of[key(best)].runs, name, best["part"])
                if len(reference):
                    about = {"panel": panel, "bytes": int(limit), "label": best["label"]}
                    lines.append(about | {"than": name} | compare_two(reference, own)._asdict())
    columns = ["panel", "bytes", "label", "than", *Difference._fields]
    return holm_corrected(pd.DataFrame(lines, columns=columns))
