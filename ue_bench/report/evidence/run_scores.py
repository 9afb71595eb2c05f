"""One score of the runs of an arm, by their seeds, and what the noise of its mean is made of."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from ue_bench.config.drawn_worlds import is_draw
from ue_bench.record import Record
from ue_bench.record.group_errors import GroupErrors, anchor_errors, group_errors, groups_of
from ue_bench.report.evidence.arms import seeds_of
from ue_bench.report.evidence.user_bootstrap import drawn_scores

DECIMALS = 9  # of a score that is ranked or compared; records have some 16
REDRAWN = "random"  # the split that each seed draws anew

Part = Literal["test", "val"]


def rounded(values: Any) -> Any:
    """Return scores, or differences of them, as they are ranked: rounded to `DECIMALS`.

    The last bits of a sum differ from machine to machine. Arms that are equal but for these would
    else have an order that no other machine finds.
    """
    return np.round(values, DECIMALS)


class ScoredRows(NamedTuple):
    """The rows that some runs are scored on.

    are_redrawn: whether each seed draws them anew. ratio: scored rows for one training row; 0 where
    each run has a draw of its world, so that no two have rows in common; NaN where a record does
    not say it. identity: equal for runs that score the same rows; empty where a
    record does not say it, or the runs differ in it. by: what errors are summed by, `user` or
    `block`; empty where a record has no such sums.
    """

    are_redrawn: bool
    ratio: float
    identity: str = ""
    by: str = ""


@dataclass(frozen=True, eq=False)
class Scores(Mapping[Hashable, float]):
    """One score of some runs by seed, the smaller the better unless its user knows otherwise.

    bias: the score of the bias model on the same rows, for the runs that have it.
    errors: the errors of a run by group of rows, None where its record has none.
    search_variance: of their mean, by the luck of the search that found the configuration.
    """

    values_by_seed: Mapping[Hashable, float]
    rows: ScoredRows
    bias: Mapping[Hashable, float] = field(default_factory=dict)
    errors: Callable[[Hashable], GroupErrors | None] = lambda seed: None
    search_variance: float = 0.0

    def __getitem__(self, seed: Hashable) -> float:
        return self.values_by_seed[seed]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.values_by_seed)

    def __len__(self) -> int:
        return len(self.values_by_seed)

    def of(self, seeds: Iterable[Hashable]) -> np.ndarray:
        """Return the scores of these seeds in order: float64 [seeds]."""
        return np.array([self.values_by_seed[seed] for seed in seeds], dtype=np.float64)

    @cached_property
    def _errors_of_runs(self) -> list[GroupErrors] | None:
        of_runs = []
        for seed in self:
            errors = self.errors(seed)
            if errors is None:
                return None
            of_runs.append(errors)
        return of_runs

    @property
    def has_groups(self) -> bool:
        """Whether all runs have errors by group."""
        return bool(self._errors_of_runs)

    @cached_property
    def by_group(self) -> GroupErrors:
        """The errors of all runs by group, sums [seeds, groups].

        Groups without a row are left out. Runs that score the same rows have the same `n`. Raises
        ValueError where a run has none.
        """
        of_runs = self._errors_of_runs
        if not of_runs:
            raise ValueError("a run has no errors by group")
        has_rows = of_runs[0].n > 0
        sums = np.stack([errors.sums[has_rows] for errors in of_runs])
        return GroupErrors(of_runs[0].n[has_rows], sums)

    @cached_property
    def drawn(self) -> np.ndarray:
        """The scores under resampled groups: float64 [draws, runs]."""
        return drawn_scores(self.by_group)

    def places(self, seeds: Iterable[Hashable]) -> list[int]:
        """Return the places of these seeds among the runs of `by_group` and `drawn`."""
        place_of = {seed: place for place, seed in enumerate(self)}
        return [place_of[seed] for seed in seeds]


def scores_of(
    runs: Iterable[Record],
    part: Part,
    measure: str = "mse",
    name_of: Callable[[Record], Hashable] = seeds_of,
    search_variance: float = 0.0,
) -> Scores:
    """Return a score of the runs that have it. measure: `mse`, `auc` or `log_loss`.

    name_of: what the score of a run is found by. search_variance: as in `Scores`.
    """
    name = f"{part}_{measure}"
    by_seed: dict[Hashable, Record] = {}
    for run in runs:
        if run.quality.get(name) is not None:
            by_seed[name_of(run)] = run
    values = {seed: float(run.quality[name]) for seed, run in by_seed.items()}

    def errors(seed: Hashable) -> GroupErrors | None:
        return group_errors(by_seed[seed], part, measure)

    return Scores(
        values_by_seed=values,
        rows=_rows_of(by_seed.values(), part),
        bias=_anchor_values(by_seed, "bias", name),
        errors=errors,
        search_variance=search_variance,
    )


def anchor_scores_of(runs: Iterable[Record], anchor: str, part: Part) -> Scores:
    """Return the MSE of a predictor to beat on the rows of the runs that have it."""
    by_seed: dict[Hashable, Record] = {seeds_of(run): run for run in runs}
    name = f"{part}_mse"
    values = _anchor_values(by_seed, anchor, name)

    def errors(seed: Hashable) -> GroupErrors | None:
        return anchor_errors(by_seed[seed], anchor)

    return Scores(
        values_by_seed=values,
        rows=_rows_of([by_seed[seed] for seed in values], part),
        bias=_anchor_values(by_seed, "bias", name),
        errors=errors,
    )


def _anchor_values(
    by_seed: Mapping[Hashable, Record], anchor: str, name: str
) -> dict[Hashable, float]:
    values = {}
    for seed, run in by_seed.items():
        value = run.quality.get("anchors", {}).get(anchor, {}).get(name)
        if value is not None:
            values[seed] = float(value)
    return values


def _rows_of(runs: Iterable[Record], part: Part) -> ScoredRows:
    """Return what the runs of one arm say of the rows that they are scored on."""
    are_redrawn = False
    ratios = []
    facts = set()
    draws = []
    for run in runs:
        config = run.config
        has_own_test_rows = part == "test" and config.tested_on is not None
        are_redrawn = config.split == REDRAWN and not has_own_test_rows
        n_rows = run.found.get("n_rows", {})
        ratios.append(n_rows.get(part, math.nan) / (n_rows.get("train") or math.nan))
        if is_draw(config):
            draws.append(config.dataset)
        groups = groups_of(run, part)
        facts.add((groups.get("rows", ""), groups.get("by", "")))
    ratio = float(np.mean(ratios)) if ratios else math.nan
    if ratios and len(set(draws)) == len(ratios):
        ratio = 0.0
    identity = by = ""
    if len(facts) == 1:
        identity, by = facts.pop()
    return ScoredRows(are_redrawn=are_redrawn, ratio=ratio, identity=identity, by=by)
