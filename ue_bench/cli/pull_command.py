"""`ue-bench pull`."""

from pathlib import Path

import click

from ue_bench.cli.group import main, shared
from ue_bench.cli.names import Name
from ue_bench.errors import BenchError


@main.command(
    "pull",
    epilog="Example: ue-bench pull --study table_size --storage postgresql://ue@db.example/ue",
)
@shared("storage")
@click.option("--study", "only", type=Name("study"), default=None, help="This study alone.")
@shared("results")
def pull_command(storage: str, only: str | None, results: Path) -> None:
    """Write the records of a storage, which workers filled, into the results folder.

    A file that contains a successful run is not overwritten. Of a damaged storage the records that
    can be read are written, and the exit code is 2.
    """
    from ue_bench.study.shared import Storage, pull

    outcomes = pull(Storage(storage), results, only)
    for name, outcome in outcomes.items():
        counts = f"{outcome.written} records written, {outcome.ready} were there"
        if outcome.kept:
            counts += f", {outcome.kept} other files of the same runs kept"
        if outcome.running:
            counts += f", {outcome.running} still run"
        click.echo(f"{name}: {counts}; in {results / name}")
        for damage in outcome.damaged:
            click.echo(f"  left out: {damage}", err=True)
    for outcome in outcomes.values():
        if outcome.unreadable is not None:
            raise BenchError(outcome.unreadable)
