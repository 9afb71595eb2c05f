"""The board: each form of each strategy of a study, with what it reaches over all sizes.

A form stands at a size with its arm that is best on validation, whatever bits, lookups and rule
that arm has.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import NOT_QUOTED
from ue_bench.report.evidence.comparison import Comparison, comparison_of
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.form_names import form_names
from ue_bench.report.evidence.frames import groups, records
from ue_bench.report.evidence.ranks import with_ranks
from ue_bench.report.evidence.summary import SCOPE, key, score
from ue_bench.report.evidence.verdict import champions
from ue_bench.report.format import missing

# Why a form has no rank at a size. The first reason that a record gives is the one to tell.
LEFT_OUT = "left out of the comparison"
CANNOT_WORK = "cannot work at this budget"
FAILED = "its runs failed"
NOT_CONFIRMED = "searched, and not run on fresh seeds"
NOT_RUN = "not run"
NO_BUDGET = "keeps no budget"
_REASONS = (LEFT_OUT, CANNOT_WORK, FAILED, NOT_CONFIRMED)

_Place = tuple[Comparison, str, str | None, int | None]


@dataclass(frozen=True)
class AtSize:
    """One form at one size. behind: its MSE less that of the best. in_best: None: not judged."""

    rank: int
    label: str
    bits: str
    mse: float
    behind: float
    in_best: bool | None
    total_bytes: int
    latency_us: float | None


@dataclass(frozen=True)
class Standing:
    """One form. sizes: by budget. lacks: by the other budgets, the reason.

    total_bytes, latency_us: the least and the most over its sizes; None where no record says it.
    unstable: whether the clock called a latency unstable.
    """

    form: str
    strategy: str
    mean_rank: float | None
    total_bytes: tuple[int, int] | None
    latency_us: tuple[float, float] | None
    unstable: bool
    sizes: dict[int, AtSize] = field(default_factory=dict)
    lacks: dict[int, str] = field(default_factory=dict)

    @property
    def n_best(self) -> int:
        """At how many sizes it is in the set of the best."""
        return sum(at_size.in_best is True for at_size in self.sizes.values())

    @property
    def worst(self) -> tuple[int, float] | None:
        """The budget at which it is farthest behind the best, and by how much."""
        if not self.sizes:
            return None
        budget = max(self.sizes, key=lambda size: self.sizes[size].behind)
        return budget, self.sizes[budget].behind


@dataclass(frozen=True)
class Board:
    """One world. exact_table_bytes: what its budgets are parts of. part: whose MSE is ranked."""

    world: str
    comparison: Comparison
    part: str
    exact_table_bytes: int | None
    budgets: tuple[int, ...]
    standings: tuple[Standing, ...]


def boards(evidence: Evidence, study: str) -> list[Board]:
    """Return a board for each world of a study; none where it has no strategies at one budget.

    The best mean rank comes first.
    """
    return evidence.once(("boards", study), lambda: _boards(evidence, study))


def _boards(evidence: Evidence, study: str) -> list[Board]:
    summary, verdicts = evidence.of(study)
    scored = score(summary)
    scored = scored[~scored["is_anchor"]]
    if scored.empty:
        return []
    best = champions(scored.assign(form=form_names(scored)), "form")
    in_best = {key(row): row["among_best"] for row in records(verdicts)}
    reasons = _reasons(run for run in evidence.records if run.study == study)
    found = []
    for scope, part in groups(best, SCOPE):
        sized = part["budget"].notna()
        if part.loc[sized, "form"].nunique() > 1:
            ranked = with_ranks(part)
            ranked["in_best"] = [in_best.get(key(row)) for row in records(ranked)]
            found.append(_board(Comparison(*scope), ranked, reasons))
    return found


def _board(comparison: Comparison, part: pd.DataFrame, reasons: Mapping[_Place, str]) -> Board:
    sized = part[part["budget"].notna()]
    budgets = tuple(sorted(int(budget) for budget in sized["budget"].unique()))
    lowest = sized.groupby("budget")["mse"].min()
    mean_ranks = sized.groupby("form")["rank"].mean().to_dict()
    standings = []
    for form, rows_of_form in groups(part, "form"):
        of_form = records(rows_of_form)
        strategy = of_form[0]["strategy"]
        sizes = {}
        for row in of_form:
            if not missing(row["budget"]):
                sizes[int(row["budget"])] = _at_size(row, lowest[row["budget"]])
        lacks = {}
        for budget in budgets:
            place = (comparison, strategy, of_form[0]["regions"], budget)
            if not sizes:
                lacks[budget] = NO_BUDGET
            elif budget not in sizes:
                lacks[budget] = reasons.get(place, NOT_RUN)
        standing = Standing(
            form=form,
            strategy=strategy,
            mean_rank=mean_ranks.get(form),
            total_bytes=_range([row["total_bytes"] for row in of_form]),
            latency_us=_range([row["latency_us"] for row in of_form]),
            unstable=any(row["latency_unstable"] is True for row in of_form),
            sizes=sizes,
            lacks=lacks,
        )
        standings.append(standing)
    standings.sort(key=_by_mean_rank)
    exact = part["exact_table_bytes"].max()
    return Board(
        world=f"{comparison.dataset}, {comparison.features}",
        comparison=comparison,
        part=part["part"].iloc[0],
        exact_table_bytes=None if missing(exact) else int(exact),
        budgets=budgets,
        standings=tuple(standings),
    )


def _by_mean_rank(standing: Standing) -> tuple[float, int, str]:
    """Return a key to sort by. What has no rank is last; of equal ranks, more sizes are first."""
    rank = math.inf if standing.mean_rank is None else standing.mean_rank
    return rank, -len(standing.sizes), standing.form


def _at_size(row: Mapping[str, Any], lowest: float) -> AtSize:
    latency = row["latency_us"]
    return AtSize(
        rank=int(row["rank"]),
        label=row["label"],
        bits=row["bits"],
        mse=row["mse"],
        behind=float(row["mse"] - lowest),
        in_best=row["in_best"],
        total_bytes=int(row["total_bytes"]),
        latency_us=None if missing(latency) else latency,
    )


def _range(values: Sequence[Any]) -> tuple[Any, Any] | None:
    present = [value for value in values if not missing(value)]
    return (min(present), max(present)) if present else None


def _reasons(runs: Iterable[Record]) -> dict[_Place, str]:
    """Return why a form may lack a rank at a budget, from what its runs there became."""
    reasons: dict[_Place, str] = {}
    for run in runs:
        comparison = comparison_of(run)
        if run.phase == "search":
            comparison = comparison._replace(phase="confirm")
        place = (comparison, run.config.strategy, run.config.regions, run.config.budget)
        reason = _reason(run)
        if reason is not None:
            known = reasons.get(place, reason)
            reasons[place] = min(known, reason, key=_REASONS.index)
    return reasons


def _reason(run: Record) -> str | None:
    if run.status == "infeasible":
        return CANNOT_WORK
    if run.status == "failed":
        return FAILED
    if run.phase == "search":
        return NOT_CONFIRMED
    return None if run.phase in NOT_QUOTED else LEFT_OUT
