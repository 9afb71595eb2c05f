"""Comparisons of pairs of arms, corrected for how many of them there are.

Two arms are told apart where the test rejects equality after Holm's correction and, at the level
that the correction leaves it, had the power to find a difference of that size. A find without power
is as a rule exaggerated (Gelman and Carlin, Perspectives on Psychological Science 9, 2014). Two
seeds tell nothing apart, whatever the test says: the noise is then known from one difference.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ue_bench.report.evidence.frames import records
from ue_bench.report.evidence.power import POWER, TARGET, SeedNoise, power, seeds_needed
from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import ALPHA, Difference, compare_two, holm

Pair = tuple[Scores, Scores]
FEWEST = 3  # seeds of a verdict


def compare_all(best: Scores, rivals: Sequence[Scores]) -> pd.DataFrame:
    """Compare each rival with the best: `compare_pairs` of the best and each of them."""
    return compare_pairs([(best, rival) for rival in rivals])


def compare_pairs(pairs: Sequence[Pair], families: Sequence[str] | None = None) -> pd.DataFrame:
    """Compare the second of each pair with the first.

    families: the name of the family of tests that each pair belongs to; None: all are one.

    Returns one row a pair, with the columns of `holm_corrected`, and

    * needed: the seeds that would show the difference, or a difference of `TARGET` where that is
      larger, at 5 % divided by the number of tests; NA where the pair is told apart already, where
      nothing is known of the noise, and where no number of seeds shows it;
    * needed_for: the difference that `needed` is about; NaN where the pair is told apart already or
      nothing is known of the noise.
    """
    tests = differences_of(pairs)
    if families is None:
        tests = holm_corrected(tests)
    else:
        tests = holm_corrected(tests.assign(family=list(families)), "family")
    needed: list[int | None] = []
    targets: list[float] = []
    for test in records(tests):
        if test["told_apart"] or math.isnan(test["p"]):
            needed.append(None)
            targets.append(math.nan)
            continue
        target = max(abs(test["difference"]), TARGET)
        needed.append(seeds_needed(_noise(test), target, ALPHA / test["tests"]))
        targets.append(target)
    tests["needed"] = pd.array(needed, dtype="Int64")
    tests["needed_for"] = targets
    return tests


def differences_of(pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return the fields of `Difference` for each pair: the second less the first."""
    differences = [compare_two(own, other) for own, other in pairs]
    return pd.DataFrame(differences, columns=Difference._fields)


def holm_corrected(tests: pd.DataFrame, family: str | list[str] | None = None) -> pd.DataFrame:
    """Return the tests with what Holm's correction leaves of them.

    tests: with the fields of `Difference`. family: what the tests of one family agree in; None: all
    are one family. The new columns are

    * tests: how many tests the family has;
    * p_holm: p after Holm's correction over the family;
    * power: the chance to find a difference of this size at the level that the correction leaves;
      NaN for a test that rejects nothing;
    * told_apart: whether p_holm is below 5 %, the power at least 80 % and the seeds at least
      `FEWEST`.
    """
    tests = tests.assign(tests=0, p_holm=math.nan)
    parts = [tests] if family is None else [part for _, part in tests.groupby(family)]
    for part in parts:
        p = part["p"].astype(float)
        tests.loc[part.index, "tests"] = int(p.notna().sum())
        tests.loc[part.index, "p_holm"] = holm(p.tolist())
    powers = np.full(len(tests), math.nan)
    for place, test in enumerate(records(tests)):
        if test["p_holm"] < ALPHA:
            powers[place] = _power_at_its_level(test)
    tests["power"] = powers
    tests["told_apart"] = (tests["power"] >= POWER) & (tests["n"] >= FEWEST)
    return tests


def _power_at_its_level(test: dict[str, Any]) -> float:
    """Return the power of a test at the level with which Holm's correction lets it reject."""
    level = ALPHA / test["tests"]
    if test["p"] > 0:
        level = ALPHA * test["p"] / test["p_holm"]
    return power(_noise(test), test["difference"], test["n"], level)


def _noise(test: dict[str, Any]) -> SeedNoise:
    return SeedNoise(float(test["sd"]), float(np.nan_to_num(test["floor"])))
