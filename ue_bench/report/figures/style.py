"""The look of every figure: one palette, one alphabetical order of strategies, markers and dashes.

A family of strategies owns a colour, and a strategy of it a marker, in every figure of every
report. Marker and dash identify it without the colour.
"""

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from ue_bench.config import RunConfig
from ue_bench.config.number_bits import BITS
from ue_bench.report.evidence.frames import groups
from ue_bench.report.figures.hover import hover

# Okabe-Ito without its yellow.
_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = "os^DvPX<>ph*d8"  # all of them can be drawn hollow
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2)),
    (0, (1, 1.3)),
    (0, (6, 2, 1, 2)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_SIZES = {"*": 8.5, "d": 6.5, "P": 6.5, "X": 6.5}
_USUAL_SIZE = 5.5
_MOST_MARKERS = 12  # markers of one line; a long history has more evaluations
ADDED = "#6A3D9A"  # of strategies that no family has
_DEFAULT = RunConfig().strategy
GREY = "#767676"
PALE = "#D2D2D2"  # the colour of lines in the background
FRONT = "#404040"  # the colour of a Pareto front
LONGEST = 40  # letters of an axis label in one line
NOT_BETTER = "not better than the bias model"  # what a hollow marker means, and nothing else
UNSURE = "bottom"  # the half of a marker that is filled where what it shows may not be so
ANCHOR_NAMES = {
    "mean": "global mean",
    "item_mean": "item mean",
    "bias": "bias model",
    "mf": "matrix fact.",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
    "best": "best possible",
}
_THEME: dict[Any, Any] = {
    "svg.hashsalt": "ue_bench",
    "svg.fonttype": "none",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "grid.color": "#E6E6E6",
    "axes.edgecolor": "#8C8C8C",
    "legend.frameon": False,
    "axes.titlelocation": "left",
    # A title keeps its place. To look for one above the ticks lays out all ticks of a panel again.
    "axes.titley": 1.0,
    "axes.formatter.useoffset": False,  # a factor or an offset would be where the title is
    "axes.formatter.limits": (-9, 15),
    "text.hinting": "none",  # at 150 dpi nobody sees it, and it takes a third of the time of texts
    "text.parse_math": False,  # a name may hold dollar signs
}


class Look(NamedTuple):
    """How a line is drawn. on_top: whether it is drawn over the lines of others."""

    color: str
    marker: str
    dash: Any
    size: float
    on_top: bool = False


Looks = Mapping[str, Look]

# Where each strategy has a panel or a label of its own, colour shows the form of its table.
FORMS = {
    "multiplexed": Look("#0072B2", "o", "-", 5.0),
    "separate": Look("#D55E00", "s", (0, (4, 1.5)), 5.0),
}
OTHER_FORM = Look("#000000", "D", (0, (1, 1.3)), 4.5)  # exact rows, or no table
ANCHOR = Look("#404040", "P", (0, (1, 1.3)), 5.5)  # of all anchors that are arms
_FORM_NAMES = {"multiplexed": "one multiplexed table", "separate": "separate tables"}
_OTHER_FORM_NAME = "neither (exact rows, or no table)"
CHANGE = {
    "better": ("#0072B2", "-"),
    "worse": ("#D55E00", (0, (4, 1.5))),
    "not told apart": ("#8A8A8A", (0, (1, 1.3))),
}


def form_look(regions: str) -> Look:
    return FORMS.get(regions, OTHER_FORM)


def form_entries(regions: Iterable[str], *, joined: bool = True) -> list[Line2D]:
    """The legend's entries of these forms: multiplexed, then separate, then all others as one."""
    present = set(regions)
    entries = []
    for form, name in _FORM_NAMES.items():
        if form in present:
            entries.append(handle(FORMS[form], name, joined=joined))
    if not present <= FORMS.keys():
        entries.append(handle(OTHER_FORM, _OTHER_FORM_NAME, joined=joined))
    return entries


class Kin(NamedTuple):
    """Where a strategy belongs: its family, its place there, and the size of the family."""

    family: int
    place: int
    size: int


# The kin of strategies by name, for the report that is being drawn.
_kin: ContextVar[Mapping[str, Kin]] = ContextVar("kin", default=MappingProxyType({}))


@contextmanager
def families(members: Sequence[Sequence[str]]) -> Iterator[None]:
    """Give each family of strategies a colour, and each of its members a marker, in this order.

    A strategy that is added to the end of its family changes the look of no other. Those that no
    family has, plug-ins, share a colour of their own.
    """
    kin = {}
    for family, names in enumerate(members):
        for place, name in enumerate(names):
            kin[name] = Kin(family, place, len(names))
    token = _kin.set(kin)
    try:
        yield
    finally:
        _kin.reset(token)


def looks(
    pairs: Iterable[tuple[str, str]],
    every_group: Iterable[str] = (),
    anchors: Iterable[str] = (),
    *,
    of_strategies: bool = True,
) -> dict[str, Look]:
    """The look of every name in (label, group) pairs. A group and its labels share a colour.

    A group whose first word is a strategy of a family has the look of that, whatever else there
    is: its dash says the regions. Others are coloured in their order.

    every_group: the groups of the whole report, so that a strategy looks alike in all its figures.
    anchors: labels of anchors, which are in neither of these. of_strategies: whether the names are
    of strategies, and not of features or sizes.
    """
    labels_of: dict[str, list[str]] = {group: [] for group in every_group}
    for label, group in sorted(set(pairs), key=lambda pair: (pair[1], pair[0])):
        labels_of.setdefault(group, []).append(label)
    look_of: dict[str, Look] = dict.fromkeys(anchors, ANCHOR)
    labels_before = 0
    number = 0
    kin = _kin.get() if of_strategies else {}
    for group, labels in sorted(labels_of.items()):
        found = kin.get(group.partition(" ")[0])
        on_top = is_subject(group) if of_strategies else False
        if found is not None:
            look_of[group] = _of_family(found, group, 0)._replace(on_top=on_top)
            for variant, label in enumerate(labels):
                look_of[label] = _of_family(found, group, variant)._replace(on_top=on_top)
            continue
        color = ADDED if kin else _PALETTE[number % len(_PALETTE)]
        dash = number // len(_PALETTE)
        for variant, label in enumerate(labels):
            look = _look(color, labels_before + variant, dash + variant)
            look_of[label] = look._replace(on_top=on_top)
        labels_before += len(labels)
        look_of[group] = _look(color, number, dash)._replace(on_top=on_top)
        number += 1
    return look_of


def is_subject(group: str) -> bool:
    """Return whether a group is of what figures are about, which is named and on top in all.

    That is the default strategy, and where families are known, a strategy of none of them.
    """
    strategy = group.partition(" ")[0]
    kin = _kin.get()
    return strategy == _DEFAULT or (bool(kin) and strategy not in kin)


def _of_family(kin: Kin, group: str, variant: int) -> Look:
    """The look of a variant of a group. Separate tables and few bits have dashes of their own, and
    fewer bits a smaller mark: where no lines are drawn, it is all that tells them from floats."""
    words = group.split()
    dash = variant + (1 if "separate" in words else 0)
    part_of_size = 1.0
    for word in BITS.keys() & set(words):
        dash += 2
        part_of_size = 0.55 + 0.09 * math.log2(BITS[word])
    # Families begin with different markers: their first members are compared most.
    marker = kin.family + kin.place + kin.size * variant
    look = _look(_PALETTE[kin.family % len(_PALETTE)], marker, dash)
    return look._replace(size=look.size * part_of_size)


def _look(color: str, marker: int, dash: int) -> Look:
    rounds = marker // len(_MARKERS)  # the shift gives a colour that comes again another marker
    shape = _MARKERS[(marker + rounds) % len(_MARKERS)]
    size = _SIZES.get(shape, _USUAL_SIZE)
    return Look(color=color, marker=shape, dash=_DASHES[dash % len(_DASHES)], size=size)


@contextmanager
def themed() -> Iterator[None]:
    """Set the theme for drawing and saving, and restore the caller's settings afterwards."""
    grid = sns.axes_style("whitegrid")
    sizes = sns.plotting_context("paper", font_scale=1.05)
    with grid, sizes, mpl.rc_context(_THEME):
        yield


NARROW = 34  # letters in a line of the title of a panel of three inches


def heading(title: str, most: int = 60) -> str:
    """The title of a panel, in lines of at most `most` letters; what follows a `)` has its own."""
    lines = title.replace("), ", "),\n").split("\n")
    return "\n".join(textwrap.fill(line, most, break_long_words=False) for line in lines)


def canvas(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, Any]:
    """A figure of `rows` x `columns` panels without pyplot's global state, and its axes [2-d].

    width, height: size of a panel in inches. options: those of `Figure.subplots`.
    """
    figure = Figure(figsize=(max(width * columns, 6.4), height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def points(
    axes: Axes, line: pd.DataFrame, x: str, y: str, look: Look, *, joined: bool = True
) -> None:
    """Draw one line with its markers, hollow where its column `hollow` is true.

    Where it has a column `unsure` that is true, half of the marker is filled. Each marker shows its
    configuration on hover. A long line has a few of them, at equal steps. Without `joined` there
    are only markers, and all of them.
    """
    above = 2 if look.on_top else 0
    if joined:
        dash = {"color": look.color, "linestyle": look.dash}
        axes.plot(line[x], line[y], **dash, linewidth=1.4, zorder=3 + above)
    if "unsure" not in line:
        line = line.assign(unsure=False)
    for (hollow, unsure), part in groups(line, ["hollow", "unsure"]):
        face = "white" if hollow else look.color
        step = max(1, len(part) // _MOST_MARKERS) if joined else 1
        axes.plot(
            part[x],
            part[y],
            linestyle="none",
            marker=look.marker,
            markersize=look.size,
            markerfacecolor=face,
            fillstyle=UNSURE if unsure else "full",
            markerfacecoloralt="white",
            markevery=step,
            markeredgecolor=look.color,
            markeredgewidth=1.2,
            zorder=4 + above,
        )
        hover(axes, part[::step], x, y)


def pale(axes: Axes, line: pd.DataFrame, x: str, y: str, *, joined: bool = True) -> None:
    """Draw one of many lines (or points) in the background, without a name."""
    dash = "none"
    step = 1
    if joined:
        dash = "-"
        step = max(1, len(line) // _MOST_MARKERS)
    look: dict[str, Any] = {"color": PALE, "linestyle": dash, "marker": ".", "zorder": 1}
    axes.plot(line[x], line[y], linewidth=0.8, markersize=4, **look)
    hover(axes, line[::step], x, y)


def level(axes: Axes, y: float, **options: Any) -> None:
    """Draw a horizontal line across a panel whose limits are set by something else.

    For each line, `axhline` works out the limits of all panels that share an axis.

    options: those of `Line2D`.
    """
    across = axes.get_yaxis_transform(which="grid")
    axes.add_line(Line2D([0, 1], [y, y], transform=across, **options))


def log_axis(axes: Axes, text: Callable[[float], str], most: int = 7, name: str = "x") -> None:
    """Make an axis logarithmic, once all is drawn, with at most `most` round numbers as ticks.

    text: writes a tick. name: `x` or `y`.
    """
    axes.set(**{f"{name}scale": "log"})
    axis = axes.xaxis if name == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    ticks = _round_numbers(low, high, most)
    if len(ticks) < 2:  # the axis covers a few per cent
        candidates = MaxNLocator(4).tick_values(low, high)
        ticks = [tick for tick in candidates if low <= tick <= high]
    step = 1 + len(ticks) // (most + 1)  # over many decades, every second one or fewer
    ticks = ticks[::step]
    axis.set_ticks(ticks, labels=[text(tick) for tick in ticks])
    axis.set_minor_locator(NullLocator())


def _round_numbers(low: float, high: float, most: int) -> list[float]:
    """Numbers in [low, high] with few leading digits, `most` where that leaves any choice."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    numbers: list[float] = []
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 8), (1, 2, 5), (1, 3), (1,)):
        numbers = []
        for decade in decades:
            of_decade = [digit * 10**decade for digit in digits]
            numbers += [number for number in of_decade if low <= number <= high]
        if len(numbers) <= most:
            break
    return numbers


def aside(number: int, of: int) -> float:
    """Return how far the mark `number` of as many at one tick stands from it, from -0.5 to 0.5."""
    if of < 2:
        return 0.0
    return number / (of - 1) - 0.5


def handle(look: Look, label: str, *, joined: bool = True) -> Line2D:
    """The legend's entry for a line (or for its markers alone)."""
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


def others(*, joined: bool = True) -> Line2D:
    """The legend's entry for what is drawn pale."""
    label = "other strategies (see the table)"
    dash = "-" if joined else "none"
    return Line2D([], [], color=PALE, linestyle=dash, linewidth=1.2, marker=".", label=label)


def mark(label: str, *, half: bool = False) -> Line2D:
    """The legend's entry for a hollow marker, or for one of which half is filled."""
    return Line2D(
        [],
        [],
        linestyle="none",
        marker="o",
        markersize=5.5,
        markerfacecolor=GREY if half else "white",
        fillstyle=UNSURE if half else "full",
        markerfacecoloralt="white",
        markeredgecolor=GREY,
        markeredgewidth=1.2,
        label=label,
    )


def front_handle(linewidth: float) -> Line2D:
    """The legend's entry for a Pareto front."""
    return Line2D([], [], color=FRONT, linewidth=linewidth, label="Pareto front of the means")


def legend(figure: Figure, handles: list[Any]) -> None:
    """Put a legend below the panels, in as many columns as the figure is wide.

    The figure grows by the rows of the legend.
    """
    longest = max((len(str(entry.get_label())) for entry in handles), default=1)
    columns = int(figure.get_figwidth() * 15 / (longest + 7))
    columns = max(1, min(len(handles), columns))
    rows = math.ceil(len(handles) / columns)
    figure.set_figheight(figure.get_figheight() + 0.19 * rows)
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=8, handlelength=3.2
    )


def rename(figure: Figure, name: str, other: str) -> None:
    """Replace `name` by `other` in the labels of all axes, and break those that become long."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            text = axis.label.get_text().replace(name, other)
            if len(text) > LONGEST:
                text = text.replace(" (", "\n(", 1)
            axis.label.set_text(text)


def settle(figure: Figure) -> None:
    """Fix the layout, for all that is drawn into the figure and saved from it afterwards."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


def fix_labels(figure: Figure) -> None:
    """Keep the labels of all axes where they are, once the figure has been measured.

    Each time that a figure is drawn, a label that may move lays out all ticks of its axis first.
    """
    for axes in figure.axes:
        to_axes = axes.transAxes.inverted()
        for axis in (axes.xaxis, axes.yaxis):
            place = axis.label.get_transform().transform(axis.label.get_position())
            axis.set_label_coords(*to_axes.transform(place))
