"""What published records must show of searches: equal effort, and room around what they found.

The laws are about the searches whose records say enough of them. Those of earlier versions do not.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from ue_bench.config import CHOICES
from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arms
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.edges import RECIPE, edges
from ue_bench.report.evidence.effort import Effort, efforts_of, faults_of
from ue_bench.report.evidence.frames import rows
from ue_bench.report.format import bytes_text

LEAST_TRIALS = 24
LEAST_SEEDS = 3  # of a trial
LEAST_GUIDED = 0.5  # share of the trials that the sampler proposes from what it has learned
FIRST_DESIGN_SEED = 1_000  # results are quoted on those below
MOST_ON_EDGE = 0.1  # share of winners at an end of the range of a knob


def faults(arms: Arms) -> Iterator[str]:
    """Yield one line for each law that the searches break."""
    by_comparison: dict[Comparison, list[Record]] = defaultdict(list)
    for record in (*arms.search, *arms.failed):
        by_comparison[comparison_of(record)._replace(phase="confirm")].append(record)
    by_study: dict[str, list[Effort]] = defaultdict(list)
    for comparison, records in sorted(by_comparison.items()):
        efforts = efforts_of(records)
        by_study[comparison.study] += efforts
        for effort, unlike in zip(efforts, faults_of(efforts), strict=True):
            for fault in (unlike, *_too_little(effort)):
                if fault is not None:
                    yield f"{comparison.full_title}: {effort.name}: {fault}"
        for fault in _missing_rules(efforts):
            yield f"{comparison.full_title}: {fault}"
    yield from _narrow(by_study)


def _missing_rules(efforts: list[Effort]) -> Iterator[str]:
    """Yield the rules of separate regions that have no search where another rule has one."""
    rules: dict[tuple[str, frozenset[int | None]], set[str]] = defaultdict(set)
    for effort in efforts:
        strategy, _, rule, *_ = effort.form
        if rule:
            rules[strategy, effort.budgets].add(rule)
    for (strategy, budgets), searched in rules.items():
        for rule in CHOICES["region_rule"]:
            if rule not in searched:
                sizes = ", ".join(sorted(map(bytes_text, budgets)))
                yield f"{strategy} at {sizes}: no search under the rule {rule}"


def _too_little(effort: Effort) -> Iterator[str]:
    """Yield what a search lacks by itself."""
    seeds = effort.facts["seeds"]
    n_failed = effort.tried - effort.ended_well
    is_over = effort.exhausted or n_failed >= LEAST_TRIALS
    if effort.ended_well < LEAST_TRIALS and not is_over:
        yield f"it has {effort.ended_well} trials, and at least {LEAST_TRIALS} must be tried"
    if len(seeds) < LEAST_SEEDS:
        yield f"its trials have {len(seeds)} seeds, and at least {LEAST_SEEDS} are needed"
    if min(seeds, default=0) < FIRST_DESIGN_SEED:
        yield f"its trials ran on seed {min(seeds)}, and seeds below {FIRST_DESIGN_SEED} are quoted"
    startup = effort.facts["startup"]
    if effort.facts["sampler"] == "tpe" and startup > (1 - LEAST_GUIDED) * LEAST_TRIALS:
        yield (
            f"{startup} of its trials are drawn at random, and at least {LEAST_GUIDED:.0%} of "
            f"{LEAST_TRIALS} must be guided"
        )


def _narrow(by_study: dict[str, list[Effort]]) -> Iterator[str]:
    """Yield the knobs whose range is too narrow for the winners of a study."""
    for study, efforts in sorted(by_study.items()):
        for knob in rows(edges(efforts)):
            n_on_edge = knob.on_low + knob.on_high
            if knob.kind == RECIPE and n_on_edge > max(1, MOST_ON_EDGE * knob.winners):
                yield (
                    f"study {study}: {n_on_edge} of {knob.winners} winners of searches have "
                    f"{knob.knob} at an end of {knob.low:g} to {knob.high:g}, and at most "
                    f"{MOST_ON_EDGE:.0%} may; make the range wider"
                )


def unproven(records: Iterable[Record]) -> list[str]:
    """Return the studies with trials of earlier versions, which say too little to be judged."""
    studies = set()
    for record in records:
        if record.phase == "search" and "seeds" not in record.found.get("trial", {}):
            studies.add(record.study)
    return sorted(studies)
