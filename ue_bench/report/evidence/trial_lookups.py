"""The lookups that the trials of searches gave to each feature."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ue_bench.report.evidence.comparison import comparison_of
from ue_bench.report.evidence.frames import groups
from ue_bench.report.evidence.labels import group_name
from ue_bench.report.evidence.summary import panel
from ue_bench.report.evidence.trials import Trial, facts, without
from ue_bench.report.format import bytes_text, missing

BEST = 5  # trials of a search that show what it found
MOST = 16  # searches of a study that are shown each; of more, those of what figures are about
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


def allocated(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials of searches that varied the lookups freely, for validation MSE alone."""
    varied = []
    for trial in trials:
        about = facts(trial.sample)
        has_lookups = any(name.startswith("lookups.") for name in about["varies"])
        if has_lookups and len(about["objectives"]) == 1 and about.get("total") is None:
            varied.append(trial)
    return varied


class Forms:
    """Names what searches tuned: a strategy with what they did not choose, `per_feature (sqrt)`.

    trials: of all searches that are told apart.
    """

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._varied: set[str] = set()
        regions = defaultdict(set)
        for trial in trials:
            self._varied.update(facts(trial.sample).get("varies", ()))
            config = trial.sample.config
            regions[config.strategy].add(config.regions)
        self._several = {strategy for strategy, forms in regions.items() if len(forms) > 1}

    def name(self, config: Mapping[str, Any]) -> str:
        """Return the name of the form that a configuration is of."""
        bits = None if "bits" in self._varied else config["bits"]
        words = group_name(config, config["strategy"] in self._several, bits)
        rule = config["region_rule"]
        if missing(rule) or "region_rule" in self._varied:
            return words
        return f"{words} ({rule})"


def tidy(trials: Sequence[Trial]) -> pd.DataFrame:
    """Return one row a feature of each trial of searches that varied the lookups.

    Its columns are those of the comparison and:

    * panel: the title of the comparison; cell: the form;
    * budget, and size, which is the budget as text;
    * policy: what the search held, `dim held` or `width held`;
    * search, number, run_id: which trial it is; total: the lookups of all features;
    * feature, cardinality, lookups;
    * mse: on validation; best: whether the trial is of the best few of its search.
    """
    rows = []
    forms = Forms(trials)
    for trial in trials:
        found = trial.sample.found
        columns = _columns(trial, forms)
        for name, lookups in found["lookups"].items():
            row = dict(columns)
            row["feature"] = name
            row["cardinality"] = found["cardinalities"][name]
            row["lookups"] = lookups
            rows.append(row)
    if not rows:
        return pd.DataFrame()
    frame = pd.DataFrame(rows)
    frame["panel"] = panel(frame)
    rank = frame.groupby(["search", "feature"])["mse"].rank(method="first")
    frame["best"] = rank <= BEST
    order = ["panel", "total", "policy", "cell", "budget", "search", "number"]
    return frame.sort_values(order, kind="stable", ignore_index=True)


def _columns(trial: Trial, forms: Forms) -> dict[str, Any]:
    """Return the columns of `tidy` that are equal for all features of a trial."""
    sample = trial.sample
    config = sample.config
    columns = comparison_of(sample)._replace(phase="")._asdict()
    columns["cell"] = forms.name(config.by_name())
    columns["budget"] = config.budget
    columns["size"] = bytes_text(config.budget)
    columns["policy"] = "dim held" if config.width is None else "width held"
    columns["search"] = trial.search
    columns["number"] = trial.number
    columns["total"] = sum(sample.found["lookups"].values())
    columns["mse"] = trial.val_mse
    columns["run_id"] = trial.run_id
    return columns


def wanted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a search and feature of a frame of `tidy`.

    wanted: the mean lookups that the best few trials gave. n: the trials of the search.
    """
    rows = []
    for _, trials in groups(frame, "search"):
        for _, part in trials.groupby("feature", sort=False):
            row = part.iloc[0][list(_OF_FEATURE)].to_dict()
            row["wanted"] = part.loc[part["best"], "lookups"].mean()
            row["n"] = len(part)
            rows.append(row)
    return pd.DataFrame(rows)


def held(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration without lookups.

    It is equal for the trials of a search and for the arms that confirm it.
    """
    return without(config, {"lookups"})
