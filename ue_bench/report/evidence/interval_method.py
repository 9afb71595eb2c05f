"""How intervals and tests of some scores are made. It is decided here and nowhere else.

* Each seed draws its own scored rows (the random split): training sets of two seeds overlap, so
  that their scores are not independent. The variance of a mean over n seeds is then s^2 (1/n +
  scored rows / training rows), with n - 1 degrees of freedom: the corrected resampled t of Nadeau
  and Bengio ("Inference for the generalization error", Machine Learning 52, 2003, section 5).
* Each run has a draw of its world: nothing overlaps, and it is Student's t.
* All seeds have the same scored rows (a split by time, the article's, a table's own test files):
  these rows are one sample, so that users, or blocks of rows, are resampled beside the seeds.
* Otherwise nothing is known of the noise, and there is no interval and no test.
"""

from collections.abc import Sequence
from typing import NamedTuple

from ue_bench.report.evidence.run_scores import Scores

CORRECTED = "corrected resampled t"
FRESH = "t over draws of the data"
NO_INTERVAL = "no interval"  # the start of the text where nothing is known of the noise
# What captions say of the intervals of figures that may show several splits.
RULE = (
    "corrected resampled t over seeds where each seed draws the split, bootstrap over users and "
    "seeds where all seeds have the same rows"
)


class Method(NamedTuple):
    """How intervals are made.

    is_corrected, is_bootstrap: at most one of them is true. text: what every interval is printed
    with; where there can be no interval, the reason.
    """

    is_corrected: bool
    is_bootstrap: bool
    text: str

    @property
    def is_known(self) -> bool:
        return self.is_corrected or self.is_bootstrap


def method_of(samples: Sequence[Scores]) -> Method:
    """Return how scores that are quoted or compared together get their intervals."""
    rows = [scores.rows for scores in samples if len(scores)]
    if not rows:
        return _unknown("there are no scores")
    redrawn = {of_arm.are_redrawn for of_arm in rows}
    if len(redrawn) > 1:
        return _unknown("the arms are scored on other rows")
    if redrawn == {True}:
        if any(of_arm.ratio != of_arm.ratio for of_arm in rows):  # NaN
            return _unknown("these records hold no numbers of rows")
        overlaps = any(of_arm.ratio > 0 for of_arm in rows)
        text = CORRECTED if overlaps else FRESH
        return Method(is_corrected=True, is_bootstrap=False, text=text)
    if not all(scores.has_groups for scores in samples if len(scores)):
        return _unknown("these records hold no sums by user")
    identities = {of_arm.identity for of_arm in rows}
    if len(identities) > 1 or identities == {""}:
        return _unknown("the arms are scored on other rows")
    text = f"bootstrap over {rows[0].by}s and seeds"
    return Method(is_corrected=False, is_bootstrap=True, text=text)


def _unknown(reason: str) -> Method:
    return Method(is_corrected=False, is_bootstrap=False, text=f"{NO_INTERVAL}: {reason}")
