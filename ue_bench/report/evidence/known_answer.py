"""Claims about synthetic data whose answer is known, judged by the records of their runs.

Differences are corrected by Holm's method over the arms of a scenario. An arm is called better at a
level of 1 %, so that a true claim hardly ever fails by chance.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ue_bench.record import Record
from ue_bench.report.evidence.arms import seeds_of
from ue_bench.report.evidence.run_scores import Scores, anchor_scores_of, scores_of
from ue_bench.report.evidence.statistics import Difference, compare_two, holm
from ue_bench.report.format import delta_text

ALPHA = 0.01
Finding = tuple[str, bool]  # what was found, and whether the claim holds
Runs = Mapping[str, Sequence[Record]]  # of each arm, by its name


class Verdict(NamedTuple):
    """One scenario: the claim, what was found in numbers, and whether the claim holds."""

    scenario: str
    expected: str
    found: str
    ok: bool


def judge(rule: str, limits: Sequence[float], seeds: int, runs: Runs) -> Finding:
    """Return what was found, and whether the claim holds.

    rule, limits: a name of `RULES` and its limits.
    seeds: how many runs with four equal seeds each arm must have; the claim fails without them.
    runs: the ok records of each arm; the claim is about the first arm.
    """
    replicates = {}
    for name, of_arm in runs.items():
        replicates[name] = [run for run in of_arm if len(set(seeds_of(run))) == 1]
    for name, of_arm in replicates.items():
        if len(of_arm) < seeds:
            return f"no answer: {name} has {len(of_arm)} of {seeds} runs", False
    for name, of_arm in runs.items():
        if _ignores_hash_seed(of_arm):
            return f"{name} gives the same numbers with another hash seed", False
    return RULES[rule](limits, replicates)


def _ignores_hash_seed(runs: Sequence[Record]) -> bool:
    """Return whether runs that differ in nothing but the hash seed have one and the same score."""
    scores: dict[tuple[int, ...], set[float]] = {}
    hash_seeds: dict[tuple[int, ...], set[int]] = {}
    for run in runs:
        hash_seed, *rest = seeds_of(run)
        others = tuple(rest)
        scores.setdefault(others, set()).add(run.quality["test_mse"])
        hash_seeds.setdefault(others, set()).add(hash_seed)
    for others, of_others in scores.items():
        rehashed = len(hash_seeds[others]) > 1
        if rehashed and len(of_others) == 1:
            return True
    return False


def _scores(runs: Sequence[Record]) -> Scores:
    return scores_of(runs, "test")


def _against_first(runs: Runs) -> tuple[float, dict[str, Difference]]:
    """Return the mean MSE of the first arm, and the MSE of each other arm less that."""
    (_, first), *others = runs.items()
    own = _scores(first)
    gaps = {}
    for name, other in others:
        gaps[name] = compare_two(own, _scores(other))
    return sum(own.values()) / len(own), gaps


def _adjusted(gaps: Mapping[str, Difference]) -> dict[str, float]:
    """Return the p of each arm's gap after Holm's correction over all of them."""
    adjusted = holm([gap.p for gap in gaps.values()])
    return dict(zip(gaps, adjusted, strict=True))


def _gap_text(gap: Difference) -> str:
    return f"{delta_text(gap.difference, gap.low, gap.high)} ({gap.interval_by})"


def equal(limits: Sequence[float], runs: Runs) -> Finding:
    """Judge whether all arms are equally good, and as good as expected.

    limits: the 95 % interval of every difference from the first arm lies within plus or minus the
    first limit; the MSE of the first arm lies between the second and the third.
    """
    near, least, most = limits
    mse, gaps = _against_first(runs)
    name, gap = max(gaps.items(), key=lambda item: max(-item[1].low, item[1].high))
    ok = -near <= gap.low and gap.high <= near and least <= mse <= most
    return f"MSE {mse:.4f}; farthest: {name} {_gap_text(gap)}", ok


def first_wins(limits: Sequence[float], runs: Runs) -> Finding:
    """Judge whether the first arm has a lower MSE than each of the others."""
    mse, gaps = _against_first(runs)
    name, gap = min(gaps.items(), key=lambda item: item[1].difference)
    p = max(_adjusted(gaps).values())
    ok = gap.difference > 0 and p < ALPHA
    tests = f"Holm over {len(gaps)}, {gap.interval_by}"
    text = f"MSE {mse:.4f}; nearest: {name} {gap.difference:+.4f}, largest p {p:.1g} ({tests})"
    return text, ok


def no_difference(limits: Sequence[float], runs: Runs) -> Finding:
    """Judge whether no arm is called better or worse than the first, which they equal.

    limits: the 95 % interval of every difference lies within plus or minus the limit, so that a
    difference of that size would have been seen. Arms with one and the same score at every seed are
    one arm twice and control nothing: the claim fails.
    """
    (near,) = limits
    mse, gaps = _against_first(runs)
    for name, gap in gaps.items():
        if gap.low == gap.high:
            return f"MSE {mse:.4f}; {name} {gap.difference:+.4f} at every seed", False
    name, gap = max(gaps.items(), key=lambda item: max(-item[1].low, item[1].high))
    p = min(_adjusted(gaps).values())
    ok = p >= ALPHA and -near <= gap.low and gap.high <= near
    return f"MSE {mse:.4f}; farthest: {name} {_gap_text(gap)}, least p {p:.2g}", ok


def margin(limits: Sequence[float], runs: Runs) -> Finding:
    """Judge whether the MSE of the second arm less that of the first lies within the limits."""
    mse, gaps = _against_first(runs)
    ((name, gap),) = gaps.items()
    ok = limits[0] <= gap.difference <= limits[1]
    return f"MSE {mse:.4f}; {name} {_gap_text(gap)}", ok


def mean_holds(limits: Sequence[float], runs: Runs) -> Finding:
    """Judge whether no arm has a lower MSE than the mean of the training ratings."""
    gaps = {}
    for name, of_arm in runs.items():
        mean = anchor_scores_of(of_arm, "mean", "test")
        gaps[name] = compare_two(mean, _scores(of_arm))
    better = []
    for name, p in _adjusted(gaps).items():
        if gaps[name].difference < 0 and p < ALPHA:
            better.append(name)
    name = min(better or gaps, key=lambda name: gaps[name].difference)
    return f"best against the mean: {name} {_gap_text(gaps[name])}", not better


RULES: dict[str, Callable[[Sequence[float], Runs], Finding]] = {
    "equal": equal,
    "first_wins": first_wins,
    "no_difference": no_difference,
    "margin": margin,
    "mean_holds": mean_holds,
}
