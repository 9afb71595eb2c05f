"""`ue-bench data`."""

import json
from pathlib import Path

import click

from ue_bench.cli.group import main, print_warnings, shared
from ue_bench.cli.names import Name
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
@shared(
    "target", "columns", "time", "numeric", "entities", "positive", "test_files", "data_dir", "json"
)
def data_command(
    dataset: str, data_dir: Path | None, features: str | None, as_json: bool, **options: str | None
) -> None:
    """Find a data set, download it if necessary, and describe what it contains."""
    from ue_bench import data
    from ue_bench.cli.dataset_options import ask

    asked = ask(dataset, data_dir, features, options)
    loaded = data.load(asked.fields["dataset"], asked.data_dir, asked.fields.get("table"))
    description = loaded.describe()
    separators = data.multi_valued(loaded, loaded.features, asked.fields.get("multi_valued"))
    description["warnings"] = list(loaded.warnings(separators))
    print_warnings(description["warnings"])
    if as_json:
        click.echo(json.dumps(description, ensure_ascii=False))
        return
    click.echo(one_line(loaded.headline(description)))
    entities = entities_text(description)
    if entities:
        click.echo(one_line(f"  {entities}"))
    for name, cardinality in description["features"].items():
        remark = loaded.remark(name)
        click.echo(one_line(f"  {name:<14}{cardinality:>10,} distinct values{remark}"))
    click.echo(f"  source: {description['source']}, {description['checksum']}")
