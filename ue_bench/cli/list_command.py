"""`ue-bench list`."""

import sys
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, print_json, shared
from ue_bench.cli.json_alone import standard_output
from ue_bench.cli.names import Name
from ue_bench.errors import one_line, unknown


@main.command("list", epilog="Example: ue-bench list strategies --json")
@click.argument("what", metavar="strategies|studies|datasets", type=Name("listing"))
@click.option(
    "--markdown", is_flag=True, help="Strategies only: print a page with the formula of each."
)
@shared("plugins", "json")
def list_command(what: str, markdown: bool, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List the strategies, studies or data sets.

    A terminal shows details; a pipe receives the names alone. After the strategies come the
    anchors: predictors without an embedding table, which run as arms beside them.
    """
    listings = {"strategies": _strategies, "studies": _studies, "datasets": _datasets}
    if what not in listings:
        raise unknown("list", what, listings)
    load_plugins(plugins)
    if markdown and what == "strategies":
        from ue_bench.strategies import docs

        with standard_output():
            click.echo(docs.markdown(), nl=False)
        return
    rows = listings[what]()
    if as_json:
        print_json(rows)
    elif sys.stdout.isatty():
        for row in rows:
            _print_details(row)
    else:
        for row in rows:
            click.echo(one_line(row["name"]))


def _print_details(row: dict[str, Any]) -> None:
    """Print the name in bold, then the summary and the other columns with their titles."""
    click.secho(one_line(row["name"]), bold=True)
    click.echo(f"    {one_line(row['summary'])}")
    for column, value in row.items():
        if column in ("name", "summary") or value == "" or value is None:
            continue
        text = str(value)
        if isinstance(value, list):
            text = ", ".join(map(str, value)) or "none"
        click.echo(one_line(f"    {column.replace('_', ' ')}: {text}"))


def _strategies() -> list[dict[str, Any]]:
    from ue_bench.record import ANCHOR
    from ue_bench.strategies import ANCHORS, all_strategies

    rows = []
    for name, entry in all_strategies().items():
        row = {
            "name": name,
            "kind": "strategy",
            "summary": entry.summary,
            "regions": list(entry.regions),
            "needs_vocabulary": entry.needs_vocabulary,
            "bits": list(entry.bits),
            "float_only": entry.float_only,
            "source": entry.source,
        }
        rows.append(row)
    for name, anchor in ANCHORS.items():
        row = {
            "name": name,
            "kind": ANCHOR,
            "summary": anchor.summary,
            "option": anchor.option,
            "source": anchor.source,
        }
        rows.append(row)
    return rows


def _studies() -> list[dict[str, Any]]:
    from ue_bench.study import find, names

    return [{"name": name, "summary": find(name).question} for name in names()]


def _datasets() -> list[dict[str, Any]]:
    from ue_bench.data import DATASETS
    from ue_bench.data.catalog import LAYOUTS

    rows = []
    for name, info in DATASETS.items():
        row: dict[str, Any] = {"name": name, "summary": info.summary, "task": info.task}
        if info.layout in LAYOUTS:
            row["features"] = ["base", "wide"]
        if info.url:
            row["url"] = info.url
        rows.append(row)
    return rows
