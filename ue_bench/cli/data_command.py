"""`ue-bench data`."""

from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import main, print_json, print_warnings, shared
from ue_bench.cli.names import Name
from ue_bench.cli.options import make_config
from ue_bench.cli.table_options import data_options
from ue_bench.config.entities import entities_text
from ue_bench.errors import one_line


@main.command(
    "data", epilog="Example: ue-bench data --dataset ml-1m --data-dir ~/Downloads/ml-1m.zip"
)
@click.option(
    "--dataset",
    type=Name("dataset"),
    default="ml-100k",
    show_default=True,
    help="Data set (see: ue-bench list datasets), or the path of a table or of its TOML file.",
)
@click.option(
    "--prune",
    is_flag=False,
    flag_value="0",
    metavar="[SIZE]",
    help="Remove coded rows from the cache, those used least recently first, until the rest takes "
    "at most SIZE (5GB; without it: all), list the rest, and describe nothing.",
)
@click.option(
    "--verify",
    is_flag=True,
    help="Compute the checksums of files again, and remove coded rows that are damaged.",
)
@data_options
@shared("data_dir", "json")
def data_command(
    dataset: str,
    prune: str | None,
    verify: bool,
    data_dir: Path | None,
    features: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Find a data set, download it if necessary, and describe what it contains."""
    from ue_bench import data
    from ue_bench.cli import coded_rows
    from ue_bench.cli.dataset_options import ask_for_all

    if prune is not None:
        coded_rows.prune(prune)
        return
    if verify:
        coded_rows.verify()
    asked = ask_for_all(dataset, data_dir, features, options)
    config = make_config(0, (), asked.fields)
    loaded = data.load(config.dataset, asked.data_dir, config.table)
    description = data.describe(loaded, config)
    print_warnings(description["warnings"])
    if as_json:
        print_json(description)
        return
    click.echo(one_line(loaded.headline(description)))
    entities = entities_text(description)
    if entities:
        click.echo(one_line(f"  {entities}"))
    if "labels" in description:
        labels = description["labels"]
        line = f"  labels: {labels['positive']:,} of 1, {labels['negative']:,} of 0"
        if labels["dropped"]:
            line += f"; {labels['dropped']:,} rows between the bounds are dropped"
        click.echo(line)
    texts = description.get("texts", {})
    for name, cardinality in description["features"].items():
        remark = loaded.remark(name)
        if name in texts:
            text = texts[name]
            remark += f", in {text['distinct']:,} distinct texts with {text['separator']!r} between"
        click.echo(one_line(f"  {name:<14}{cardinality:>10,} distinct values{remark}"))
    click.echo(f"  source: {description['source']}, {description['checksum']}")
    coded_rows.summarise()
