"""A search for several aims: the front of MSE and bytes, and how fast each sampler moved it."""

import json
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import panel
from ue_bench.report.evidence.trials import Trial, facts
from ue_bench.report.figures import style
from ue_bench.report.figures.hover import hover
from ue_bench.report.figures.section import Section, StudyData
from ue_bench.report.format import bytes_text, mse_text

AIMS = ["quality.val_mse", "cost.total_bytes"]
RANDOM = "random"
ORDERS = 200  # random trials could have come in any order: the curve is shown over as many of them
COLUMNS = ["panel", "view", "sampler", "number", "mse", "bytes", "front", "volume", "low", "high"]
_LOOKS = {
    "tpe": style.Look(color="#0072B2", marker="o", dash="-", size=4),
    RANDOM: style.Look(color="#D55E00", marker="s", dash="--", size=4),
}


def hypervolume(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The areas that the first 1, 2, ... n of `points` [n, 2] dominate up to `reference` [2]: [n].

    Both coordinates are minimised, and a point beyond the reference adds nothing. Raises ValueError
    for points that are not pairs.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points of shape {points.shape}; pairs are needed")
    volumes = []
    for count in range(1, len(points) + 1):
        first = points[:count]
        inside = first[(first < reference).all(axis=1)]
        area = 0.0
        ceiling = reference[1]
        order = np.lexsort((inside[:, 1], inside[:, 0]))  # by x, then by y
        for x, y in inside[order]:
            if y < ceiling:  # on the front: add the strip below the previous point of the front
                area += (reference[0] - x) * (ceiling - y)
                ceiling = y
        volumes.append(area)
    return np.array(volumes)


def tidy(study: StudyData) -> pd.DataFrame:
    """view `trial`: one row a trial. view `volume`: one row a sampler and number of trials.

    `low` and `high` are over the orders of random trials.
    """
    of_searches = []
    for trial in study.trials:
        if facts(trial.sample)["objectives"] == AIMS:
            of_searches.append(_row(trial))
    if not of_searches:
        return pd.DataFrame(columns=COLUMNS)
    order = ["search", "sampler", "number"]
    frame = pd.DataFrame(of_searches).sort_values(order, kind="stable", ignore_index=True)
    frame["panel"] = panel(frame.assign(phase=""))
    frame["view"] = "trial"
    frame["front"] = False
    parts = [frame]
    for _, search in groups(frame, "search"):
        worst = search["mse"].max()
        largest = search["bytes"].max()
        reference = np.array([worst, np.log2(largest)])
        title = search["panel"].iloc[0]
        for sampler, of_sampler in groups(search, "sampler"):
            points = np.column_stack([of_sampler["mse"], np.log2(of_sampler["bytes"])])
            frame.loc[of_sampler.index, "front"] = _front(points)
            volumes = _volumes(points, reference, in_order=sampler != RANDOM)
            parts.append(volumes.assign(sampler=sampler, panel=title, view="volume"))
    return pd.concat(parts).reindex(columns=COLUMNS).reset_index(drop=True)


def _row(trial: Trial) -> dict[str, Any]:
    return comparison_of(trial.sample)._asdict() | {
        "sampler": facts(trial.sample)["sampler"],
        "number": trial.number,
        "search": _search_of_all_samplers(trial),
        "mse": trial.val_mse,
        "bytes": sum(run.cost["total_bytes"] for run in trial.records) / len(trial.records),
    }


def _search_of_all_samplers(trial: Trial) -> str:
    """The search of a trial without its sampler and seeds: equal for trials that are compared."""
    study, asked, about = json.loads(trial.search)
    for name in ("sampler", "seeds", "default"):
        about.pop(name, None)
    return same_text([study, asked, about])


def _front(points: np.ndarray) -> list[bool]:
    """Whether no other point is as good in both coordinates and better in one."""
    on_front = []
    for point in points:
        as_good = (points <= point).all(axis=1)
        better = (points < point).any(axis=1)
        on_front.append(not (as_good & better).any())
    return on_front


def _volumes(points: np.ndarray, reference: np.ndarray, *, in_order: bool) -> pd.DataFrame:
    """The hypervolume by number of trials. Without an order it is the mean over `ORDERS`."""
    numbers = np.arange(1, len(points) + 1)
    if in_order:
        return pd.DataFrame({"number": numbers, "volume": hypervolume(points, reference)})
    noise = np.random.default_rng(0)
    curves = []
    for _ in range(ORDERS):
        curves.append(hypervolume(noise.permutation(points), reference))
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    mean = np.mean(curves, axis=0)
    return pd.DataFrame({"number": numbers, "volume": mean, "low": low, "high": high})


def draw(frame: pd.DataFrame, study: StudyData) -> Figure:
    """The figure of one panel: the trials with their front, and the hypervolume."""
    figure, grid = style.canvas(1, 2, 4.7, 3.6)
    left, right = grid[0]
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    _draw_trials(left, frame[frame["view"] == "trial"])
    _draw_volumes(right, frame[frame["view"] == "volume"])
    return figure


def _draw_trials(axes: Axes, frame: pd.DataFrame) -> None:
    for sampler, part in groups(frame, "sampler"):
        look = _LOOKS[sampler]
        axes.plot(
            part["bytes"],
            part["mse"],
            look.marker,
            color=look.color,
            markersize=look.size,
            alpha=0.6,
            label=f"{sampler}: trials",
        )
        known = part.assign(label=sampler, total_bytes=part["bytes"], part="validation")
        hover(axes, known, "bytes", "mse")
        edge = part[part["front"].astype(bool)].sort_values("bytes")
        axes.step(
            edge["bytes"],
            edge["mse"],
            where="post",
            color=look.color,
            linestyle=look.dash,
            label=f"{sampler}: front",
        )
    style.log_axis(axes, bytes_text)
    axes.tick_params(axis="x", labelsize=8)
    axes.set_xlabel("total bytes")
    axes.set_ylabel("validation MSE")
    axes.legend(fontsize=8)


def _draw_volumes(axes: Axes, frame: pd.DataFrame) -> None:
    for sampler, part in groups(frame, "sampler"):
        look = _LOOKS[sampler]
        numbers = part["number"]
        axes.plot(numbers, part["volume"], color=look.color, linestyle=look.dash, label=sampler)
        if part["low"].notna().any():
            low = part["low"]
            high = part["high"]
            axes.fill_between(numbers, low, high, color=look.color, alpha=0.18, linewidth=0)
    axes.set_xlabel("trials")
    axes.set_ylabel("hypervolume\n(MSE × doublings of bytes)")
    axes.legend(fontsize=8, loc="lower right")


def table(frame: pd.DataFrame) -> list[str]:
    """The hypervolume after a quarter, half and all of the trials, and each sampler's front."""
    lines: list[str] = []
    for title, part in groups(frame, "panel"):
        if lines:
            lines.append("")
        lines += _panel_table(title, part)
    return lines


def _panel_table(title: str, part: pd.DataFrame) -> list[str]:
    trial = part[part["view"] == "trial"]
    volume = part[part["view"] == "volume"]
    worst = mse_text(trial["mse"].max())
    largest = bytes_text(trial["bytes"].max())
    most = int(volume.groupby("sampler")["number"].max().min())
    stops = sorted({max(1, most // 4), max(1, most // 2), most})
    titles = [f"after {stop} trials" for stop in stops]
    lines = [
        f"{title}: hypervolume up to MSE {worst} and {largest}",
        "",
        f"| sampler | {' | '.join(titles)} |",
        f"|---|{'---|' * len(stops)}",
    ]
    for sampler, of_sampler in groups(volume, "sampler"):
        at_stops = of_sampler[of_sampler["number"].isin(stops)]
        cells = [sampler, *(_volume(row) for row in rows(at_stops))]
        lines.append(f"| {' | '.join(cells)} |")
    for sampler, edge in groups(trial[trial["front"].astype(bool)], "sampler"):
        edge = edge.sort_values("bytes").drop_duplicates(["bytes", "mse"])
        points = [f"{bytes_text(row.bytes)} {mse_text(row.mse)}" for row in rows(edge)]
        lines += ["", f"Front of {sampler}: {', '.join(points)}."]
    return lines


def _volume(row: Any) -> str:
    if pd.isna(row.low) or row.low == row.high:
        return f"{row.volume:.3f}"
    return f"{row.volume:.3f} [{row.low:.3f}, {row.high:.3f}]"


SECTION = Section(
    name="hypervolume",
    title="Table size, dim and lookups together",
    tidy=tidy,
    empty="no search looked for the front of MSE and bytes",
    caption=(
        "Left: the trials of a joint search over table size, numbers per lookup and lookups of "
        "each feature, with the front (no trial is as small and better). Right: the area between "
        "the front and a reference point, the worst MSE and the largest size of all trials drawn, "
        "against trials (MSE × doublings of the bytes; more is better). Random trials have no "
        f"order of their own: their line is the mean over {ORDERS} orders, the band holds 95 % of "
        "these. Validation MSE on one seed: these numbers compare the samplers, they are not "
        "results."
    ),
    draw=draw,
    table=table,
    each=True,
)
