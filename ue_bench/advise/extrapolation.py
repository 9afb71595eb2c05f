"""What all rows will give, from the errors on parts of them.

The error of a form is taken to follow a power law in the number of rows, as learning curves do
(Hestness et al., 2017). Its logarithm is fitted on that of the rows by weighted least squares, in
which a run weighs as much as it has rows. What is fitted is the error over that of the training
mean on the same rows: which frequent values a part has is luck that both errors share.

The interval is that of a run on all rows. It has the error of the fit and the noise of a run. A
power law is an approximation, so the interval is also widened: from the largest part to all rows,
the exponent may change as much again as it does over the parts. With two parts nothing is known of
that, and it may change by all that it is.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from ue_bench.report.evidence.statistics import LEVEL

FEWEST_PARTS = 2
FEWEST_RUNS = 4


class Point(NamedTuple):
    """A run. ratio: its error over that of the training mean on the same rows."""

    rows: int
    ratio: float


class Extrapolated(NamedTuple):
    """An error on all rows with a 95 % interval, and what it was made from.

    power: the exponent of the number of rows.
    """

    mse: float
    low: float
    high: float
    power: float
    n_runs: int
    parts: list[int]


class _Line(NamedTuple):
    """A forecast of the logarithm, its variance and degrees of freedom, and the slope."""

    value: float
    variance: float
    degrees: int
    slope: float


def extrapolate(points: Sequence[Point], n_rows: int, mean_mse: float) -> Extrapolated | None:
    """Forecast the error on all rows; None for fewer than two parts or four runs.

    n_rows: all rows. mean_mse: the error of the training mean there.
    """
    parts = sorted({point.rows for point in points})
    if len(parts) < FEWEST_PARTS or len(points) < FEWEST_RUNS:
        return None
    line = _fit(points, n_rows)
    variance = line.variance + (_change(points, parts) * math.log(n_rows / parts[-1])) ** 2
    half = float(stdtrit(line.degrees, (1 + LEVEL) / 2)) * math.sqrt(variance)
    return Extrapolated(
        mse=mean_mse * math.exp(line.value),
        low=mean_mse * math.exp(line.value - half),
        high=mean_mse * math.exp(line.value + half),
        power=line.slope,
        n_runs=len(points),
        parts=parts,
    )


def _change(points: Sequence[Point], parts: Sequence[int]) -> float:
    """Return how much the exponent changes over the parts, as far as three of them say it."""
    if len(parts) == FEWEST_PARTS:
        return _slope(points)
    late = _slope([point for point in points if point.rows != parts[0]])
    return late - _slope([point for point in points if point.rows != parts[-1]])


def _slope(points: Sequence[Point]) -> float:
    return _fit(points, points[0].rows).slope


def _fit(points: Sequence[Point], n_rows: int) -> _Line:
    """Fit log ratio = a + b log(rows / n_rows), whose a is the forecast."""
    x = np.log([point.rows / n_rows for point in points])
    y = np.log([point.ratio for point in points])
    weights = np.array([point.rows / n_rows for point in points])
    design = np.stack([np.ones(len(x)), x], axis=1)
    inverse = np.linalg.inv(design.T @ (weights[:, None] * design))
    intercept, slope = inverse @ (design.T @ (weights * y))
    residuals = y - intercept - slope * x
    degrees = len(points) - 2
    # the variance of a run on all rows
    noise = float((weights * residuals**2).sum()) / max(1, degrees)
    return _Line(
        value=float(intercept),
        variance=noise * (1 + float(inverse[0, 0])),
        degrees=degrees,
        slope=float(slope),
    )
