"""A search: it asks its sampler for batches of trials until enough of them have ended well."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study.engine import Request, Steps, Task
from ue_bench.study.plan import SearchStage
from ue_bench.study.sampler import PROPOSALS_PER_TRIAL, Sampler
from ue_bench.study.search_records import (
    Answered,
    Leader,
    answered,
    leader_of,
    trial_facts,
    trial_runs,
)


@dataclass(frozen=True)
class _Proposed:
    """A trial of a batch.

    config: at the first of its seeds. proposal: Optuna's trial; None: the default configuration.
    leader: what its first run is held against.
    """

    number: int
    config: RunConfig
    proposal: Any  # optuna.Trial
    leader: Leader | None


class SearchRun:
    """A search under way.

    The first trial is the default configuration. All trials of a batch are proposed before any of
    them is answered, and after all trials of the batches before. The sampler learns the answers of
    a batch in the order of its trials. What is proposed thus follows from the search alone: neither
    the number of workers nor the order in which runs end has a part in it. The search always asks
    from the beginning, and records that are known answer at once: an interrupted search goes on as
    if it had not been interrupted.

    failures: the failed records of earlier commands by run id. Such a run is repeated, unless a
    later batch was proposed after its failure. noted: called with each trial that ended.
    """

    def __init__(
        self,
        stage: SearchStage,
        sampler: Sampler,
        failures: Mapping[str, Record] | None = None,
        noted: Callable[[Answered], None] | None = None,
    ) -> None:
        self.search = stage.search
        self.base = stage.base
        self.known = stage.known
        self.lost: dict[str, Answered] = {}
        self.n_elsewhere = 0  # runs of known trials that were not proposed again
        self._next_number = stage.next_number
        self._part = stage.where
        self._sampler = sampler
        self._failures = failures or {}
        self._noted = noted
        self._n_proposed = 0
        self._n_answered = 0
        self._first_number = 0
        # What the sampler knows: the trials of all batches that are over.
        self._learned: dict[str, Answered] = {}
        # The known trials that no batch has reached yet.
        self._ahead: dict[str, Answered] = dict(self.known)

    def steps(self) -> Steps:
        """Ask for the runs of each batch, and put the known trials in their order at the end.

        Raises BenchError where the trials fail.
        """
        while len(self.known) < self.search.trials and not self._has_enough(0):
            batch = self._propose()
            answers = yield [Task(self._trial(trial)) for trial in batch]
            for trial, answer in zip(batch, answers, strict=True):
                if trial.proposal is not None:
                    self._sampler.dismiss(trial.proposal)
                self._learn(answer)
        ordered = {}
        for run_id in (*self._learned, *self.known):
            if run_id in self.known:
                ordered[run_id] = self.known[run_id]
        self.known.clear()
        self.known.update(ordered)
        require_working(self.search.trials, self.lost.values())

    def _has_enough(self, n_more: int) -> bool:
        """Return whether more proposals are pointless, were `n_more` trials to run well.

        They are where the space is used up, or where as many trials failed as are wanted.
        """
        wanted = self.search.trials
        if self._n_answered + n_more >= wanted or len(self.lost) >= wanted:
            return True
        return self._sampler.proposals >= PROPOSALS_PER_TRIAL * wanted

    def _propose(self) -> list[_Proposed]:
        """Return the trials of the next batch."""
        batch: dict[str, _Proposed] = {}
        while not self._is_whole(batch) and not self._has_enough(len(batch)):
            if self._n_proposed == 0:
                proposal, config = None, self.base
            else:
                proposal, config = self._sampler.ask()
            run_id = config.run_id
            is_new = run_id not in batch and run_id not in self._learned
            if is_new and self._leads_elsewhere(run_id):
                self._learn_all()
                is_new = run_id not in self._learned
            if is_new:
                number = self._first_number + self._n_proposed
                leader = leader_of(self._learned.values(), self.search)
                batch[run_id] = _Proposed(number, config, proposal, leader)
                self._n_proposed += 1
                self._ahead.pop(run_id, None)
            elif proposal is not None:
                self._sampler.dismiss(proposal)
        return list(batch.values())

    def _is_whole(self, batch: Mapping[str, _Proposed]) -> bool:
        """Return whether the next trial would be the first one of another batch than these."""
        number = self._first_number + self._n_proposed
        return bool(batch) and self.search.batch_start(number) == number

    def _trial(self, trial: _Proposed) -> Steps:
        """Ask for the first run of a trial, then for the others; return the trial as answered.

        A trial whose first run does not end well, or is too bad, has no other run.
        """
        runs = trial_runs(trial.config, self.search, trial.leader)
        facts = trial_facts(self.search, self.base, trial.number)
        records = {}
        if self._next_number > self._first_number + self._n_proposed:
            # A later batch was proposed after the trials of this one had ended.
            for run in runs:
                if run.run_id in self._failures:
                    records[run.run_id] = self._failures[run.run_id]
        answer = None
        for asked in (runs[:1], runs[1:]):
            missing = []
            for run in asked:
                if run.run_id not in records:
                    missing.append(Request(run, "search", self._part, facts))
            for record in (yield missing):
                records[record.run_id] = record
            answer = answered(trial.number, runs, records, self.search, trial.leader)
            if answer is not None:
                break
        if answer is None:
            raise RuntimeError(f"trial {trial.number} has all its runs and no answer")
        if answer.ok:
            self.known[answer.run_id] = answer
        if self._noted is not None:
            self._noted(answer)
        return answer

    def _learn(self, answer: Answered) -> None:
        self._sampler.learn([answer])
        self._learned[answer.run_id] = answer
        if answer.ok:
            self._n_answered += 1
        else:
            self.lost[answer.run_id] = answer

    def _leads_elsewhere(self, run_id: str) -> bool:
        """Return whether the known trials of the search are not those that it proposes now.

        Another version of Optuna made them.

        run_id: of the next trial.
        """
        number = self._first_number + self._n_proposed
        for known_id, trial in self._ahead.items():
            if (known_id == run_id) != (trial.number == number):
                return True
        return False

    def _learn_all(self) -> None:
        """Report all known trials to the sampler, and number new ones after them."""
        for trial in self._ahead.values():
            self._learn(trial)
            self.n_elsewhere += len(trial.records)
        self._ahead = {}
        self._first_number = self._next_number - self._n_proposed


def require_working(wanted: int, lost: Iterable[Answered]) -> None:
    """Raise BenchError if as many trials failed as were wanted.

    A budget that cannot work is an answer and does not count.
    """
    failures = []
    for trial in lost:
        fault = trial.fault
        if fault is not None and fault.status != "infeasible":
            failures.append(fault)
    if len(failures) >= wanted:
        raise BenchError(
            f"search of {failures[-1].study}: {len(failures)} trials failed; the last one: "
            f"{failures[-1].error}"
        )
