"""What the trials of a part stand for: the runs of a list, or the proposals of a search."""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Search
from ue_bench.study.processes import Job
from ue_bench.study.search import (
    PROPOSALS,
    configure,
    distributions,
    make_sampler,
    objectives,
    parameters,
    random_sampler,
)
from ue_bench.study.shared.chains import VOID, Chain
from ue_bench.study.shared.part import Answer, Part

TAKEN = Answer(why="another trial stands in for the same one")
ENOUGH = Answer(why="nothing was left to do")
BLANK = Answer(why="the trial before it was lost before it had proposed")


class Runs:
    """A list of runs: the first chain does the first of them, and so on."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def over(self, chains: list[Chain]) -> bool:
        return len(chains) >= len(self.jobs) and not any(
            chain.live for chain in chains[: len(self.jobs)]
        )

    def wants(self, chains: list[Chain]) -> bool:
        return len(chains) < len(self.jobs)

    def decide(self, part: Part, number: int) -> Job | Answer:
        place = part.own(number)[1]
        if place is None:
            return TAKEN
        return self.jobs[place] if place < len(self.jobs) else ENOUGH

    def values(self, record: Record) -> list[float]:
        return [float(record.quality["val_mse"])]

    def answers(self, part: Part, chains: list[Chain]) -> list[tuple[Job, Record]]:
        """The runs that are done. Raises BenchError where a record is not that of the run that stands in its place."""
        found = []
        for job, chain in zip(self.jobs, chains, strict=False):
            if chain.ran or chain.failed:
                record = part.record(chain)
                if record.run_id != job.config.run_id:
                    raise BenchError(
                        f"{part.name}: trial {chain.trial.number} has run {record.run_id} where this worker expects "
                        f"{job.config.run_id}; give all workers the same data and the same version of ue-bench"
                    )
                found.append((job, record))
        return found


class Proposals:
    """The proposals of a search, until `trials` different configurations have an ok record, or as many cannot work.

    The first chains tell Optuna of the records that the study already has. A later one proposes in its turn, waits until all
    before it have proposed, and runs what it proposes only when none before it does and fewer than the trials wanted are before
    it: what counts is the order of the trials, and no race gives a search more of them than its rivals have.

    known: the records that answer the search. done: all ok records of the study, and those that cannot work. job: makes the
    run of a configuration, given the number of the trial.
    """

    def __init__(
        self,
        search: Search,
        base: RunConfig,
        known: Iterable[Record],
        done: Mapping[str, Record],
        seed: int,
        job: Callable[[RunConfig, int], Job],
    ) -> None:
        self.search, self.base, self.done, self.seed, self._job = (
            search,
            base,
            dict(done),
            seed,
            job,
        )
        self.known = sorted(
            known, key=lambda record: record.run_id
        )  # in an order that all workers share
        self.space = distributions(search)
        self.limit = PROPOSALS * search.trials
        self._configs: dict[int, RunConfig] = {}

    def over(self, chains: list[Chain]) -> bool:
        if len(self.known) + sum(chain.ran for chain in chains) >= self.search.trials:
            return True
        stopped = self._spent(chains) >= self.limit or len(self.lost(chains)) >= self.search.trials
        return stopped and not any(self._pending(chain) for chain in chains[len(self.known) :])

    def wants(self, chains: list[Chain]) -> bool:
        return len(chains) < len(self.known) or not self._enough(chains)

    def lost(self, chains: list[Chain]) -> set[str]:
        """Ids of the runs proposed that failed or cannot work."""
        ids = [
            (self._config(chain).run_id, chain.failed) for chain in chains if self._proposed(chain)
        ]
        return {
            run_id
            for run_id, failed in ids
            if failed or (run_id in self.done and self.done[run_id].status != "ok")
        }

    def decide(self, part: Part, number: int) -> Job | Answer:
        chains, place = part.own(number)
        if place is None:
            return TAKEN
        trial = chains[place].trial
        if place < len(self.known):
            part.set_parameters(
                trial,
                parameters(self.known[place].config, self.search),
                self.space,
            )
            return Answer(self.known[place])
        if self._blank(chains[place]):
            return BLANK
        if not self._proposed(chains[place]):
            part.set_parameters(trial, self._propose(part, trial, chains[:place]), self.space)
        chains, place = part.own(number)
        while place is not None and any(
            self._undecided(chain) for chain in chains[len(self.known) : place]
        ):
            time.sleep(random.uniform(0.05, 0.15))  # the others are about to propose, or are lost
            chains, place = part.own(number)
        return TAKEN if place is None else self._answer(part, chains, place)

    def _answer(self, part: Part, chains: list[Chain], place: int) -> Job | Answer:
        """What becomes of a proposal when all before it are known."""
        config = self._config(chains[place])
        if config.run_id in self.done:
            return _told(self.done[config.run_id])
        before = chains[len(self.known) : place]
        for chain in before:
            if self._proposed(chain) and self._config(chain).run_id == config.run_id:
                if self._pending(chain):
                    return TAKEN
                if chain.ran or chain.failed:
                    return _told(part.record(chain))
        return (
            ENOUGH
            if self._enough(chains[:place])
            else self._job(config, chains[place].trial.number)
        )

    def values(self, record: Record) -> list[float]:
        return objectives(record, self.search)

    def _enough(self, before: list[Chain]) -> bool:
        """Whether one more chain is one too many."""
        own = before[len(self.known) :]
        under_way = sum(self._pending(chain) or chain.ran for chain in own)
        wanted = self.search.trials
        return (
            self._spent(before) >= self.limit
            or len(self.known) + under_way >= wanted
            or len(self.lost(own)) >= wanted
        )

    def _spent(self, chains: list[Chain]) -> int:
        """How many proposals were made in earnest: many workers that are free at once ask for more than is wanted."""
        return sum(chain.attributes.get(VOID) not in (ENOUGH.why, BLANK.why) for chain in chains)

    def _proposed(self, chain: Chain) -> bool:
        return self.space.keys() <= chain.trial.params.keys()

    def _undecided(self, chain: Chain) -> bool:
        """It is about to propose."""
        return chain.live and not self._proposed(chain) and not self._blank(chain)

    def _blank(self, chain: Chain) -> bool:
        """Its worker was lost before it had proposed: nothing needs to be done again, and what is proposed now comes later."""
        return not self._proposed(chain) and (
            chain.lost > 0 or chain.trial.state != TrialState.RUNNING
        )

    def _pending(self, chain: Chain) -> bool:
        return chain.live and not self._blank(chain)

    def _config(self, chain: Chain) -> RunConfig:
        """The configuration that a chain proposes."""
        number = chain.trial.number
        if number not in self._configs:
            self._configs[number] = configure(self.base, chain.trial.params, self.search.total)
        return self._configs[number]

    def _propose(self, part: Part, trial: FrozenTrial, before: Iterable[Chain]) -> dict[str, Any]:
        """Values from a sampler of the trial's own seed: workers that start together must not propose the same.

        They are drawn at random where that sampler repeats a proposal.
        """
        seed, made = (
            self.seed + trial.number,
            {self._config(chain).run_id for chain in before if self._proposed(chain)},
        )
        config = self._sampled(part, trial, make_sampler(self.search, seed))
        if config.run_id in made:
            config = self._sampled(part, trial, random_sampler(seed))
        return parameters(
            config, self.search
        )  # many shares make one allocation: what is run is written down

    def _sampled(self, part: Part, trial: FrozenTrial, sampler: BaseSampler) -> RunConfig:
        propose = partial(sampler.sample_independent, part.study, trial)
        chosen = part.storage.steadily(
            lambda: {name: propose(name, allowed) for name, allowed in self.space.items()}
        )
        return configure(self.base, chosen, self.search.total)


def _told(record: Record) -> Answer:
    return Answer(record) if record.status == "ok" else Answer(why=str(record.error))
