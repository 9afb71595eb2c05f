"""What the trials of a part stand for: the runs of a list, or the runs of a search."""

import random
import time
from collections.abc import Callable, Sequence

from optuna.trial import TrialState

from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study.plan import Request
from ue_bench.study.processes import Job
from ue_bench.study.sampler import distributions, parameters
from ue_bench.study.search_records import objectives
from ue_bench.study.search_run import SearchRun
from ue_bench.study.shared.chains import CLAIM, Chain
from ue_bench.study.shared.part import Part, Void

TAKEN = Void("another trial stands in for the same one")
ENOUGH = Void("nothing was left to do")
BLANK = Void("the trial before it was lost before it had claimed a run")


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

    def decide(self, part: Part, number: int) -> Job | Void:
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
    """The runs of a search, until enough of its trials have ended well.

    Every worker follows the search by itself: from the records in the storage it works out which
    runs the current batch has. A chain claims the first of them that no chain before it has
    claimed. Before that it waits until all chains before it have claimed one. However workers race,
    the search has the trials that it has with one worker.

    run: the search, without any record that is not known to all workers. make_job: makes a run.
    """

    def __init__(self, part: Part, run: SearchRun, make_job: Callable[[Request], Job]) -> None:
        self.part = part
        self.run = run
        self._make_job = make_job
        self._open: dict[str, Request] = {}  # runs of the current batch without a record

    def over(self, chains: list[Chain]) -> bool:
        self._follow(chains)
        return self.run.over

    def wants(self, chains: list[Chain]) -> bool:
        self._follow(chains)
        return self._first_unclaimed(chains) is not None

    def decide(self, part: Part, number: int) -> Job | Void:
        chains, index = part.find(number)
        while index is not None:
            chain = chains[index]
            if self._is_blank(chain):
                return BLANK
            before = chains[:index]
            if CLAIM in chain.attributes or not any(map(self._will_claim, before)):
                self._follow(chains)
                return self._claim(chain, before)
            # The others are about to claim a run, or are lost.
            time.sleep(random.uniform(0.05, 0.15))
            chains, index = part.find(number)
        return TAKEN

    def values(self, record: Record) -> list[float]:
        return objectives([record], self.run.search)

    def _follow(self, chains: list[Chain]) -> None:
        """Bring the search to where the records of these chains lead."""
        records = {}
        for chain in chains:
            if chain.ran or chain.failed:
                record = self.part.record(chain)
                records[record.run_id] = record
        while True:
            while request := self.run.next():
                self._open[request.config.run_id] = request
            answered = [run_id for run_id in self._open if run_id in records]
            if not answered:
                return
            for run_id in answered:
                del self._open[run_id]
                self.run.settle(records[run_id])

    def _claim(self, chain: Chain, before: list[Chain]) -> Job | Void:
        """Return the run of a chain, which claims it first unless its lost worker did so."""
        if CLAIM in chain.attributes:
            request = self._open.get(chain.attributes[CLAIM])
            if request is None:  # the claim of a worker that sees another search
                return TAKEN
            return self._make_job(request)
        request = self._first_unclaimed(before)
        if request is None:
            return ENOUGH
        config = request.config
        values = parameters(config, self.run.search)
        space = distributions(config, self.run.search)
        self.part.claim(chain.trial, config.run_id, values, space)
        return self._make_job(request)

    def _first_unclaimed(self, chains: list[Chain]) -> Request | None:
        """Return the first open run that none of these chains claims; None: there is none."""
        claimed = set()
        for chain in chains:
            if not chain.void:
                claimed.add(chain.attributes.get(CLAIM))
        for run_id, request in self._open.items():
            if run_id not in claimed:
                return request
        return None

    def _will_claim(self, chain: Chain) -> bool:
        return chain.live and CLAIM not in chain.attributes and not self._is_blank(chain)

    def _is_blank(self, chain: Chain) -> bool:
        """Return whether the worker of a chain was lost before it had claimed a run.

        Nothing has to be made again then: a later chain claims that run.
        """
        if CLAIM in chain.attributes:
            return False
        return chain.lost > 0 or chain.trial.state != TrialState.RUNNING
