"""Where strategies err: by the unseen values of a row, and by how rare its rarest value is."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.pairs import compare_all
from ue_bench.report.evidence.summary import SCOPE, by_key, key, row_scores
from ue_bench.report.evidence.unseen_share import share_columns, share_text, unseen_share
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import mse_text

UNSEEN = ("0", "1", "2+")  # unseen values of a row
DECILES = tuple(map(str, range(1, 11)))
BY = {"unseen": UNSEEN, "decile": DECILES}  # what rows are sorted by, and into which slices
MOST = 4  # advantages of the best arm that a sentence lists
MOST_NAMED = 10  # strategies; of more the best on validation are named
COLUMNS = [
    "panel",
    "label",
    "group",
    "size",
    "mse_of_all",
    "line",
    "named",
    "hollow",
    "by",
    "slice",
    "place",
    "share",
    "least",
    "most",
    "mse",
    "advantage",
]

Row = dict[str, Any]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return one row an arm and slice of rows, of the arms at the median budget or without one.

    share: of the scored rows. least, most: medians over runs of the training rows of the rarest
    value. mse: over all rows of the slice of all runs. advantage: in words, where the best arm's
    advantage over this one lies. Arms without these scores, as of earlier records, are left out.
    """
    arms = by_key(study.arms)
    chosen = chosen_lines.at_middle_budget(arms, study.summary, _has_slices, MOST_NAMED)
    lines: list[Row] = []
    for _, part in groups(chosen, SCOPE):
        ranked = records(part)
        advantages = _advantages(arms, ranked)
        for row, advantage in zip(ranked, advantages, strict=True):
            own = {name: row[name] for name in chosen_lines.LINE}
            own |= {"mse_of_all": own.pop("mse"), "advantage": advantage}
            lines += [own | of_slice for of_slice in _slices(arms[key(row)])]
    return pd.DataFrame(lines, columns=COLUMNS)


def _has_slices(arm: Arm) -> bool:
    return bool(arm.runs) and all(run.quality.get("rarity") for run in arm.runs)


def _advantages(arms: dict[tuple[Any, ...], Arm], ranked: Sequence[Row]) -> list[str]:
    """Return, for each arm, where the first one's advantage over it lies; empty if not told."""
    best, *rivals = ranked
    texts = [""]
    tests = compare_all(row_scores(arms, best), [row_scores(arms, row) for row in rivals])
    for row, test in zip(rivals, records(tests), strict=True):
        share = share_columns(unseen_share(arms[key(row)], arms[key(best)]))
        text = ""
        if test["told_apart"] and share["unseen_rows"]:
            text = f"{row['label']} by {test['difference']:.4f}, {share_text(share)}"
        texts.append(text)
    return texts


def _slices(arm: Arm) -> Iterator[Row]:
    """Yield the slices of an arm in the order of `BY`."""
    for by, names in BY.items():
        found = [dict(_of_run(run.quality["rarity"], by)) for run in arm.runs]
        n_rows = sum(of_slice["n"] for of_slice in found[0].values())
        for place, name in enumerate(names):
            of_runs = [slices[name] for slices in found if name in slices]
            n = sum(of_slice["n"] for of_slice in of_runs)
            if not n:
                continue
            squares = sum(of_slice["n"] * (of_slice["mse"] or 0.0) for of_slice in of_runs)
            bounds = {}
            for bound in ("least", "most"):
                counts = [of_slice[bound] for of_slice in of_runs if bound in of_slice]
                bounds[bound] = median(counts) if counts else None
            share = n / len(arm.runs) / n_rows
            mse = squares / n
            yield {"by": by, "slice": name, "place": place, "share": share, "mse": mse, **bounds}


def _of_run(rarity: Row, by: str) -> Iterator[tuple[str, Row]]:
    """Yield name and scores of each slice of a run. Deciles that are one slice share its rows."""
    if by == "unseen":
        yield from rarity["unseen"].items()
        return
    for entry in rarity["deciles"]:
        deciles = range(entry["first"], entry["last"] + 1)
        for decile in deciles:
            yield str(decile), entry | {"n": entry["n"] / len(deciles)}


def table(frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each panel, then its table: arms by slice."""
    lines = []
    panels = list(frame.groupby("panel", sort=False))
    for _, part in panels:
        lines += _sentence(part)
    for _, part in panels:
        lines += ["", *_table(part)]
    return lines


def _sentence(part: pd.DataFrame) -> list[str]:
    first = part.iloc[0]
    advantages = [text for text in part["advantage"].unique() if text]
    if not advantages:
        return []
    text = "; ".join(advantages[:MOST])
    if len(advantages) > MOST:
        text += f"; and {len(advantages) - MOST} more"
    return [f"- {first['panel']}: {first['label']} is significantly better than {text}."]


def _table(part: pd.DataFrame) -> list[str]:
    """Return one row an arm, one column a slice of rows that some arm has."""
    slices = []
    heads = []
    for by, names in BY.items():
        for name in names:
            of_slice = part[(part["by"] == by) & (part["slice"] == name)]
            if of_slice.empty:
                continue
            slices.append((by, name))
            heads.append(_head(by, name, of_slice.iloc[0]))
    lines = [
        f"| {part['panel'].iloc[0]} | size | MSE | {' | '.join(heads)} |",
        "|---|--:|--:|" + "--:|" * len(heads),
    ]
    for _, of_arm in part.groupby(["label", "size"], sort=False):
        first = of_arm.iloc[0]
        by_slice = of_arm.set_index(["by", "slice"])["mse"]
        cells = [first["label"], first["size"], mse_text(first["mse_of_all"])]
        cells += [mse_text(by_slice.get(place)) for place in slices]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _head(by: str, name: str, row: pd.Series) -> str:
    if by == "unseen":
        return f"{name} unseen ({100 * row['share']:.0f} %)"
    counts = f"{row['least']:.0f}"
    if row["most"] > row["least"]:
        counts += f" to {row['most']:.0f}"
    return f"decile {name} ({counts})"


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a row of two panels for each comparison: by unseen values, and by decile."""

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        for axes, (by, names) in zip(axes_row, BY.items(), strict=True):
            _draw_slices(axes, part[part["by"] == by], names, study.looks)
        unseen, decile = axes_row
        unseen.set_xlabel("unseen values in a row")
        decile.set_xlabel("decile of the rarest value's training rows")
        for axes in axes_row:
            axes.set_ylabel("MSE")
            axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)

    figure, _ = panel_rows(frame, len(BY), draw_row, width=4.6, height=3.1)
    style.legend(figure, chosen_lines.entries(frame, study.looks))
    return figure


def _draw_slices(axes: Axes, part: pd.DataFrame, names: Sequence[str], looks: style.Looks) -> None:
    for name, line in groups(part, "line"):
        if line["named"].all():
            style.points(axes, line, "place", "mse", looks[name])
        else:
            style.pale(axes, line, "place", "mse")
    axes.set_xticks(range(len(names)), names)


SECTION = Section(
    name="rare_values",
    title="Rare and unseen values",
    tidy=tidy,
    empty="no arm has scores by the rarity of values, which earlier versions did not record",
    caption=(
        "MSE of the scored rows by how many of their values training has not seen, and in ten "
        "parts by how many training rows have the rarest value of the row, the rarest first. Rows "
        "that are as rare are together, and several deciles may be one. Each strategy at the "
        "median budget (or without one), in the variant that is best on validation. An advantage "
        "that lies in rows with unseen values says how a strategy serves what it has not seen, "
        "and little about collisions."
    ),
    draw=draw,
    table=table,
)
