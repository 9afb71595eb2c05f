"""The anchors that a study runs beside its strategies."""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.strategies import ANCHORS

RANKS = (1, 2, 4, 8)  # each is an arm, so that nobody has to choose one


def anchor_arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """Return the bias model and a matrix factorisation of each rank, on the rows of `base`.

    base: gives data, features, split and the recipe, which changes nothing but has to be that of
    the arms beside them.
    """
    plain = replace(base, budget=None, regions=None)
    arms = []
    for name, anchor in ANCHORS.items():
        ranks = RANKS if anchor.option else (None,)
        for rank in ranks:
            options = {anchor.option: rank} if anchor.option else {}
            arms.append(replace(plain, strategy=name, options=options))
    return tuple(arms)
