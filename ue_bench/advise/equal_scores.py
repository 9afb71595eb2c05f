"""Which scores cannot be told from the best ones, where the best has the lowest mean."""

from collections.abc import Sequence

from ue_bench.report.evidence.best_set import best_set
from ue_bench.report.evidence.run_scores import Scores

# With fewer common seeds a test finds next to nothing, so its silence says nothing either.
FEWEST_SEEDS = 4


def not_worse(best: Scores, rivals: Sequence[Scores]) -> list[bool]:
    """Return for each rival whether its scores cannot be told from the best ones.

    These are the rivals in the set of the best (see `best_set`). Those that have two seeds less
    than the best are out already: they fell behind before the others got these seeds. With fewer
    than four common seeds, and where nothing is known of the noise, no rival is called equal.
    """
    running = [len(rival) >= len(best) - 1 for rival in rivals]
    contenders = [rival for rival, runs in zip(rivals, running, strict=True) if runs]
    found = best_set([best, *contenders])
    members = iter(found.members[1:])
    equal = []
    for runs in running:
        is_member = runs and next(members) is True
        equal.append(is_member and found.n >= FEWEST_SEEDS)
    return equal
