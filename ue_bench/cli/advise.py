"""`ue-bench advise`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import main, shared
from ue_bench.cli.options import make_config, some_options
from ue_bench.cli.units import parse_bytes, parse_micros


@main.command(
    epilog="Example: ue-bench advise ml-100k --memory 50kB --latency 200us --minutes 10 --workers 2"
)
@click.argument("dataset")
@click.option(
    "--memory",
    required=True,
    metavar="BYTES",
    help="Table, auxiliary data and vocabulary in serving, all together: 28032, 50MB, 1.5GiB.",
)
@click.option(
    "--latency",
    default=None,
    metavar="TIME",
    help="Most that the median lookup of 256 rows from codes may take: 200us, 0.2ms.  [default: any]",
)
@click.option(
    "--minutes",
    type=float,
    default=10.0,
    show_default=True,
    help="Wall-clock time in all, that of earlier commands for the same question included.",
)
@some_options(
    "features",
    "multi_valued",
    "split",
    "task",
    "negative_at_most",
    "positive_at_least",
    "head",
    "epochs",
    "device",
)
@click.option("--seed", type=int, default=0, show_default=True, help="First of the seeds.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at a time, one thread each.",
)
@shared("target", "time", "numeric", "entities", "data_dir", "results", "json")
def advise(
    dataset: str,
    memory: str,
    latency: str | None,
    minutes: float,
    seed: int,
    workers: int,
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """Which strategy, table size, dim and lookups for the data set DATASET, with the evidence and the Python that builds it.

    DATASET is the name of one (see: ue-bench list datasets), or the path of a table or of its TOML file.
    Run again, it goes on where it stopped; with more minutes it knows more. Exit code 1 where nothing meets --latency.
    """
    limit = None if latency is None else parse_micros(latency, "latency")
    bytes_ = parse_bytes(memory, "memory")
    from ue_bench.cli.dataset_options import fields_of

    fields, data_dir = fields_of({"dataset": dataset, **asked}, data_dir)
    base = make_config(seed, (), fields)
    from ue_bench.advise import Question, told  # loads torch, which bad input need not wait for
    from ue_bench.advise import advise as advise_

    question = Question.of(base, bytes_, limit, minutes, data_dir)
    answer = advise_(question, results, workers)
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else told(answer, str(results)))
    if answer["latency_met"] is False:
        sys.exit(1)
