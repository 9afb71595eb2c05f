"""Paired comparisons of arms over common seeds, corrected for how many of them there are."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.power import TARGET, seeds_needed
from ue_bench.report.evidence.statistics import ALPHA, Paired, Scores, differences, holm, paired

Pair = tuple[Scores, Scores]


def compare_all(best: Scores, rivals: Sequence[Scores]) -> pd.DataFrame:
    """Compare each rival with the best: `compare_pairs` of the best and each of them."""
    return compare_pairs([(best, rival) for rival in rivals])


def compare_pairs(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Compare the second of each pair with the first. All pairs are one family of tests.

    Returns one row a pair, with these columns:

    * n, difference, low, high, p: the paired test of the second less the first;
    * p_holm: p after Holm's correction over all pairs;
    * told_apart: whether p_holm is below 5 %;
    * needed: the seeds that would show the difference, or a difference of `TARGET` where that is
      larger, at 5 % divided by the number of pairs; NA where the pair is told apart already or
      has fewer than two common seeds, which say nothing of the noise;
    * needed_for: the difference that `needed` is about.
    """
    tests = paired_tests(pairs)
    tests["p_holm"] = holm(tests["p"].tolist())
    tests["told_apart"] = tests["p_holm"] < ALPHA
    needed: list[int | None] = []
    targets: list[float] = []
    for pair, test in zip(pairs, rows(tests), strict=True):
        if test.told_apart or test.n < 2:
            needed.append(None)
            targets.append(math.nan)
            continue
        noise = float(np.std(differences(*pair), ddof=1))
        target = max(abs(test.difference), TARGET)
        needed.append(seeds_needed(noise, target, ALPHA / len(pairs)))
        targets.append(target)
    tests["needed"] = pd.array(needed, dtype="Int64")
    tests["needed_for"] = targets
    return tests


def paired_tests(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return the fields of `Paired` for each pair: the second less the first."""
    return pd.DataFrame([paired(own, other) for own, other in pairs], columns=Paired._fields)


def holm_within(frame: pd.DataFrame, family: str | list[str]) -> pd.Series:
    """Return the adjusted `p` of each row, corrected over the rows that agree in `family`."""
    adjusted = pd.Series(math.nan, frame.index)
    for _, part in frame.groupby(family):
        p_holm = holm(part["p"].astype(float).tolist())
        adjusted.loc[part.index] = pd.Series(p_holm, part.index)
    return adjusted
