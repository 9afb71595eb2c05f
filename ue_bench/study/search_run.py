"""The state of one search under way: which run to make next, and what its record means for it."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Search
from ue_bench.study.plan import Request, SearchStage
from ue_bench.study.sampler import PROPOSALS_PER_TRIAL, Sampler
from ue_bench.study.search_records import (
    Answered,
    Leader,
    answered,
    leader_of,
    trial_facts,
    trial_runs,
)


@dataclass
class _Slot:
    """A place in a batch: a trial whose runs are to come or under way.

    number: of the trial. config: at the first of its seeds. proposal: Optuna's trial; None: the
    default configuration. requests: one a run, in the order of the seeds. search: that it is of.
    leader: what its first run is held against. records: by run id.
    """

    number: int
    config: RunConfig
    proposal: Any  # optuna.Trial
    requests: list[Request]
    search: Search
    leader: Leader | None
    records: dict[str, Record] = field(default_factory=dict)

    @property
    def answer(self) -> Answered | None:
        """The answer of the trial; None: a run has no record yet.

        A trial whose first run does not end well, or is too bad, has no other run.
        """
        runs = [request.config for request in self.requests]
        return answered(self.number, runs, self.records, self.search, self.leader)

    def missing(self) -> list[Request]:
        """Return the runs that can be made now: the first one alone, the others after it."""
        if self.answer is not None:
            return []
        missing = []
        for request in self.requests:
            if request.config.run_id not in self.records:
                missing.append(request)
        if missing[0] is self.requests[0]:
            return missing[:1]
        return missing


class SearchRun:
    """A search that asks its sampler for batches until enough trials have ended well.

    The first trial is the default configuration. All trials of a batch are proposed before any of
    them is answered, and after all trials of the batches before. The sampler learns the answers of
    a batch in the order of its trials. What is proposed thus follows from the search alone: neither
    the number of workers nor the order in which runs end has a part in it. The search always asks
    from the beginning, and records that are known answer at once: an interrupted search goes on as
    if it had not been interrupted. It starts no process and writes no record.

    answers: the records of the study by run id. failures: the failed records of earlier commands by
    run id. Such a run is repeated, unless a later batch was proposed after its failure.
    """

    unit = "trials"

    def __init__(
        self,
        stage: SearchStage,
        sampler: Sampler,
        answers: Mapping[str, Record],
        failures: Mapping[str, Record] | None = None,
    ) -> None:
        self.search = stage.search
        self.base = stage.base
        self.known = stage.known
        self.label = stage.label
        self.total = stage.search.trials
        self.first = stage.base
        self.lost: dict[str, Answered] = {}
        self.asked: set[str] = set()  # the ids of all runs that the search has asked for
        self._next_number = stage.next_number
        self._sampler = sampler
        self._answers = answers
        self._failures = failures or {}
        self._batch: list[_Slot] = []
        self._waiting: deque[Request] = deque()
        self._n_slots = 0
        self._n_answered = 0
        self._first_number = 0
        # What the sampler knows: the trials of all batches that are over.
        self._learned: dict[str, Answered] = {}
        # The known trials that no batch has reached yet.
        self._ahead: dict[str, Answered] = dict(self.known)

    @property
    def finished(self) -> int:
        """How many trials have ended well."""
        return len(self.known)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self._batch and self._enough

    def next(self) -> Request | None:
        """Return a run that must be made, or None: nothing can be started now."""
        while not self._waiting and not self._batch and not self._enough:
            self._open_batch()
        if self._waiting:
            return self._waiting.popleft()
        return None

    def answer(self, record: Record) -> bool:
        """Take the record of a run; return False where the run must be made once more.

        A run whose process was killed is made again: without its record the search would go
        another way.
        """
        slot = self._slot(record.run_id)
        if record.cause == "killed":
            for place, request in enumerate(slot.requests):
                if request.config.run_id == record.run_id and not request.again:
                    slot.requests[place] = replace(request, again=True)
                    self._waiting.append(slot.requests[place])
                    return False
        self.settle(record)
        return True

    def settle(self, record: Record) -> None:
        """Take the record of a run for good."""
        slot = self._slot(record.run_id)
        is_first = not slot.records
        slot.records[record.run_id] = record
        if is_first:
            self._start(slot)
        self._note(slot)
        self._close_batch()

    def close(self, study: str) -> None:
        """Put the known trials in their order.

        Raises BenchError where the trials fail.
        """
        ordered = {}
        for run_id in (*self._learned, *self.known):
            if run_id in self.known:
                ordered[run_id] = self.known[run_id]
        self.known.clear()
        self.known.update(ordered)
        require_working(study, self.search.trials, self.lost)

    @property
    def _enough(self) -> bool:
        """Whether another batch would be one too many."""
        return len(self.known) >= self.search.trials or self._has_enough(0)

    def _has_enough(self, n_more: int) -> bool:
        """Return whether more proposals are pointless, were `n_more` trials to run well.

        They are where the space is used up, or where as many trials failed as are wanted.
        """
        wanted = self.search.trials
        if self._n_answered + n_more >= wanted or len(self.lost) >= wanted:
            return True
        return self._sampler.proposals >= PROPOSALS_PER_TRIAL * wanted

    def _open_batch(self) -> None:
        """Propose the trials of the next batch, and answer those whose records are known."""
        proposed: dict[str, _Slot] = {}
        while not self._is_whole(proposed) and not self._has_enough(len(proposed)):
            if self._n_slots == 0:
                proposal, config = None, self.base
            else:
                proposal, config = self._sampler.ask()
            run_id = config.run_id
            is_new = run_id not in proposed and run_id not in self._learned
            if is_new and self._leads_elsewhere(run_id):
                self._learn_all()
                is_new = run_id not in self._learned
            if is_new:
                proposed[run_id] = self._new_slot(proposal, config)
            elif proposal is not None:
                self._sampler.dismiss(proposal)
        self._batch = list(proposed.values())
        for slot in self._batch:
            self._start(slot)
            self._note(slot)
        self._close_batch()

    def _is_whole(self, proposed: Mapping[str, _Slot]) -> bool:
        """Return whether the next trial would be the first one of another batch than these."""
        number = self._first_number + self._n_slots
        return bool(proposed) and self.search.batch_start(number) == number

    def _new_slot(self, proposal: Any, config: RunConfig) -> _Slot:
        number = self._first_number + self._n_slots
        facts = trial_facts(self.search, self.base, number)
        leader = leader_of(self._learned.values(), self.search)
        runs = trial_runs(config, self.search, leader)
        requests = [Request(run, "search", facts) for run in runs]
        self.asked.update(request.config.run_id for request in requests)
        self._n_slots += 1
        self._ahead.pop(config.run_id, None)
        return _Slot(number, config, proposal, requests, self.search, leader)

    def _start(self, slot: _Slot) -> None:
        """Take the records of a trial that are known, and queue the runs that can be made."""
        while missing := slot.missing():
            known = {}
            for request in missing:
                record = self._known_record(request.config.run_id)
                if record is not None:
                    known[record.run_id] = record
            slot.records |= known
            if len(missing) > 1 or not known:
                self._waiting += slot.missing()
                return

    def _note(self, slot: _Slot) -> None:
        """Count a trial that ended well as known."""
        answer = slot.answer
        if answer is not None and answer.ok:
            self.known[answer.run_id] = answer

    def _close_batch(self) -> None:
        """Report the answers of the batch to the sampler, if all are there."""
        answers = []
        for slot in self._batch:
            answer = slot.answer
            if answer is None:
                return
            answers.append(answer)
        for slot, answer in zip(self._batch, answers, strict=True):
            if slot.proposal is not None:
                self._sampler.dismiss(slot.proposal)
            self._learn(answer)
        self._batch = []

    def _learn(self, answer: Answered) -> None:
        self._sampler.learn([answer])
        self._learned[answer.run_id] = answer
        if answer.ok:
            self._n_answered += 1
        else:
            self.lost[answer.run_id] = answer

    def _known_record(self, run_id: str) -> Record | None:
        """Return the record of a run of the batch that need not be made; None: it must be."""
        if run_id in self._answers:
            return self._answers[run_id]
        if self._next_number > self._first_number + self._n_slots:
            # A later batch was proposed after the trials of this one had ended.
            return self._failures.get(run_id)
        return None

    def _leads_elsewhere(self, run_id: str) -> bool:
        """Return whether the known trials of the search are not those that it proposes now.

        Another version of Optuna made them.

        run_id: of the next trial.
        """
        number = self._first_number + self._n_slots
        for known_id, trial in self._ahead.items():
            if (known_id == run_id) != (trial.number == number):
                return True
        return False

    def _learn_all(self) -> None:
        """Report all known trials to the sampler, and number new ones after them."""
        for trial in self._ahead.values():
            self._learn(trial)
        self._ahead = {}
        self._first_number = self._next_number - self._n_slots

    def _slot(self, run_id: str) -> _Slot:
        for slot in self._batch:
            for request in slot.requests:
                if request.config.run_id == run_id:
                    return slot
        raise KeyError(run_id)


def require_working(study: str, wanted: int, lost: Mapping[str, Answered]) -> None:
    """Raise BenchError if as many trials failed as were wanted.

    A budget that cannot work is an answer and does not count.
    """
    failures = []
    for trial in lost.values():
        fault = trial.fault
        if fault is not None and fault.status != "infeasible":
            failures.append(fault)
    if len(failures) >= wanted:
        raise BenchError(
            f"search of {study}: {len(failures)} trials failed; the last one: {failures[-1].error}"
        )
