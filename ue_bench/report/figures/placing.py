"""Where text goes, so that no two labels overlap: along a column, or around the points of a panel. Unit: 1/72 inch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

LETTER = 0.64  # mean width of a letter, in font sizes; measured text would tie the figure to one machine's fonts
LINE = 1.25  # height of a line, in font sizes


class Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.bottom < other.top
            and other.bottom < self.top
        )

    def inside(self, other: "Box") -> bool:
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to `wanted` as may be, in its order, at least `gap` apart and within [low, high] where all fit."""
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    blocks: list[list[float]] = []  # [sum of what its members want of its first place, members]
    for rank, place in enumerate(order):
        blocks.append(
            [float(wanted[place]) - rank * gap, 1.0]
        )  # in coordinates where the gaps are taken out
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, members = blocks.pop()
            blocks[-1] = [blocks[-1][0] + total, blocks[-1][1] + members]
    squeezed = [total / members for total, members in blocks for _ in range(int(members))]
    most = max(low, high - (len(order) - 1) * gap)
    places = [0.0] * len(order)
    for rank, (place, value) in enumerate(zip(order, squeezed, strict=True)):
        places[place] = min(max(value, low), most) + rank * gap
    return places


def around(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    size: float,
    panel: Box,
    needed: Sequence[bool],
) -> list[Box | None]:
    """A box for each text near its point, clear of the boxes before it, of all points and of the edge of `panel`; None where
    there is no room. `size` is the font's. Texts are placed in the order given, the important ones first; one that is
    `needed` may lie farther away."""
    half = 3.5  # of a marker
    taken = [Box(x - half, y - half, x + half, y + half) for x, y in points]
    found: list[Box | None] = []
    for (x, y), text, far in zip(points, texts, needed, strict=True):
        width, height = LETTER * size * len(text), LINE * size
        tries = (
            _box(x, y, dx, dy, away, width, height)
            for away in (_NEAR + _FAR if far else _NEAR)
            for dx, dy in _SIDES
        )
        free = (
            box
            for box in tries
            if box.inside(panel) and not any(box.overlaps(other) for other in taken)
        )
        box = next(free, None)
        if box is not None:
            taken.append(box)
        found.append(box)
    return found


_NEAR, _FAR = (5.0, 9.0, 14.0), (22.0, 32.0, 45.0)
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0.7, 0.7), (-0.7, 0.7), (0.7, -0.7), (-0.7, -0.7))


def _box(x: float, y: float, dx: float, dy: float, away: float, width: float, height: float) -> Box:
    """The box of a text that lies `away` from (x, y) in direction (dx, dy)."""
    left = x + dx * away - (width if dx < 0 else width / 2 if dx == 0 else 0)
    bottom = y + dy * away - (height if dy < 0 else height / 2 if dy == 0 else 0)
    return Box(left, bottom, left + width, bottom + height)
