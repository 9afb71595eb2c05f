"""`ue-bench data`, `check-strategy` and `list`: what there is to choose from."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, shared
from ue_bench.cli.names import Name
from ue_bench.errors import one_line, unknown


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
@shared("target", "columns", "time", "numeric", "entities", "data_dir", "json")
def data_(
    dataset: str, data_dir: Path | None, features: str | None, as_json: bool, **options: str | None
) -> None:
    """Find a data set (or download it, or read a table) and say what is in it."""
    from ue_bench import data
    from ue_bench.cli.dataset_options import ask

    asked = ask(dataset, data_dir, features, options)
    loaded = data.load(asked.fields["dataset"], asked.data_dir, asked.fields.get("table"))
    found = loaded.describe()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    click.echo(one_line(loaded.headline(found)))
    for name, cardinality in found["features"].items():
        click.echo(one_line(f"  {name:<14}{cardinality:>10,} distinct values{loaded.remark(name)}"))
    click.echo(f"  source: {found['source']}, {found['checksum']}")


@main.command("check-strategy", epilog="Example: ue-bench check-strategy my_strategy.py")
@click.argument("path", type=click.Path(path_type=Path))
def check_strategy(path: Path) -> None:
    """Hold the strategies of a Python file to the contract, and say what is wrong. Exit code 1 where something is."""
    from ue_bench.strategies import load_plugin
    from ue_bench.testing import check

    wrong = 0
    for name, entry in load_plugin(path).items():
        for regions in entry.regions:
            findings = [(test, told) for test, told in check(name, regions, path)]
            broken = [(test, told) for test, told in findings if told]
            click.echo(
                f"{one_line(name)}, {regions}: {len(findings) - len(broken)} of {len(findings)} tests pass"
            )
            for test, told in broken:
                click.echo(f"  {test.removeprefix('test_').replace('_', ' ')}: {told}")
            wrong += len(broken)
    if wrong:
        sys.exit(1)


@main.command("list", epilog="Example: ue-bench list strategies --json")
@click.argument("what", metavar="strategies|studies|datasets", type=Name("listing"))
@click.option(
    "--markdown", is_flag=True, help="Strategies only: the page with the formula of each."
)
@shared("plugins", "json")
def list_(what: str, markdown: bool, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List what can be chosen: with details on a terminal, names alone into a pipe."""
    listings = {"strategies": strategies, "studies": studies, "datasets": datasets}
    if what not in listings:
        raise unknown("list", what, listings)
    load_plugins(plugins)
    if markdown and what == "strategies":
        from ue_bench.strategies.docs import markdown as page

        click.echo(page(), nl=False)
        return
    rows = listings[what]()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif not sys.stdout.isatty():
        click.echo("\n".join(one_line(row["name"]) for row in rows))
    else:
        for row in rows:
            click.secho(one_line(row["name"]), bold=True)
            for name, value in row.items():
                if name not in ("name",):
                    told = str(value) if name == "summary" else f"{name.replace('_', ' ')}: {value}"
                    click.echo(f"    {one_line(told)}")


def strategies() -> list[dict[str, Any]]:
    from ue_bench.strategies import all_strategies

    return [
        {
            "name": name,
            "summary": entry.summary,
            "regions": " or ".join(entry.regions),
            "needs_vocabulary": entry.needs_vocabulary,
            "source": entry.source,
        }
        for name, entry in all_strategies().items()
    ]


def studies() -> list[dict[str, Any]]:
    from ue_bench.study import find, names

    return [{"name": name, "summary": find(name).question} for name in names()]


def datasets() -> list[dict[str, Any]]:
    from ue_bench.data import DATASETS

    return [
        {"name": name, "summary": info.summary, "task": info.task}
        | ({"url": info.url} if info.url else {})
        for name, info in DATASETS.items()
    ]
