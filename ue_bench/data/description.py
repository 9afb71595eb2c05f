"""What a data set contains, described with the labels and features of several values of a run."""

from typing import Any

from ue_bench.config import RunConfig
from ue_bench.config.separators import parse_separators
from ue_bench.data.binary_labels import count_labels
from ue_bench.data.dataset import Dataset
from ue_bench.data.multi_valued_features import multi_valued, n_values


def describe(dataset: Dataset, config: RunConfig) -> dict[str, Any]:
    """Return the counts and ranges of `Dataset.describe`, with what a run makes of the rows.

    `features` counts the single values of features of several values. `texts` has those of them
    that the configuration names: the separator, and the number of distinct texts. `labels` counts
    the labels of the binary task, and the rows that it drops.

    Raises BenchError for a feature that is absent, a separator without effect, and a target without
    labels.
    """
    description = dataset.describe()
    separators = multi_valued(dataset, dataset.features, config.multi_valued)
    description["warnings"] = list(dataset.warnings(separators))
    if config.multi_valued is not None:
        texts = {}
        for name in parse_separators(config.multi_valued):
            values = dataset.coded(name).values
            description["features"][name] = n_values(values, separators[name])
            texts[name] = {"separator": separators[name], "distinct": len(values)}
        description["texts"] = texts
    if config.task == "binary":
        counts = count_labels(dataset.target, config.negative_at_most, config.positive_at_least)
        description["labels"] = counts._asdict()
    return description
