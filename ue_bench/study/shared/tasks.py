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
from ue_bench.study.plan import SearchStage
from ue_bench.study.processes import Job
from ue_bench.study.sampler import distributions, make_sampler, random_sampler
from ue_bench.study.search_records import objectives
from ue_bench.study.search_run import Tally
from ue_bench.study.shared.chains import VOID, Chain
from ue_bench.study.shared.part import Answer, Part
from ue_bench.study.space import configure, parameters

TAKEN = Answer(why="another trial stands in for the same one")
ENOUGH = Answer(why="nothing was left to do")
BLANK = Answer(why="the trial before it was lost before it had proposed")


class Runs:
    """A list of runs: the first chain does the first of them, and so on."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def over(self, chains: list[Chain]) -> bool:
        if len(chains) < len(self.jobs):
            return False
        return not any(chain.live for chain in chains[: len(self.jobs)])

    def wants(self, chains: list[Chain]) -> bool:
        return len(chains) < len(self.jobs)

    def decide(self, part: Part, number: int) -> Job | Answer:
        _, index = part.find(number)
        if index is None:
            return TAKEN
        if index >= len(self.jobs):
            return ENOUGH
        return self.jobs[index]

    def values(self, record: Record) -> list[float]:
        return [float(record.quality["val_mse"])]

    def answers(self, part: Part, chains: list[Chain]) -> list[tuple[Job, Record]]:
        """Return the runs that have ended, with their records.

        Raises BenchError if a record belongs to another run than the one in its place.
        """
        answers = []
        for job, chain in zip(self.jobs, chains, strict=False):
            if not (chain.ran or chain.failed):
                continue
            record = part.record(chain)
            if record.run_id != job.config.run_id:
                raise BenchError(
                    f"{part.name}: trial {chain.trial.number} has run {record.run_id} where this "
                    f"worker expects {job.config.run_id}; give all workers the same data and the "
                    "same version of ue-bench"
                )
            answers.append((job, record))
        return answers


class Proposals:
    """The proposals of a search, until enough configurations have an ok record.

    The first chains report to Optuna the records that answer the search already. Each later chain
    proposes, waits until all chains before it have proposed, and runs its proposal if no chain
    before it has the same and if fewer chains than the wanted trials are before it. The order of
    the trials decides alone: however workers race, no search gets more trials than its rivals.

    answers: the records of the study by run id. make_job: makes the run of a configuration, given
    the number of its trial.
    """

    def __init__(
        self,
        stage: SearchStage,
        answers: Mapping[str, Record],
        seed: int,
        make_job: Callable[[RunConfig, int], Job],
    ) -> None:
        self.search = stage.search
        self.base = stage.base
        self.answers = dict(answers)
        self.seed = seed
        # All workers have to agree on the order.
        self.known = sorted(stage.known.values(), key=lambda record: record.run_id)
        self.space = distributions(stage.search)
        self._make_job = make_job
        self._configs: dict[int, RunConfig] = {}

    def over(self, chains: list[Chain]) -> bool:
        return self._tally(chains).over

    def wants(self, chains: list[Chain]) -> bool:
        return len(chains) < len(self.known) or not self._tally(chains).enough

    def decide(self, part: Part, number: int) -> Job | Answer:
        chains, index = part.find(number)
        if index is None:
            return TAKEN
        chain = chains[index]
        if index < len(self.known):
            record = self.known[index]
            values = parameters(record.config, self.search)
            part.set_parameters(chain.trial, values, self.space)
            return Answer(record)
        if self._is_blank(chain):
            return BLANK
        if not self._has_proposed(chain):
            proposal = self._propose(part, chain.trial, chains[:index])
            part.set_parameters(chain.trial, proposal, self.space)
        return self._wait_and_answer(part, number)

    def values(self, record: Record) -> list[float]:
        return objectives(record, self.search)

    def _wait_and_answer(self, part: Part, number: int) -> Job | Answer:
        """Wait until all chains before a proposal have proposed, and decide what becomes of it."""
        chains, index = part.find(number)
        while index is not None:
            before = chains[len(self.known) : index]
            if not any(self._will_propose(chain) for chain in before):
                return self._answer(part, chains[index], chains[:index])
            # The others are about to propose, or are lost.
            time.sleep(random.uniform(0.05, 0.15))
            chains, index = part.find(number)
        return TAKEN

    def _answer(self, part: Part, chain: Chain, before: list[Chain]) -> Job | Answer:
        config = self._config(chain)
        if config.run_id in self.answers:
            return _known_answer(self.answers[config.run_id])
        for earlier in before[len(self.known) :]:
            if not self._has_proposed(earlier) or self._config(earlier).run_id != config.run_id:
                continue
            if self._is_pending(earlier):
                return TAKEN
            if earlier.ran or earlier.failed:
                return _known_answer(part.record(earlier))
        if self._tally(before).enough:
            return ENOUGH
        return self._make_job(config, chain.trial.number)

    def _tally(self, chains: list[Chain]) -> Tally:
        """Return how far the search is with these chains."""
        ran = 0
        pending = 0
        proposals = 0
        for index, chain in enumerate(chains):
            # Many workers that are free at once ask for more trials than are wanted.
            if chain.attributes.get(VOID) not in (ENOUGH.why, BLANK.why):
                proposals += 1
            if index < len(self.known):
                continue
            if chain.ran:
                ran += 1
            elif self._is_pending(chain):
                pending += 1
        return Tally(
            wanted=self.search.trials,
            answered=len(self.known) + ran,
            pending=pending,
            lost=len(self._lost(chains)),
            proposals=proposals,
        )

    def _lost(self, chains: list[Chain]) -> set[str]:
        """Return the ids of the proposed runs that failed or cannot work."""
        lost = set()
        for chain in chains:
            if not self._has_proposed(chain):
                continue
            run_id = self._config(chain).run_id
            answer = self.answers.get(run_id)
            if chain.failed or (answer is not None and answer.status != "ok"):
                lost.add(run_id)
        return lost

    def _has_proposed(self, chain: Chain) -> bool:
        return self.space.keys() <= chain.trial.params.keys()

    def _will_propose(self, chain: Chain) -> bool:
        return chain.live and not self._has_proposed(chain) and not self._is_blank(chain)

    def _is_blank(self, chain: Chain) -> bool:
        """Return whether the worker of a chain was lost before it had proposed.

        Nothing has to be run again then: what is proposed now comes in a later chain.
        """
        if self._has_proposed(chain):
            return False
        return chain.lost > 0 or chain.trial.state != TrialState.RUNNING

    def _is_pending(self, chain: Chain) -> bool:
        return chain.live and not self._is_blank(chain)

    def _config(self, chain: Chain) -> RunConfig:
        """Return the configuration that a chain proposes."""
        number = chain.trial.number
        if number not in self._configs:
            self._configs[number] = configure(self.base, chain.trial.params, self.search.total)
        return self._configs[number]

    def _propose(self, part: Part, trial: FrozenTrial, before: Iterable[Chain]) -> dict[str, Any]:
        """Return proposed values from a sampler with a seed of the trial's own.

        Workers that start together would otherwise propose the same. Where the sampler repeats an
        earlier proposal, the values are drawn at random.
        """
        seed = self.seed + trial.number
        earlier = {self._config(chain).run_id for chain in before if self._has_proposed(chain)}
        config = self._sample(part, trial, make_sampler(self.search, seed))
        if config.run_id in earlier:
            config = self._sample(part, trial, random_sampler(seed))
        # Many shares make one allocation; the trial gets the allocation that runs.
        return parameters(config, self.search)

    def _sample(self, part: Part, trial: FrozenTrial, sampler: BaseSampler) -> RunConfig:
        propose = partial(sampler.sample_independent, part.study, trial)

        def sample() -> dict[str, Any]:
            return {name: propose(name, allowed) for name, allowed in self.space.items()}

        return configure(self.base, part.storage.steadily(sample), self.search.total)


def _known_answer(record: Record) -> Answer:
    if record.status == "ok":
        return Answer(record)
    return Answer(why=str(record.error))
