"""Why does it work? Collisions beside their formula, the MSE they cost, and angles of weights."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ue_bench.record import Record
from ue_bench.report.evidence.comparison import USUAL_HEAD
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import RULE
from ue_bench.report.evidence.summary import key, panel, score
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.placing import LINE, spread
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import NOTHING, interval_text, missing, range_text, size_text

CAPTION = (
    "Left: share of each feature's training values that are free of collisions, measured (mean "
    "over seeds) against the formula (1 - 1/M)^n; on the line they agree. Large: no other value "
    "of the same feature there; small: none of another feature. Middle: MSE (95 % interval: "
    f"{RULE}) "
    "against what collisions within features cost: of the training rows at a value's table row, "
    "the share that other values of its feature bring, weighted by training rows, mean over "
    "features. Right: acute angle between the weights with which the head reads two features, "
    "mean over pairs and seeds; 90 degrees: orthogonal. Multiplexed tables in colour, the darker "
    "the larger; separate ones grey and dashed. Each feature set has its own scales."
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
_TABLE_TITLES = (
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
_KINDS = ("intra", "inter")  # collisions within a feature, and between features
_FONT_SIZE = 7  # of the sizes
_DASHES = (0, (4, 1.5))  # of separate tables
_SMALL = 2.8  # of a marker beside those of usual size

Row = Mapping[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return three kinds of rows, which the column `view` tells apart.

    `free`: one row for each feature, kind of collision, form and size: the share of values
        without a collision, `measured` and by the `formula`.
    `mse`: one row for each arm.
        lost: the share of training reads with a collision in all lookups.
        foreign: the share of the training rows at a table row that other values of the feature
            bring. Both are means over features.
        rho, rho_foreign: Spearman's rank correlation of the MSE with each of them, over the arms
            with a budget of one panel and head.
        agree: of `pairs` at equal budget, those in which the smaller `foreign` goes with the
            lower MSE.
    `angle`: one row for each evaluation that all seeds reached: the angle in degrees.
        shown: whether the head of the row is drawn.
    """
    scored = score(study.summary)
    # All heads share a panel. Its title is the one of the usual head, which names no head.
    scored["panel"] = panel(scored.assign(head=USUAL_HEAD))
    row_of = {key(row): row for row in records(scored)}
    lines: list[dict[str, Any]] = []
    for arm in study.arms:
        runs = [run for run in arm.runs if run.found.get("diagnostics")]
        row = row_of.get(arm.key)
        if runs and row is not None:
            lines += _lines(row, runs)
    if not lines:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(lines).reindex(columns=COLUMNS)
    budgeted = frame[(frame["view"] == "mse") & frame["budget"].notna()]
    for _, arms in groups(budgeted, ["panel", "head"]):
        for column, value in _correlations(arms).items():
            frame.loc[arms.index, column] = value
    first_heads = frame[frame["view"] == "angle"].groupby("panel")["head"].min()
    frame["shown"] = frame["head"] == frame["panel"].map(first_heads)
    frame["shade"] = frame.groupby("panel")["budget"].rank(method="dense", pct=True)
    # Collisions do not depend on the head: they are in the frame once.
    table_columns = ["panel", "view", "label", "budget", "feature", "kind"]
    repeated = (frame["view"] == "free") & frame.duplicated(table_columns)
    by = ["panel", "view", "head", "budget", "label"]
    return frame[~repeated].sort_values(by, kind="stable", ignore_index=True)


def _lines(row: Row, runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """Return all rows of one arm."""
    table_bytes = row["table_bytes"] + row["auxiliary_bytes"]
    common = {
        "panel": row["panel"],
        "head": row["head"],
        "label": row["label"],
        "regions": row["regions"],
        "budget": row["budget"],
        "size": size_text(table_bytes, row["exact_table_bytes"]),
        "n": len(runs),
    }
    for line in _free_shares(runs):
        yield common | line
    for line in _mean_angles(runs):
        yield common | line
    scores = {name: row[name] for name in ("part", "mse", "low", "high")}
    yield common | scores | _costs(runs)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _features(run: Record) -> dict[str, dict[str, Any]]:
    """Return the measured collisions of each feature."""
    return run.found["diagnostics"]["features"]


def _free_shares(runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    for feature, kinds in _features(runs[0]).items():
        for kind in _KINDS:
            if not _has_theory(kinds[kind], kind):
                continue
            measured = []
            formulas = []
            for run in runs:
                collisions = _features(run)[feature][kind]
                measured.append(_mean(collisions["free"]))
                formulas.append(collisions["formula"])
            yield {
                "view": "free",
                "feature": feature,
                "kind": kind,
                "measured": _mean(measured),
                "formula": _mean(formulas),
            }


def _has_theory(collisions: Mapping[str, Any] | None, kind: str) -> bool:
    """Return whether there is a formula. Between features, it says 1 where none can collide."""
    if collisions is None or collisions["formula"] is None:
        return False
    return kind == "intra" or collisions["formula"] != 1


def _mean_angles(runs: Sequence[Record]) -> Iterator[dict[str, Any]]:
    angles_of_runs = [_angles(run) for run in runs]
    epochs = set(angles_of_runs[0])
    for angles in angles_of_runs:
        epochs &= set(angles)
    for epoch in sorted(epochs):
        angle = _mean([angles[epoch] for angles in angles_of_runs])
        yield {"view": "angle", "epoch": epoch, "angle": angle}


def _angles(run: Record) -> dict[float, float]:
    """Return the angle by epoch; empty where the head has none."""
    points = run.quality.get("diagnostics", {}).get("angles") or []
    return {point["epoch"]: point["angle"] for point in points}


def _costs(runs: Sequence[Record]) -> dict[str, Any]:
    """Return what collisions cost, the load of the table's rows, and the first and best angle."""
    row = {
        "view": "mse",
        "lost": 1 - _within_features(runs, "free_any_weighted"),
        "foreign": 1 - _within_features(runs, "own_weighted"),
    }
    loads = [run.found["diagnostics"]["load"] for run in runs]
    if all(loads):
        row["load_mean"] = _mean([load["values"]["mean"] for load in loads])
        row["load_max"] = _mean([load["values"]["max"] for load in loads])
    if all(_angles(run) for run in runs):
        row["angle_first"] = _mean([_angles(run)[0.0] for run in runs])
        row["angle_best"] = _mean([_angles(run)[run.quality["best_epoch"]] for run in runs])
    return row


def _within_features(runs: Sequence[Record], name: str) -> float:
    """Return the mean over runs and features: each training row reads every feature once."""
    values = []
    for run in runs:
        for kinds in _features(run).values():
            values.append(kinds["intra"][name])
    return _mean(values)


def _correlations(arms: pd.DataFrame) -> dict[str, float]:
    """Return how the MSE of the arms goes with their collisions."""
    agree = 0
    pairs = 0
    for _, part in groups(arms, "budget"):
        for own, other in combinations(rows(part), 2):
            product = (own.foreign - other.foreign) * (own.mse - other.mse)
            if product != 0:  # the two arms differ in both
                pairs += 1
                agree += product > 0
    return {
        "rho": arms["lost"].corr(arms["mse"], method="spearman"),
        "rho_foreign": arms["foreign"].corr(arms["mse"], method="spearman"),
        "agree": agree,
        "pairs": pairs,
    }


def table(frame: pd.DataFrame) -> list[str]:
    """Return the table of all arms, then the rank correlations of each panel and head."""
    arms = frame[frame["view"] == "mse"]
    lines = [
        f"| {' | '.join(_TABLE_TITLES)} |",
        "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    for row in rows(arms):
        load = NOTHING
        if not missing(row.load_mean):
            load = f"{row.load_mean:.1f} ({row.load_max:.0f})"
        angles = NOTHING
        if not missing(row.angle_best):
            angles = f"{row.angle_first:.1f}° → {row.angle_best:.1f}°"
        cells = [
            row.panel,
            row.head,
            row.label,
            row.size,
            f"{row.lost:.1%}",
            f"{row.foreign:.1%}",
            load,
            angles,
            interval_text(row.mse, row.low, row.high),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    for _, part in groups(arms.dropna(subset=["rho"]), ["panel", "head"]):
        lines.append(f"- {_sentence(part)}")
    return lines


def gist(frame: pd.DataFrame) -> str:
    """Return what the error goes with."""
    arms = frame[frame["view"] == "mse"].dropna(subset=["rho"])
    if arms.empty:
        return "There are too few arms with a budget to say what the error goes with."
    firsts = arms.drop_duplicates(["panel", "head"])
    if not firsts["pairs"].sum():
        return "No two arms have one budget, so it cannot be said what the error goes with."
    agree = range_text(sorted(100 * firsts["agree"] / firsts["pairs"]), "{:.0f} %".format)
    return (
        f"Of two arms of one budget, the one whose table rows have fewer other values of the "
        f"feature has the lower error in {agree} of the pairs ({firsts['pairs'].sum():.0f})."
    )


def _sentence(part: pd.DataFrame) -> str:
    """Return the rank correlations of one panel and head."""
    first = next(rows(part))
    return (
        f"{first.panel}, {first.head} head, {len(part)} arms with a budget: Spearman's rank "
        f"correlation of the MSE is {first.rho:.2f} with reads with a collision and "
        f"{first.rho_foreign:.2f} with other values in the row; at equal budget the lower MSE goes "
        f"with less of the latter in {first.agree:.0f} of {first.pairs:.0f} pairs of arms."
    )


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one row for each feature set: collisions, MSE and angles side by side."""
    heads = sorted(frame.loc[frame["view"] == "mse", "head"].unique())
    with_sizes = []

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        left, middle, right = axes_row
        angles = part[(part["view"] == "angle") & part["shown"]]
        _draw_collisions(left, part[part["view"] == "free"])
        _draw_errors(middle, part[part["view"] == "mse"], heads)
        _draw_angles(right, angles)
        left.set_title(style.heading(part["panel"].iloc[0]))
        with_sizes.append((right, angles))

    figure, _ = panel_rows(frame, 3, draw_row, width=3.7, height=3.5)
    style.legend(figure, _legend_entries(frame, heads))
    style.settle(figure)  # the places of the sizes depend on the layout
    for axes, angles in with_sizes:
        _write_sizes(axes, angles)
    return figure


def _draw_collisions(axes: Axes, part: pd.DataFrame) -> None:
    axes.axline((0, 0), slope=1, color=style.GREY, linewidth=1)
    for (form, kind), points in groups(part, ["regions", "kind"]):
        look = style.form_look(form)
        axes.plot(
            points["formula"],
            points["measured"],
            look.marker,
            color=look.color,
            markersize=4.5 if kind == "intra" else _SMALL,
            alpha=0.8,
        )
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlabel("values free of collisions, formula (share)")
    axes.set_ylabel("measured (share)")


def _draw_errors(axes: Axes, part: pd.DataFrame, heads: Sequence[str]) -> None:
    for row in rows(part):
        look = style.form_look(row.regions)
        axes.vlines(row.foreign, row.low, row.high, color=look.color, linewidth=1, alpha=0.6)
        axes.plot(
            row.foreign,
            row.mse,
            look.marker,
            color=look.color,
            markersize=5 if row.head == heads[-1] else _SMALL,
            zorder=3,
        )
    hover(axes, part, "foreign", "mse")
    axes.set_xlabel("other values of the feature in the row (share)")
    axes.set_ylabel(f"{part['part'].iloc[0]} MSE (mean)")


def _draw_angles(axes: Axes, part: pd.DataFrame) -> None:
    separate = part[part["regions"] == "separate"]
    multiplexed = part[part["regions"] == "multiplexed"]
    for _, line in groups(separate, ["label", "shade"]):
        axes.plot(
            line["epoch"],
            line["angle"],
            color=style.PALE,
            linestyle=_DASHES,
            linewidth=1.1,
        )
    for shade, line in groups(multiplexed, "shade"):
        axes.plot(
            line["epoch"],
            line["angle"],
            color=_color(shade),
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


def _color(shade: float) -> Any:
    return mpl.colormaps["viridis_r"](shade)


def _write_sizes(axes: Axes, part: pd.DataFrame) -> None:
    """Write the size of each multiplexed table at the end of its line.

    The sizes are moved apart where two would overlap.
    """
    multiplexed = part[part["regions"] == "multiplexed"]
    ends = multiplexed.drop_duplicates("shade", keep="last")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    line_in_pixels = _FONT_SIZE * LINE / 72 * axes.figure.dpi
    line_height = line_in_pixels / axes.bbox.height * (high - low)
    places = spread(list(ends["angle"]), line_height, low + line_height / 2, high - line_height)
    x = part["epoch"].max() * 1.08
    for row, place in zip(rows(ends), places, strict=True):
        size = axes.annotate(
            row.size,
            (row.epoch, row.angle),
            (x, place),
            fontsize=_FONT_SIZE,
            color=_color(row.shade),
            va="center",
            arrowprops={"arrowstyle": "-", "color": style.PALE, "linewidth": 0.7},
        )
        size.set_in_layout(False)


def _legend_entries(frame: pd.DataFrame, heads: Sequence[str]) -> list[Line2D]:
    small = "left: collisions between features"
    if len(heads) > 1:
        small += f"; middle: {heads[0]} head"
    separate = "right: separate tables"
    return [
        *style.form_entries(frame["regions"].unique(), joined=False),
        style.handle(style.Look(style.GREY, "o", "none", _SMALL), small, joined=False),
        Line2D([], [], color=style.PALE, linestyle=_DASHES, label=separate),
    ]


SECTION = Section(
    name="why",
    title="Why it works",
    tidy=tidy,
    empty="no run was diagnosed (--diagnose)",
    caption=CAPTION,
    draw=draw,
    table=table,
    gist=gist,
)
