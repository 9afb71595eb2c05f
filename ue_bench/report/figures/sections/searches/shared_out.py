"""What sharing out a fixed number of lookups is worth: the best of each search beside the even allocation, on fresh seeds."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence import statistics, trials
from ue_bench.report.evidence.arms import Arm, arm_config
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import by_seed, panel
from ue_bench.report.figures import style
from ue_bench.report.format import NOTHING, bytes_text, interval_text, mse_text, p_cell

NAME = "shared_out"
EMPTY = (
    "no search shared out a fixed number of lookups and was confirmed beside the even allocation"
)
CAPTION = (
    "Each line is one search for the best allocation of a fixed number of lookups at one table size; its points are the "
    "allocations that were best on validation, less the even one (the same number for every feature), on fresh seeds, paired. "
    "All of one line have the same bytes of table and the same head. Holm's p, in the table, is over the lines of the figure, "
    "for the first on validation."
)
COLUMNS = [
    "panel",
    "cell",
    "budget",
    "size",
    "lookups",
    "even",
    "first",
    "mse",
    "low",
    "high",
    "n",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "y",
    "head_bytes",
    "policy",
]


def tidy(arms: Iterable[Arm], search: Sequence[Record]) -> pd.DataFrame:
    """One row an arm that confirms a search; `difference` from the even allocation over the seeds that both have."""
    best: dict[str, Record] = {}
    for record in trials.shared_out(search):
        key = _key(
            comparison_of(record)._replace(phase="confirm"), arm_config(record), record.found
        )
        if key not in best or record.quality["val_mse"] < best[key].quality["val_mse"]:
            best[key] = record
    alike: dict[str, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.runs and arm.sample.found.get("lookups"):
            alike[_key(arm.comparison, arm.config, arm.sample.found)].append(arm)
    found = []
    for key in sorted(best.keys() & alike.keys()):
        even = [arm for arm in alike[key] if len(set(arm.sample.found["lookups"].values())) == 1]
        if even:
            found += [_row(arm, even[0], best[key]) for arm in alike[key]]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(found).sort_values(
        ["panel", "budget", "cell", "even", "mse"], kind="stable", ignore_index=True
    )
    for _, own in groups(frame, "panel"):
        lines = dict.fromkeys(zip(own["budget"], own["cell"], strict=True))
        place = {line: number for number, line in enumerate(lines)}
        frame.loc[own.index, "y"] = [
            place[line] for line in zip(own["budget"], own["cell"], strict=True)
        ]
        first = own.index[own["first"]]
        frame.loc[first, "p"] = statistics.holm(list(frame.loc[first, "p"]))
    frame.loc[~frame["first"], "p"] = None
    return frame.reindex(columns=COLUMNS)


def _key(comparison: tuple, config: dict, found: dict) -> str:
    return json.dumps(
        [comparison, trials.held(config), sum(found["lookups"].values())], sort_keys=True
    )


def _row(arm: Arm, even: Arm, best: Record) -> dict:
    part = "test" if by_seed(arm, "test") else "val"
    mean, low, high = statistics.interval([float(value) for value in by_seed(arm, part).values()])
    apart = statistics.paired(by_seed(even, part), by_seed(arm, part))
    found = arm.sample.found
    title = panel(pd.DataFrame([arm.comparison._replace(phase="")._asdict()]))[0]
    alone = arm is even
    return {
        "panel": title,
        "cell": trials.place(found),
        "budget": arm.config["budget"],
        "size": bytes_text(arm.config["budget"]),
        "lookups": ", ".join(f"{name} {n}" for name, n in found["lookups"].items()),
        "even": alone,
        "first": not alone and found["lookups"] == best.found["lookups"],
        "mse": mean,
        "low": low,
        "high": high,
        "n": len(arm.runs),
        "difference": None if alone else apart.difference,
        "difference_low": None if alone else apart.low,
        "difference_high": None if alone else apart.high,
        "p": apart.p,
        "head_bytes": arm.sample.cost.get("head_bytes"),
        "policy": trials.policy_of(arm.config["width"]),
    }


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one feature set: a line for each search."""
    figure, grid = style.canvas(1, 1, 8.2, 1.2 + 0.4 * frame["y"].nunique())
    axes = grid[0, 0]
    axes.axvline(0, color=style.GREY, linewidth=1)
    best = frame[~frame["even"]].sort_values(["y", "first"], ascending=[True, False], kind="stable")
    best = best.assign(y=best["y"] - 0.12 + 0.24 * best.groupby("y").cumcount())
    for first, own in groups(best, "first"):
        axes.hlines(
            own["y"], own["difference_low"], own["difference_high"], color="#0072B2", linewidth=1.2
        )
        face = "#0072B2" if first else "white"
        axes.plot(
            own["difference"], own["y"], "o", color="#0072B2", markerfacecolor=face, markersize=5
        )
    even = frame[frame["even"]].sort_values("y")
    named = even["size"] + ": " + even["cell"] + "\neven: MSE " + even["mse"].map(mse_text)
    axes.set_yticks(even["y"].astype(int), named, fontsize=7)
    axes.invert_yaxis()
    axes.set_title(frame["panel"].iloc[0], fontsize=10)
    axes.set_xlabel(
        "test MSE less that of the even allocation (paired, 95 % interval); below 0 is better"
    )
    filled = style.Look("#0072B2", "o", "none", 5)
    style.legend(
        figure,
        [
            style.handle(filled, "first on validation", joined=False),
            style.mark("next on validation", color="#0072B2"),
        ],
    )
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """Every arm; bold: the first on validation."""
    lines = [
        "| features | table | lookups | held | head | allocation | test MSE | less the even one | Holm's p |",
        "|---|--:|---|---|--:|---|---|---|--:|",
    ]
    for row in rows(
        frame.sort_values(
            ["panel", "y", "even", "first"], ascending=[True, True, False, False], kind="stable"
        )
    ):
        named = "even" if row.even else f"**{row.lookups}**" if row.first else row.lookups
        apart = (
            "–"
            if row.even
            else f"{row.difference:+.4f} [{row.difference_low:+.4f}, {row.difference_high:+.4f}]"
        )
        p = p_cell(row.p) if row.first else NOTHING
        lines.append(
            f"| {row.panel} | {row.size} | {row.cell} | {row.policy.split()[0]} | {bytes_text(row.head_bytes)} | {named} "
            f"| {interval_text(row.mse, row.low, row.high)} | {apart} | {p} |"
        )
    return lines
