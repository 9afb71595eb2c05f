"""The trials of searches as frames: which search a trial belongs to, its place, and the lookups it gave to each feature."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import panel
from ue_bench.report.format import bytes_text

BEST = 5  # trials of a search that stand for what it found


def facts(record: Record) -> dict[str, Any]:
    """What the record of a trial says of it: number, sampler, total, varies, objectives; empty in records that do not say."""
    return record.found.get("trial", {})


def search_of(record: Record) -> str:
    """Equal for all trials of one search: what was asked, seeds too, less what it varied, and what it says of itself."""
    told = {name: value for name, value in facts(record).items() if name != "number"}
    varied = {"lookups", *(name.partition(".")[0] for name in told.get("varies", ()))}
    asked = {name: value for name, value in record.config.to_dict().items() if name not in varied}
    return json.dumps([record.study, asked, told], sort_keys=True)


def shared_out(search: Iterable[Record]) -> list[Record]:
    """The trials of searches that shared out a fixed number of lookups."""
    return [
        record
        for record in search
        if facts(record).get("total") and record.quality.get("val_mse") is not None
    ]


def place(config: dict[str, Any], found: dict[str, Any]) -> str:
    """What the allocations of one total have in common: `12 lookups of 8 (width 96)`."""
    total = sum(found["lookups"].values())
    return f"{total} lookups of {found['dim']} (width {total * found['dim']})"


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """One row a trial and feature of `shared_out` trials: `panel` (features), `cell` (total and dim), `budget`, `size` (its
    text), `policy` (what is held when the total changes), `search`, `number`, `feature`, `cardinality`, `lookups`, `extra`
    (beyond one), `total`, `mse` (validation), `best` (of the best few of its search)."""
    rows = []
    for record in search:
        config, found = record.config.to_dict(), record.found
        policy = "dim held" if config.get("width") is None else "width held"
        own = {
            **comparison_of(record)._asdict(),
            "phase": "",
            "cell": place(config, found),
            "budget": config.get("budget"),
            "size": bytes_text(config.get("budget")),
            "policy": policy,
            "search": search_of(record),
            "number": facts(record)["number"],
            "total": facts(record)["total"],
            "mse": record.quality["val_mse"],
            "run_id": record.run_id,
        }
        rows += [
            own
            | {
                "feature": name,
                "cardinality": found["cardinalities"][name],
                "lookups": n,
                "extra": n - 1,
            }
            for name, n in found["lookups"].items()
        ]
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    frame["panel"] = panel(frame)
    frame["best"] = frame.groupby(["search", "feature"])["mse"].rank(method="first") <= BEST
    order = ["panel", "total", "policy", "cell", "budget", "search", "number"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def wanted(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a search and feature: `wanted`, the mean lookups that the best few trials gave, beside `even` and `cardinality`."""
    rows = []
    for _, own in groups(frame, "search"):
        even = own["total"].iloc[0] / own["feature"].nunique()
        for _, part in own.groupby("feature", sort=False):
            first = part.iloc[0]
            rows.append(
                first[
                    [
                        "panel",
                        "cell",
                        "budget",
                        "size",
                        "policy",
                        "search",
                        "total",
                        "feature",
                        "cardinality",
                    ]
                ].to_dict()
                | {"wanted": part.loc[part["best"], "lookups"].mean(), "even": even, "n": len(part)}
            )
    return pd.DataFrame(rows)


def held(config: dict[str, Any]) -> dict[str, Any]:
    """An arm's configuration without lookups: equal for the trials of a search and the arms that confirm it."""
    return {name: value for name, value in config.items() if name != "lookups"}
