"""What share of a result's variance is each seed's: hash, init, batch order and split?

Command: ue-bench study variance --workers 2
Cost: 312 runs, 12 minutes on 2 cores that other programs used too; with --quick
36 runs, a minute.
Expect: the split's share above all others together. It is common to all strategies, and pairing by
seed removes it.

One seed varies and the other three are held, at three points, because the effect of a seed may
depend on where the others are held. The last parts vary all four together, as the seeds of every
other study do.
"""

from dataclasses import replace

from ue_bench.studies.table_size import BASE, WIDE

from ue_bench.config import SEEDS, RunConfig
from ue_bench.study import Grid, Study

POINTS = (0, 100, 200)  # where the seeds are held
VALUES = 6  # at each point: 15 degrees of freedom for each seed


def arms(exact: RunConfig) -> tuple[RunConfig, ...]:
    """Two lookups of 8 numbers, in one table and in separate ones of equal size."""
    shared = replace(exact, strategy="unified", lookups=2, dim=8)
    separate = replace(shared, strategy="per_feature", region_rule="equal")
    return shared, separate


def parts(
    exact: RunConfig,
    compression: int,
    points: tuple[int, ...] = POINTS,
    values: int = VALUES,
    together: int = 16,
) -> tuple[Grid, ...]:
    """Each seed alone from every point, then all together."""
    configs = arms(exact)
    grids = []
    for point in points:
        for seed in SEEDS:
            alone = Grid(configs, (compression,), seeds=values, first=point, vary=(seed,))
            grids.append(alone)
    return *grids, Grid(configs, (compression,), seeds=together)


STUDY = Study(
    question="what share of a result's variance is the hash seed's, the init seed's, "
    "the batch order's and the split's?",
    parts=(*parts(BASE, 16), *parts(WIDE, 128)),
    quick=parts(BASE, 16, points=POINTS[:1], values=4, together=6),
    latency=False,
)
