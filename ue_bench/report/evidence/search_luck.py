"""The luck of a search: how much the best of its trials would change if it were made again.

A search of T trials confirms the one that is best on validation. Another search of the same form
tries other configurations and confirms another one, a little better or worse. A test of the two
that were confirmed speaks of their forms only if it counts this as noise.

The trials stand for all that might have been tried. T of them are drawn with replacement, and the
best of the drawn ones is what another search would have found (a bootstrap; Dodge et al., "Show
your work", EMNLP 2019, arXiv 1909.03004, take the expected best of T trials from it). With the
trials in the order of their scores, the k-th of T is the best one drawn with probability

    ((T - k + 1) / T)^T - ((T - k) / T)^T

so that nothing has to be drawn. The default, with which every search begins, is among the drawn
ones always. Validation scores of a few seeds have noise of their own, and few trials have wide gaps
between them: both make the variance too large rather than too small.
"""

from collections.abc import Sequence

import numpy as np

from ue_bench.report.evidence.trials import Trial


def luck(trials: Sequence[Trial], default: str, score: str = "val_mse") -> float:
    """Return the variance of a mean score of the best trial.

    default: the run id of the first trial. score: a name of `Record.quality`; whatever it is, the
    best trial is the one of the lowest validation MSE. NaN where a trial has no such score.
    """
    ordered = sorted(trials, key=lambda trial: (trial.val_mse, trial.run_id))
    drawn = []  # what another search may find, the best first
    always = None
    for trial in ordered:
        if trial.run_id == default:
            always = trial
        else:
            drawn.append(trial if always is None else always)
    if not drawn:
        return 0.0
    left = np.arange(len(drawn), -1, -1) / len(drawn)  # the share of trials from the k-th on
    chances = -np.diff(left ** len(drawn))
    scores = np.array([trial.mean(score) for trial in drawn])
    return float(chances @ np.square(scores - chances @ scores))
