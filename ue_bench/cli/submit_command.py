"""`ue-bench submit` and `ue-bench rerun`."""

import sys
from pathlib import Path

import click

from ue_bench.cli.group import main, shared
from ue_bench.errors import one_line

COMMUNITY = Path("results/community")


@main.command("submit", epilog="Example: ue-bench submit mine.py --name my-method --licence MIT")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE.py")
@click.option("--name", required=True, help="Of the folder: small letters, digits and dashes.")
@click.option("--licence", required=True, metavar="SPDX", help="Of the file, such as MIT.")
@click.option("--contact", default="", help="An address or a page.  [default: none]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=COMMUNITY,
    show_default=True,
    help="Folder of the submissions.",
)
@shared("results")
def submit_command(
    path: Path, name: str, licence: str, contact: str, out: Path, results: Path
) -> None:
    """Gather what a place on the board needs of the strategies of FILE.py.

    Their runs are those of ue-bench rank in the results folder.
    """
    from ue_bench.advise.submission import submit

    folder = submit(path, name, results, out, licence=licence, contact=contact)
    click.echo(one_line(f"{folder}; next: ue-bench check --submission {folder}"))


@main.command("rerun", epilog="Example: ue-bench rerun results/community/my-method --seeds 2")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many of the fresh seeds of each arm, drawn at random.",
)
def rerun_command(folder: Path, seeds: int) -> None:
    """Make confirmed runs of a submission again. Runs its code, after the files are checked.

    Where all of them give what the records say, the submission is marked as verified, and
    rerun.json beside its records says what was run and found. Otherwise the mark is taken away,
    and the exit code is 1. It is taken away too where a run raises, or the command is interrupted.
    """
    from ue_bench.advise import rerun as room
    from ue_bench.advise.submission import faults_of_folder, read

    submission = read(folder)
    faults = faults_of_folder(submission)
    for fault in faults:
        click.echo(one_line(f"{folder}: {fault}"))
    if faults:
        sys.exit(1)
    made = []
    try:
        for again in room.rerun(submission, seeds):
            made.append(again)
            mark = "as before"
            if again.differs:
                mark = f"NOT as before ({', '.join(again.differs)})"
            before = again.before.quality["test_mse"]
            now = again.scores["test_mse"].now
            line = f"{again.label}, seed {again.seed}: {before:.4f}, now {now:.4f}: {mark}"
            click.echo(one_line(line))
    except BaseException:  # the code of a stranger may raise anything, to keep the mark too
        room.keep(submission, [])
        raise
    n_within = sum(not again.differs for again in made)
    click.echo(f"{n_within} of {len(made)} runs are as before")
    if not room.keep(submission, made):
        sys.exit(1)
