"""How much each parameter explains of what a search found: functional ANOVA, by Optuna."""

from collections.abc import Mapping, Sequence

import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.importance import FanovaImportanceEvaluator


def importances(
    trials: Sequence[Mapping[str, int]], values: Sequence[float], seed: int = 0
) -> dict[str, float]:
    """Return the share of the variance of `values` that each parameter explains alone.

    trials: the whole-numbered parameters of each trial. values: the objective of each trial.

    These are the main effects of Hutter et al. 2014. The variance is that of a random forest
    fitted to the trials, over the box of all values that were tried. A share is 0 to 1, and 0 for
    a parameter that never varied; the shares add up to less than 1 where parameters act together.
    The same trials give the same shares.
    """
    space: dict[str, BaseDistribution] = {}
    for name in trials[0]:
        tried = [trial[name] for trial in trials]
        space[name] = IntDistribution(min(tried), max(tried))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    for trial, value in zip(trials, values, strict=True):
        study.add_trial(
            optuna.trial.create_trial(params=dict(trial), distributions=space, value=value)
        )
    return FanovaImportanceEvaluator(seed=seed).evaluate(study)
