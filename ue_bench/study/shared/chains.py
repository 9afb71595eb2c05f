"""What the trials of one part of a study stand for, in the order that the storage gave them.

A trial that was asked for anew opens a chain. One that was queued because a worker was lost names, in Optuna's system attributes,
the trials that it stands in for, and goes on with their chain; where two name the same one, the first counts. Numbers are given
out one by one, so that all workers see the same chains.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

# user attributes of a trial
RECORD = "record"  # text of the record of a run that ended well
FAILURE = "failure"  # text of the record of a run that failed on purpose, or cannot work: an answer, not tried again
KNOWN = "known"  # id of the run that a proposal was answered from, without running it
VOID = "void"  # why nothing was run for the trial
BEATS = "beats"  # the trial's own number, once its worker has recorded a first heartbeat


@dataclass(frozen=True)
class Chain:
    """A trial and those that stood in for it. trial: the last one. lost: how many before it were lost with their workers."""

    trial: FrozenTrial
    lost: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        return self.trial.user_attrs

    @property
    def void(self) -> bool:
        return VOID in self.attributes

    @property
    def ran(self) -> bool:
        """Its run ended well."""
        return self.trial.state == TrialState.COMPLETE and RECORD in self.attributes

    @property
    def failed(self) -> bool:
        return self.trial.state == TrialState.FAIL and FAILURE in self.attributes

    @property
    def broken(self) -> bool:
        """The last trial was lost with its worker, and nothing stands in for it yet."""
        return self.trial.state == TrialState.FAIL and not self.void and not self.failed

    @property
    def live(self) -> bool:
        """Something is still to come of it."""
        return not self.void and (not self.trial.state.is_finished() or self.broken)


def chains(trials: Iterable[FrozenTrial]) -> list[Chain]:
    """The chains of a part, in the order of their first trials."""
    found: dict[int, Chain] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        replaced = trial.system_attrs.get("retry_history")
        if not replaced:
            found[trial.number] = Chain(trial)
        elif found[replaced[0]].trial.number == replaced[-1]:
            found[replaced[0]] = Chain(trial, len(replaced))
    return list(found.values())
