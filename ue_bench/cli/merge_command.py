"""`ue-bench merge`."""

from pathlib import Path

import click

from ue_bench.cli.group import main, report_skipped, shared


@main.command("merge", epilog="Example: ue-bench merge machine-1 machine-2 --results results/local")
@click.argument(
    "folders", nargs=-1, required=True, type=click.Path(path_type=Path, file_okay=False)
)
@shared("results")
def merge_command(folders: tuple[Path, ...], results: Path) -> None:
    """Copy the records of other results FOLDERS into the results folder.

    A file that contains a successful run is not overwritten.
    """
    from ue_bench.record.merge import merge

    outcome, skipped = merge(folders, results)
    for name, found in sorted(outcome.items()):
        counts = f"{found.written} records written, {found.ready} were there"
        if found.kept:
            counts += f", {found.kept} other files of the same runs kept"
        click.echo(f"{name}: {counts}; in {results / name}")
    report_skipped(skipped)
