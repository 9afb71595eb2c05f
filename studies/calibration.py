"""How often is a verdict wrong: one arm against itself, on fresh data, with its search and all?

Command: ue-bench study calibration --workers 2
Cost: 15,200 runs, short ones; with --quick 152.
Expect: at most 5 % of the families have a verdict, and at least 93 % of the intervals hold the
truth; `ue-bench check` refuses published records that show less.

A family is one draw of a world. The hash functions of its two arms differ, and nothing else does.
Each arm has a search of its own, shorter than elsewhere and with as many seeds a trial, so that the
two are confirmed with other knobs: what a test finds between these counts as wrong.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.config.drawn_worlds import draw_of
from ue_bench.config.ranges import Between
from ue_bench.study import Grid, Search, Study
from ue_bench.study.grid_and_search import Space

WORLD = "planted-small"
FAMILIES = 200
# 100 rows for the 200 values of its two features.
ARM = RunConfig(features="user_id,movie_id", dim=8, budget=100 * 8 * 4)
SPACE: Space = {
    "lookups.user_id": (1, 2),
    "lookups.movie_id": (1, 2),
    "dim": (4, 8, 16),
    "lr": Between(2e-3, 2e-2, log=True),
}


def family(number: int) -> tuple[Grid | Search, ...]:
    """One arm twice, each with a search of its own, and a grid for intervals of known truth."""
    arm = replace(ARM, dataset=draw_of(WORLD, number))
    twice = (arm, replace(arm, hash_salt=1))
    separate = replace(arm, strategy="per_feature", region_rule="equal")
    searches = [Search(each, SPACE, trials=6, startup=4, trial_seeds=3, best=1) for each in twice]
    return Grid((arm, separate)), *searches


def families(count: int) -> tuple[Grid | Search, ...]:
    """All parts of so many families."""
    parts: list[Grid | Search] = []
    for number in range(1, count + 1):
        parts += family(number)
    return tuple(parts)


STUDY = Study(
    question="how often is a verdict wrong, where one arm is compared with itself on fresh data?",
    parts=families(FAMILIES),
    quick=families(2),
    latency=False,
)
