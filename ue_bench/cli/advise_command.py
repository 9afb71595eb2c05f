"""`ue-bench advise`."""

import sys
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, print_json, shared
from ue_bench.cli.options import make_config, some_options
from ue_bench.cli.protocol import PROTOCOL, follow_protocol
from ue_bench.cli.table_options import FIELDS, TABLE
from ue_bench.config.units import parse_bytes, parse_micros


@main.command(
    "advise",
    epilog=(
        "Example: ue-bench advise ml-100k --memory 50kB --latency 1ms --minutes 10 --workers 2"
    ),
)
@click.argument("dataset")
@click.option(
    "--memory",
    required=True,
    metavar="BYTES",
    help="Bytes of table, auxiliary data and vocabulary together: 28032, 50MB, 1.5GiB.",
)
@click.option(
    "--latency",
    default=None,
    metavar="TIME",
    help="Largest median latency of a lookup of 256 rows from raw values: 800us, 0.8ms.  "
    "[default: any]",
)
@click.option(
    "--minutes",
    type=float,
    default=10.0,
    show_default=True,
    help="Wall-clock time in total, including earlier commands for the same question.",
)
@some_options("features", *FIELDS, "split", "head", "epochs", "device")
@click.option("--seed", type=int, default=0, show_default=True, help="First of the seeds.")
@shared("workers")
@PROTOCOL
@shared(*TABLE, "plugins", "data_dir", "results", "json")
def advise_command(
    dataset: str,
    memory: str,
    latency: str | None,
    minutes: float,
    seed: int,
    workers: int,
    protocol: str | None,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Recommend a strategy, table size, dim and lookups for DATASET, with evidence and code.

    DATASET is a name (see: ue-bench list datasets), or the path of a table or of its TOML file.
    The same command continues where it stopped, and finds out more with more minutes. The exit code
    is 1 if nothing meets --latency.
    """
    latency_limit = None if latency is None else parse_micros(latency, "latency")
    memory_limit = parse_bytes(memory, "memory")
    from ue_bench.cli.dataset_options import fields_of

    follow_protocol(protocol, options)
    fields, data_dir = fields_of({"dataset": dataset, **options}, data_dir)
    config = make_config(seed, (), fields)
    load_plugins(plugins)
    from ue_bench.advise import Question, advise, as_text  # after the checks: it loads torch

    question = Question.of(config, memory_limit, latency_limit, minutes, data_dir, plugins)
    answer = advise(question, results, workers)
    if as_json:
        print_json(answer)
    else:
        click.echo(as_text(answer, str(results)))
    if answer["latency_met"] is False:
        sys.exit(1)
