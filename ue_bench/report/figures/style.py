"""The look of every figure: one palette, one order (alphabetical), markers and dashes.

A strategy owns a colour; its marker and dash tell it apart without one. The eighth strategy repeats a colour, not a look.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from ue_bench.report.evidence.frames import groups
from ue_bench.report.figures.hover import hover

_PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#000000",
)  # Okabe-Ito without its yellow
_MARKERS = (
    "o",
    "s",
    "^",
    "D",
    "v",
    "P",
    "X",
    "<",
    ">",
    "p",
    "h",
    "*",
    "d",
    "8",
)  # all can be drawn hollow
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.3)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_SIZES = {"*": 8.5, "d": 6.5, "P": 6.5, "X": 6.5}
GREY = "#767676"
ANCHOR_NAMES = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "bias model",
    "mf": "matrix fact.",
}


class Look(NamedTuple):
    color: str
    marker: str
    dash: Any
    size: float


Looks = Mapping[str, Look]

# Where a strategy has a panel or a label of its own, colour is free to tell the form of its table.
FORMS = {
    "multiplexed": Look("#0072B2", "o", "-", 5.0),
    "separate": Look("#D55E00", "s", (0, (4, 1.5)), 5.0),
}
OTHER_FORM = Look("#000000", "D", (0, (1, 1.3)), 4.5)  # exact rows, or none
PALE = "#D2D2D2"  # what stands behind
CHANGE = {
    "better": ("#0072B2", "-"),
    "worse": ("#D55E00", (0, (4, 1.5))),
    "not told apart": ("#8A8A8A", (0, (1, 1.3))),
}


def form_look(regions: str) -> Look:
    return FORMS.get(regions, OTHER_FORM)


def form_entries(regions: Iterable[str], *, joined: bool = True) -> list[Line2D]:
    """The legend of the forms: shared first, then separate, then all that is neither."""
    names = {"multiplexed": "one multiplexed table", "separate": "separate tables"}
    known = dict.fromkeys(
        names.get(own, "neither (exact rows, or no table)")
        for own in sorted(regions, key=_form_order)
    )
    looks = {name: form_look(form) for form, name in names.items()}
    return [handle(looks.get(name, OTHER_FORM), name, joined=joined) for name in known]


def _form_order(regions: str) -> tuple[bool, str]:
    return regions not in FORMS, regions


def looks(pairs: Iterable[tuple[str, str]], every_group: Iterable[str] = ()) -> dict[str, Look]:
    """The look of every name, from (label, group) pairs: a group and its labels share a colour. `every_group` of the report,
    so that a strategy looks the same in all its figures."""
    members: dict[str, list[str]] = {group: [] for group in every_group}
    for label, group in sorted(set(pairs), key=lambda pair: (pair[1], pair[0])):
        members.setdefault(group, []).append(label)
    found: dict[str, Look] = {}
    place = 0
    for number, (group, labels) in enumerate(sorted(members.items())):
        color = _PALETTE[number % len(_PALETTE)]
        for variant, label in enumerate(labels):
            found[label] = _look(color, place + variant, variant + number // len(_PALETTE))
        place += len(labels)
        found[group] = _look(color, number, number // len(_PALETTE))
    return found


def _look(color: str, marker: int, dash: int) -> Look:
    shape = _MARKERS[
        (marker + marker // len(_MARKERS)) % len(_MARKERS)
    ]  # shifted: a colour meets another marker
    return Look(color, shape, _DASHES[dash % len(_DASHES)], _SIZES.get(shape, 5.5))


@contextmanager
def themed() -> Iterator[None]:
    """Settings for drawing and saving, put back afterwards: the caller's own plots are left alone."""
    with sns.axes_style("whitegrid"), sns.plotting_context("paper", font_scale=1.05):
        own: dict[Any, Any] = {
            "svg.hashsalt": "ue_bench",
            "svg.fonttype": "none",
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "grid.color": "#E6E6E6",
            "axes.edgecolor": "#8C8C8C",
            "legend.frameon": False,
            "axes.titlelocation": "left",
            "text.parse_math": False,  # a name may hold dollar signs
        }
        with mpl.rc_context(own):
            yield


def heading(title: str) -> str:
    """The title of a panel in two lines where it is long."""
    return title.replace("), ", "),\n")


def canvas(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, Any]:
    """A figure of `rows` x `columns` panels of that size in inches, without pyplot's global state; axes as a 2-d array."""
    figure = Figure(figsize=(max(width * columns, 6.4), height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def points(
    axes: Axes, line: pd.DataFrame, x: str, y: str, look: Look, *, joined: bool = True
) -> None:
    """One line with its markers, hollow where column `hollow` says so; each marker tells its configuration on hover."""
    if joined:
        axes.plot(line[x], line[y], color=look.color, linestyle=look.dash, linewidth=1.4, zorder=3)
    for hollow, part in groups(line, "hollow"):
        face = "white" if hollow else look.color
        style: dict[str, Any] = {
            "linestyle": "none",
            "marker": look.marker,
            "markersize": look.size,
            "markerfacecolor": face,
        }
        every = max(1, len(part) // 12)  # a long history: not a marker an evaluation
        axes.plot(
            part[x],
            part[y],
            markevery=every,
            markeredgecolor=look.color,
            markeredgewidth=1.2,
            zorder=4,
            **style,
        )
        hover(axes, part[::every], x, y)


def log_axis(axes: Axes, text: Callable[[float], str], most: int = 7) -> None:
    """A logarithmic x axis, once all is drawn: as many round numbers as there is room for, `most` of them, written by `text`."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    for within in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        ticks = [
            part * 10**decade
            for decade in decades
            for part in within
            if low <= part * 10**decade <= high
        ]
        if len(ticks) <= most:
            break
    if len(ticks) < 2:  # within a few per cent
        ticks = [tick for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    shown = ticks[:: 1 + len(ticks) // (most + 1)]  # of many decades, each second one or fewer
    axes.set_xticks(shown, map(text, shown))
    axes.xaxis.set_minor_locator(NullLocator())


def handle(look: Look, label: str, *, joined: bool = True) -> Line2D:
    dash: Any = look.dash if joined else "none"
    return Line2D(
        [],
        [],
        color=look.color,
        linestyle=dash,
        marker=look.marker,
        markersize=look.size,
        label=label,
    )


def pale(axes: Axes, line: pd.DataFrame, x: str, y: str, *, joined: bool = True) -> None:
    """One of many lines (or points) that stand behind, unnamed."""
    axes.plot(
        line[x],
        line[y],
        color=PALE,
        linewidth=0.8,
        linestyle="-" if joined else "none",
        marker=".",
        markersize=4,
        zorder=1,
    )
    hover(axes, line[:: max(1, len(line) // 12)] if joined else line, x, y)


def others(*, joined: bool = True) -> Line2D:
    """The legend's entry for what is drawn pale."""
    dash = "-" if joined else "none"
    return Line2D(
        [],
        [],
        color=PALE,
        linestyle=dash,
        linewidth=1.2,
        marker=".",
        label="other strategies (see the table)",
    )


def mark(label: str, marker: str = "o", color: str = GREY) -> Line2D:
    """The legend's entry for a hollow marker."""
    style: dict[str, Any] = {
        "markerfacecolor": "white",
        "markeredgecolor": color,
        "markeredgewidth": 1.2,
    }
    return Line2D([], [], linestyle="none", marker=marker, markersize=5.5, label=label, **style)


def legend(figure: Figure, handles: list[Any]) -> None:
    """Below the panels, in as many columns as the figure is wide; the figure grows by the rows of the legend."""
    longest = max((len(str(entry.get_label())) for entry in handles), default=1)
    columns = max(1, min(len(handles), int(figure.get_figwidth() * 15 / (longest + 7))))
    figure.set_figheight(figure.get_figheight() + 0.19 * -(-len(handles) // columns))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=8, handlelength=3.2
    )


def rename(figure: Figure, name: str, other: str) -> None:
    """In the labels of the axes, `other` for `name`."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            axis.label.set_text(axis.label.get_text().replace(name, other))


def settle(figure: Figure) -> None:
    """Lay the figure out once, for all that is drawn into it and saved from it afterwards."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
