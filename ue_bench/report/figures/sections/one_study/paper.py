"""The paper's own table beside ours: AUC of shared, separate and exact tables at three budgets.

The published numbers are for ML-1M, each the mean of five runs. They come from Coleman et al.,
NeurIPS 2023 (arXiv 2305.12102), and from its public reproduction (github
lilyungg/unified-embeddings). Budgets are rows of 120 bytes in the tables of all features
together; the exact table has 13,215 rows. The AUC of one data set says nothing about that of
another. What is compared across data sets is therefore the difference between two forms at the
same share of the exact table.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.interval_method import CORRECTED
from ue_bench.report.evidence.pairs import holm_corrected
from ue_bench.report.evidence.statistics import compare_two
from ue_bench.report.evidence.summary import by_key, row_scores, score
from ue_bench.report.figures import style
from ue_bench.report.figures.panels import panels
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import (
    NOTHING,
    bytes_text,
    delta_text,
    interval_text,
    missing,
    mse_text,
    p_text,
    ratio_text,
)

EMPTY = "no study trained both forms of hashed tables on likes with the paper's model"
CAPTION = (
    "AUC against the byte budget of all tables, with the paper's labels, features, split and "
    "model; one panel for each data set. On ML-1M: the paper's numbers and its reproduction's. "
    f"Ours: mean over seeds and 95 % interval ({CORRECTED}); separate tables are sized in the "
    "way that has the lowest validation MSE at that budget. Dotted: the exact table, which has no "
    "budget."
)
PUBLISHED_ON = "ml-1m"
ROW_BYTES = 120
EXACT_ROWS = 13_215
BUDGETS = {13_653: "1.6 MB", 6_826: "791 kB", 1_365: "158 kB"}  # the paper's name of each, by rows
PAPER = {
    (13_653, "separate"): 0.8537,
    (13_653, "multiplexed"): 0.8774,
    (6_826, "separate"): 0.8300,
    (6_826, "multiplexed"): 0.8693,
    (1_365, "separate"): 0.7707,
    (1_365, "multiplexed"): 0.8200,
    (None, "exact"): 0.8872,
}
REPRODUCTION = {
    (13_653, "separate"): 0.8684,
    (13_653, "multiplexed"): 0.8872,
    (6_826, "separate"): 0.8407,
    (6_826, "multiplexed"): 0.8759,
    (1_365, "separate"): 0.7712,
    (1_365, "multiplexed"): 0.8263,
    (None, "exact"): 0.8985,
}
OURS = "here"
_PUBLISHED = {"paper": PAPER, "reproduction": REPRODUCTION}
_SOURCES = [*_PUBLISHED, OURS]
_PROTOCOL = {
    "task": "binary: 0 up to 2, 1 from 4",
    "features": "base",
    "split": "random",
    "head": "dcn",
}
# The paper counts its exact table with all rows; we count ours over the labelled ones alone. The
# two shares of the exact table may therefore differ by this fraction.
_TOLERANCE = 0.1
_FORM_NAMES = {
    "separate": "a table each, hashed",
    "multiplexed": "one shared table",
    "exact": "exact rows",
}
_SOURCE_NAMES = {"paper": "the paper", "reproduction": "its reproduction", OURS: OURS}
_REPRODUCED = "^"  # the marker of the paper's reproduction, beside the forms' own
_PUBLISHED_COLORS = {"separate": "#EFB48A", "multiplexed": "#8ABBDD", "exact": "#9A9A9A"}
# Predictors that are rows of the table, where all runs have them.
PREDICTORS = {
    "bias": "user and item bias model",
    "mf": "matrix factorisation",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
}
COLUMNS = [
    "panel",
    "source",
    "regions",
    "rows",
    "label",
    "budget",
    "x",
    "auc",
    "low",
    "high",
    "n",
    "log_loss",
    "log_loss_low",
    "log_loss_high",
    "mse",
    "mse_low",
    "mse_high",
    "total_bytes",
    "exact_table_bytes",
    "difference",
    "difference_low",
    "difference_high",
    "interval_by",
    "tests",
    "p_holm",
    "told_apart",
    *(f"{name}_{measure}" for name in PREDICTORS for measure in ("auc", "log_loss", "mse")),
    "hollow",
]

Row = Mapping[Any, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row for each source (paper, reproduction, here), form and budget.

    rows: the budget in rows of the paper's table; the exact table has none.
    difference: in the rows of the shared table, its AUC minus that of separate tables. Ours has
        Holm's p over the budgets of a data set.
    """
    ours = _our_arms(score(study.summary))
    if not ours["rows"].notna().any():
        return pd.DataFrame(columns=COLUMNS)
    arms = by_key(study.arms)
    points = list(_published_points())
    for _, own in groups(ours, "dataset"):
        of_dataset = records(own)
        for row in of_dataset:
            points.append(_our_point(row) | _our_difference(row, of_dataset, arms))
    frame = holm_corrected(
        pd.DataFrame(points).reindex(columns=[*COLUMNS, "p", "sd", "floor"]), "panel"
    )
    frame = frame[COLUMNS]
    frame["hollow"] = False
    return _ordered(frame)


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Sort the panel of the published numbers first, and large budgets before small ones."""
    keys = pd.DataFrame(
        {
            "other": frame["panel"] != PUBLISHED_ON,
            "panel": frame["panel"],
            "source": frame["source"].map(_SOURCES.index),
            "rows": frame["rows"],
            "regions": frame["regions"],
        }
    )
    ascending = [True, True, True, False, False]
    order = keys.sort_values(list(keys.columns), ascending=ascending).index
    return frame.loc[order].reset_index(drop=True)


def _our_arms(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the arms under the paper's protocol, with the budget of the paper in `rows`.

    Of each form at each budget, the one that is best on validation stays.
    """
    comparable = scored
    for column, value in _PROTOCOL.items():
        comparable = comparable[comparable[column] == value]
    exact = comparable[(comparable["regions"] == "exact") & comparable["budget"].isna()]
    hashed = _hashed(comparable[comparable["budget"].notna()])
    paper_rows = [_paper_rows(row) for row in records(hashed)]
    hashed = hashed.assign(rows=pd.Series(paper_rows, hashed.index, dtype="Int64"))
    candidates = pd.concat([exact.assign(rows=None), hashed[hashed["rows"].notna()]])
    candidates = candidates.astype({"rows": "Int64"})
    ordered = candidates.sort_values(["val_mse_mean", "label"], kind="stable")
    return ordered.drop_duplicates(["dataset", "regions", "budget"]).sort_index()


def _hashed(budgeted: pd.DataFrame) -> pd.DataFrame:
    """Return the arms of the paper's hashed tables.

    A record does not say what a method does. The paper's method is recognised by its forms: the
    shared table and the separate ones are two strategies of one method. In every other method
    one strategy has both forms, or there is only one form.
    """
    strategies = budgeted.groupby(["dataset", "method"])["strategy"].transform("nunique")
    forms = budgeted.groupby(["dataset", "method"])["regions"].transform("nunique")
    forms_of_strategy = budgeted.groupby(["dataset", "strategy"])["regions"].transform("nunique")
    return budgeted[(strategies == 2) & (forms == 2) & (forms_of_strategy == 1)]


def _paper_rows(row: Row) -> int | None:
    """Return the paper's budget with the same share of the exact table, if there is one."""
    share = row["budget"] / row["exact_table_bytes"]
    for n in BUDGETS:
        if abs(share / (n / EXACT_ROWS) - 1) < _TOLERANCE:
            return n
    return None


def _published_points() -> Iterator[dict[str, Any]]:
    for source, numbers in _PUBLISHED.items():
        for (n, regions), auc in numbers.items():
            point = {
                "panel": PUBLISHED_ON,
                "source": source,
                "regions": regions,
                "rows": n,
                "label": _FORM_NAMES[regions],
                "x": EXACT_ROWS * ROW_BYTES,
                "exact_table_bytes": EXACT_ROWS * ROW_BYTES,
                "auc": auc,
            }
            if n is not None:
                point["budget"] = n * ROW_BYTES
                point["x"] = n * ROW_BYTES
            if regions == "multiplexed":
                point["difference"] = auc - numbers[n, "separate"]
            yield point


def _our_point(row: Row) -> dict[str, Any]:
    part = "test" if row["part"] == "test" else "val"
    point = {
        "panel": row["dataset"],
        "source": OURS,
        "x": row["budget"],
        "auc": row[f"{part}_auc_mean"],
        "low": row[f"{part}_auc_low"],
        "high": row[f"{part}_auc_high"],
    }
    for name in PREDICTORS:
        point[f"{name}_auc"] = row[f"anchor_{name}_auc"]
        point[f"{name}_log_loss"] = row[f"anchor_{name}_log_loss"]
        point[f"{name}_mse"] = row[f"anchor_{name}"]
    if missing(row["budget"]):
        point["x"] = row["table_bytes"] + row["auxiliary_bytes"]
    for column in ("regions", "rows", "label", "budget", "n", "total_bytes", "exact_table_bytes"):
        point[column] = row[column]
    for measure in ("log_loss", "mse"):
        point[measure] = row[f"{part}_{measure}_mean"]
        point[f"{measure}_low"] = row[f"{part}_{measure}_low"]
        point[f"{measure}_high"] = row[f"{part}_{measure}_high"]
    return point


def _our_difference(row: Row, of_dataset: Sequence[Row], arms: Mapping[Any, Arm]) -> dict[str, Any]:
    """Return the AUC of a shared table minus that of separate tables at the same budget."""
    if row["regions"] != "multiplexed":
        return {}
    for rival in of_dataset:
        if rival["regions"] == "separate" and rival["rows"] == row["rows"]:
            test = compare_two(row_scores(arms, rival, "auc"), row_scores(arms, row, "auc"))
            return {
                "difference": test.difference,
                "difference_low": test.low,
                "difference_high": test.high,
                "p": test.p,
                "interval_by": test.interval_by,
                "sd": test.sd,
                "floor": test.floor,
            }
    return {}


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw one panel for each data set, the published one first."""
    across = frame["panel"].nunique()
    figure, drawn = panels(frame, across, _draw_panel, width=4.6, height=3.6)
    drawn[0].axes.set_ylabel("test AUC (higher is better)")
    light = style.Look(style.GREY, "o", "none", 5)
    entries = [
        style.handle(style.form_look("separate"), _FORM_NAMES["separate"]),
        style.handle(style.form_look("multiplexed"), _FORM_NAMES["multiplexed"]),
        style.handle(style.OTHER_FORM._replace(marker=""), _FORM_NAMES["exact"]),
        style.handle(light, "light: the paper", joined=False),
        style.handle(light._replace(marker=_REPRODUCED), "light: its reproduction", joined=False),
    ]
    style.legend(figure, entries)
    return figure


def _draw_panel(axes: Axes, part: pd.DataFrame) -> None:
    for (source, regions), line in groups(part, ["source", "regions"]):
        look = style.form_look(regions)
        if source != OURS:
            look = look._replace(color=_PUBLISHED_COLORS[regions])
        if source == "reproduction":
            look = look._replace(marker=_REPRODUCED)
        if regions == "exact":
            _draw_exact(axes, line, look)
        else:
            _draw_line(axes, line.sort_values("x"), look)
    budgets = part.dropna(subset=["rows"]).drop_duplicates("rows")["x"]
    exact = part["exact_table_bytes"].max()
    labels = [f"{bytes_text(size)}\n{ratio_text(size, exact)}" for size in budgets]
    axes.set_xscale("log")
    axes.set_xticks(budgets.astype(float), labels)
    axes.xaxis.set_minor_locator(NullLocator())
    biases = part["bias_auc"].dropna()
    if len(biases):
        _draw_bias(axes, biases.iloc[0])
    sources = [_SOURCE_NAMES[source] for source in part["source"].unique()]
    axes.margins(y=0.1)  # room for a text on the highest line
    axes.set_title(f"{part['panel'].iloc[0]}: {', '.join(sources)}")
    axes.set_xlabel("byte budget of all tables, and as a part of the exact table")


def _draw_exact(axes: Axes, line: pd.DataFrame, look: style.Look) -> None:
    for row in rows(line):
        axes.axhline(row.auc, color=look.color, linestyle=look.dash, linewidth=1.3, zorder=2)
        axes.annotate(
            f"{_SOURCE_NAMES[row.source]}: exact rows {row.auc:.3f}",
            (0.01, row.auc),
            (0, 2),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            fontsize=7,
        )


def _draw_line(axes: Axes, line: pd.DataFrame, look: style.Look) -> None:
    axes.vlines(line["x"], line["low"], line["high"], color=look.color, linewidth=1, zorder=2)
    style.points(axes, line, "x", "auc", look)


def _draw_bias(axes: Axes, auc: float) -> None:
    axes.axhline(auc, color=style.GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
    axes.annotate(
        f"bias model {auc:.3f}",
        (0.01, auc),
        (0, -2),
        xycoords=("axes fraction", "data"),
        va="top",
        textcoords="offset points",
        fontsize=7,
        color="#404040",
    )


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each of our budgets, and a table of all numbers for each data set."""
    ours = frame[frame["source"] == OURS]
    lines = []
    for title, own in groups(ours, "panel"):
        for row in rows(own[own["difference"].notna()]):
            lines.append(f"- {_sentence(row, title)}")
    for title, own in groups(ours, "panel"):
        lines += ["", *_numbers(own, title)]
    return lines


def _sentence(row: Any, title: str) -> str:
    difference = delta_text(row.difference, row.difference_low, row.difference_high)
    verdict = ""
    if not missing(row.p_holm):
        told_apart = "told apart" if row.told_apart else "not told apart"
        tests = f"Holm-corrected over {row.tests} budgets"
        verdict = f" ({told_apart}, p {p_text(row.p_holm)}, {tests}, {row.interval_by})"
    published = []
    for source, numbers in _PUBLISHED.items():
        theirs = numbers[row.rows, "multiplexed"] - numbers[row.rows, "separate"]
        published.append(f"{source} {theirs:+.4f}")
    return (
        f"{_budget_name(row.rows)}: one shared table against separate ones on {title}: "
        f"{difference} AUC over {row.n:g} seeds{verdict}; "
        f"on {PUBLISHED_ON}: {', '.join(published)}."
    )


def _numbers(own: pd.DataFrame, title: str) -> list[str]:
    """Return the table of one data set: the published AUC beside ours."""
    heading = title
    if title != PUBLISHED_ON:
        heading += ", not comparable with the numbers beside it"
    lines = [
        f"| budget in the paper | form | paper AUC, {PUBLISHED_ON} "
        f"| reproduction AUC, {PUBLISHED_ON} | our AUC ({heading}) | our log loss ({title}) "
        f"| our MSE ({title}) | our tables | n |",
        "|---|---|--:|--:|---|---|---|--:|--:|",
    ]
    ours = {}
    for row in records(own):
        n = None if missing(row["rows"]) else row["rows"]
        ours[n, row["regions"]] = row
    for n, regions in PAPER:
        cells = [
            _budget_name(n),
            _FORM_NAMES[regions],
            f"{PAPER[n, regions]:.4f}",
            f"{REPRODUCTION[n, regions]:.4f}",
            *_our_cells(ours.get((n, regions))),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    anchors = own.iloc[0]
    for name, title in PREDICTORS.items():
        scores = [anchors[f"{name}_{measure}"] for measure in ("auc", "log_loss", "mse")]
        if missing(scores[-1]):
            continue
        row_cells = " | ".join(f"*{mse_text(score)}*" for score in scores)
        lines.append(f"| *none* | *{title}* | | | {row_cells} | | |")
    return lines


def _our_cells(row: Row | None) -> list[str]:
    if row is None:
        return [NOTHING] * 5
    auc = interval_text(row["auc"], row["low"], row["high"])
    if row["regions"] == "separate":
        auc += f", {row['label']}"
    return [
        auc,
        interval_text(row["log_loss"], row["log_loss_low"], row["log_loss_high"]),
        interval_text(row["mse"], row["mse_low"], row["mse_high"]),
        bytes_text(row["x"]),
        f"{row['n']:g}",
    ]


def _budget_name(n: Any) -> str:
    if missing(n):
        return "none"
    return f"{BUDGETS[n]} ({n / EXACT_ROWS:.2f} of the exact table)"


SECTION = Section(
    name="paper",
    title="The paper's own table",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
