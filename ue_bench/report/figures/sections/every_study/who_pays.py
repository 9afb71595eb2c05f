"""Whom a strategy serves badly: errors of users, calibration of predictions, and rankings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.record.group_errors import group_errors
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.summary import SCOPE, by_key, key
from ue_bench.report.figures import chosen_lines, style
from ue_bench.report.figures.panels import panel_rows
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import mse_text

SHARES = (10, 25, 50, 75, 90, 95, 99)  # per cent of users
PANELS = ("users", "reliability")
MOST_NAMED = 10
COLUMNS = [
    *chosen_lines.LINE,
    "kind",
    "x",
    "y",
    "ece",
    "ndcg",
    "ndcg_users",
]


def tidy(study: StudyData) -> pd.DataFrame:
    """Return the points of both panels for each arm at the median budget or without one.

    kind: `users`, where y is the MSE that x per cent of the users have at the most, or
    `reliability`, where y is the mean target less the mean prediction x of a tenth of the rows.
    All are means over the runs of the arm. Arms without these scores are left out.
    """
    arms = by_key(study.arms)
    chosen = chosen_lines.at_middle_budget(arms, study.summary, _has_all, MOST_NAMED)
    lines: list[dict[str, Any]] = []
    for _, part in groups(chosen, SCOPE):
        for row in records(part):
            runs = arms[key(row)].runs
            own = {name: row[name] for name in chosen_lines.LINE}
            own["ece"] = np.mean([run.quality["reliability"]["ece"] for run in runs])
            own |= _ranking(runs)
            lines += [own | point for point in (*_of_users(runs), *_of_predictions(runs))]
    return pd.DataFrame(lines, columns=COLUMNS)


def _has_all(arm: Arm) -> bool:
    return bool(arm.runs) and all(run.quality.get("reliability") for run in arm.runs)


def _ranking(runs: Sequence[Record]) -> dict[str, Any]:
    found = [run.quality.get("ranking", {}) for run in runs]
    values = [of_run["ndcg"] for of_run in found if of_run.get("ndcg") is not None]
    if len(values) < len(runs):
        return {"ndcg": None, "ndcg_users": None}
    users = [of_run["users"] for of_run in found]
    return {"ndcg": np.mean(values), "ndcg_users": np.mean(users)}


def _of_users(runs: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the quantiles of the users' MSE, none where a run keeps no errors by user."""
    quantiles = []
    for run in runs:
        errors = group_errors(run, run.quality["reliability"]["of"])
        if (
            errors is None
            or run.quality["groups"][run.quality["reliability"]["of"]]["by"] != "user"
        ):
            return []
        has_rows = errors.n > 0
        quantiles.append(np.percentile(errors.sums[has_rows] / errors.n[has_rows], SHARES))
    of_runs = np.mean(quantiles, axis=0)
    return [
        {"kind": "users", "x": share, "y": mse} for share, mse in zip(SHARES, of_runs, strict=True)
    ]


def _of_predictions(runs: Sequence[Record]) -> list[dict[str, Any]]:
    deciles = [run.quality["reliability"]["deciles"] for run in runs]
    points = []
    for of_decile in zip(*deciles, strict=False):
        predicted = np.mean([cell["predicted"] for cell in of_decile])
        observed = np.mean([cell["observed"] for cell in of_decile])
        points.append({"kind": "reliability", "x": predicted, "y": observed - predicted})
    return points


def table(frame: pd.DataFrame) -> list[str]:
    """Return a table of the arms for each panel."""
    lines = []
    for title, part in groups(frame, "panel"):
        lines += [
            "",
            f"| {title} | size | MSE | median user | worst 5 % of users from | ECE | NDCG@10 |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for (label, size), of_arm in part.groupby(["label", "size"], sort=False):
            first = of_arm.iloc[0]
            by_share = of_arm[of_arm["kind"] == "users"].set_index("x")["y"]
            cells = [str(label), str(size), mse_text(first["mse"])]
            cells += [mse_text(by_share.get(share)) for share in (50, 95)]
            cells += [mse_text(first["ece"]), mse_text(first["ndcg"])]
            lines.append(f"| {' | '.join(cells)} |")
    return lines[1:]


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """Draw a row of two panels for each comparison: the users' errors, and the reliability."""

    def draw_row(axes_row: Any, part: pd.DataFrame) -> None:
        for axes, kind in zip(axes_row, PANELS, strict=True):
            _draw_lines(axes, part[part["kind"] == kind], study.looks)
            axes.set_title(style.heading(part["panel"].iloc[0]), fontsize=9)
        users, reliability = axes_row
        users.set_xlabel("per cent of users")
        users.set_ylabel("MSE that these\nhave at the most")
        reliability.axhline(0, color=style.GREY, linewidth=0.8)
        reliability.set_xlabel("mean prediction of a tenth of the rows")
        reliability.set_ylabel("mean target less mean prediction")

    figure, _ = panel_rows(frame, len(PANELS), draw_row, width=4.6, height=3.1)
    style.legend(figure, chosen_lines.entries(frame, study.looks))
    return figure


def _draw_lines(axes: Axes, part: pd.DataFrame, looks: style.Looks) -> None:
    for name, line in groups(part, "line"):
        if line["named"].all():
            style.points(axes, line, "x", "y", looks[name])
        else:
            style.pale(axes, line, "x", "y")


SECTION = Section(
    name="who_pays",
    title="Users, calibration and ranking",
    tidy=tidy,
    empty="no arm has scores of calibration, which earlier versions did not record",
    caption=(
        "Left: how the error is shared out among users: the MSE that so many per cent of them have "
        "at the most. Right: calibration. Rows are ordered by their prediction and cut into "
        "tenths; above 0 the targets of a tenth are higher than was predicted. ECE: the mean "
        "distance of the two. NDCG@10: how well the scored rows of each user are ranked, 1 at the "
        "best. Each strategy at the median budget (or without one), in the variant that is best on "
        "validation."
    ),
    draw=draw,
    table=table,
)
