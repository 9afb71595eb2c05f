"""Arms: a configuration without its seeds, with its runs and the latency that belongs to it.

Arms are compared among those of one study, data set, feature set, split, head and task (with the
rule of its labels). Those that confirm a search, on seeds of their own, are compared among
themselves. `refusal` leaves out what is not comparable, and `effort` what was not searched like the
others; `searched` says in what a search made arms differ. Records of a search choose configurations
and are never quoted: a configuration known only from a search is no arm.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ue_bench.config import GIVE_UP, SEEDS
from ue_bench.record import Record
from ue_bench.record.same_text import same_text
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.dataset_labels import told_apart
from ue_bench.report.evidence.effort import Effort, efforts_of, of_form_and_size, reasons_against
from ue_bench.report.evidence.labels import Named, name_all, plain_label
from ue_bench.report.evidence.refusal import Member, check
from ue_bench.report.evidence.search_luck import luck
from ue_bench.report.evidence.searched import Tried, fields_varied, searched_fields, uneven
from ue_bench.report.evidence.trials import facts, search_of

NOT_QUOTED = ("search", "latency")  # phases without a result of their own
NOT_COMPARED = (*SEEDS, "measure", "diagnose")  # fields in which the records of an arm may differ

Seeds = tuple[int, ...]


@dataclass(frozen=True)
class Arm:
    """One configuration of a comparison.

    config: its fields without seeds and what is measured.
    runs: one record for each set of seeds, in their order; empty for a latency study.
    timings: the records whose latency counts for this arm.
    n_most: the seeds of the comparison; an arm with fewer runs is marked.
    found_by: the search that found it; None: no search did.
    label: its name without the budget, for one line of a plot.
    group: the strategy, with its regions where it has several forms, for one colour.
    """

    comparison: Comparison
    config: dict[str, Any]
    runs: tuple[Record, ...]
    timings: tuple[Record, ...]
    n_most: int = 0
    found_by: Effort | None = None
    label: str = ""
    group: str = ""
    # Its scores by part and measure (`summary.by_seed`), which many sections ask for.
    scores: dict[tuple[str, str], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def key(self) -> tuple[Any, ...]:
        """Comparison, label and budget: with `summary.key`, what joins an arm to its row."""
        return (*self.comparison, self.label, self.config.get("budget"))

    @property
    def is_anchor(self) -> bool:
        """Whether it is a predictor without an embedding table, beside which strategies stand."""
        return self.sample.is_anchor

    @property
    def tunes_bits(self) -> bool:
        """Whether a search chose the format of its numbers, as it chose lookups and dim."""
        return self.found_by is not None and "bits" in self.found_by.facts["varies"]

    def search_variance(self, score: str) -> float:
        """Return the variance of a mean score by the luck of the search; 0 without one."""
        if self.found_by is None:
            return 0.0
        return luck(self.found_by.trials, self.found_by.facts["default"], score)

    @property
    def sample(self) -> Record:
        """Any one record of the arm, for what does not depend on a seed."""
        return (self.runs or self.timings)[0]


class Refusal(NamedTuple):
    """An arm that is not comparable. line: its name and the reason, for a reader."""

    strategy: str
    line: str


@dataclass(frozen=True)
class Arms:
    """All records, sorted into what is compared and what is not.

    refusals: the arms that are not comparable.
    uneven: one line a form or arm that was not searched like the rest.
    held: runs with some of their seeds held, which are no replicates; `variance` shows them.
    """

    kept: tuple[Arm, ...]
    refusals: tuple[Refusal, ...]
    search: tuple[Record, ...]
    failed: tuple[Record, ...]
    uneven: tuple[str, ...] = ()
    held: tuple[Record, ...] = ()

    @property
    def refused(self) -> tuple[str, ...]:
        """One line an arm that is not comparable, with the reason."""
        return tuple(refusal.line for refusal in self.refusals)

    def refused_of(self, strategy: str) -> list[str]:
        """Return the lines of the arms of one strategy. A name may be in a line of another one."""
        return [refusal.line for refusal in self.refusals if refusal.strategy == strategy]


def seeds_of(record: Record) -> Seeds:
    """Return the four seeds of a record, in the order of `SEEDS`."""
    return tuple(getattr(record.config, name) for name in SEEDS)


def arm_config(record: Record) -> dict[str, Any]:
    """Return the fields that are equal for all records of an arm: no seeds, nothing measured.

    A trial of a search may have said when its first run gives up, which an arm never does.

    The values are those of the record's configuration and not copies, and must not be changed.
    """
    fields = record.config.by_name()
    config = {name: value for name, value in fields.items() if name not in NOT_COMPARED}
    if record.phase == "search":
        config |= dict.fromkeys(GIVE_UP)
    return config


def collect(records: Iterable[Record]) -> Arms:
    """Group records into arms, join their latency, refuse what is not comparable, and name arms."""
    search: list[Record] = []
    failed: list[Record] = []
    by_config: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in told_apart(records):
        if record.status != "ok":
            failed.append(record)
            continue
        if record.phase == "search":
            search.append(record)
        config = same_text(arm_config(record))
        by_config[record.study, config].append(record)

    by_comparison: dict[Comparison, list[Arm]] = defaultdict(list)
    held: list[Record] = []
    for _, alike in sorted(by_config.items()):
        arms, held_runs = _arms_of(alike)
        held += held_runs
        for arm in arms:
            by_comparison[arm.comparison].append(arm)

    trials = _trials(search)
    efforts = _efforts([*search, *failed])
    searched: dict[Comparison, frozenset[str]] = {}
    kept: list[Arm] = []
    refusals: list[Refusal] = []
    for comparison in sorted(by_comparison):
        searched[comparison] = searched_fields(trials[comparison])
        comparable, others = _comparable(
            by_comparison[comparison], searched[comparison], efforts[comparison]
        )
        for arm in comparable:
            kept.append(replace(arm, found_by=_found_by(arm.config, efforts[comparison])))
        refusals += others

    named = _named(kept)
    lines: list[str] = []
    for comparison, fields in searched.items():
        if fields:
            own = []
            for arm in named:
                if arm.comparison == comparison and not arm.is_anchor:  # nothing of one is searched
                    own.append((arm.label, arm.config))
            tried = [trial.config for trial in trials[comparison]]
            by_rule = bool(efforts[comparison])
            for line in uneven(own, tried, fields, by_rule):
                lines.append(f"{comparison.full_title}: {line}")
    return Arms(
        kept=tuple(named),
        refusals=tuple(refusals),
        search=tuple(search),
        failed=tuple(failed),
        uneven=tuple(lines),
        held=tuple(held),
    )


def _trials(search: Iterable[Record]) -> defaultdict[Comparison, list[Tried]]:
    """Return the trials of the searches, by the comparison that confirms them."""
    trials: defaultdict[Comparison, list[Tried]] = defaultdict(list)
    known = set()
    for record in search:
        confirming = comparison_of(record)._replace(phase="confirm")
        config = arm_config(record)
        key = (search_of(record), same_text(config))
        if not facts(record) or key not in known:  # the runs of a trial are one
            known.add(key)
            trials[confirming].append(Tried(config, fields_varied(record.found)))
    return trials


def _efforts(trials: Iterable[Record]) -> defaultdict[Comparison, list[Effort]]:
    """Return what the records say of each search, by the comparison that confirms it."""
    records = defaultdict(list)
    for record in trials:
        records[comparison_of(record)._replace(phase="confirm")].append(record)
    efforts: defaultdict[Comparison, list[Effort]] = defaultdict(list)
    for comparison, of_comparison in records.items():
        efforts[comparison] = efforts_of(of_comparison)
    return efforts


def _found_by(config: Mapping[str, Any], efforts: Sequence[Effort]) -> Effort | None:
    """Return the search that found a configuration; None where no search did.

    The default, with which every search begins, was found only where nothing better was.
    """
    for place in of_form_and_size(config, efforts):
        effort = efforts[place]
        for trial in effort.trials:
            was_given = trial.run_id == effort.facts["default"] and trial != effort.winner
            if not was_given and arm_config(trial.sample) == config:
                return effort
    return None


def _comparable(
    arms: Sequence[Arm], searched: frozenset[str], efforts: Sequence[Effort]
) -> tuple[list[Arm], list[Refusal]]:
    """Return the arms of a comparison that are comparable, and the refusal of each other one."""
    searched_alike = []
    refusals = []
    reasons = reasons_against([arm.config for arm in arms], efforts)
    for arm, reason in zip(arms, reasons, strict=True):
        if reason is None:
            searched_alike.append(arm)
        else:
            refusals.append(_refusal(arm, reason))
    members = []
    for arm in searched_alike:
        seeds = [seeds_of(run) for run in arm.runs]
        members.append(Member(arm.config, arm.runs, seeds, arm.timings))
    verdict = check(members, searched)
    kept = []
    for arm, reason in zip(searched_alike, verdict.reasons, strict=True):
        if reason is None:
            kept.append(replace(arm, n_most=verdict.n_seeds))
        else:
            refusals.append(_refusal(arm, reason))
    return kept, refusals


def _refusal(arm: Arm, reason: str) -> Refusal:
    name = plain_label(arm.config, arm.sample.found)
    if arm.config.get("budget"):
        name += f" at {arm.config['budget']} bytes"
    line = f"{arm.comparison.full_title}: {name}: {reason}"
    return Refusal(arm.config["strategy"], line)


def _named(arms: Sequence[Arm]) -> list[Arm]:
    names = name_all(
        [Named(arm.comparison, arm.config, arm.sample.found, arm.tunes_bits) for arm in arms]
    )
    named = []
    for arm, (label, group) in zip(arms, names, strict=True):
        named.append(replace(arm, label=label, group=group))
    return named


def _arms_of(records: Sequence[Record]) -> tuple[list[Arm], list[Record]]:
    """Return the arms of the records of one configuration, one a comparison, and its held runs.

    A configuration of which only the latency was measured has an arm without runs, unless it was
    a trial of a search.
    """
    config = arm_config(records[0])
    quoted: dict[Comparison, list[Record]] = defaultdict(list)
    clocked = []
    for record in records:
        if record.quality and record.phase not in NOT_QUOTED:
            quoted[comparison_of(record)].append(record)
        elif not record.quality and record.phase != "search" and record.cost.get("latency"):
            clocked.append(record)
    arms = []
    held = []
    for comparison in sorted(quoted):
        runs = _by_seeds(quoted[comparison])
        no_replicates = _no_replicates(runs)
        replicates = []
        for seeds, run in runs.items():
            if seeds in no_replicates:
                held.append(run)
            else:
                replicates.append(run)
        timings = clocked  # a clock that ran on its own is the better one
        if not timings:
            timings = [run for run in quoted[comparison] if run.cost.get("latency")]
        if replicates:
            arms.append(Arm(comparison, config, tuple(replicates), timings=tuple(timings)))
    of_search = any(record.phase == "search" for record in records)
    if clocked and not arms and not of_search:
        comparison = comparison_of(clocked[0])
        arms.append(Arm(comparison, config, runs=(), timings=tuple(clocked)))
    return arms, held


def _by_seeds(records: Iterable[Record]) -> dict[Seeds, Record]:
    """Return the records by their seeds, in order of these.

    Of records with the same seeds, which measured one run twice, the first run id counts.
    """
    runs = {}
    for record in sorted(records, key=lambda record: record.run_id, reverse=True):
        runs[seeds_of(record)] = record
    return dict(sorted(runs.items()))


def _no_replicates(runs: Iterable[Seeds]) -> set[Seeds]:
    """Return the seeds of the runs that are no replicates.

    These are four seeds that are not all equal, of which another run has some too. Their mean
    would count what is held as if it had been drawn anew, and its interval would be too narrow.
    """
    every = list(runs)
    counts = [Counter(column) for column in zip(*every, strict=True)]
    no_replicates = set()
    for seeds in every:
        shared = any(count[seed] > 1 for count, seed in zip(counts, seeds, strict=True))
        if shared and len(set(seeds)) > 1:
            no_replicates.add(seeds)
    return no_replicates
