"""Effects in a factorial of arms that ran on the same seeds.

In each seed an effect is a difference of means of cells; over the seeds it is estimated and tested
as the difference of two arms is. In a balanced factorial these are the estimates of a mixed model
whose every effect varies with the seed, the most cautious one (Barr et al., Journal of Memory and
Language 68, 2013), and the correction of overlapping splits holds for them too.
"""

from collections.abc import Sequence

import numpy as np

from ue_bench.report.evidence.run_scores import Scores
from ue_bench.report.evidence.statistics import Difference, common_seeds, compare_two


def mean_of(cells: Sequence[Scores]) -> Scores:
    """Return the mean of some cells in each seed that all have.

    The rows are those of the first cell, whose correction is that of all.
    """
    seeds = common_seeds(cells)
    means = np.mean([cell.of(seeds) for cell in cells], axis=0)
    return Scores(dict(zip(seeds, means.tolist(), strict=True)), cells[0].rows)


def effect(of: Sequence[Scores], than: Sequence[Scores]) -> Difference:
    """Return the mean of some cells less that of others."""
    return compare_two(mean_of(than), mean_of(of))


def interaction(
    of: Sequence[Scores], than: Sequence[Scores], by_of: Sequence[Scores], by_than: Sequence[Scores]
) -> Difference:
    """Return how much larger the effect of `of` than that of `by_of` is, each over its `than`."""
    plus = [mean_of(of), mean_of(by_than)]
    minus = [mean_of(than), mean_of(by_of)]
    half = compare_two(mean_of(minus), mean_of(plus))
    return half._replace(
        difference=2 * half.difference,
        low=2 * half.low,
        high=2 * half.high,
        sd=2 * half.sd,
        floor=4 * half.floor,
    )
