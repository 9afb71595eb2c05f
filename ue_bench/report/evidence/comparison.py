"""A comparison: the study, data and task that arms have in common, and how the report names it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ue_bench.config import RunConfig
from ue_bench.errors import one_line
from ue_bench.record import Record

# The report names head and task only where they are others than these.
USUAL_HEAD = "mlp"
USUAL_TASK = "regression"


class Comparison(NamedTuple):
    """What the arms of one comparison have in common.

    phase: `confirm` for the best few of a search and their rivals, on fresh seeds; else `all`.
    task: `regression`, or `binary` with the rule of its labels.
    setting: the name of the arms' recipe in a study that compares recipes; elsewhere "".
    """

    study: str
    dataset: str
    features: str
    split: str
    head: str
    phase: str
    task: str
    setting: str = ""

    @classmethod
    def of_row(cls, row: Mapping[Any, Any]) -> "Comparison":
        """Return the comparison of a row of the summary or of the verdicts."""
        return cls(**{name: row[name] for name in cls._fields})

    @property
    def title(self) -> str:
        """Features, data set and split, such as `base (ml-100k, random split)`.

        Head, task and setting are in the brackets where they are not the usual ones.
        """
        details = [self.dataset, self.split.replace("_", " ") + " split"]
        if self.head != USUAL_HEAD:
            details.append(f"{self.head} head")
        if self.task != USUAL_TASK:
            details.append(self.task)
        if self.setting:
            details.append(self.setting)
        title = f"{self.features} ({', '.join(details)})"
        if self.phase == "confirm":
            title += ", after the search, on fresh seeds"
        return title

    @property
    def full_title(self) -> str:
        """The title with its study, for text about several studies."""
        return f"{self.title}, study {self.study}"


def comparison_of(record: Record) -> Comparison:
    """Return the comparison that a record belongs to."""
    config = record.config
    phase = "confirm" if record.phase == "confirm" else "all"
    features = one_line(config.features)
    if config.multi_valued:  # these are other features, though their names are equal
        features += f" ({one_line(config.multi_valued)} multi-valued)"
    return Comparison(
        study=record.study,
        dataset=_data_of(config),
        features=features,
        split=one_line(config.split),
        head=one_line(config.head),
        phase=phase,
        task=task_of(config),
        setting=one_line(record.found.get("setting", "")),
    )


def _data_of(config: RunConfig) -> str:
    """Return the data set with the part of its rows that was used, and its own test files."""
    name = config.dataset
    if config.rows_fraction != 1:
        name += f", {config.rows_fraction:.3g} of the rows"
    if config.tested_on is not None:
        name += f" tested on {config.tested_on}"
    return one_line(name)


def task_of(config: RunConfig) -> str:
    """Return the task with the rule of its labels, such as `binary: 0 up to 2, 1 from 4`."""
    task = one_line(config.task)
    rule = []
    positive = (config.table or {}).get("positive")
    if positive is not None:
        rule.append(f"1 is {str(positive)!r}")
    if config.negative_at_most is not None:
        rule.append(f"0 up to {config.negative_at_most:g}")
    if config.positive_at_least is not None:
        rule.append(f"1 from {config.positive_at_least:g}")
    if not rule:
        return task
    return f"{task}: {', '.join(rule)}"
