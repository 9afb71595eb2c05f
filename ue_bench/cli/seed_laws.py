"""What published records must show of seeds: enough of them, and the noise of every difference.

The laws are about records that keep their errors by user. Those of earlier versions do not, and are
not judged. Where seeds are crossed, or one varies alone, all runs of an arm count.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator

from ue_bench.record import Record
from ue_bench.record.group_errors import groups_of
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.arms import Arm, arm_config, seeds_of
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.interval_method import method_of
from ue_bench.report.evidence.summary import by_seed
from ue_bench.report.page.contests import is_stress

LEAST = 10  # seeds of an arm
LEAST_QUOTED = 20  # seeds of an arm that a headline quotes


def faults(
    arms: Iterable[Arm], quoted: Collection[str], records: Iterable[Record]
) -> Iterator[str]:
    """Yield one line for each comparison that breaks a law.

    quoted: the studies that a headline quotes. records: all of them, also those in no arm.
    """
    n_apart = Counter(_arm_of(record) for record in records if len(set(seeds_of(record))) > 1)
    by_comparison: dict[Comparison, list[Arm]] = defaultdict(list)
    for arm in arms:
        if arm.runs and _has_groups(arm):
            by_comparison[arm.comparison].append(arm)
    for comparison, compared in sorted(by_comparison.items()):
        least = LEAST
        if comparison.study in quoted and not is_stress(comparison.features):
            least = LEAST_QUOTED
        few = [arm for arm in compared if len(arm.runs) + n_apart[_arm_of(arm.sample)] < least]
        if few and max(len(arm.runs) for arm in compared) > 1:  # one run alone compares nothing
            yield (
                f"{comparison.full_title}: {len(few)} of {len(compared)} arms have fewer than "
                f"{least} seeds, such as {few[0].label} with {len(few[0].runs)}"
            )
        method = method_of([by_seed(arm, _part(arm)) for arm in compared])
        if not method.is_known:
            yield f"{comparison.full_title}: its differences have {method.text}"


def _arm_of(record: Record) -> str:
    """Return what all runs of an arm have in common."""
    return same_text([record.study, record.phase, arm_config(record)])


def _part(arm: Arm) -> str:
    return "test" if by_seed(arm, "test") else "val"


def _has_groups(arm: Arm) -> bool:
    part = _part(arm)
    return all(groups_of(run, part) for run in arm.runs)
