"""The parts of a study: grids, and searches with the space that they vary."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ue_bench.config import SEEDS, RunConfig
from ue_bench.config.crossed_seeds import crossed, require_crossable
from ue_bench.config.ranges import Allowed, UpTo
from ue_bench.errors import BenchError, unknown

# Field of `RunConfig`, `lookups.FEATURE` or `options.KNOB` -> what it may be.
Space = Mapping[str, Allowed]


@dataclass(frozen=True)
class Grid:
    """Every arm at every table size with every seed.

    compressions: the bytes of the exact table over the budget, as whole numbers or as fractions,
    which give the same bytes on every machine; empty: each arm has its own budget.
    first: the first seed of the grid, above the study's own.
    vary: the seeds of `RunConfig` that change from run to run, while the others stay at the first
    one; None: all four change together.
    crossed: each of the four seeds has `seeds` values, a prime number, and meets every value of
    each other seed once, in `seeds` squared runs of an arm (see `config.crossed_seeds`).
    setting: the name of what the arms of this grid have in common, such as `lr 0.002`, in a study
    that compares rankings under several recipes. Arms of one setting are compared among themselves.

    Raises BenchError if `vary` is empty or has a name that is no seed, and if seeds that are
    crossed cannot be.
    """

    arms: tuple[RunConfig, ...]
    compressions: tuple[int | Fraction, ...] = ()
    seeds: int = 10
    first: int = 0
    vary: tuple[str, ...] | None = None
    crossed: bool = False
    setting: str = ""

    def __post_init__(self) -> None:
        if self.crossed:
            require_crossable(self.seeds)
        if self.vary is None:
            return
        if self.crossed:
            raise BenchError(
                f"vary: {', '.join(self.vary)} was given for seeds that are crossed, which change "
                "all; leave out one of the two"
            )
        if not self.vary:
            raise BenchError(
                f"vary: no seed was given; name at least one of {', '.join(SEEDS)}, "
                "or leave it out to vary all"
            )
        for name in self.vary:
            if name not in SEEDS:
                raise unknown("seed to vary", name, SEEDS)

    @property
    def most_arms(self) -> int:
        """The arms at all sizes, were all of them to work."""
        return len(self.arms) * max(1, len(self.compressions))

    @property
    def most_runs(self) -> int:
        """The runs of all these arms."""
        return self.most_arms * (self.seeds**2 if self.crossed else self.seeds)

    def seeds_of_runs(self, first: int) -> Iterator[dict[str, Any]]:
        """Yield the four seeds of each run of an arm. first: the first seed of the grid."""
        if self.crossed:
            for seeds in crossed(self.seeds):
                yield dict(zip(SEEDS, (first + seed for seed in seeds), strict=True))
            return
        for seed in range(first, first + self.seeds):
            yield dict.fromkeys(SEEDS, first) | dict.fromkeys(self.vary or SEEDS, seed)


@dataclass(frozen=True)
class Search:
    """Optuna over `space` from `base` on validation MSE, then the best few on fresh seeds.

    A trial is one configuration on `trial_seeds` seeds. What the search minimises is the mean over
    its runs, and a trial with a run that does not end well has no value. The first trial is `base`.

    trials: how many different configurations must run well.
    against: arms that run on the fresh seeds too.
    compression: the size at which to search and to confirm; None: the budget of `base`.
    best: how many configurations run on fresh seeds. seeds: how many fresh seeds.
    seed: what is added to the first seed of the trials, which is a design seed
    (`plan.DESIGN_SEEDS_FROM`). Searches of one study that could ask for one run need seeds of their
    own (see `alike.require_apart`).
    startup: how many trials are answered before TPE is guided by them. Those after the first one
    are drawn at random.
    batch: how many trials are proposed together, whatever the number of workers. The sampler learns
    their answers when all of them have ended.
    margin: a trial whose first run is worse, by more than this, than that of the best trial of the
    batches before has no other runs, and cannot be chosen. The first trial is then a batch of its
    own, which all others are held against. None: every trial has all runs.
    give_up: with a margin, the first run of a trial ends after so many epochs if its validation MSE
    is still worse, by more than this, than that of the best trial of the batches before. None: all
    runs train to their end.

    Raises BenchError for a batch, a start or a trial without runs, a margin that is not above 0,
    and a space that limits a knob by one that has no values of its own.
    """

    base: RunConfig
    space: Space
    trials: int = 24
    against: tuple[RunConfig, ...] = ()
    compression: int | None = None
    best: int = 3
    seeds: int = 10
    seed: int = 0
    trial_seeds: int = 3
    startup: int = 8
    batch: int = 4
    margin: float | None = None
    give_up: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise BenchError(f"a search with batches of {self.batch} trials; give at least 1")
        if self.trial_seeds < 1:
            raise BenchError(f"trials on {self.trial_seeds} seeds each; give at least 1")
        if self.startup < 1:
            raise BenchError(f"a start of {self.startup} trials; give at least 1")
        if self.margin is not None and not self.margin > 0:
            raise BenchError(f"a search with a margin of {self.margin}; give more than 0")
        self._require_sound_give_up()
        self._require_limits()

    def _require_sound_give_up(self) -> None:
        if self.give_up is None:
            return
        epochs, worse = self.give_up
        if epochs < 1 or self.margin is None or worse < self.margin:
            raise BenchError(
                f"a search that gives up after {epochs} epochs by {worse} with a margin of "
                f"{self.margin}; give at least 1 epoch, a margin, and no less than that"
            )

    @property
    def most_arms(self) -> int:
        """The configurations that run on fresh seeds, at the most."""
        return self.best + len(self.against)

    @property
    def most_runs(self) -> int:
        """The runs of the trials and on fresh seeds, at the most."""
        return self.trials * self.trial_seeds + self.most_arms * self.seeds

    def batch_start(self, number: int) -> int:
        """Return the number of the first trial in the batch of a trial."""
        n_before = 0 if self.margin is None else 1
        return max(0, number - (number - n_before) % self.batch)

    def _require_limits(self) -> None:
        for name, allowed in self.space.items():
            if not isinstance(allowed, UpTo):
                continue
            if isinstance(self.space.get(allowed.limit), UpTo):
                raise BenchError(
                    f"{name}: its values end at that of {allowed.limit}, which has a limit too; "
                    "name a knob with values of its own"
                )

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies of its trials."""
        allowed = self.space.get("strategy", ())
        if not isinstance(allowed, tuple):
            raise BenchError("strategy: the space of a search needs a list of names; give a tuple")
        return allowed or (self.base.strategy,)

    @property
    def features(self) -> tuple[str, ...]:
        """The features whose lookups are searched."""
        names = [name for name in self.space if name.startswith("lookups.")]
        return tuple(name.removeprefix("lookups.") for name in names)
