"""Arms: a configuration without its seeds, with every run of it that may be quoted and the latency that belongs to it.

Comparisons are made among the arms of one study, data set, feature set, split, head and task (with the rule of its labels), and
those that confirm a search, on seeds of their own, among themselves; `refusal` leaves out what is not comparable, `searched` says
in what a search made arms differ.
Search records choose configurations and are never quoted: an arm known only from a search is no arm.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from ue_bench.record import SPEED, Record
from ue_bench.report.evidence.comparison import USUAL_TASK, Comparison, comparison_of
from ue_bench.report.evidence.labels import Named, name_all, plain_label
from ue_bench.report.evidence.refusal import Member, check
from ue_bench.report.evidence.searched import searched_fields, uneven

SEEDS = ("hash_seed", "init_seed", "batch_seed", "split_seed")
# Fields that records lack which were made before there was a choice: the same as what they had then.
LATER = {
    "optimizer_path": "auto",
    "table": None,
    "multi_valued": None,
    "task": USUAL_TASK,
    "negative_at_most": None,
    "positive_at_least": None,
}
NOT_QUOTED = ("search", "latency")  # phases without a result of their own


@dataclass(frozen=True)
class Arm:
    """One configuration. `runs` has one record for each set of seeds, in their order; it is empty for a latency study."""

    comparison: Comparison
    config: dict[str, Any]  # without seeds and measure
    runs: tuple[Record, ...]
    timings: tuple[Record, ...]  # the records whose latency counts for this arm
    n_most: int = 0  # seeds of the comparison: an arm with fewer runs is marked
    label: str = ""  # without the budget: one line in a plot
    group: str = ""  # the strategy: one colour

    @property
    def key(self) -> tuple[Any, ...]:
        """Comparison, label and budget: with `summary.key`, what joins an arm to its row."""
        return (*self.comparison, self.label, self.config.get("budget"))

    @property
    def sample(self) -> Record:
        """Any one record of the arm, for what does not depend on a seed."""
        return (self.runs or self.timings)[0]


@dataclass(frozen=True)
class Arms:
    """All records, sorted into what is compared and what is not."""

    kept: tuple[Arm, ...]
    refused: tuple[str, ...]  # one line each: the arm and the reason
    search: tuple[Record, ...]
    failed: tuple[Record, ...]
    uneven: tuple[str, ...] = ()  # one line each: what was not searched like the rest
    held: tuple[Record, ...] = ()  # runs with some seeds held: no replicates, `variance` shows them


def seeds_of(record: Record) -> tuple[int, ...]:
    return tuple(getattr(record.config, name) for name in SEEDS)


def arm_config(record: Record) -> dict[str, Any]:
    """The configuration without seeds and what is measured: equal for all records of an arm."""
    config = record.config.to_dict()
    for name in (*SEEDS, "measure", "diagnose"):
        del config[name]
    return config


def collect(records: Iterable[Record]) -> Arms:
    """Group records into arms, join the latency, refuse what is not comparable, and give every arm its label."""
    ok: dict[tuple[str, str], list[Record]] = defaultdict(list)
    failed, search = [], []
    for record in records:
        if record.status != "ok":
            failed.append(record)
            continue
        if record.phase == "search":
            search.append(record)
        ok[record.study, json.dumps(arm_config(record), sort_keys=True)].append(record)
    by_comparison: dict[Comparison, list[Arm]] = defaultdict(list)
    held: list[Record] = []
    for key in sorted(ok):
        for found in _arms(ok[key], held):
            by_comparison[found.comparison].append(found)
    kept, refused = [], []
    tuned: dict[Comparison, frozenset[str]] = {}
    for comparison in sorted(by_comparison):
        arms = by_comparison[comparison]
        tuned[comparison] = searched_fields(_trials(search, comparison))
        members = [
            Member(arm.config, arm.runs, [seeds_of(run) for run in arm.runs]) for arm in arms
        ]
        verdict = check(members, tuned[comparison])
        for arm, reason in zip(arms, verdict.reasons, strict=True):
            if reason is None:
                kept.append(replace(arm, n_most=verdict.n_seeds))
            else:
                budget = f" at {arm.config['budget']} bytes" if arm.config.get("budget") else ""
                label = plain_label(arm.config, arm.sample.found)
                refused.append(f"{comparison.full_title}: {label}{budget}: {reason}")
    names = name_all([Named(arm.comparison, arm.config, arm.sample.found) for arm in kept])
    labelled = [
        replace(arm, label=label, group=group)
        for arm, (label, group) in zip(kept, names, strict=True)
    ]
    lines = [
        f"{comparison.full_title}: {line}"
        for comparison, fields in tuned.items()
        if fields
        for line in uneven(
            [(arm.label, arm.config) for arm in labelled if arm.comparison == comparison],
            _trials(search, comparison),
            fields,
        )
    ]
    return Arms(
        tuple(labelled), tuple(refused), tuple(search), tuple(failed), tuple(lines), tuple(held)
    )


def _trials(search: Iterable[Record], comparison: Comparison) -> list[dict[str, Any]]:
    """The configurations of the search that a comparison confirms; any other comparison has none."""
    return [
        arm_config(trial)
        for trial in search
        if comparison_of(trial)._replace(phase="confirm") == comparison
    ]


def _held(runs: dict[tuple[int, ...], Record]) -> set[tuple[int, ...]]:
    """The seeds of the runs that are no replicates: four seeds that are not all equal, of which another run has some too.

    Their mean would count what is held as if it had been drawn anew, and its interval would be too narrow.
    """
    counts = [Counter(column) for column in zip(*runs, strict=True)]
    return {
        seeds
        for seeds in runs
        if len(set(seeds)) > 1 and any(n[s] > 1 for n, s in zip(counts, seeds, strict=True))
    }


def _arms(records: list[Record], held: list[Record]) -> list[Arm]:
    """The arms of records of one configuration: one a comparison, none where only a search knows it. Adds to `held`."""
    quoted = [r for r in records if r.phase not in NOT_QUOTED and r.quality]
    apart = [r for r in records if r.phase != "search" and not r.quality and r.cost.get("latency")]
    config = arm_config(records[0])
    found = []
    for comparison in sorted({comparison_of(record) for record in quoted}):
        own = [record for record in quoted if comparison_of(record) == comparison]
        runs = {
            seeds_of(r): r for r in sorted(own, key=lambda r: r.run_id, reverse=True)
        }  # measured twice: counted once
        timings = apart or [
            r for r in own if r.cost.get("latency")
        ]  # a clock on its own is the better one
        no_replicates = _held(runs)
        held += [runs[seeds] for seeds in sorted(no_replicates)]
        replicates = tuple(runs[seeds] for seeds in sorted(runs.keys() - no_replicates))
        if replicates:
            found.append(Arm(comparison, config, replicates, tuple(timings)))
    if not found and apart and not any(record.phase == "search" for record in records):
        found.append(Arm(comparison_of(apart[0]), config, (), tuple(apart)))
    return found
