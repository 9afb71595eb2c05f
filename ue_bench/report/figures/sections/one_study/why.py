"""Why it works: collisions beside their formula, MSE against what collisions cost, and the angles between read-out weights."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.record import Record
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.summary import key, panel, score
from ue_bench.report.figures import style
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, bytes_text, interval_text, missing, ratio_text

NAME = "why"
EMPTY = "no run was diagnosed (--diagnose)"
CAPTION = (
    "Left: share of each feature's training values that are free of collisions, measured (mean over seeds) against the formula "
    "(1 - 1/M)^n; on the line they agree. Filled: no other value of the same feature there; hollow: none of another feature. "
    "Middle: MSE (95 % interval) against what collisions within features cost: of the training rows at a value's table row, the "
    "share that other values of its feature bring, weighted by training rows, mean over features. Right: acute angle between the "
    "weights with which the head reads two features, mean over pairs and seeds; 90 degrees: orthogonal. Multiplexed tables in "
    "colour, the darker the larger; separate ones grey and dashed. Each feature set has its own scales."
)
COLUMNS = [
    "panel",
    "view",
    "head",
    "label",
    "regions",
    "budget",
    "size",
    "feature",
    "kind",
    "measured",
    "formula",
    "lost",
    "foreign",
    "part",
    "mse",
    "low",
    "high",
    "n",
    "angle_first",
    "angle_best",
    "load_mean",
    "load_max",
    "rho",
    "rho_foreign",
    "agree",
    "pairs",
    "epoch",
    "angle",
    "shown",
    "shade",
]
_KINDS = ("intra", "inter")
_TEXT = 7  # font size of the sizes


def tidy(study: StudyData) -> pd.DataFrame:
    """view `free`: a row a feature, kind of collision, form and size: `measured` beside `formula`, in shares of values.
    view `mse`: a row an arm: `lost`, share of training reads with a collision in all lookups, and `foreign`, share of the
    training rows at a row that other values of the feature have, both mean over features; `rho`, `rho_foreign`: Spearman's
    rank correlation with the MSE over the budgeted arms of panel and head; `agree` of `pairs`: of the pairs at equal budget
    those in which the smaller `foreign` goes with the lower MSE. view `angle`: a row an evaluation that all seeds reached, in
    degrees; `shown` where its head is drawn."""
    scored = score(study.summary)
    scored["title"] = panel(scored.assign(head="mlp"))  # heads share a panel
    known = {key(row): row for row in records(scored)}
    found: list[dict[str, Any]] = []
    for arm in study.arms:
        runs = [run for run in arm.runs if run.found.get("diagnostics")]
        if not runs or arm.key not in known:
            continue
        row = known[arm.key]
        same = {name: row[name] for name in ("head", "label", "regions", "budget")} | {
            "panel": row["title"],
            "n": len(runs),
        }
        paid = row["table_bytes"] + row["auxiliary_bytes"]
        same["size"] = f"{bytes_text(paid)} ({ratio_text(paid, row['exact_table_bytes'])})"
        found += [same | free for free in _free(runs)]
        found += [same | point for point in _angles(runs)]
        found.append(
            same
            | {name: row[name] for name in ("part", "mse", "low", "high")}
            | {"view": "mse"}
            | _arm(runs)
        )
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(found).reindex(columns=COLUMNS)
    for _, own in groups(
        frame[(frame["view"] == "mse") & frame["budget"].notna()], ["panel", "head"]
    ):
        agree = _agreement(own)
        frame.loc[own.index, ["rho", "rho_foreign", "agree", "pairs"]] = [
            own["lost"].corr(own["mse"], method="spearman"),
            own["foreign"].corr(own["mse"], method="spearman"),
            sum(agree),
            len(agree),
        ]
    frame["shown"] = frame["head"] == frame["panel"].map(
        frame[frame["view"] == "angle"].groupby("panel")["head"].min()
    )
    frame["shade"] = frame.groupby("panel")["budget"].rank(method="dense", pct=True)
    first = frame["view"].eq("free") & frame.duplicated(
        ["panel", "view", "label", "budget", "feature", "kind"]
    )
    return frame[~first].sort_values(
        ["panel", "view", "head", "budget", "label"], kind="stable", ignore_index=True
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _features(runs: Sequence[Record], kind: str, name: str) -> float:
    """Mean over runs and features: each training row reads every feature once."""
    return _mean(
        [own[kind][name] for run in runs for own in run.found["diagnostics"]["features"].values()]
    )


def _free(runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for feature, own in runs[0].found["diagnostics"]["features"].items():
        for kind in _KINDS:
            if (
                own[kind] is None
                or own[kind]["formula"] is None
                or (kind == "inter" and own[kind]["formula"] == 1)
            ):
                continue  # no theory, or regions that no other feature reaches
            each = [run.found["diagnostics"]["features"][feature][kind] for run in runs]
            yield {
                "view": "free",
                "feature": feature,
                "kind": kind,
                "measured": _mean([_mean(one["free"]) for one in each]),
                "formula": _mean([one["formula"] for one in each]),
            }


def _angles(runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    series = [_series(run) for run in runs]
    for epoch in sorted(set.intersection(*(set(one) for one in series))):
        yield {"view": "angle", "epoch": epoch, "angle": _mean([one[epoch] for one in series])}


def _series(run: Record) -> dict[float, float]:
    """Angle by epoch; empty where the head has none."""
    told = run.quality.get("diagnostics", {}).get("angles") or []
    return {point["epoch"]: point["angle"] for point in told}


def _arm(runs: Sequence[Record]) -> dict[str, Any]:
    row = {
        "lost": 1 - _features(runs, "intra", "free_any_weighted"),
        "foreign": 1 - _features(runs, "intra", "own_weighted"),
    }
    if all(run.found["diagnostics"]["load"] for run in runs):
        loads = [run.found["diagnostics"]["load"]["values"] for run in runs]
        row |= {
            "load_mean": _mean([load["mean"] for load in loads]),
            "load_max": _mean([load["max"] for load in loads]),
        }
    if all(_series(run) for run in runs):
        row |= {"angle_first": _mean([_series(run)[0.0] for run in runs])}
        row |= {"angle_best": _mean([_series(run)[run.quality["best_epoch"]] for run in runs])}
    return row


def _agreement(arms: pd.DataFrame) -> list[bool]:
    """One entry for each pair of arms at one budget that differ in both."""
    found = []
    for _, part in groups(arms, "budget"):
        for one, other in combinations(rows(part), 2):
            change = (one.foreign - other.foreign) * (one.mse - other.mse)
            found += [change > 0] if change else []
    return found


def table(frame: pd.DataFrame) -> list[str]:
    """Markdown lines: every arm, and below them the rank correlations of each panel and head."""
    arms = frame[frame["view"] == "mse"]
    titles = (
        "features",
        "head",
        "arm",
        "table",
        "reads with a collision",
        "other values in the row",
        "values a row, mean (most)",
        "angle, start → best",
        "MSE",
    )
    lines = [f"| {' | '.join(titles)} |", "|---|---|---|--:|--:|--:|--:|--:|---|"]
    for row in rows(arms):
        load = NOTHING if missing(row.load_mean) else f"{row.load_mean:.1f} ({row.load_max:.0f})"
        angle = (
            NOTHING
            if missing(row.angle_best)
            else f"{row.angle_first:.1f}° → {row.angle_best:.1f}°"
        )
        lines.append(
            f"| {row.panel} | {row.head} | {row.label} | {row.size} | {row.lost:.1%} | {row.foreign:.1%} | {load} | {angle} | "
            f"{interval_text(row.mse, row.low, row.high)} |"
        )
    lines.append("")
    for (title, head), part in groups(arms.dropna(subset=["rho"]), ["panel", "head"]):
        one = part.iloc[0]
        lines.append(
            f"- {title}, {head} head, {len(part)} arms with a budget: Spearman's rank correlation of the MSE is "
            f"{one['rho']:.2f} with reads with a collision and {one['rho_foreign']:.2f} with other values in the row; at equal "
            f"budget the lower MSE goes with less of the latter in {one['agree']:.0f} of {one['pairs']:.0f} pairs of arms."
        )
    return lines


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A row a feature set; collisions, MSE and angles side by side."""
    titles = list(dict.fromkeys(frame["panel"]))
    figure, grid = style.canvas(len(titles), 3, 3.7, 3.5)
    heads = sorted(frame.loc[frame["view"] == "mse", "head"].unique())
    turning = []
    for axes_row, title in zip(grid, titles, strict=True):
        own = frame[frame["panel"] == title]
        turning.append((axes_row[2], own[(own["view"] == "angle") & own["shown"]]))
        _collisions(axes_row[0], own[own["view"] == "free"])
        _errors(axes_row[1], own[own["view"] == "mse"], heads)
        _turns(*turning[-1])
        axes_row[0].set_title(style.heading(title))
    style.legend(figure, _entries(frame, heads))
    style.settle(figure)  # where the sizes are written depends on the layout
    for axes, part in turning:
        _sizes(axes, part)
    return figure


def _collisions(axes: Axes, part: pd.DataFrame) -> None:
    axes.axline((0, 0), slope=1, color=style.GREY, linewidth=1)
    for (form, kind), own in groups(part, ["regions", "kind"]):
        look = style.form_look(form)
        face = look.color if kind == "intra" else "white"
        axes.plot(
            own["formula"],
            own["measured"],
            look.marker,
            color=look.color,
            markerfacecolor=face,
            markersize=4,
            alpha=0.8,
        )
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("values free of collisions, formula (share)")
    axes.set_ylabel("measured (share)")


def _errors(axes: Axes, part: pd.DataFrame, heads: Sequence[str]) -> None:
    for row in rows(part):
        look = style.form_look(row.regions)
        face = look.color if row.head == heads[-1] else "white"
        axes.vlines(row.foreign, row.low, row.high, color=look.color, linewidth=1, alpha=0.6)
        axes.plot(
            row.foreign,
            row.mse,
            look.marker,
            color=look.color,
            markerfacecolor=face,
            markersize=5,
            zorder=3,
        )
    axes.set_xlabel("other values of the feature in the row (share)")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean)")


def _turns(axes: Axes, part: pd.DataFrame) -> None:
    for _, own in groups(part[part["regions"] == "separate"], ["label", "shade"]):
        axes.plot(
            own["epoch"], own["angle"], color=style.PALE, linestyle=(0, (4, 1.5)), linewidth=1.1
        )
    for shade, own in groups(part[part["regions"] == "multiplexed"], "shade"):
        axes.plot(
            own["epoch"],
            own["angle"],
            color=_shade(shade),
            linewidth=1.5,
            marker=".",
            markersize=4,
            zorder=3,
        )
    axes.axhline(90, color=style.GREY, linewidth=1)
    axes.set_xlabel("epoch")
    axes.set_ylabel("angle (degrees)")
    if len(part):
        axes.set_xlim(0, part["epoch"].max() * 1.5)  # room for the sizes
        axes.set_title(f"{part['head'].iloc[0]} head", fontsize=9)


def _shade(shade: float) -> Any:
    return mpl.colormaps["viridis_r"](shade)


def _sizes(axes: Axes, part: pd.DataFrame) -> None:
    """The size of each multiplexed table at the end of its line, set apart where two would overlap."""
    ends = part[part["regions"] == "multiplexed"].drop_duplicates("shade", keep="last")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    line = _TEXT * LINE / 72 * axes.figure.dpi / axes.bbox.height * (high - low)
    for row, place in zip(
        rows(ends), spread(list(ends["angle"]), line, low + line / 2, high - line), strict=True
    ):
        axes.annotate(
            row.size,
            (row.epoch, row.angle),
            (part["epoch"].max() * 1.08, place),
            fontsize=_TEXT,
            color=_shade(row.shade),
            va="center",
            arrowprops={"arrowstyle": "-", "color": style.PALE, "linewidth": 0.7},
        ).set_in_layout(False)


def _entries(frame: pd.DataFrame, heads: Sequence[str]) -> list[Line2D]:
    entries = style.form_entries(frame["regions"].unique(), joined=False)
    entries.append(
        style.mark(
            "left: collisions between features"
            + (f"; middle: {heads[0]} head" if len(heads) > 1 else "")
        )
    )
    entries.append(
        Line2D([], [], color=style.PALE, linestyle=(0, (4, 1.5)), label="right: separate tables")
    )
    return entries


SECTION = Section(
    name=NAME,
    title="Why it works",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
