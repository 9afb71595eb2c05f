"""How much of what a search found is each parameter's doing: functional ANOVA, by Optuna, of trials read from records."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator


def importances(
    trials: Sequence[Mapping[str, int]], values: Sequence[float], seed: int = 0
) -> dict[str, float]:
    """The share of the variance of `values` that each whole-numbered parameter explains alone (Hutter et al. 2014, main effects).

    The variance is that of a random forest fitted to the trials, over the box of all values that were tried: 0 to 1 a parameter,
    0 for one that never varied, and together less than 1 where parameters act together. The same trials give the same shares.
    """
    space: dict[str, BaseDistribution] = {
        name: IntDistribution(
            min(trial[name] for trial in trials), max(trial[name] for trial in trials)
        )
        for name in trials[0]
    }
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(params=dict(trial), distributions=space, value=value)
            for trial, value in zip(trials, values, strict=True)
        ]
    )
    return FanovaImportanceEvaluator(seed=seed).evaluate(study)
