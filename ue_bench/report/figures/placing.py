"""Places for text so that no two labels overlap: along a column, or around the points of a panel.

All lengths are in points (1/72 inch).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import isotonic_regression

# The mean width of a letter, in font sizes. Measured text would tie the figure to the fonts of one
# machine.
LETTER = 0.64
LINE = 1.25  # the height of a line, in font sizes
_HALF_MARKER = 3.5
_NEAR = (5.0, 9.0, 14.0)  # distances of a text from its point
_FAR = (22.0, 32.0, 45.0)
_DIRECTIONS = (
    (1, 0),
    (-1, 0),
    (0, 1),
    (0, -1),
    (0.7, 0.7),
    (-0.7, 0.7),
    (0.7, -0.7),
    (-0.7, -0.7),
)


class Box(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: "Box") -> bool:
        across = self.left < other.right and other.left < self.right
        upward = self.bottom < other.top and other.bottom < self.top
        return across and upward

    def inside(self, other: "Box") -> bool:
        across = other.left <= self.left and self.right <= other.right
        upward = other.bottom <= self.bottom and self.top <= other.top
        return across and upward


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near to `wanted` as possible, in its order and at least `gap` apart.

    They lie within [low, high] where all of them fit.
    """
    if not len(wanted):
        return []
    order = np.argsort(np.asarray(wanted, dtype=float), kind="stable")
    # Without the gaps, the places must only not decrease.
    without_gaps = [float(wanted[index]) - rank * gap for rank, index in enumerate(order)]
    fitted = isotonic_regression(without_gaps).x
    highest = max(low, high - (len(order) - 1) * gap)
    places = [0.0] * len(order)
    for rank, index in enumerate(order):
        first_place = min(max(float(fitted[rank]), low), highest)
        places[index] = first_place + rank * gap
    return places


def around(
    points: Sequence[tuple[float, float]],
    texts: Sequence[str],
    size: float,
    panel: Box,
    needed: Sequence[bool],
) -> list[Box | None]:
    """A box for each text near its point; None where there is no room.

    A box is clear of the boxes before it and of all points, and inside `panel`.

    texts: the important ones come first.
    size: of the font.
    needed: whether a text may be farther away from its point.
    """
    taken = []
    for x, y in points:
        marker = Box(
            left=x - _HALF_MARKER,
            bottom=y - _HALF_MARKER,
            right=x + _HALF_MARKER,
            top=y + _HALF_MARKER,
        )
        taken.append(marker)
    boxes: list[Box | None] = []
    for point, text, far in zip(points, texts, needed, strict=True):
        distances = _NEAR + _FAR if far else _NEAR
        box = _free_box(_boxes(point, text, size, distances), panel, taken)
        if box is not None:
            taken.append(box)
        boxes.append(box)
    return boxes


def _free_box(boxes: Iterator[Box], panel: Box, taken: Sequence[Box]) -> Box | None:
    """The first of `boxes` that is inside `panel` and overlaps nothing that is taken."""
    for box in boxes:
        if box.inside(panel) and not any(box.overlaps(other) for other in taken):
            return box
    return None


def _boxes(
    point: tuple[float, float], text: str, size: float, distances: Sequence[float]
) -> Iterator[Box]:
    """The boxes that a text may have around a point, the best one first."""
    x, y = point
    width = LETTER * size * len(text)
    height = LINE * size
    for distance in distances:
        for across, up in _DIRECTIONS:
            left = x + across * distance - _part_before(across, width)
            bottom = y + up * distance - _part_before(up, height)
            yield Box(left=left, bottom=bottom, right=left + width, top=bottom + height)


def _part_before(direction: float, length: float) -> float:
    """The part of a box of this length that lies before its anchor."""
    if direction < 0:
        return length
    if direction == 0:
        return length / 2
    return 0.0
