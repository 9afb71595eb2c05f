"""The claims of a study about planted worlds, compared with its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ue_bench.config import RunConfig
    from ue_bench.record import Record
    from ue_bench.report.evidence.known_answer import Verdict
    from ue_bench.study import Scenario


def judge_scenarios(
    scenarios: Iterable[Scenario], runs_of: Callable[[RunConfig], Sequence[Record]]
) -> list[Verdict]:
    """Return one verdict a scenario. runs_of: the successful runs of an arm, at any seeds."""
    from ue_bench.report.evidence.known_answer import Verdict, judge

    verdicts = []
    for scenario in scenarios:
        runs = {name: runs_of(config) for name, config in scenario.arms.items()}
        found, ok = judge(scenario.rule, scenario.limits, scenario.seeds, runs)
        verdicts.append(Verdict(scenario.name, scenario.expected, found, ok))
    return verdicts


def verdicts_by_study(records: Sequence[Record]) -> dict[str, list[Verdict]]:
    """Return the verdicts of every study of the package that has scenarios.

    A scenario without records has no answer, which its verdict says.
    """
    from ue_bench.study import find, names

    verdicts = {}
    for name in names():
        scenarios = find(name).scenarios
        if scenarios:
            own_records = [record for record in records if record.study == name]
            verdicts[name] = judge_scenarios(scenarios, _runs_in(own_records))
    return verdicts


def _runs_in(records: Sequence[Record]) -> Callable[[RunConfig], list[Record]]:
    """Return a function that finds the successful runs of an arm among the records of a study."""
    from ue_bench.training.resolve import resolve

    by_config: dict[str, list[Record]] = {}
    for record in records:
        if record.status == "ok":
            run_id = record.config.with_seed(0).run_id
            by_config.setdefault(run_id, []).append(record)

    def runs_of(arm: RunConfig) -> list[Record]:
        config = resolve(replace(arm, measure="quality").with_seed(0))
        return by_config.get(config.run_id, [])

    return runs_of
