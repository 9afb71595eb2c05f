"""`ue-bench rank`."""

import sys
from pathlib import Path

import click

from ue_bench.cli.check_strategy_command import check_form
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
@shared("against", "workers", "data_dir", "results", "json")
def rank_command(
    path: Path,
    quick: bool,
    minutes: float | None,
    worlds: str | None,
    against: Path | None,
    workers: int,
    data_dir: Path | None,
    results: Path,
    as_json: bool,
) -> None:
    """Rank the strategies of FILE.py among the published ones, searched alike.

    With --on they are ranked in several worlds, where nothing is searched for anyone.
    First their contract is tested. The same command goes on where it stopped, also with more
    effort. The exit code is 1 if a test of the contract fails.
    """
    from ue_bench.advise.rank_worlds import parse_worlds, prepare_on
    from ue_bench.strategies import load_plugin

    on = None if worlds is None else parse_worlds(worlds)
    added = load_plugin(path)
    names = [name for name, entry in added.items() if not entry.stream_only]
    failed = 0
    for name in names:
        for regions in added[name].regions:
            failed += check_form(name, regions, path, err=as_json)
    if failed:
        sys.exit(1)
    from ue_bench.advise.rank import PUBLISHED, affordable, prepare, rank
    from ue_bench.advise.rank_text import rank_text

    published = against or PUBLISHED
    if on is None:
        most = prepare(names, published, data_dir)
    else:
        most = prepare_on(on, names, published)
    ranking = affordable(most, quick, minutes, workers)
    cost = ranking.cost_text(workers)
    click.echo(one_line(f"rank: {', '.join(names)}: {cost} ({ranking.effort_text})"), err=True)
    for world in ranking.worlds:
        click.echo(one_line(f"rank: {world}: {ranking.on(world).cost_text(workers)}"), err=True)
    found = rank(ranking, results, workers=workers, plugins=[path], data_dir=data_dir)
    if as_json:
        print_json(found)
        return
    for name, of_name in found.items():
        click.echo(rank_text(name, of_name))
