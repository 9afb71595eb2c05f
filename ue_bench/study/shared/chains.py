"""What the trials of one part of a study stand for, in the order in which the storage made them.

A trial that was asked for anew opens a chain. A trial that was queued because a worker was lost
continues a chain: Optuna's system attributes name the trials that it stands in for. Where two stand
in for the same trial, the first one counts. The storage numbers trials one by one, so that all
workers see the same chains.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from ue_bench.study.optuna_file import Damaged

# User attributes of a trial.
RECORD = "record"  # the text of the record of a run that ended well
FAILURE = "failure"  # the text of the record of a run that failed on purpose, or cannot work
CLAIM = "claim"  # the id of the run that a trial of a search has claimed
VOID = "void"  # why nothing was run for the trial
BEATS = "beats"  # the trial's own number, once its worker has recorded a first heartbeat


@dataclass(frozen=True)
class Chain:
    """A trial and those that stood in for it.

    trial: the last one. lost: how many trials before it were lost with their workers.
    """

    trial: FrozenTrial
    lost: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        return self.trial.user_attrs

    @property
    def void(self) -> bool:
        """Whether nothing was run for it."""
        return VOID in self.attributes

    @property
    def ran(self) -> bool:
        """Whether its run ended well."""
        return self.trial.state == TrialState.COMPLETE and RECORD in self.attributes

    @property
    def failed(self) -> bool:
        """Whether its run failed on purpose, or cannot work. It is not tried again."""
        return self.trial.state == TrialState.FAIL and FAILURE in self.attributes

    @property
    def broken(self) -> bool:
        """Whether its last trial was lost with its worker and nothing stands in for it yet."""
        return self.trial.state == TrialState.FAIL and not self.void and not self.failed

    @property
    def live(self) -> bool:
        """Whether its run is still to come, or under way."""
        if self.void:
            return False
        return self.broken or not self.trial.state.is_finished()


def chains(trials: Iterable[FrozenTrial]) -> list[Chain]:
    """Return the chains of a part, in the order of their first trials.

    Raises Damaged for trials that no worker has left so.
    """
    by_first: dict[int, Chain] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        _require_whole(trial)
        replaced = trial.system_attrs.get("retry_history")
        if not replaced:
            by_first[trial.number] = Chain(trial)
            continue
        first, last = replaced[0], replaced[-1]
        if first not in by_first:
            raise Damaged(f"trial {trial.number} stands in for trial {first}, which is not there")
        if by_first[first].trial.number == last:
            by_first[first] = Chain(trial, lost=len(replaced))
    return list(by_first.values())


def _require_whole(trial: FrozenTrial) -> None:
    """Raise Damaged for a trial that no worker has left so."""
    for key in (RECORD, FAILURE, CLAIM, VOID):
        if not isinstance(trial.user_attrs.get(key, ""), str):
            raise Damaged(f"the {key} of trial {trial.number} is no text")
    replaced = trial.system_attrs.get("retry_history", [])
    if not isinstance(replaced, list) or not all(isinstance(one, int) for one in replaced):
        raise Damaged(f"the retry_history of trial {trial.number} is no list of trials")
    if trial.state == TrialState.COMPLETE and RECORD not in trial.user_attrs:
        raise Damaged(f"trial {trial.number} is complete and has no record")
