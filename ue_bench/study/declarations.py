"""Studies: declarations of what is asked for. A study is a question, and the grids and searches that answer it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any

from ue_bench.config import SEEDS, RunConfig
from ue_bench.errors import BenchError, unknown

SAMPLERS = ("tpe", "random")
Space = Mapping[
    str, tuple[Any, ...]
]  # config field, `lookups.FEATURE` or `options.KNOB` -> the values allowed


@dataclass(frozen=True)
class Grid:
    """Every arm at every table size and seed. compressions: exact table's bytes over the budget, whole or a fraction (which gives
    the same bytes on every machine); empty: the arms' own budgets.

    first: of its seeds, above the study's own. vary: which of the four seeds change from run to run, the others held at the
    first; None: all four together. Raises BenchError for a name that is no seed, or for none.
    """

    arms: tuple[RunConfig, ...]
    compressions: tuple[int | Fraction, ...] = ()
    seeds: int = 5
    first: int = 0
    vary: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.vary is not None and not self.vary:
            raise BenchError(
                f"vary: no seed was given; name at least one of {', '.join(SEEDS)}, or leave it out to vary all"
            )
        for name in self.vary or ():
            if name not in SEEDS:
                raise unknown("seed to vary", name, SEEDS)


@dataclass(frozen=True)
class Search:
    """Optuna over `space` from `base`, on validation MSE; then the best few and the arms `against` them on fresh seeds.

    compression: the size that is searched at; None: the budget of `base`. confirm: the sizes of the runs on fresh seeds; empty:
    the same. Where the strategy cannot work at `compression` at all, the next milder size of `confirm` is searched at.
    objectives: record keys to minimise, the first of them ``quality.val_mse``; with more than one the best few are
    taken from the Pareto front. seed: of its trials, above the study's own; searches of one study whose spaces overlap need
    different ones, or each would take the other's trials for its own.
    total: the lookups of all features together (`shares` is their space): what is proposed for a feature is then a share of the
    lookups beyond the first of each feature, and is apportioned. sampler: `tpe`, or `random` as the baseline.
    Raises BenchError for an objective that is a test score, an unknown sampler, or a space that does not hold every allocation
    of `total`.
    """

    base: RunConfig
    space: Space
    trials: int
    against: tuple[RunConfig, ...] = ()
    compression: int | None = None
    confirm: tuple[int, ...] = ()
    best: int = 3
    seeds: int = 5
    objectives: tuple[str, ...] = ("quality.val_mse",)
    seed: int = 0
    total: int | None = None
    sampler: str = "tpe"

    def __post_init__(self) -> None:
        for key in self.objectives:
            if not key.startswith(("quality.val_", "cost.")) or "test" in key:
                raise BenchError(
                    f"a search may not minimise {key!r}; choose quality.val_... or cost...., never a test score"
                )
        if self.sampler not in SAMPLERS:
            raise unknown("sampler", self.sampler, SAMPLERS)
        if self.total is None:
            return
        least = len(self.features)
        if not least or self.total < least:
            raise BenchError(
                f"a total of {self.total} lookups for {least} features; every feature of the space needs at least 1"
            )
        for name, allowed in shares(self.features, self.total).items():
            if self.space[name] != allowed:
                raise BenchError(
                    f"{name}: with a total of {self.total}, 1 to {allowed[-1]} must be allowed; make the space with shares()"
                )

    @property
    def features(self) -> tuple[str, ...]:
        """The features whose lookups are searched."""
        return tuple(name.partition(".")[2] for name in self.space if name.startswith("lookups."))

    @property
    def sizes(self) -> tuple[int | None, ...]:
        """The compression that is searched at, then those that stand in for it, each milder than the one before."""
        milder = sorted(
            (size for size in self.confirm if self.compression and size < self.compression),
            reverse=True,
        )
        return (self.compression, *milder)


@dataclass(frozen=True)
class Scenario:
    """Arms whose order is known beforehand. The first one is the one that the claim is about.

    expected: the claim in words. rule: how it is judged, and limits: its numbers (`report.known_answer.RULES`). rehash: each arm
    runs once more with another hash seed and everything else as it was.
    """

    name: str
    expected: str
    rule: str
    arms: Mapping[str, RunConfig]
    limits: tuple[float, ...] = ()
    seeds: int = 5
    rehash: bool = False

    @property
    def grids(self) -> tuple[Grid, ...]:
        arms = tuple(self.arms.values())
        again = (Grid(arms, seeds=2, vary=("hash_seed",)),) if self.rehash else ()
        return Grid(arms, seeds=self.seeds), *again


@dataclass(frozen=True)
class Study:
    """A question and its parts. latency: measure each configuration in a quiet phase at the end. quick: a short form.

    scenarios: claims that its records are held to; it runs on its own data sets alone. of_features: the parts of a study
    that names features, on another data set.
    Raises BenchError where strategies that compete are not searched alike.
    """

    question: str
    parts: tuple[Grid | Search, ...]
    latency: bool = True
    quick: tuple[Grid | Search, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    of_features: (
        Callable[[Mapping[str, int], Mapping[str, int]], tuple[Grid | Search, ...]] | None
    ) = None

    def __post_init__(self) -> None:
        for parts in (self.parts, self.quick):
            require_alike(part for part in parts if isinstance(part, Search))

    def asked(self, quick: bool) -> tuple[Grid | Search, ...]:
        """What is asked for, in full or in the short form. Raises BenchError where there is no short form."""
        if quick and not self.quick:
            raise BenchError("this study has no quick form; run it without --quick")
        return self.quick if quick else self.parts

    def on(self, base: Mapping[str, int], wide: Mapping[str, int]) -> "Study":
        """The study on a data set whose sets `base` and `wide` have these features, with their numbers of distinct values."""
        return (
            self if self.of_features is None else replace(self, parts=self.of_features(base, wide))
        )


def shares(features: Iterable[str], total: int) -> dict[str, tuple[int, ...]]:
    """The space of all allocations of `total` lookups to `features`, each of which has at least one."""
    features = tuple(features)
    return {f"lookups.{name}": tuple(range(1, total - len(features) + 2)) for name in features}


def require_alike(searches: Iterable[Search]) -> None:
    """Raise BenchError unless strategies that compete are searched alike.

    Strategies, and forms of one, compete where data set, features (multi-valued ones too), split, head and task are equal. Each
    must have the same searches: trials, sizes, seeds on which they are confirmed, and space, but for the knobs of its own method
    and the rule of its regions.
    """
    found: dict[tuple[str, ...], dict[str, list[dict[str, str]]]] = {}
    for search in searches:
        base = search.base
        bounds = f"labels {base.negative_at_most}, {base.positive_at_least}"
        labels = (base.task, bounds) if base.task == "binary" else ()
        where = (
            base.dataset,
            base.features,
            base.multi_valued or "",
            base.split,
            base.head,
            *labels,
        )
        rivals = found.setdefault(where, {})
        rivals.setdefault(f"{base.strategy} {base.regions or ''}".strip(), []).append(
            _terms(search)
        )
    for where, forms in found.items():
        (first, usual), *others = ((name, sorted(terms, key=str)) for name, terms in forms.items())
        for name, terms in others:
            head = f"searches on {', '.join(filter(None, where))} are not alike: {name}"
            if len(terms) != len(usual):
                raise BenchError(
                    f"{head} has {len(terms)}, {first} has {len(usual)}; give each the same"
                )
            for own, other in zip(terms, usual, strict=True):
                apart = [
                    f"{term} {own[term]} against {other[term]}"
                    for term in own
                    if own[term] != other[term]
                ]
                if apart:
                    raise BenchError(
                        f"{head} differs from {first}: {'; '.join(apart)}; give both the same"
                    )


def _terms(search: Search) -> dict[str, str]:
    """What must be equal in the searches of strategies that compete."""
    own = ("base", "space", "against", "seed")
    terms = {f.name: str(getattr(search, f.name)) for f in fields(Search) if f.name not in own}
    shared = {
        name: values
        for name, values in sorted(search.space.items())
        if not name.startswith(("options.", "region_rule"))
    }
    return terms | {"budget": str(search.base.budget), "space": str(shared)}
