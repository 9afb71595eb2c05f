"""One part of a study in the storage: its runs are taken one at a time by whichever worker is free, until all are done."""

import copy
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError, UpdateFinishedTrialError
from optuna.storages import fail_stale_trials
from optuna.trial import FrozenTrial, TrialState

from ue_bench.errors import BenchError
from ue_bench.progress import note
from ue_bench.record import Record, parse_run
from ue_bench.study.processes import Job
from ue_bench.study.shared.chains import BEATS, FAILURE, KNOWN, RECORD, VOID, Chain, chains
from ue_bench.study.shared.storage import RETRIES, Storage

PAUSE = 2.0  # seconds between two looks of a worker that has nothing to do


@dataclass(frozen=True)
class Answer:
    """What a trial is told without a run of its own: the record that another run gave, or why there is none."""

    record: Record | None = None
    why: str = ""


class Task(Protocol):
    """What a part asks for. Each question is answered from the chains alone, so that all workers give the same answer."""

    def over(self, chains: list[Chain]) -> bool:
        """Nothing is left to do or to wait for."""

    def wants(self, chains: list[Chain]) -> bool:
        """One more trial would find something to do."""

    def decide(self, part: "Part", number: int) -> Job | Answer:
        """What the trial stands for."""

    def values(self, record: Record) -> list[float]:
        """What Optuna is told of an ok record."""


class Part:
    """The Optuna study of a part. run: does a job in a process of its own and gives its record."""

    def __init__(
        self, storage: Storage, name: str, objectives: int, run: Callable[[Job], Record]
    ) -> None:
        self.storage, self.name, self._run = storage, name, run
        self.study = storage.study(name, objectives)
        self._id = storage.steadily(lambda: storage.backend.get_study_id_from_name(name))
        self._started: set[int] = (
            set()
        )  # trials whose heartbeat this worker has started for another
        self._broken: dict[
            int, float
        ] = {}  # when this worker first saw that nothing stands in for a lost trial
        self._records: dict[int, Record] = {}

    def work(self, task: Task) -> Iterator[list[Chain]]:
        """Take part until the task is over; yields the chains whenever there may be news. The last ones are final."""
        while True:
            found = self.look()
            yield found
            if task.over(found):
                return
            if any(chain.trial.state == TrialState.WAITING for chain in found) or task.wants(found):
                self._take(task)
            else:
                self.pause()

    def pause(self) -> None:
        """Wait for others, not all in step."""
        time.sleep(min(PAUSE, self.storage.heartbeat / 3) * random.uniform(0.5, 1.5))

    def look(self) -> list[Chain]:
        """The chains as they are now. Fails the trials of lost workers, and queues what nobody queued again.

        Raises BenchError where a run was lost too often.
        """
        found = self.storage.steadily(self._look)
        for chain in found:
            if chain.broken and chain.lost >= RETRIES:
                raise BenchError(
                    f"{self.name}: trial {chain.trial.number} was lost with its worker, as were the {chain.lost} before it that "
                    "did the same run; see why these workers ended, then give another --seed or an empty database"
                )
        return found

    def _look(self) -> list[Chain]:
        fail_stale_trials(self.study)
        found = chains(self.study.get_trials(deepcopy=False))
        now = time.monotonic()
        for chain in found:
            trial = chain.trial
            if trial.state == TrialState.RUNNING and trial.user_attrs.get(BEATS) != trial.number:
                # a worker that ended before its first heartbeat would be waited for for ever: Optuna needs one to miss the next
                if trial.number not in self._started:
                    self.storage.backend.record_heartbeat(self._trial_id(trial.number))
                    self._started.add(trial.number)
            elif (
                chain.broken
                and now - self._broken.setdefault(trial.number, now) > self.storage.heartbeat
            ):
                self.storage.retry(
                    self.study, copy.deepcopy(trial)
                )  # it was interrupted, or who found it lost ended too
        return found

    def record(self, chain: Chain) -> Record:
        """The record of a chain that ran or failed. Raises BenchError where it is damaged."""
        number = chain.trial.number
        if number not in self._records:
            text = chain.attributes[RECORD] if chain.ran else chain.attributes[FAILURE]
            self._records[number] = parse_run(text.encode(), f"trial {number} of {self.name}")
        return self._records[number]

    def own(self, number: int) -> tuple[list[Chain], int | None]:
        """The chains, and which of them the trial of that number goes on with; None: another one already does."""
        found = self.look()
        return found, next(
            (place for place, chain in enumerate(found) if chain.trial.number == number), None
        )

    def set_parameters(
        self, trial: FrozenTrial, values: dict[str, Any], distributions: dict[str, BaseDistribution]
    ) -> None:
        """Write down what a trial proposes."""
        trial_id = self._trial_id(trial.number)
        for name, value in values.items():
            if name not in trial.params:
                internal, distribution = (
                    distributions[name].to_internal_repr(value),
                    distributions[name],
                )
                self.storage.steadily(
                    partial(
                        self.storage.backend.set_trial_param, trial_id, name, internal, distribution
                    )
                )

    def _trial_id(self, number: int) -> int:
        return self.storage.backend.get_trial_id_from_study_id_trial_number(self._id, number)

    def _take(self, task: Task) -> None:
        trial = self.storage.steadily(self.study.ask)
        try:
            with self._beating(trial.number):
                record, extra = self._do(task, trial)
            self.storage.steadily(lambda: self._tell(task, trial, record, extra))
        except UpdateFinishedTrialError:
            note(
                f"{self.name}: trial {trial.number} was given to another worker, for this one was silent for more than "
                f"{self.storage.grace} seconds"
            )
        except (
            BaseException
        ):  # an interrupt, or a bug: others need not wait until the silence is noticed
            with suppress(StorageInternalError, UpdateFinishedTrialError):
                self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def _do(self, task: Task, trial: optuna.Trial) -> tuple[Record | None, dict[str, object]]:
        """What the trial gives, and what is noted with it."""
        told = (
            trial.user_attrs
        )  # by the trial that this one stands in for, whose worker was lost while it told
        for key in (RECORD, FAILURE):
            if key in told:
                return parse_run(told[key].encode(), f"trial {trial.number} of {self.name}"), {}
        if VOID in told:
            return None, {}
        answer = task.decide(self, trial.number)
        if isinstance(answer, Job):
            record = self._run(answer)
            return record, {RECORD if record.status == "ok" else FAILURE: record.to_json()}
        if answer.record is None:
            return None, {VOID: answer.why}
        return answer.record, {KNOWN: answer.record.run_id}

    def _tell(
        self, task: Task, trial: optuna.Trial, record: Record | None, extra: dict[str, object]
    ) -> None:
        for key, value in extra.items():
            trial.set_user_attr(key, value)
        if record is None or record.status != "ok":
            self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
        else:
            self.study.tell(trial.number, task.values(record), skip_if_finished=True)

    @contextmanager
    def _beating(self, number: int) -> Iterator[None]:
        """Record a heartbeat of the trial now and every so often, in a thread: a server that is away for a moment is no end."""
        trial_id, over = self._trial_id(number), threading.Event()
        backend = self.storage.backend

        def beat() -> None:
            while not over.wait(self.storage.heartbeat):
                with suppress(StorageInternalError):
                    backend.record_heartbeat(trial_id)
            backend.remove_session()

        self.storage.steadily(lambda: backend.record_heartbeat(trial_id))
        self.storage.steadily(lambda: backend.set_trial_user_attr(trial_id, BEATS, number))
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
