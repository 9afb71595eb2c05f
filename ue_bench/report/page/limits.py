"""What would change the conclusion: the limits of the records at hand, one sentence each."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.interval_method import CORRECTED
from ue_bench.report.evidence.summary import MOSTLY_UNSEEN, SCOPE, score
from ue_bench.report.format import bytes_text, plain
from ue_bench.report.page.cells import STRONG_ANCHORS, full_title

# Fields beside the strategy: where all records agree in one, no other value of it was tried.
_FIELDS = {
    "dataset": "data set",
    "split": "split",
    "features": "feature set",
    "head": "rating head",
    "optimizer": "optimizer",
    "device": "device",
}
SEVERAL_TIMES = 2  # heads at one budget that differ by less are told of nowhere


def lines(summary: pd.DataFrame, verdicts: pd.DataFrame, records: Sequence[Record]) -> list[str]:
    """Return Markdown bullets, those that decide first."""
    return [*deciding(summary, records), *others(summary, verdicts, records)]


def deciding(summary: pd.DataFrame, records: Sequence[Record]) -> list[str]:
    """Return, as bullets, what decides whether the records say anything of embeddings."""
    successful = _successful(records)
    sentences = [
        *_weak_arms(summary),
        *_unseen_users(successful),
        *_unstable_latencies(summary),
        *_single_values(successful),
    ]
    if not sentences and not successful:
        return ["- No run succeeded: any result would change it."]
    return [f"- {sentence}" for sentence in sentences]


def others(summary: pd.DataFrame, verdicts: pd.DataFrame, records: Sequence[Record]) -> list[str]:
    """Return, as bullets, what else would change the conclusion."""
    sentences = [
        *_seeds(summary, verdicts),
        *_undecided(verdicts),
        *_unequal_heads(summary),
        *_environments(_successful(records)),
    ]
    return [f"- {sentence}" for sentence in sentences]


def _successful(records: Sequence[Record]) -> list[Record]:
    return [record for record in records if record.status == "ok"]


def _single_values(records: Sequence[Record]) -> Iterator[str]:
    single = []
    for field, title in _FIELDS.items():
        values = {getattr(record.config, field) for record in records} - {None}
        if len(values) == 1:
            single.append(f"{title} ({plain(str(values.pop()))})")
    if single:
        yield (
            f"Only one value was run of: {', '.join(single)}. "
            "With another one the strategies may rank differently."
        )


def _seeds(summary: pd.DataFrame, verdicts: pd.DataFrame) -> Iterator[str]:
    counts = summary.loc[summary["n"] > 0, "n"]
    if counts.empty:
        return
    tested = verdicts.dropna(subset=["difference_low", "difference_high"])
    if tested.empty:
        reasons = sorted(set(verdicts["interval_by"]) - {CORRECTED})
        if reasons:
            yield f"No difference has an interval ({'; '.join(reasons)}): run the study again."
        else:
            yield "No two arms share two seeds, so no difference has an interval: run more seeds."
        return
    half_width = ((tested["difference_high"] - tested["difference_low"]) / 2).median()
    n = f"{counts.min()}"
    if counts.max() > counts.min():
        n += f" to {counts.max()}"
    yield (
        f"More seeds: with {n} of them the 95 % interval of a difference is ± {half_width:.4f} MSE "
        "wide in the median, and a much smaller difference cannot be seen. The part of its width "
        "that comes from overlapping splits, or from one sample of users, stays with any number of "
        "seeds: more data would reduce it."
    )


def _undecided(verdicts: pd.DataFrame) -> Iterator[str]:
    """The comparisons of several strategies all of which may be the best."""
    if verdicts.empty:
        return
    for _, part in groups(verdicts, SCOPE):
        is_worse = [row is False for row in part["among_best"]]
        if part["group"].nunique() > 1 and not any(is_worse):
            yield (
                f"{full_title(part)}: no strategy is outside the set of the best at any budget, so "
                "it ranks none."
            )


def _unseen_users(records: Sequence[Record]) -> Iterator[str]:
    """The splits in which most of the scored rows have a user that training never saw."""
    shares: dict[tuple[str, str], float] = {}
    for record in records:
        slices: dict[str, Any] = record.quality.get("slices") or {}
        warm = slices.get("warm_user", {}).get("n") or 0
        cold = slices.get("cold_user", {}).get("n") or 0
        if warm + cold:
            where = (record.config.dataset, record.config.split)
            shares[where] = cold / (warm + cold)
    for (dataset, split), share in sorted(shares.items()):
        if share > MOSTLY_UNSEEN:
            name = plain(split.replace("_", " "))
            yield (
                f"The {name} split of {plain(dataset)} says little about embeddings: "
                f"{share:.0%} of its scored rows have unseen users."
            )


def _weak_arms(summary: pd.DataFrame) -> Iterator[str]:
    """How many arms do not beat the predictors without a neural model."""
    scored = score(summary)
    scored = scored[~scored["is_anchor"]]
    counts = behind(scored)
    if "bias" in counts:
        yield (
            f"{counts['bias']} of {len(scored)} arms do not beat the user and item bias model "
            "(marked ▽): among them the order says which does the least harm, and a recipe that "
            "helps them may change it."
        )
    for name, title in STRONG_ANCHORS.items():
        if name in counts:
            yield (
                f"{counts[name]} of {len(scored)} arms do not beat {title}: "
                "with a better head than those here another embedding might win."
            )


def behind(arms: pd.DataFrame) -> dict[str, int]:
    """Return how many arms do not beat the bias model and each strong anchor, where some do not."""
    counts = {"bias": int(arms["beats_bias"].eq(False).sum())}
    for name in STRONG_ANCHORS:
        counts[name] = int((arms["mse"] >= arms[f"anchor_{name}"]).sum())
    return {name: n for name, n in counts.items() if n}


def _unequal_heads(summary: pd.DataFrame) -> Iterator[str]:
    """How much larger the head of one arm is than that of another at the same budget."""
    scored = score(summary)
    scored = scored[~scored["is_anchor"] & scored["budget"].notna() & (scored["head_bytes"] > 0)]
    widest = None
    for _, part in groups(scored, [*SCOPE, "budget"]):
        least, most = int(part["head_bytes"].min()), int(part["head_bytes"].max())
        if widest is None or most / least > widest[1] / widest[0]:
            widest = least, most
    if widest is None or widest[1] < SEVERAL_TIMES * widest[0]:
        return
    n_larger = int((scored["head_bytes"] > scored["total_bytes"]).sum())
    yield (
        "The head is in no total, and grows with the numbers that an arm gives it: at one budget "
        f"from {bytes_text(widest[0])} to {bytes_text(widest[1])}. {n_larger} of {len(scored)} "
        "arms with a budget have a head of more bytes than their total. Where the head must be "
        "small too, narrower vectors may win."
    )


def _unstable_latencies(summary: pd.DataFrame) -> Iterator[str]:
    n_unstable = int(summary["latency_unstable"].eq(True).sum())
    if n_unstable:
        n_measured = int(summary["latency_us"].notna().sum())
        yield (
            f"{n_unstable} of {n_measured} latencies were unstable (marked ~): "
            "their order may differ on a quiet machine."
        )


def _environments(records: Sequence[Record]) -> Iterator[str]:
    """How many machines and versions of the code the records come from."""
    environments = [record.env for record in records if record.env]
    machines = {(env.get("cpu"), env.get("cores"), env.get("gpu")) for env in environments}
    if len(machines) > 1:
        yield (
            f"The records come from {len(machines)} kinds of machine: "
            "compare latencies within one of them only."
        )
    commits = {env.get("git_sha") for env in environments}
    if len(commits) > 1:
        yield f"The records were made by {len(commits)} versions of the code (see the environment)."
    n_dirty = sum(bool(env.get("git_dirty")) for env in environments)
    if n_dirty:
        yield (
            f"{n_dirty} records were made by code with changes that are in no commit: "
            "they cannot be repeated exactly."
        )
