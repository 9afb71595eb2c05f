"""The paper's own table beside ours: AUC of one shared table, of separate ones and of exact rows at three budgets, on likes.

The published numbers are for ML-1M, each the mean of five runs: Coleman et al., NeurIPS 2023 (arXiv 2305.12102), and its public
reproduction (github lilyungg/unified-embeddings), from which both were read. Budgets are rows of 120 bytes in tables of all
features together; the exact table has 13,215. What is compared across data sets is therefore the share of the exact table, and
the difference between two forms; the AUC of one data set says nothing about that of another.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records, rows
from ue_bench.report.evidence.statistics import LEVEL, Paired, holm, paired
from ue_bench.report.evidence.summary import by_seed, key, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.figures import style
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import (
    NOTHING,
    bytes_text,
    interval_text,
    missing,
    mse_text,
    p_text,
    ratio_text,
)

NAME = "paper"
EMPTY = "no study trained hashed tables on likes with the paper's model"
CAPTION = (
    "AUC against the byte budget of all tables, with the paper's labels, features, split and model; a panel for each data set. "
    "On ML-1M: the paper's numbers and its reproduction's. Ours: mean over seeds and 95 % t-interval, separate tables with the "
    "way of sizing them that has the lowest validation MSE at that budget. Dotted: the exact table, which has no budget."
)
PUBLISHED_ON, ROW_BYTES, EXACT_ROWS = "ml-1m", 120, 13_215
BUDGETS = {13_653: "1.6 MB", 6_826: "791 kB", 1_365: "158 kB"}  # rows, and how the paper names them
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
_SOURCES = {"paper": PAPER, "reproduction": REPRODUCTION}
OURS = "here"
_LIKE = {
    "task": "binary: 0 up to 2, 1 from 4",
    "features": "base",
    "split": "random",
    "head": "dcn",
}
_METHODS = {"HashingTrick": ("separate", "multiplexed"), "Collisionless": ("exact",)}
_NEAR = 0.1  # by how much of itself a budget's share of the exact table may be off: that is counted over the labelled rows alone
_NAMES = {
    "separate": "a table each, hashed",
    "multiplexed": "one shared table",
    "exact": "exact rows",
}
_TOLD = {"paper": "the paper", "reproduction": "its reproduction", OURS: OURS}
_LIGHT = {
    "separate": "#EFB48A",
    "multiplexed": "#8ABBDD",
    "exact": "#9A9A9A",
}  # of what is published
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
    "p",
    "bias_auc",
    "bias_log_loss",
    "bias_mse",
    "hollow",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """One row a source (paper, reproduction, here), form and budget. rows: the budget in rows of the paper's table, none for the
    exact one. difference: AUC of the shared table less that of separate ones, in the rows of the shared one; ours is paired over
    seeds, with Holm's p over a data set's budgets."""
    scored = score(study.summary)
    same = pd.concat([scored[name] == value for name, value in _LIKE.items()], axis=1).all(axis=1)
    allowed = [
        regions in _METHODS.get(method, ())
        for method, regions in zip(scored["method"], scored["regions"], strict=True)
    ]
    best = champions(scored[same & pd.Series(allowed, scored.index, dtype=bool)])
    best = best.assign(
        rows=pd.Series([_rows(row) for row in records(best)], best.index, dtype="Int64")
    )
    best = best[best["rows"].notna() | (best["regions"] == "exact")]
    if not (best["regions"] != "exact").any():
        return pd.DataFrame(columns=COLUMNS)
    runs = {arm.key: arm for arm in study.arms}
    found = [*_published()]
    for dataset, own in groups(best, "dataset"):
        found += [_ours(dataset, row) | _gain(row, records(own), runs) for row in records(own)]
    frame = pd.DataFrame(found).reindex(columns=COLUMNS)
    for _, own in frame[frame["source"] == OURS].dropna(subset=["p"]).groupby("panel"):
        frame.loc[own.index, "p"] = holm(list(own["p"]))
    frame["hollow"] = frame["source"] == "reproduction"
    order = {name: place for place, name in enumerate((*_SOURCES, OURS))}
    first = frame["panel"] != PUBLISHED_ON  # the published ones stand first
    frame = frame.assign(first=first, order=frame["source"].map(order))
    by = ["first", "panel", "order", "rows", "regions"]
    return frame.sort_values(by, ascending=[True, True, True, False, False], ignore_index=True)[
        COLUMNS
    ]


def _rows(row: Mapping[Any, Any]) -> int | None:
    """The paper's budget of which an arm has the same share of the exact table."""
    if missing(row["budget"]):
        return None
    share = row["budget"] / row["exact_table_bytes"]
    return next((n for n in BUDGETS if abs(share / (n / EXACT_ROWS) - 1) < _NEAR), None)


def _published() -> Iterable[dict[str, Any]]:
    for source, numbers in _SOURCES.items():
        for (n, regions), auc in numbers.items():
            size = (n or EXACT_ROWS) * ROW_BYTES
            row = {
                "panel": PUBLISHED_ON,
                "source": source,
                "regions": regions,
                "rows": n,
                "label": _NAMES[regions],
                "auc": auc,
            }
            row |= {
                "budget": size if n else None,
                "x": size,
                "exact_table_bytes": EXACT_ROWS * ROW_BYTES,
            }
            yield row | (
                {"difference": auc - numbers[n, "separate"]} if regions == "multiplexed" else {}
            )


def _ours(dataset: str, row: dict[Any, Any]) -> dict[str, Any]:
    part = "test" if row["part"] == "test" else "val"
    paid = row["table_bytes"] + row["auxiliary_bytes"]
    found = {"panel": dataset, "source": OURS, "auc": row[f"{part}_auc_mean"]}
    found |= {
        name: row[name]
        for name in ("regions", "rows", "label", "n", "total_bytes", "exact_table_bytes")
    }
    found |= {"budget": row["budget"], "x": paid if missing(row["budget"]) else row["budget"]}
    found |= {end: row[f"{part}_auc_{end}"] for end in ("low", "high")}
    for measure in ("log_loss", "mse"):
        found |= {
            measure + end: row[f"{part}_{measure}{end or '_mean'}"] for end in ("", "_low", "_high")
        }
    return found | {
        f"bias{end}": row[f"anchor_bias{'' if end == '_mse' else end}"]
        for end in ("_auc", "_log_loss", "_mse")
    }


def _gain(
    row: dict[Any, Any], own: Sequence[dict[Any, Any]], runs: Mapping[Any, Arm]
) -> dict[str, Any]:
    rivals = [one for one in own if one["regions"] == "separate" and one["rows"] == row["rows"]]
    if row["regions"] != "multiplexed" or not rivals:
        return {}
    test: Paired = paired(
        *(by_seed(runs[key(one)], one["part"], "auc") for one in (rivals[0], row))
    )
    return {
        "difference": test.difference,
        "difference_low": test.low,
        "difference_high": test.high,
        "p": test.p,
    }


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """A panel a data set: the published one first."""
    panels = list(dict.fromkeys(frame["panel"]))
    figure, grid = style.canvas(1, len(panels), 4.6, 3.6)
    for axes, title in zip(grid[0], panels, strict=True):
        own = frame[frame["panel"] == title]
        for (source, regions), line in groups(own, ["source", "regions"]):
            _line(axes, line.sort_values("x"), source, regions)
        ticks = own.dropna(subset=["rows"]).drop_duplicates("rows")
        unit = own["exact_table_bytes"].max()
        axes.set_xscale("log")
        axes.set_xticks(
            ticks["x"].astype(float),
            [f"{bytes_text(x)}\n{ratio_text(x, unit)}" for x in ticks["x"]],
        )
        axes.xaxis.set_minor_locator(NullLocator())
        for bias in own["bias_auc"].dropna()[:1]:
            axes.axhline(bias, color=style.GREY, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
            axes.annotate(
                f"bias model {bias:.3f}",
                (0.01, bias),
                (0, -2),
                xycoords=("axes fraction", "data"),
                va="top",
                textcoords="offset points",
                fontsize=7,
                color="#404040",
            )
        sources = [_TOLD[source] for source in dict.fromkeys(own["source"])]
        axes.margins(y=0.1)  # room for a text on the highest line
        axes.set_title(f"{title}: {', '.join(sources)}")
        axes.set_xlabel("byte budget of all tables, and as a part of the exact table")
    grid[0, 0].set_ylabel("test AUC (higher is better)")
    entries = [
        style.handle(style.form_look(form), name)
        for form, name in _NAMES.items()
        if form != "exact"
    ]
    entries.append(style.handle(style.OTHER_FORM._replace(marker=""), _NAMES["exact"]))
    published = style.Look(style.GREY, "o", "none", 5)
    entries += [
        style.handle(published, "light: the paper", joined=False),
        style.mark("light and hollow: its reproduction"),
    ]
    style.legend(figure, entries)
    return figure


def _line(axes: Axes, line: pd.DataFrame, source: str, regions: str) -> None:
    look = style.form_look(regions)
    look = look if source == OURS else look._replace(color=_LIGHT[regions])
    if regions == "exact":
        for row in rows(line):
            axes.axhline(row.auc, color=look.color, linestyle=look.dash, linewidth=1.3, zorder=2)
            text, place = f"{_TOLD[source]}: exact rows {row.auc:.3f}", ("axes fraction", "data")
            axes.annotate(
                text,
                (0.01, row.auc),
                (0, 2),
                xycoords=place,
                textcoords="offset points",
                fontsize=7,
            )
        return
    axes.vlines(line["x"], line["low"], line["high"], color=look.color, linewidth=1, zorder=2)
    style.points(axes, line, "x", "auc", look)


def table(frame: pd.DataFrame) -> list[str]:
    """A sentence for each budget of ours, then the paper's numbers, the reproduction's and ours side by side."""
    lines = []
    published = {
        source: frame[frame["source"] == source].set_index("rows")["difference"].dropna()
        for source in _SOURCES
    }
    for title, own in groups(frame[frame["source"] == OURS], "panel"):
        for row in rows(own[own["difference"].notna()]):
            theirs = ", ".join(f"{name} {published[name][row.rows]:+.4f}" for name in _SOURCES)
            inside = (
                ""
                if missing(row.difference_low)
                else f" [{row.difference_low:+.4f}, {row.difference_high:+.4f}]"
            )
            told = (
                ""
                if missing(row.p)
                else f" ({'told apart' if row.p < 1 - LEVEL else 'not told apart'}, p {p_text(row.p)})"
            )
            lines.append(
                f"- {_size(row.rows)}: one shared table against separate ones on {title}: {row.difference:+.4f}{inside} AUC over "
                f"{row.n:g} seeds{told}; on {PUBLISHED_ON}: {theirs}."
            )
    for title, own in groups(frame[frame["source"] == OURS], "panel"):
        mine = (
            title
            if title == PUBLISHED_ON
            else f"{title}, not comparable with the numbers beside it"
        )
        lines += [
            "",
            f"| budget in the paper | form | paper AUC, {PUBLISHED_ON} | reproduction AUC, {PUBLISHED_ON} | our AUC ({mine}) | "
            f"our log loss ({title}) | our MSE ({title}) | our tables | n |",
            "|---|---|--:|--:|---|---|---|--:|--:|",
        ]
        cells = {
            (None if missing(row["rows"]) else int(row["rows"]), row["regions"]): row
            for row in records(own)
        }
        for place in PAPER:
            lines.append(_row(place, cells.get(place)))
        bias = own.iloc[0]
        lines.append(
            f"| *none* | *user and item bias model* | | | *{mse_text(bias['bias_auc'])}* | *{mse_text(bias['bias_log_loss'])}* | "
            f"*{mse_text(bias['bias_mse'])}* | | |"
        )
    return lines


def _row(place: tuple[int | None, str], own: Mapping[Any, Any] | None) -> str:
    head = f"| {_size(place[0])} | {_NAMES[place[1]]} | {PAPER[place]:.4f} | {REPRODUCTION[place]:.4f} | "
    if own is None:
        return head + " | ".join([NOTHING] * 5) + " |"
    ends = ("", "_low", "_high")
    text = interval_text(own["auc"], own["low"], own["high"])
    text += f", {own['label']}" if place[1] == "separate" else ""
    more = [interval_text(*(own[measure + end] for end in ends)) for measure in ("log_loss", "mse")]
    return head + " | ".join([text, *more, bytes_text(own["x"]), f"{own['n']:g}"]) + " |"


def _size(n: Any) -> str:
    if missing(n):
        return "none"
    return f"{BUDGETS[int(n)]} ({n / EXACT_ROWS:.2f} of the exact table)"


SECTION = Section(
    name=NAME,
    title="The paper's own table",
    tidy=tidy,
    empty=EMPTY,
    caption=CAPTION,
    draw=draw,
    table=table,
)
