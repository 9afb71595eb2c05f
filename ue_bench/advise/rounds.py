"""Which runs are made, in which order, and how they share the time.

Each stage starts from the records that are there, so that an interrupted command goes on, and one
whose time is spent runs nothing:

1. the race: every candidate on one seed, as many as the time allows; then again and again the
   better half, on more seeds, by validation;
2. the best few on fresh seeds, by which nothing was chosen;
3. on the same seeds: the exact table, smaller tables of the best, and, where the shared table
   leads, its lookups shared out anew;
4. more fresh seeds for those that validation cannot tell from the best;
5. the latency of each of them, measured while nothing else runs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import compress
from math import ceil, inf
from statistics import fmean

from ue_bench.advise.candidates import (
    SHARED,
    Candidates,
    config_of,
    exact_form,
    one_more,
    smaller,
)
from ue_bench.advise.equal_scores import not_worse
from ue_bench.advise.question import Question
from ue_bench.advise.runs import Runs, shape
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study.processes import Workers
from ue_bench.training.assembly import has_budget

FRESH = 100  # the first of the seeds that confirm, above the question's own
SEEDS = 5  # fresh seeds of each candidate that is confirmed
MOST_SEEDS = 20  # fresh seeds of those that validation cannot tell from the best
FEWEST = 2  # candidates that are confirmed
MOST = 4
# The shares of the time, without that of the clocks, at whose end these stages stop.
RACE = 0.45
CONFIRM = 0.85
EXTRAS = 1.0
CLOCKS = 6  # time is kept for measuring the latency of this many
MOST_CLOCKS = 0.2  # the largest share of the time that is kept for it
FAIR = 10**9  # bytes: a larger exact table that does not fit is not trained for comparison
STEPS = 2  # lookups that are shared out anew at most
SEARCHED = 2  # seeds by which they are shared out

Configs = Sequence[RunConfig]


Served = Callable[[RunConfig], RunConfig | None]


def itself(config: RunConfig) -> RunConfig:
    """Return what a configuration is served as where it runs on all rows: itself."""
    return config


class Rounds:
    """The stages for one question.

    served: returns the configuration on all rows that one on a part of them stands for, whose
    latency is measured; None where it cannot work there.
    """

    def __init__(
        self,
        question: Question,
        sizes: Sizes,
        candidates: Candidates,
        runs: Runs,
        workers: int,
        served: Served = itself,
    ) -> None:
        self.question = question
        self.sizes = sizes
        self.runs = runs
        self.workers = workers
        self.served = served
        self.forms = [candidate.config for candidate in candidates.fits]
        first = question.seed + FRESH
        self.fresh = range(first, first + MOST_SEEDS)

    def run(self) -> None:
        """Run all that the time allows. Raises BenchError where it is too short for an answer."""
        with Workers(self.workers) as workers:
            confirmed = self.compare(self.race(workers), workers)
        with Workers(1) as alone:
            self.time(confirmed, alone)

    def compare(self, finalists: Configs, workers: Workers) -> list[RunConfig]:
        """Run the finalists, and what is compared with them, on fresh seeds, and return all."""
        self.confirm(finalists, workers)
        confirmed = self.extras(finalists, workers)
        self.contend(confirmed, workers)
        return confirmed

    def until(self, share: float) -> float:
        """Return the seconds of the clock at which this share of the time is spent."""
        limit = self.runs.clock.limit
        served = self.served(self.question.base) or self.question.base
        clock = self.runs.expected(replace(served, measure="latency"))
        return share * (limit - min(CLOCKS * clock, MOST_CLOCKS * limit))

    def at_once(self, configs: Configs) -> float:
        """Return the mean seconds of a run, divided by the runs at a time."""
        return fmean(self.runs.expected(config) for config in configs) / self.workers

    def fit_in(self, share: float, configs: Configs) -> float:
        """Return how many runs of such configurations end before this share of the time."""
        seconds = self.at_once(configs)
        if not seconds:
            return float(len(configs))
        return (self.until(share) - self.runs.clock.spent) / seconds

    def _has_time(self, asked: Configs, like: Configs, beside: int = 0) -> bool:
        """Return whether there is time for the extras that are missing of these runs.

        like: the configurations that say how long a run takes.
        beside: runs that the time must be enough for as well.
        """
        missing = self.runs.missing(asked)
        if not missing:
            return True
        return len(missing) + beside <= self.fit_in(EXTRAS, like)

    # ---- the race

    def race(self, workers: Workers) -> list[RunConfig]:
        """Return the best few on validation, best first."""
        return self.halve(self.first_round(workers), workers)

    def halve(self, alive: list[RunConfig], workers: Workers) -> list[RunConfig]:
        """Return the best few of those that ran on the first seed, by more and more seeds."""
        seeds = 1
        more = 1
        while len(alive) > MOST:
            half = max(MOST, ceil(len(alive) / 2))
            alive = self.ranked(alive, seeds)[:half]
            asked = on_seeds(alive, self._searched(seeds + more)[seeds:])
            if not self.runs.make(asked, "search", workers, self.until(RACE)):
                break
            seeds += more
            more *= 2
            alive = self._without_failures(alive, seeds)
        return self.ranked(alive, seeds)[: self._finalists(alive)]

    def first_round(self, workers: Workers) -> list[RunConfig]:
        """Run the candidates on the first seed, and return those that ended well.

        These are as many as leave time for the rounds after it.
        """
        seed = self.question.seed
        for start in range(0, len(self.forms), self.workers):
            chunk = on_seeds(self.forms[start : start + self.workers], [seed])
            if start >= FEWEST and self.runs.missing(chunk):
                still_to_run = race_runs(start + 1) - start
                if still_to_run > self.fit_in(RACE, self.forms):
                    break
            self.runs.make(chunk, "search", workers, self.runs.clock.limit)
        alive = [config for config in self.forms if self.runs.ok(config, seed)]
        if not alive:
            self._refuse()
        return alive

    def _refuse(self) -> None:
        """Raise BenchError: no run ended well."""
        failures = self.runs.failures()
        late = any(record.cause == "late" for record in failures)
        if failures and not late:
            raise BenchError(
                f"not one run of {self.runs.name} ended well; the last one: {failures[-1].error}"
            )
        minutes = self.runs.clock.limit / 60
        runs = FEWEST * (SEEDS + 1)
        raise BenchError(
            f"minutes: {minutes:g} was given, and one run takes longer; an answer takes {runs} of "
            f"them, so give at least --minutes {ceil(minutes * runs)}, or fewer --epochs"
        )

    def _without_failures(self, alive: list[RunConfig], seeds: int) -> list[RunConfig]:
        """Return those that ended well on all seeds so far; all of them where there are none."""
        complete = []
        for config in alive:
            if len(self.runs.scores(config, self._searched(seeds))) == seeds:
                complete.append(config)
        return complete or alive

    def _finalists(self, alive: Configs) -> int:
        """Return how many can be confirmed on all fresh seeds, at least those that were."""
        seed = self.fresh[0]
        confirmed = [config for config in alive if self.runs.ok(config, seed)]
        fit = int(self.fit_in(CONFIRM, alive) // SEEDS)
        most = max(fit, len(confirmed))
        return max(FEWEST, min(MOST, most))

    def _searched(self, seeds: int) -> range:
        """Return the first seeds of the search."""
        return range(self.question.seed, self.question.seed + seeds)

    def ranked(self, configs: Configs, seeds: int) -> list[RunConfig]:
        """Order configurations by their validation MSE on the first seeds of the search."""
        return self._ordered(configs, self._searched(seeds))

    def _ordered(self, configs: Configs, seeds: Sequence[int]) -> list[RunConfig]:
        """Order configurations by mean validation MSE over the seeds that all of them have.

        Those whose runs failed come last.
        """
        scores = {shape(config): self.runs.scores(config, seeds) for config in configs}
        common = set(seeds)
        for of_config in scores.values():
            if of_config:
                common &= set(of_config)

        def mean_mse(config: RunConfig) -> float:
            of_config = scores[shape(config)]
            if not of_config or not common:
                return inf
            return fmean(of_config[seed] for seed in common)

        return sorted(configs, key=mean_mse)

    # ---- on fresh seeds

    def confirm(self, configs: Configs, workers: Workers, share: float = CONFIRM) -> None:
        """Run the configurations on fresh seeds, seed by seed.

        All of them have the same seeds whenever it is interrupted. The first seed has all the time
        there is.

        share: of the time, at whose end no other seed starts.
        """
        for number, seed in enumerate(self.fresh[:SEEDS]):
            asked = on_seeds(configs, [seed])
            until = self.until(EXTRAS if number == 0 else share)
            self.runs.make(asked, "confirm", workers, until)

    def extras(self, finalists: Configs, workers: Workers) -> list[RunConfig]:
        """Run what is compared with the finalists, on the same seeds, and return all of them.

        A configuration is run only if there is time for all of its seeds.
        """
        best = self._ordered(finalists, self.fresh)[0]
        beside = [table.config for table in smaller(self.sizes, best)]
        exact = exact_form(self.question.base)
        if self.sizes.exact_bytes(exact.dim) <= FAIR:
            beside.insert(0, config_of(exact, self.question.base))
        others = [config for config in finalists if config != best and has_budget(config)]
        for config in others[:1]:
            beside += [table.config for table in smaller(self.sizes, config)]
        beside += self._shared_out(best, workers)
        confirmed = list(finalists)
        for config in beside:
            if config in confirmed:
                continue
            asked = on_seeds([config], self.fresh[:SEEDS])
            if not self._has_time(asked, like=[config]):
                continue
            if self.runs.make(asked, "confirm", workers, self.until(EXTRAS)):
                confirmed.append(config)
        return confirmed

    def _shared_out(self, best: RunConfig, workers: Workers) -> list[RunConfig]:
        """Return the shared table with a lookup more for the features where it helps most.

        The features are chosen greedily, by validation on seeds of the search. The list has one
        configuration, or none.
        """
        if best.strategy != SHARED:
            return []
        names = [feature.name for feature in self.sizes.seen]
        table = best
        for _ in range(STEPS):
            tables = [table, *one_more(table, names).values()]
            asked = []
            for config in tables:
                asked += on_seeds([config], self._searched(SEARCHED))
            if not self._has_time(asked, like=[best], beside=SEEDS):
                break
            if not self.runs.make(asked, "search", workers, self.until(EXTRAS)):
                break
            better = self.ranked(tables, SEARCHED)[0]
            if better == table:
                break
            table = better
        if table == best:
            return []
        return [table]

    def contend(self, configs: Configs, workers: Workers) -> None:
        """Run more fresh seeds, as long as there is time, of those that may be the best.

        These are the ones that validation cannot tell from the best.
        """
        fitting = [config for config in configs if self._fits(config)]
        contenders = fitting
        for count in range(SEEDS, MOST_SEEDS + 1):
            if count > SEEDS:  # all of them get the first seeds
                contenders = self._contenders(fitting)
            if len(contenders) < FEWEST:
                return
            asked = on_seeds(contenders, self.fresh[:count])
            if count > SEEDS and not self._has_time(asked, like=contenders):
                return
            if not self.runs.make(asked, "confirm", workers, self.until(EXTRAS)):
                return

    def _contenders(self, configs: Configs) -> list[RunConfig]:
        """Return the best on validation and those that cannot be told from it.

        The family of the tests is that of the answer, so that whatever the answer may call equal
        has had its seeds.
        """
        best = self._ordered(configs, self.fresh)[0]
        rivals = [config for config in configs if config != best]
        scores = [self.runs.scores(config, self.fresh) for config in rivals]
        equal = not_worse(self.runs.scores(best, self.fresh), scores)
        return [best, *compress(rivals, equal)]

    def _fits(self, config: RunConfig) -> bool:
        """Return whether all runs on fresh seeds kept within the memory."""
        for seed in self.fresh:
            run = self.runs.ok(config, seed)
            if run is not None and run.cost["total_bytes"] > self.question.memory:
                return False
        return True

    # ---- the clock

    def time(self, configs: Configs, alone: Workers) -> None:
        """Measure latency: first of what fits the memory, and of that the best on validation."""
        ordered = self._ordered(configs, self.fresh)
        ordered.sort(key=self._fits, reverse=True)
        asked = []
        for config in filter(None, map(self.served, ordered)):
            asked.append(replace(config, measure="latency").with_seed(self.question.seed))
        self.runs.make(asked, "latency", alone, self.runs.clock.limit)


def on_seeds(configs: Configs, seeds: Iterable[int]) -> list[RunConfig]:
    """Return the configurations on each of the seeds, seed by seed."""
    runs = []
    for seed in seeds:
        runs += [config.with_seed(seed) for config in configs]
    return runs


def race_runs(candidates: int) -> int:
    """Return the runs of a race of so many candidates, in all rounds together."""
    total = candidates
    alive = candidates
    more = 1
    while alive > MOST:
        alive = max(MOST, ceil(alive / 2))
        total += alive * more
        more *= 2
    return total
