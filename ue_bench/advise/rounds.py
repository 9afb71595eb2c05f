"""What is run, in which order, and how the time is shared out.

Each stage starts from the records that are there, so that an interrupted command goes on, and one whose time
is spent runs nothing:

1. the race: every candidate on one seed, as many as the time allows; then always the better half, on more seeds, by validation;
2. the best few on fresh seeds, which nothing was chosen by;
3. on the same seeds: the exact table, smaller tables of the best, and where the shared table leads, its lookups shared out anew;
4. more fresh seeds for those that validation cannot tell from the best;
5. the clock of every one of them, alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, inf
from statistics import fmean

from ue_bench.advise.candidates import EXACT, SHARED, Candidates, config_of, one_more, smaller
from ue_bench.advise.question import Question
from ue_bench.advise.runs import Runs, shape
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.evidence.statistics import LEVEL, paired
from ue_bench.study.processes import Workers
from ue_bench.training.assembly import has_budget

FRESH, SEEDS = (
    100,
    5,
)  # first of the seeds that confirm, above the question's own, and how many at first
MOST_SEEDS = 20
RACE, CONFIRM, EXTRAS = (
    0.45,
    0.85,
    1.0,
)  # shares of the time, less that of the clocks, at whose end these stages stop
CLOCKS, MOST_CLOCKS = 6, 0.2  # how many clocks time is kept for, and at most which share of all
FEWEST, MOST = 2, 4  # candidates that are confirmed
FAIR = (
    10**9
)  # bytes of table: a larger exact table that does not fit the memory is not trained for comparison
STEPS = 2  # lookups that are shared out anew at most
SEARCHED = 2  # seeds by which they are


class Rounds:
    """The stages for one question."""

    def __init__(
        self, question: Question, sizes: Sizes, found: Candidates, runs: Runs, workers: int
    ) -> None:
        self.question, self.sizes, self.runs, self.workers = question, sizes, runs, workers
        self.forms = [one.config for one in found.fits]
        self.fresh = [question.seed + FRESH + number for number in range(MOST_SEEDS)]

    def run(self) -> None:
        """Everything that the time allows. Raises BenchError where it is too short for an answer."""
        with Workers(self.workers) as workers:
            finalists = self.race(workers)
            self.confirm(finalists, workers)
            confirmed = self.extras(finalists, workers)
            self.contend(confirmed, workers)
        with Workers(1) as alone:
            self.time(confirmed, alone)

    def until(self, share: float) -> float:
        """Seconds of the clock."""
        limit = self.runs.clock.limit
        clock = self.runs.expected(replace(self.question.base, measure="latency"))
        return share * (limit - min(CLOCKS * clock, MOST_CLOCKS * limit))

    def at_once(self, configs: Sequence[RunConfig]) -> float:
        """Seconds that a run takes on the average, as many at a time as there are workers."""
        return fmean(self.runs.expected(config) for config in configs) / self.workers

    def fit_in(self, share: float, configs: Sequence[RunConfig]) -> float:
        """How many runs of such configurations end before this share of the time."""
        each = self.at_once(configs)
        return (self.until(share) - self.runs.clock.spent) / each if each else float(len(configs))

    # ---- the race

    def race(self, workers: Workers) -> list[RunConfig]:
        """The best few on validation, best first."""
        alive, seeds, more = self._first(workers), 1, 1
        while len(alive) > MOST:
            alive = self._ranked(alive, seeds)[: max(MOST, ceil(len(alive) / 2))]
            asked = [
                config.with_seed(self.question.seed + seeds + n)
                for n in range(more)
                for config in alive
            ]
            if not self.runs.make(asked, "search", workers, self.until(RACE)):
                break
            seeds, more = seeds + more, 2 * more
            whole = [
                config
                for config in alive
                if len(self.runs.scores(config, self._searched(seeds))) == seeds
            ]
            alive = whole or alive  # without what failed on the way
        return self._ranked(alive, seeds)[: self._finalists(alive)]

    def _first(self, workers: Workers) -> list[RunConfig]:
        """All candidates that were run on the first seed: as many as leave time for the rounds after it."""
        seed = self.question.seed
        for start in range(0, len(self.forms), self.workers):
            chunk = [config.with_seed(seed) for config in self.forms[start : start + self.workers]]
            enough = start >= FEWEST
            missing = [config for config in chunk if not self.runs.settled(config)]
            if missing and enough and _race_runs(start + 1) - start > self.fit_in(RACE, self.forms):
                break
            self.runs.make(chunk, "search", workers, self.runs.clock.limit)
        alive = [config for config in self.forms if self.runs.ok(config, seed)]
        if not alive:
            self._refuse()
        return alive

    def _refuse(self) -> None:
        """Raise BenchError: not one run went well."""
        failed = self.runs.failures()
        minutes = self.runs.clock.limit / 60
        if not failed or any(record.cause == "late" for record in failed):
            needed = minutes * (FEWEST * (SEEDS + 1))
            raise BenchError(
                f"minutes: {minutes:g} was given, and one run takes longer; an answer takes {FEWEST * (SEEDS + 1)} of them, so "
                f"give at least --minutes {ceil(needed)}, or fewer --epochs"
            )
        raise BenchError(
            f"not one run of {self.runs.name} went well; the last one: {failed[-1].error}"
        )

    def _finalists(self, alive: Sequence[RunConfig]) -> int:
        """How many can be confirmed on all fresh seeds; those that were stay so."""
        confirmed = sum(self.runs.ok(config, self.fresh[0]) is not None for config in alive)
        fit = int(self.fit_in(CONFIRM, alive) // SEEDS)
        return max(FEWEST, min(MOST, fit), min(MOST, confirmed))

    def _ranked(self, configs: Sequence[RunConfig], seeds: int) -> list[RunConfig]:
        return self._ordered(configs, self._searched(seeds))

    def _searched(self, seeds: int) -> range:
        """The first seeds of the search."""
        return range(self.question.seed, self.question.seed + seeds)

    def _ordered(self, configs: Sequence[RunConfig], seeds: Sequence[int]) -> list[RunConfig]:
        """By mean validation MSE over those of the seeds that all of them have; those whose runs failed come last."""
        scores = {shape(config): self.runs.scores(config, seeds) for config in configs}
        common = (
            set.intersection(*(set(own) for own in scores.values() if own))
            if any(scores.values())
            else set()
        )

        def place(config: RunConfig) -> float:
            own = scores[shape(config)]
            return fmean(own[seed] for seed in common) if own and common else inf

        return sorted(configs, key=place)

    # ---- on fresh seeds

    def confirm(self, configs: Sequence[RunConfig], workers: Workers) -> None:
        """Seed by seed, so that all have the same ones whenever it is interrupted. The first seed has all the time there is."""
        for number, seed in enumerate(self.fresh[:SEEDS]):
            until = self.until(EXTRAS if number == 0 else CONFIRM)
            self.runs.make(
                [config.with_seed(seed) for config in configs], "confirm", workers, until
            )

    def extras(self, finalists: Sequence[RunConfig], workers: Workers) -> list[RunConfig]:
        """The finalists and what stands beside them on the same seeds, as far as there is time for all seeds of each."""
        best = self._ordered(finalists, self.fresh)[0]
        beside = [one.config for one in smaller(self.sizes, best)]
        exact = config_of(EXACT, self.question.base)
        if self.sizes.exact_bytes(EXACT.dim) <= FAIR:
            beside.insert(0, exact)
        others = [config for config in finalists if config != best and has_budget(config)]
        beside += [one.config for config in others[:1] for one in smaller(self.sizes, config)]
        confirmed = list(finalists)
        for config in (*beside, *self._shared_out(best, workers)):
            if config in confirmed:
                continue
            asked = [config.with_seed(seed) for seed in self.fresh[:SEEDS]]
            missing = [run for run in asked if not self.runs.settled(run)]
            if missing and len(missing) > self.fit_in(EXTRAS, [config]):
                continue
            if self.runs.make(asked, "confirm", workers, self.until(EXTRAS)):
                confirmed.append(config)
        return confirmed

    def _shared_out(self, best: RunConfig, workers: Workers) -> list[RunConfig]:
        """The shared table with a lookup more for the features where it helps most, greedily, by validation on seeds of the
        search: one configuration, or none."""
        if best.strategy != SHARED:
            return []
        names, seeds, found = tuple(f.name for f in self.sizes.seen), range(SEARCHED), best
        for _ in range(STEPS):
            tried = one_more(found, names)
            asked = [
                c.with_seed(self.question.seed + s) for c in (found, *tried.values()) for s in seeds
            ]
            missing = [run for run in asked if not self.runs.settled(run)]
            if missing and len(missing) + SEEDS > self.fit_in(EXTRAS, [best]):
                break
            if not self.runs.make(asked, "search", workers, self.until(EXTRAS)):
                break
            better = self._ranked([found, *tried.values()], SEARCHED)[0]
            if better == found:
                break
            found = better
        return [] if found == best else [found]

    def contend(self, configs: Sequence[RunConfig], workers: Workers) -> None:
        """More fresh seeds, as long as there is time, for those that validation cannot tell from the best."""
        fitting = [config for config in configs if self._fits(config)]
        for count in range(SEEDS, MOST_SEEDS + 1):
            best = self._ordered(fitting, self.fresh)[0]
            own = self.runs.scores(best, self.fresh)
            tests = {shape(c): paired(own, self.runs.scores(c, self.fresh)) for c in fitting}
            if count > SEEDS:  # all get these
                fitting = [c for c in fitting if c == best or not tests[shape(c)].p < 1 - LEVEL]
            if len(fitting) < FEWEST:
                return
            asked = [config.with_seed(seed) for seed in self.fresh[:count] for config in fitting]
            missing = [config for config in asked if not self.runs.settled(config)]
            if count > SEEDS and missing and len(missing) > self.fit_in(EXTRAS, fitting):
                return
            if not self.runs.make(asked, "confirm", workers, self.until(EXTRAS)):
                return

    def _fits(self, config: RunConfig) -> bool:
        runs = [self.runs.ok(config, seed) for seed in self.fresh]
        return all(
            run.cost["total_bytes"] <= self.question.memory for run in runs if run is not None
        )

    # ---- the clock

    def time(self, configs: Sequence[RunConfig], alone: Workers) -> None:
        """What keeps the memory first, and of it the best on validation."""
        order = sorted(
            self._ordered(configs, self.fresh), key=lambda config: not self._fits(config)
        )
        asked = [
            replace(config.with_seed(self.question.seed), measure="latency") for config in order
        ]
        self.runs.make(asked, "latency", alone, self.runs.clock.limit)


def _race_runs(candidates: int) -> int:
    """Runs of a race of so many candidates, all rounds together."""
    total, alive, more = candidates, candidates, 1
    while alive > MOST:
        alive = max(MOST, ceil(alive / 2))
        total, more = total + alive * more, 2 * more
    return total
