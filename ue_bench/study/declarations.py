"""Studies as declarations: a question, and the grids and searches that answer it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study.alike import require_alike, require_apart
from ue_bench.study.grid_and_search import Grid, Search

Parts = tuple[Grid | Search, ...]
# The parts for features of the sets `base` and `wide`, with their numbers of distinct values.
OfFeatures = Callable[[Mapping[str, int], Mapping[str, int]], Parts]


@dataclass(frozen=True)
class Scenario:
    """Arms whose order is known beforehand. The claim is about the first one.

    expected: the claim in words. rule: how it is judged (`report.known_answer.RULES`). limits: the
    numbers of the rule. rehash: each arm runs once more with another hash seed and everything else
    unchanged.
    """

    name: str
    expected: str
    rule: str
    arms: Mapping[str, RunConfig]
    limits: tuple[float, ...] = ()
    seeds: int = 10
    rehash: bool = False

    @property
    def grids(self) -> tuple[Grid, ...]:
        """The grids that the scenario needs."""
        arms = tuple(self.arms.values())
        grid = Grid(arms, seeds=self.seeds)
        if self.rehash:
            return grid, Grid(arms, seeds=2, vary=("hash_seed",))
        return (grid,)


@dataclass(frozen=True)
class Study:
    """A question and its parts.

    latency: measure each configuration in a quiet phase at the end. quick: the parts of a short
    form. scenarios: claims that the records are held to, each where all of its grids are among the
    parts; such a study runs on its own data sets alone. of_features, quick_of_features: make the
    parts, and the quick ones, of a study that names features, for another data set.

    Raises BenchError if strategies that compete are not searched alike, and if two searches could
    ask for one run.
    """

    question: str
    parts: Parts
    latency: bool = True
    quick: Parts = ()
    scenarios: tuple[Scenario, ...] = ()
    of_features: OfFeatures | None = None
    quick_of_features: OfFeatures | None = None

    def __post_init__(self) -> None:
        for parts in (self.parts, self.quick):
            searches = [part for part in parts if isinstance(part, Search)]
            require_alike(searches)
            require_apart(searches)

    def asked(self, quick: bool) -> Parts:
        """Return the parts of the full or of the short form.

        Raises BenchError if there is no short form.
        """
        if not quick:
            return self.parts
        if not self.quick:
            raise BenchError(
                "--quick: this study declares no short form; run it without --quick, or declare "
                "one: Study(..., quick=(Grid(...),))"
            )
        return self.quick

    def on(self, base: Mapping[str, int], wide: Mapping[str, int]) -> "Study":
        """Return the study for another data set.

        base, wide: the features of these named sets, with their numbers of distinct values.
        """
        parts = self.parts
        quick = self.quick
        if self.of_features is not None:
            parts = self.of_features(base, wide)
        if self.quick_of_features is not None:
            quick = self.quick_of_features(base, wide)
        return replace(self, parts=parts, quick=quick)

    @property
    def names_features(self) -> bool:
        """Whether the study is another one for other features."""
        return self.of_features is not None or self.quick_of_features is not None
