"""Claims about planted worlds, held to the records: what was expected, what was found, and whether it is that.

Differences are paired over seeds and corrected by Holm's method over the arms of a scenario; what is called better is so at a
level of 1 %, so that a scenario whose claim is true hardly ever fails by chance.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple

from ue_bench.record import Record
from ue_bench.report.evidence.arms import seeds_of
from ue_bench.report.evidence.statistics import Paired, holm, paired

ALPHA = 0.01
Scores = Mapping[Hashable, float]  # test MSE by seeds
Finding = tuple[str, bool]


class Verdict(NamedTuple):
    """One scenario: the claim, what was found in numbers, and whether it holds."""

    scenario: str
    expected: str
    found: str
    ok: bool


def judge(
    rule: str, limits: Sequence[float], seeds: int, runs: Mapping[str, Sequence[Record]]
) -> Finding:
    """(what was found, whether the claim holds). runs: the ok records of each arm, the first arm being what the claim is about.

    rule: of RULES, with its limits. seeds: how many runs with all four seeds equal each arm must have; one that lacks some fails.
    """
    plain = {
        name: [run for run in found if len(set(seeds_of(run))) == 1] for name, found in runs.items()
    }
    for name, found in plain.items():
        if len(found) < seeds:
            return f"no answer: {name} has {len(found)} of {seeds} runs", False
    ignored = [name for name, found in runs.items() if _ignores_hash_seed(found)]
    if ignored:
        return f"{ignored[0]} gives the same numbers with another hash seed", False
    return RULES[rule](limits, plain)


def _ignores_hash_seed(runs: Sequence[Record]) -> bool:
    """Whether runs that differ in nothing but the hash seed have one and the same score."""
    alike: dict[tuple[int, ...], set[float]] = {}
    seeds: dict[tuple[int, ...], set[int]] = {}
    for run in runs:
        hash_seed, *others = seeds_of(run)
        alike.setdefault(tuple(others), set()).add(run.quality["test_mse"])
        seeds.setdefault(tuple(others), set()).add(hash_seed)
    return any(len(seeds[others]) > 1 and len(found) == 1 for others, found in alike.items())


def _scores(runs: Sequence[Record]) -> Scores:
    return {seeds_of(run): run.quality["test_mse"] for run in runs}


def _mean(scores: Scores) -> float:
    return sum(scores.values()) / len(scores)


def _against_first(runs: Mapping[str, Sequence[Record]]) -> tuple[float, dict[str, Paired]]:
    """Mean MSE of the first arm, and of each other arm its MSE less that."""
    (_, first), *others = runs.items()
    own = _scores(first)
    return _mean(own), {name: paired(own, _scores(other)) for name, other in others}


def equal(limits: Sequence[float], runs: Mapping[str, Sequence[Record]]) -> Finding:
    """Every 95 % interval of a difference from the first arm lies within +- limits[0], and the first arm's MSE in the others."""
    near, least, most = limits
    mse, found = _against_first(runs)
    name, gap = max(found.items(), key=lambda pair: max(-pair[1].low, pair[1].high))
    ok = -near <= gap.low and gap.high <= near and least <= mse <= most
    return (
        f"MSE {mse:.4f}; farthest: {name} {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
        ok,
    )


def first_wins(limits: Sequence[float], runs: Mapping[str, Sequence[Record]]) -> Finding:
    """The first arm has a lower MSE than each of the others."""
    mse, found = _against_first(runs)
    name, gap = min(found.items(), key=lambda pair: pair[1].difference)
    p = max(holm([other.p for other in found.values()]))
    return (
        f"MSE {mse:.4f}; nearest: {name} {gap.difference:+.4f}, largest p {p:.1g}",
        gap.difference > 0 and p < ALPHA,
    )


def margin(limits: Sequence[float], runs: Mapping[str, Sequence[Record]]) -> Finding:
    """The MSE of the second arm less that of the first lies within the limits."""
    mse, found = _against_first(runs)
    ((name, gap),) = found.items()
    ok = limits[0] <= gap.difference <= limits[1]
    return f"MSE {mse:.4f}; {name} {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]", ok


def mean_holds(limits: Sequence[float], runs: Mapping[str, Sequence[Record]]) -> Finding:
    """No arm has a lower MSE than the mean of the training ratings, on the same rows."""
    found = {}
    for name, arm in runs.items():
        trivial: Scores = {seeds_of(run): run.quality["anchors"]["mean"]["test_mse"] for run in arm}
        found[name] = paired(trivial, _scores(arm))
    adjusted = dict(zip(found, holm([gap.p for gap in found.values()]), strict=True))
    better = [name for name, gap in found.items() if gap.difference < 0 and adjusted[name] < ALPHA]
    name = min(better or found, key=lambda name: found[name].difference)
    gap = found[name]
    return (
        f"best against the mean: {name} {gap.difference:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]",
        not better,
    )


RULES: dict[str, Callable[[Sequence[float], Mapping[str, Sequence[Record]]], Finding]] = {
    "equal": equal,
    "first_wins": first_wins,
    "margin": margin,
    "mean_holds": mean_holds,
}
