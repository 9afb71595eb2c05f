"""Parts of `ue-bench study`: its options, the data set in place of the
study's own, and the list of failures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ue_bench.cli.names import Name
from ue_bench.cli.table_options import FIELDS, data_options
from ue_bench.errors import BenchError, one_line

if TYPE_CHECKING:
    from ue_bench.record import Record


def study_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which runs of a study are made."""
    seed = click.option(
        "--seed", type=int, default=0, show_default=True, help="First of the study's seeds."
    )
    dataset = click.option(
        "--dataset",
        type=Name("dataset"),
        default=None,
        help="Run the study on this data set, or table, instead of its own.",
    )
    quick = click.option(
        "--quick", is_flag=True, help="The study's short form, in a folder of its own."
    )
    only = click.option(
        "--only",
        multiple=True,
        metavar="STRATEGY",
        help="Make the runs of this strategy alone; repeatable.",
    )
    return seed(dataset(data_options(quick(only(command)))))


def other_dataset(
    dataset: str | None,
    data_dir: Path | None,
    features: str | None,
    options: dict[str, Any],
) -> tuple[dict[str, Any], Path | None]:
    """Return the fields of the data set that replaces the study's own, and the folder of its files.

    Raises BenchError for options of a data set where none is given.
    """
    from ue_bench.cli.dataset_options import ask_for_all

    if dataset is not None:
        return ask_for_all(dataset, data_dir, features, options)
    for name, value in {"features": features, **options}.items():
        if value is None:
            continue
        flag = name.replace("_", "-")
        needed = "a data set; name it" if name in FIELDS else "a table; give its path"
        raise BenchError(f"--{flag} needs {needed} with --dataset")
    return {}, data_dir


def print_failures(infeasible: Sequence[Record], failed: Sequence[Record]) -> None:
    """Print the most common messages, each with the number of its runs, on standard error."""
    for kind, records in (("cannot work at its budget", infeasible), ("failed", failed)):
        messages = Counter(str(record.error) for record in records)
        for message, n in messages.most_common(5):
            click.echo(one_line(f"  {kind}: {message} ({n} runs)"), err=True)
