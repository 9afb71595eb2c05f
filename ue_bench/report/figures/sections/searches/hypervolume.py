"""A search for several aims at once: the front of MSE and bytes, and how fast each sampler pushed it out."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ue_bench.record import Record
from ue_bench.report.evidence import trials
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups, rows
from ue_bench.report.evidence.summary import panel
from ue_bench.report.figures import style
from ue_bench.report.format import bytes_text, mse_text

NAME = "hypervolume"
EMPTY = "no search looked for the front of MSE and bytes"
AIMS = ["quality.val_mse", "cost.total_bytes"]
RANDOM = "random"
ORDERS = 200  # random trials could have come in any order: the curve is shown over as many of them
CAPTION = (
    "Left: the trials of a joint search over table size, numbers per lookup and lookups of each feature, with the front (no "
    "trial is as small and better). Right: the area between the front and a reference point, the worst MSE and the largest size "
    "of all trials drawn, against trials (MSE × doublings of the bytes; more is better). Random trials have no order of their "
    f"own: their line is the mean over {ORDERS} orders, the band holds 95 % of these. Validation MSE on one seed: these numbers "
    "compare the samplers, they are not results."
)
COLORS = {"tpe": "#0072B2", RANDOM: "#D55E00"}
COLUMNS = ["panel", "view", "sampler", "number", "mse", "bytes", "front", "volume", "low", "high"]


def hypervolume(points: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The area that the first 1, 2, ... n of `points` [n, 2] dominate, both coordinates minimised, up to `reference` [2]: [n].

    A point beyond the reference counts for nothing. Raises ValueError for points that are not pairs.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points of shape {points.shape}; pairs are needed")
    volumes = []
    for count in range(1, len(points) + 1):
        seen = points[:count][(points[:count] < reference).all(axis=1)]
        area, ceiling = 0.0, reference[1]
        for x, y in seen[np.lexsort((seen[:, 1], seen[:, 0]))]:
            if y < ceiling:  # on the front: the strip between it and the one before
                area += (reference[0] - x) * (ceiling - y)
                ceiling = y
        volumes.append(area)
    return np.array(volumes)


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """view `trial`: one row a trial. view `volume`: one row a sampler and number of trials, `low` and `high` over the orders."""
    found = []
    for record in search:
        told = trials.facts(record)
        if told.get("objectives") == AIMS and record.quality.get("val_mse") is not None:
            found.append(
                comparison_of(record)._asdict()
                | {"sampler": told["sampler"], "number": told["number"], "search": _both(record)}
                | {"mse": record.quality["val_mse"], "bytes": record.cost["total_bytes"]}
            )
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    frame = pd.DataFrame(found).sort_values(
        ["search", "sampler", "number"], kind="stable", ignore_index=True
    )
    frame["panel"], frame["view"] = panel(frame.assign(phase="")), "trial"
    parts = [frame]
    frame["front"] = False
    for _, own in groups(frame, "search"):
        reference = np.array([own["mse"].max(), np.log2(own["bytes"].max())])
        for sampler, trial in groups(own, "sampler"):
            points = np.column_stack([trial["mse"], np.log2(trial["bytes"])])
            frame.loc[trial.index, "front"] = _front(points)
            parts.append(
                _volumes(points, reference, sampler).assign(
                    panel=own["panel"].iloc[0], view="volume"
                )
            )
    return pd.concat(parts).reindex(columns=COLUMNS).reset_index(drop=True)


def _both(record: Record) -> str:
    """The search without its sampler: what is compared with one another."""
    study, held, told = json.loads(trials.search_of(record))
    return json.dumps(
        [study, held, {name: value for name, value in told.items() if name != "sampler"}]
    )


def _front(points: np.ndarray) -> list[bool]:
    return [
        not any((other <= own).all() and (other < own).any() for other in points) for own in points
    ]


def _volumes(points: np.ndarray, reference: np.ndarray, sampler: str) -> pd.DataFrame:
    numbers = np.arange(1, len(points) + 1)
    if sampler != RANDOM:
        return pd.DataFrame(
            {"sampler": sampler, "number": numbers, "volume": hypervolume(points, reference)}
        )
    noise = np.random.default_rng(0)
    curves = np.array([hypervolume(noise.permutation(points), reference) for _ in range(ORDERS)])
    low, high = np.quantile(curves, [0.025, 0.975], axis=0)
    return pd.DataFrame(
        {
            "sampler": sampler,
            "number": numbers,
            "volume": curves.mean(axis=0),
            "low": low,
            "high": high,
        }
    )


def draw(frame: pd.DataFrame) -> Figure:
    """The figure of one panel."""
    figure, grid = style.canvas(1, 2, 4.7, 3.6)
    left, right = grid[0]
    figure.suptitle(frame["panel"].iloc[0], fontsize=10, fontweight="bold")
    for sampler, own in groups(frame[frame["view"] == "trial"], "sampler"):
        marker = "o" if sampler != RANDOM else "s"
        left.plot(
            own["bytes"],
            own["mse"],
            marker,
            color=COLORS[sampler],
            markersize=4,
            alpha=0.6,
            label=f"{sampler}: trials",
        )
        edge = own[own["front"].astype(bool)].sort_values("bytes")
        dash = "-" if sampler != RANDOM else "--"
        left.step(
            edge["bytes"],
            edge["mse"],
            where="post",
            color=COLORS[sampler],
            linestyle=dash,
            label=f"{sampler}: front",
        )
    style.log_axis(left, bytes_text)
    left.tick_params(axis="x", labelsize=8)
    left.set_xlabel("total bytes")
    left.set_ylabel("validation MSE")
    left.legend(fontsize=8)
    for sampler, own in groups(frame[frame["view"] == "volume"], "sampler"):
        dash = "-" if sampler != RANDOM else "--"
        right.plot(
            own["number"], own["volume"], color=COLORS[sampler], linestyle=dash, label=sampler
        )
        if own["low"].notna().any():
            right.fill_between(
                own["number"],
                own["low"],
                own["high"],
                color=COLORS[sampler],
                alpha=0.18,
                linewidth=0,
            )
    right.set_xlabel("trials")
    right.set_ylabel("hypervolume\n(MSE × doublings of bytes)")
    right.legend(fontsize=8, loc="lower right")
    return figure


def table(frame: pd.DataFrame) -> list[str]:
    """The hypervolume after a quarter, half and all of the trials, the reference point, and each sampler's front."""
    lines: list[str] = []
    for title, part in groups(frame, "panel"):
        trial, volume = part[part["view"] == "trial"], part[part["view"] == "volume"]
        most = int(volume.groupby("sampler")["number"].max().min())
        stops = sorted({max(1, most // 4), max(1, most // 2), most})
        lines += [
            *([""] if lines else []),
            f"{title}: hypervolume up to MSE {mse_text(trial['mse'].max())} and {bytes_text(trial['bytes'].max())}",
            "",
            f"| sampler | {' | '.join(f'after {n} trials' for n in stops)} |",
            f"|---|{'---|' * len(stops)}",
        ]
        for sampler, own in groups(volume, "sampler"):
            told = [_volume(row) for row in rows(own[own["number"].isin(stops)])]
            lines.append(f"| {sampler} | {' | '.join(told)} |")
        for sampler, own in groups(trial[trial["front"].astype(bool)], "sampler"):
            edge = own.sort_values("bytes").drop_duplicates(["bytes", "mse"])
            told = [f"{bytes_text(row.bytes)} {mse_text(row.mse)}" for row in rows(edge)]
            lines += ["", f"Front of {sampler}: {', '.join(told)}."]
    return lines


def _volume(row: Any) -> str:
    inside = "" if pd.isna(row.low) or row.low == row.high else f" [{row.low:.3f}, {row.high:.3f}]"
    return f"{row.volume:.3f}{inside}"
