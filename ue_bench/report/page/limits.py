"""What would change the conclusion: the limits of the records at hand, found in them."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import MOSTLY_UNSEEN, SCOPE, panel, score
from ue_bench.report.format import code, plain

# What a run is besides its strategy: where all records agree, another value was never tried.
_AXES = {
    "dataset": "data set",
    "split": "split",
    "features": "feature set",
    "head": "rating head",
    "optimizer": "optimizer",
    "device": "device",
}


def lines(summary: pd.DataFrame, verdicts: pd.DataFrame, records: Sequence[Record]) -> list[str]:
    """Markdown bullets."""
    ran = [record for record in records if record.status == "ok"]
    found = [
        _axes(ran),
        _seeds(summary, verdicts),
        *_undecided(summary, verdicts),
        *_cold(ran),
        _bias(summary),
        _factors(summary),
        _clocks(summary),
        *_places(ran),
    ]
    return [f"- {text}" for text in found if text] or [
        "- No run succeeded: any result would change it."
    ]


def _axes(ran: Iterable[Record]) -> str:
    values: dict[str, set[str]] = {name: set() for name in _AXES}
    for record in ran:
        for name, own in values.items():
            if (value := getattr(record.config, name)) is not None:
                own.add(plain(str(value)))
    single = [f"{_AXES[name]} ({next(iter(own))})" for name, own in values.items() if len(own) == 1]
    return (
        f"One value only was run of: {', '.join(single)}. Another may rank the strategies otherwise."
        if single
        else ""
    )


def _seeds(summary: pd.DataFrame, verdicts: pd.DataFrame) -> str:
    known = (
        verdicts.dropna(subset=["difference_low", "difference_high"]) if len(verdicts) else verdicts
    )
    counts = summary.loc[summary["n"] > 0, "n"]
    if known.empty or counts.empty:
        return (
            "No two arms share two seeds, so no difference has an interval: run more seeds."
            if len(counts)
            else ""
        )
    half = ((known["difference_high"] - known["difference_low"]) / 2).median()
    n = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    return (
        f"More seeds: with {n} of them the 95 % interval of a paired difference is ± {half:.4f} MSE wide in the median, and a "
        "difference much smaller than that cannot be seen."
    )


def _undecided(summary: pd.DataFrame, verdicts: pd.DataFrame) -> Iterable[str]:
    """The comparisons of several strategies in which no strategy is told apart from the best at any budget."""
    for scope, part in groups(verdicts, SCOPE) if len(verdicts) else ():
        if part["group"].nunique() > 1 and not part["told_apart"].astype(bool).any():
            title = panel(part).iloc[0]
            yield f"{title}, study {code(scope[0])}: no strategy is told apart from the best at any budget, so it ranks none."


def _cold(ran: Sequence[Record]) -> Iterable[str]:
    """The splits whose scored rows have, most of them, a user that training never saw."""
    shares: dict[tuple[str, str], float] = {}
    for record in ran:
        slices: dict[str, Any] = record.quality.get("slices") or {}
        warm, cold = (slices.get(f"{heat}_user", {}).get("n") or 0 for heat in ("warm", "cold"))
        if warm + cold:
            shares[record.config.dataset, record.config.split] = cold / (warm + cold)
    for (dataset, split), share in sorted(shares.items()):
        if share > MOSTLY_UNSEEN:
            name, where = plain(split.replace("_", " ")), plain(dataset)
            yield f"The {name} split of {where} says little about embeddings: {share:.0%} of its scored rows have unseen users."


def _bias(summary: pd.DataFrame) -> str:
    scored = score(summary)
    n = int(scored["beats_bias"].eq(False).sum())
    text = f"{n} of {len(scored)} arms do not beat the user and item bias model (marked ▽): among them the order says which does "
    return f"{text}the least harm, and a recipe that helps them may change it." if n else ""


def _factors(summary: pd.DataFrame) -> str:
    scored = score(summary)
    n = int((scored["mse"] >= scored["anchor_mf"]).sum())
    text = f"{n} of {len(scored)} arms do not beat biased matrix factorisation"
    return f"{text}: with a better head than those here another embedding might win." if n else ""


def _clocks(summary: pd.DataFrame) -> str:
    n, known = (
        int(summary["latency_unstable"].eq(True).sum()),
        int(summary["latency_us"].notna().sum()),
    )
    text = f"{n} of {known} latencies were called unstable by the clock (marked ~)"
    return f"{text}: a quiet machine may order them anew." if n else ""


def _places(ran: Sequence[Record]) -> Iterable[str]:
    machines = {
        (record.env.get("cpu"), record.env.get("cores"), record.env.get("gpu"))
        for record in ran
        if record.env
    }
    if len(machines) > 1:
        yield f"The records come from {len(machines)} kinds of machine: latencies compare within one of them only."
    commits = {record.env.get("git_sha") for record in ran if record.env}
    if len(commits) > 1:
        yield f"The records were made by {len(commits)} versions of the code (see the environment)."
    dirty = sum(bool(record.env.get("git_dirty")) for record in ran)
    if dirty:
        yield f"{dirty} records were made by code with changes that no commit holds: they cannot be made again exactly."
