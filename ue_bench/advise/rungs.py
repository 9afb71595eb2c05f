"""The rounds on a question whose minutes cannot pay a race on all rows.

The race begins on a small part of the rows. The better half goes on to a part that is four times as
large, and so on, as far as the time allows. The best few are confirmed on the largest part that the
time pays for, all rows perhaps, and on two smaller ones, from which all rows are forecast.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from ue_bench.advise.candidates import Candidates, find_candidates
from ue_bench.advise.fractions import fractions_of
from ue_bench.advise.question import Question
from ue_bench.advise.rounds import (
    CONFIRM,
    EXTRAS,
    FEWEST,
    FRESH,
    MOST,
    MOST_SEEDS,
    RACE,
    SEEDS,
    Rounds,
    on_seeds,
)
from ue_bench.advise.runs import Runs, shape
from ue_bench.advise.sizes import Sized, Sizes
from ue_bench.advise.whole_data import WholeData
from ue_bench.config import RunConfig
from ue_bench.study.processes import Workers

ENOUGH_SEEDS = 3  # fresh seeds of each of two configurations, from which a part is quoted
BELOW = 2  # parts below the confirmed one, on which the finalists run for the forecast


@dataclass(frozen=True)
class Rung:
    """A question on a part of its rows.

    question: has the memory in proportion to the distinct values of the part.
    """

    question: Question
    sizes: Sizes

    @classmethod
    def of(cls, question: Question, fraction: float, whole: WholeData) -> "Rung":
        """Return the rung of a part of the rows, which is read and encoded here."""
        on_part = replace(question, base=replace(question.base, rows_fraction=fraction))
        sizes = Sizes(on_part)
        sizes.memory = max(1, round(question.memory * whole.share(sizes)))
        return cls(replace(on_part, memory=sizes.memory), sizes)

    @cached_property
    def candidates(self) -> Candidates:
        """All candidates, sized to the part."""
        return find_candidates(self.sizes, self.question.base)

    def sized(self, configs: Iterable[RunConfig]) -> list[RunConfig]:
        """Return configurations of another part, sized to this one, those that work on it."""
        here = []
        for config in configs:
            plain = replace(config, budget=None, rows_fraction=self.question.base.rows_fraction)
            sized = self.sizes.fit(plain)
            if isinstance(sized, Sized):
                here.append(sized.config)
        return here


class Rungs:
    """The rungs of a question, each of which is made when it is needed.

    whole: all rows. fractions: the parts of them, the smallest first and 1 last.
    """

    def __init__(self, question: Question) -> None:
        self.question = question
        self.whole = WholeData(question)
        self.fractions = fractions_of(self.whole.rows.n_rows)
        self._rungs: dict[float, Rung] = {}

    def at(self, fraction: float) -> Rung:
        """Return the rung of a part of the rows."""
        if fraction not in self._rungs:
            self._rungs[fraction] = Rung.of(self.question, fraction, self.whole)
        return self._rungs[fraction]

    def served(self, config: RunConfig) -> RunConfig | None:
        """Return what a configuration of some rung is on all rows; None where it cannot work."""
        if config.rows_fraction == 1:
            return config
        return self.whole.of(config, self.at(config.rows_fraction).sizes)

    @property
    def first(self) -> Rung:
        """The rung of the smallest part."""
        return self.at(self.fractions[0])


class Climb:
    """The stages for one question, from rung to rung."""

    def __init__(self, rungs: Rungs, runs: Runs, workers: int) -> None:
        self.rungs = rungs
        self.runs = runs
        self.workers = workers
        first = rungs.question.seed + FRESH
        self.fresh = range(first, first + SEEDS)

    def run(self) -> None:
        """Run all that the time allows. Raises BenchError where it is too short for an answer."""
        with Workers(self.workers) as workers:
            finalists = self.race(workers)
            fraction, finalists = self._confirmed_at(finalists)
            rounds = self._rounds(fraction)
            configs = self.rungs.at(fraction).sized(finalists)
            # How long larger runs take is a guess: missing seeds come before anything else.
            rounds.confirm(configs, workers, EXTRAS)
            if fraction < 1:
                self._confirm_below(fraction, finalists, workers)
            confirmed = rounds.compare(configs, workers)
        with Workers(1) as alone:
            rounds.time(confirmed, alone)

    def _rounds(self, fraction: float) -> Rounds:
        rung = self.rungs.at(fraction)
        candidates = Candidates((), ())  # those that are left come from the first rung
        if rung is self.rungs.first:
            candidates = rung.candidates
        return Rounds(
            question=rung.question,
            sizes=rung.sizes,
            candidates=candidates,
            runs=self.runs,
            workers=self.workers,
            served=self.rungs.served,
        )

    def race(self, workers: Workers) -> list[RunConfig]:
        """Return the best few on validation, best first, as the last rung of the race has them."""
        rounds = self._rounds(self.rungs.fractions[0])
        alive = rounds.first_round(workers)
        seed = self.rungs.question.seed
        for fraction in self.rungs.fractions[1:]:
            if len(alive) <= MOST:
                break
            half = rounds.ranked(alive, 1)[: max(MOST, ceil(len(alive) / 2))]
            if not self._has_time(half, fraction, [seed], rounds.until(RACE)):
                break
            asked = on_seeds(self.rungs.at(fraction).sized(half), [seed])
            complete = self.runs.make(asked, "search", workers, rounds.until(RACE))
            ended = [config for config in asked if self.runs.ok(config, seed)]
            if not complete or not ended:
                break
            alive = ended
            rounds = self._rounds(fraction)
        return rounds.halve(alive, workers)

    def _confirmed_at(self, finalists: list[RunConfig]) -> tuple[float, list[RunConfig]]:
        """Return the largest part on which the finalists can be confirmed, and the finalists.

        It is at least that on which the race ended, and that on which they were confirmed before.
        Where that is the smallest part, from which nothing can be forecast, fewer finalists are
        confirmed on the next one, if there is time for these.
        """
        fractions = self.rungs.fractions
        least = max(finalists[0].rows_fraction, confirmed_at(self.runs, self.rungs.question))
        until = self._rounds(least).until(CONFIRM)
        for fraction in reversed(fractions[fractions.index(least) + 1 :]):
            if self._has_time(finalists, fraction, self.fresh, until, BELOW):
                return fraction, finalists
        few = finalists[:FEWEST]
        if least == fractions[0] and self._has_time(few, fractions[1], self.fresh, until, BELOW):
            return fractions[1], few
        return least, finalists

    def _has_time(
        self,
        configs: Sequence[RunConfig],
        fraction: float,
        seeds: Sequence[int],
        until: float,
        below: int = 0,
    ) -> bool:
        """Return whether the runs that are missing on a part end before `until` seconds.

        below: smaller parts on which they run as well.
        """
        place = self.rungs.fractions.index(fraction)
        seconds = 0.0
        for part in self.rungs.fractions[max(0, place - below) : place + 1]:
            for config in configs:
                there = replace(config, budget=None, rows_fraction=part)
                done = self.runs.seeds_of_form(there)
                n_missing = len(set(seeds) - done)
                seconds += n_missing * self.runs.expected(there)
        return self.runs.clock.spent + seconds / self.workers <= until

    def _confirm_below(
        self, fraction: float, finalists: Sequence[RunConfig], workers: Workers
    ) -> None:
        """Run the finalists on smaller parts, on the same fresh seeds."""
        place = self.rungs.fractions.index(fraction)
        for smaller in self.rungs.fractions[max(0, place - BELOW) : place]:
            configs = self.rungs.at(smaller).sized(finalists)
            self._rounds(smaller).confirm(configs, workers)


def confirmed_at(runs: Runs, question: Question) -> float:
    """Return the largest part on which two configurations have enough fresh seeds to be quoted.

    Where there is none, it is the largest part with a run on a fresh seed; 0 without any.
    """
    first = question.seed + FRESH
    seeds_of: dict[float, dict[object, set[int]]] = {}
    for record in runs.records.values():
        config = record.config
        is_fresh = first <= config.init_seed < first + MOST_SEEDS
        if record.status == "ok" and is_fresh and config.measure != "latency":
            of_part = seeds_of.setdefault(config.rows_fraction, {})
            of_part.setdefault(shape(config), set()).add(config.init_seed)
    complete = [0.0]
    for fraction, seeds in seeds_of.items():
        if sum(len(own) >= ENOUGH_SEEDS for own in seeds.values()) >= FEWEST:
            complete.append(fraction)
    return max(complete) or max(seeds_of, default=0.0)
