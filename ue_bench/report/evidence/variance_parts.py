"""The variance of a score by seed: a mixed model of runs whose seeds are crossed.

    score = mean + slope * (bias model's score) + hash + init + batch order + split + rest

Each of the four effects is drawn once a value of its seed. The bias model is fitted to the same
split, so that its score says how hard the test rows of that split are; what it does not say of a
split is the split's own effect. The rest is what seeds do together: a run follows from its four
seeds, and nothing else changes a score.

The parts are those of statsmodels' `MixedLM`, by restricted maximum likelihood, which allows none
below 0. Their 95 % intervals are generalised confidence intervals (Weerahandi, Journal of the
American Statistical Association 88, 1993): for an orthogonal array each sum of squares over its
expectation is an independent chi-square number, and such numbers are drawn. Seeds are drawn anew
with them: an interval of the split's part has the few degrees of freedom of the splits, which all
runs and all arms have in common. The effects are assumed to be normal. Runs that are no orthogonal
array have parts without intervals.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ue_bench.config import SEEDS
from ue_bench.config.crossed_seeds import FEWEST, crossed
from ue_bench.report.evidence.arms import Seeds
from ue_bench.report.evidence.statistics import LEVEL

HASH, INIT, BATCH, SPLIT = SEED_NAMES = ("hash", "init", "batch order", "split (rest)")
EXPLAINED = "split (as the bias model)"
TOGETHER = "interaction"
PARTS = (HASH, INIT, BATCH, EXPLAINED, SPLIT, TOGETHER)
ONE_SPLIT = (HASH, INIT, BATCH, TOGETHER)  # the parts that differ between runs of one split
DRAWS = 10_000


class Scores(NamedTuple):
    """The runs of one configuration.

    seeds: int64 [runs, 4], in the order of `SEEDS`. scores: float64 [runs]. bias: the bias model's
    score on the split of each run, float64 [runs], or None where some run has none.
    """

    seeds: np.ndarray
    scores: np.ndarray
    bias: np.ndarray | None


class Part(NamedTuple):
    """A number with its 95 % interval, whose ends are NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


class Variances(NamedTuple):
    """The parts of a configuration's variance.

    parts: the variance of each of PARTS. shares: of their sum. on_one_split: of the sum of
    ONE_SPLIT. slope: of the score on the bias model's; NaN without that. crossed: how many values
    of each seed the orthogonal array has; 0: the runs are none.
    """

    parts: dict[str, Part]
    shares: dict[str, Part]
    on_one_split: dict[str, Part]
    slope: float
    crossed: int


def crossed_runs(
    scores: Mapping[Seeds, float], bias: Mapping[Seeds, float] | None
) -> tuple[Scores, int]:
    """Return the runs of the largest complete orthogonal array among these, and its values a seed.

    Where there is none, all runs are returned, and 0.
    """
    first = min((min(seeds) for seeds in scores), default=0)
    for values in range(math.isqrt(len(scores)), FEWEST - 1, -1):
        if any(values % divisor == 0 for divisor in range(2, values)):
            continue
        array = [tuple(first + seed for seed in seeds) for seeds in crossed(values)]
        if all(seeds in scores for seeds in array):
            return _table(array, scores, bias), values
    return _table(sorted(scores), scores, bias), 0


def _table(
    runs: Sequence[Seeds], scores: Mapping[Seeds, float], bias: Mapping[Seeds, float] | None
) -> Scores:
    of_bias = None
    if bias is not None:
        of_bias = np.array([bias[seeds] for seeds in runs])
    return Scores(np.array(runs), np.array([scores[seeds] for seeds in runs]), of_bias)


def variances(runs: Scores, values: int) -> Variances | None:
    """Return the parts of the variance of these runs. values: as `crossed_runs` returns it.

    None where a seed has one value only, where two seeds change together in all runs, so that
    nothing tells their parts from each other, or where all scores are equal.
    """
    changes = {tuple(pd.factorize(column)[0]) for column in runs.seeds.T}
    if len(changes) < len(SEED_NAMES) or not np.ptp(runs.scores):
        return None
    if any(len(np.unique(column)) < 2 for column in runs.seeds.T):
        return None
    fit = _mixed_model(runs)
    draws = None
    if values:
        draws = _draws(runs, values)
    return Variances(
        parts=_parts(fit.parts, draws, PARTS, shares=False),
        shares=_parts(fit.parts, draws, PARTS, shares=True),
        on_one_split=_parts(fit.parts, draws, ONE_SPLIT, shares=True),
        slope=fit.slope,
        crossed=values,
    )


class _Fit(NamedTuple):
    parts: dict[str, float]
    slope: float


def _mixed_model(runs: Scores) -> _Fit:
    # statsmodels takes a second to load, which a report without such runs need not wait for.
    from statsmodels.regression.mixed_linear_model import MixedLM, MixedLMParams, VCSpec

    effects = []
    names = []
    for column in runs.seeds.T:
        values, place = np.unique(column, return_inverse=True)
        effects.append(np.eye(len(values))[place])
        names.append([[str(value) for value in values]])
    unit = float(runs.scores.std()) or 1.0  # the optimizer expects numbers near 1
    scores = (runs.scores - runs.scores.mean()) / unit
    fixed = np.ones((len(scores), 1))
    if runs.bias is not None:
        fixed = np.column_stack([fixed, (runs.bias - runs.bias.mean()) / unit])
    model = MixedLM(
        scores,
        fixed,
        groups=np.ones(len(scores)),
        exog_vc=VCSpec(list(SEED_NAMES), names, [[effect] for effect in effects]),
    )
    # From a start of its own the library's search often ends far from the best parts.
    start = MixedLMParams.from_components(
        fe_params=np.zeros(fixed.shape[1]),
        cov_re=np.zeros((0, 0)),
        vcomp=_moments(scores, fixed, effects),
    )
    # Of matrices so small, several threads take thirty times the time of one: they wait.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # of a part of 0, which lies at the edge of what is allowed
        result = model.fit(start_params=start, reml=True, method="lbfgs")
    parts = dict(zip(SEED_NAMES, (result.vcomp * unit**2).tolist(), strict=True))
    parts[TOGETHER] = float(result.scale) * unit**2
    slope = math.nan
    parts[EXPLAINED] = 0.0
    if runs.bias is not None:
        slope = float(result.fe_params[1])
        parts[EXPLAINED] = slope**2 * float(np.var(_by_split(runs, runs.bias), ddof=1))
    return _Fit(parts, slope)


def _moments(scores: np.ndarray, fixed: np.ndarray, effects: Sequence[np.ndarray]) -> np.ndarray:
    """Return a part for each effect by the method of moments, in units of the rest: float64 [4].

    The sum of squares of each effect's totals equals its expectation (Rao's MINQUE with weights of
    0, Journal of Multivariate Analysis 1, 1971). fixed: [runs, columns]. effects: [runs, values].
    """
    n = len(scores)
    without_fixed = np.eye(n) - fixed @ np.linalg.pinv(fixed)
    forms = [without_fixed @ effect @ effect.T @ without_fixed for effect in effects]
    forms.append(without_fixed)
    expected = np.array([[np.sum(form * other) for other in forms] for form in forms])
    parts = np.linalg.lstsq(expected, [scores @ form @ scores for form in forms], rcond=None)[0]
    return np.maximum(parts[:-1], 1e-4) / max(float(parts[-1]), 1e-4)


def _by_split(runs: Scores, numbers: np.ndarray) -> np.ndarray:
    """Return the mean of numbers [runs] over the runs of each split: float64 [splits]."""
    splits = runs.seeds[:, SEEDS.index("split_seed")]
    return np.array([numbers[splits == split].mean() for split in np.unique(splits)])


def _draws(runs: Scores, values: int) -> dict[str, np.ndarray]:
    """Draw each part from what an orthogonal array says of it: float64 [DRAWS] each."""
    random = np.random.default_rng(0)
    centred = runs.scores - runs.scores.mean()
    squares = {}
    for name, column in zip(SEED_NAMES, runs.seeds.T, strict=True):
        means = np.array([centred[column == value].mean() for value in np.unique(column)])
        squares[name] = values * float(means @ means)
    degrees = values**2 - 1 - len(SEEDS) * (values - 1)
    rest = max(float(centred @ centred) - sum(squares.values()), 0.0)
    drawn = {TOGETHER: rest / random.chisquare(degrees, DRAWS)}
    for name in (HASH, INIT, BATCH):
        total = squares[name] / random.chisquare(values - 1, DRAWS)
        drawn[name] = np.maximum(total - drawn[TOGETHER], 0) / values
    if runs.bias is None:
        total = squares[SPLIT] / random.chisquare(values - 1, DRAWS)
        drawn[EXPLAINED] = np.zeros(DRAWS)
    else:
        bias = _by_split(runs, runs.bias)
        bias = bias - bias.mean()
        spread = float(bias @ bias)
        slope = float(bias @ _by_split(runs, centred)) / spread
        left = squares[SPLIT] - values * slope**2 * spread
        total = max(left, 0.0) / random.chisquare(values - 2, DRAWS)
        slopes = slope + random.standard_normal(DRAWS) * np.sqrt(total / (values * spread))
        drawn[EXPLAINED] = slopes**2 * spread / random.chisquare(values - 1, DRAWS)
    drawn[SPLIT] = np.maximum(total - drawn[TOGETHER], 0) / values
    return drawn


def _parts(
    fitted: Mapping[str, float],
    draws: Mapping[str, np.ndarray] | None,
    names: Sequence[str],
    *,
    shares: bool,
) -> dict[str, Part]:
    """Return the named parts with their intervals. shares: of their sum."""
    total: Any = 1.0
    drawn_total: Any = 1.0
    if shares:
        total = sum(fitted[name] for name in names)
        if total == 0:
            return {name: Part(math.nan) for name in names}
        if draws is not None:
            drawn_total = sum(draws[name] for name in names)
    parts = {}
    for name in names:
        low = high = math.nan
        if draws is not None:
            ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
            low, high = np.quantile(draws[name] / drawn_total, ends).tolist()
        parts[name] = Part(fitted[name] / total, low, high)
    return parts
