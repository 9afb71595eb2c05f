"""The trials of searches: which search a trial belongs to, and the lookups it gave each feature."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.summary import panel
from ue_bench.report.format import bytes_text

BEST = 5  # trials of a search that show what it found
_OF_FEATURE = (
    "panel",
    "cell",
    "budget",
    "size",
    "policy",
    "search",
    "total",
    "feature",
    "cardinality",
)


def facts(record: Record) -> dict[str, Any]:
    """Return what the record of a trial says of it; empty where the record does not say.

    Keys: number, sampler, total, varies, objectives.
    """
    return record.found.get("trial", {})


def search_of(record: Record) -> str:
    """Return a text that is equal for all trials of one search and for no others.

    It holds what was asked, seeds too, without what the search varied, and what the trial says of
    its search.
    """
    about = _without(facts(record), {"number"})
    varied = {"lookups"}
    for name in about.get("varies", ()):
        varied.add(name.partition(".")[0])
    asked = _without(record.config.to_dict(), varied)
    return json.dumps([record.study, asked, about], sort_keys=True)


def shared_out(search: Iterable[Record]) -> list[Record]:
    """Return the trials of searches that shared out a fixed number of lookups."""
    trials = []
    for record in search:
        if facts(record).get("total") and record.quality.get("val_mse") is not None:
            trials.append(record)
    return trials


def place(found: dict[str, Any]) -> str:
    """Return what the allocations of one total have in common: `12 lookups of 8 (width 96)`."""
    total = sum(found["lookups"].values())
    return f"{total} lookups of {found['dim']} (width {total * found['dim']})"


def tidy(search: Sequence[Record]) -> pd.DataFrame:
    """Return one row a feature of each of the `shared_out` trials.

    Its columns are those of the comparison and:

    * panel: the title of the comparison; cell: total and dim, as of `place`;
    * budget, and size, which is the budget as text;
    * policy: what is held when the total changes, `dim held` or `width held`;
    * search, number, run_id: which trial it is; total: the lookups that were shared out;
    * feature, cardinality, lookups, and extra, the lookups beyond one;
    * mse: on validation; best: whether the trial is of the best few of its search.
    """
    rows = []
    for record in search:
        found = record.found
        trial = _trial(record)
        for name, lookups in found["lookups"].items():
            row = dict(trial)
            row["feature"] = name
            row["cardinality"] = found["cardinalities"][name]
            row["lookups"] = lookups
            row["extra"] = lookups - 1
            rows.append(row)
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    frame["panel"] = panel(frame)
    rank = frame.groupby(["search", "feature"])["mse"].rank(method="first")
    frame["best"] = rank <= BEST
    order = ["panel", "total", "policy", "cell", "budget", "search", "number"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _trial(record: Record) -> dict[str, Any]:
    """Return the columns of `tidy` that are equal for all features of a trial."""
    config = record.config
    trial = comparison_of(record)._replace(phase="")._asdict()
    trial["cell"] = place(record.found)
    trial["budget"] = config.budget
    trial["size"] = bytes_text(config.budget)
    trial["policy"] = policy_of(config.width)
    trial["search"] = search_of(record)
    trial["number"] = facts(record)["number"]
    trial["total"] = facts(record)["total"]
    trial["mse"] = record.quality["val_mse"]
    trial["run_id"] = record.run_id
    return trial


def policy_of(width: int | None) -> str:
    """Return what a search holds when the total changes: `dim held` or `width held`."""
    if width is None:
        return "dim held"
    return "width held"


def wanted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a search and feature of a frame of `tidy`.

    wanted: the mean lookups that the best few trials gave. even: what each feature would get of
    the total. n: the trials of the search.
    """
    rows = []
    for _, trials in groups(frame, "search"):
        even = trials["total"].iloc[0] / trials["feature"].nunique()
        for _, part in trials.groupby("feature", sort=False):
            row = part.iloc[0][list(_OF_FEATURE)].to_dict()
            row["wanted"] = part.loc[part["best"], "lookups"].mean()
            row["even"] = even
            row["n"] = len(part)
            rows.append(row)
    return pd.DataFrame(rows)


def held(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without lookups.

    It is equal for the trials of a search and for the arms that confirm it.
    """
    return _without(config, {"lookups"})


def _without(fields: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}
