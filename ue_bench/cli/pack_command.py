"""`ue-bench pack`."""

import os
from pathlib import Path

import click

from ue_bench.cli.group import main, shared
from ue_bench.cli.names import Name
from ue_bench.errors import BenchError


@main.command("pack", epilog="Example: ue-bench pack --study calibration --results results/local")
@click.option("--study", type=Name("study"), required=True, help="The study.")
@click.option(
    "--compact",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="DIR",
    help="Instead, write what comparisons need of each run to a results folder there.",
)
@shared("results")
def pack_command(study: str, compact: Path | None, results: Path) -> None:
    """Gather the records of a study in one compressed file.

    All commands read them from it as from a file each. Runs that are made later have files of
    their own; pack again to add them.
    """
    from ue_bench.record import pack
    from ue_bench.record.lock import alone
    from ue_bench.record.packed import PACKED
    from ue_bench.record.store import pack_compact

    folder = results / study
    if not os.path.isdir(folder):  # not Path.is_dir, to which a name that is too long is an error
        raise BenchError(f"{folder} does not exist; give another --study or --results")
    if compact is not None:
        count = pack_compact(results, study, compact)
        click.echo(f"{study}: {count} compact records; in {compact / study / PACKED}")
        return
    with alone(folder):
        count, skipped = pack(results, study)
    click.echo(f"{study}: {count} records; in {folder / PACKED}")
    for line in skipped:
        click.echo(f"  left as it is: {line}", err=True)
