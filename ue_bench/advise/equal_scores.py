"""Which scores cannot be told from the best ones: the test that the rounds and the choice share."""

from collections.abc import Sequence

from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.pairs import compare_all
from ue_bench.report.evidence.statistics import Scores

# With fewer common seeds a test finds next to nothing, so its silence says nothing either.
FEWEST_SEEDS = 4


def not_worse(best: Scores, rivals: Sequence[Scores]) -> list[bool]:
    """Return for each rival whether its scores cannot be told from the best ones.

    The tests are paired over seeds and Holm-corrected over all rivals. A rival with fewer than
    four common seeds is never called equal.
    """
    equal = []
    for test in rows(compare_all(best, rivals)):
        is_worse = test.told_apart and test.difference > 0
        equal.append(bool(test.n >= FEWEST_SEEDS and not is_worse))
    return equal
