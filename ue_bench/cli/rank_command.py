"""`ue-bench rank`."""

import sys
from functools import partial
from pathlib import Path

import click

from ue_bench.cli.check_strategy_command import keep_contract
from ue_bench.cli.group import Seconds, main, print_json, shared
from ue_bench.errors import one_line


@main.command("rank", epilog="Example: ue-bench rank my_strategy.py --quick --workers 2")
@click.argument("path", type=click.Path(path_type=Path), metavar="FILE.py")
@click.option("--quick", is_flag=True, help="The least effort: one size, few trials and seeds.")
@click.option(
    "--minutes",
    type=Seconds(min=0, min_open=True),
    default=None,
    help="The most effort that is expected to take no longer.  [default: all of it]",
)
@click.option(
    "--on",
    "worlds",
    default=None,
    metavar="WORLDS",
    help="Worlds of the study worlds with commas, such as ml-100k,baseball, instead of the "
    "searches of the study methods.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to write a page to, of the published records and those of FILE.py.  "
    "[default: none]",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    metavar="DIR",
    help="Results folder with the published studies.  [default: that of the package]",
)
@shared("workers", "data_dir", "results", "json")
def rank_command(
    path: Path,
    quick: bool,
    minutes: float | None,
    worlds: str | None,
    out: Path | None,
    against: Path | None,
    workers: int,
    data_dir: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Rank the strategies of FILE.py among the published ones, searched alike.

    With --on they are ranked in several worlds, where nothing is searched for anyone.
    The first line says what it costs. Then their contract is tested. The same command goes on
    where it stopped, also with more effort. The exit code is 1 if a test of the contract fails.
    """
    from ue_bench.advise.rank import PUBLISHED
    from ue_bench.advise.rank_worlds import parse_worlds
    from ue_bench.advise.ranked import options_of, ranking_of, run_ranking
    from ue_bench.record import require_writable

    on = () if worlds is None else parse_worlds(worlds)
    ranking = ranking_of(
        path,
        against or PUBLISHED,
        on,
        quick=quick,
        minutes=minutes,
        workers=workers,
        data_dir=data_dir,
    )
    for line in ranking.cost_lines(workers):
        click.echo(line, err=True)
    if not keep_contract(ranking.names, path, partial(click.echo, err=as_json)):
        sys.exit(1)
    if out is not None:
        require_writable(out)
    options = options_of(
        quick=quick,
        minutes=minutes,
        against=against,
        workers=workers,
        results=results,
        data_dir=data_dir,
    )
    ranked = run_ranking(ranking, path, results, workers, data_dir, options)
    if as_json:
        print_json(ranked.data)
    else:
        click.echo(str(ranked))
    if out is not None:
        click.echo(one_line(f"page: {ranked.report(out)}"), err=as_json)
