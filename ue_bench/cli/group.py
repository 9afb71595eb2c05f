"""The program itself: its exit codes, what bad input and an interrupt do, and the options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.names import Name
from ue_bench.cli.stops import Terminated, stoppable
from ue_bench.errors import BenchError
from ue_bench.version import __version__

LOCAL, PUBLISHED = Path("results/local"), Path("results/published")
INTERRUPTED, TERMINATED = 130, 143  # exit codes


class BadInput(click.ClickException):
    exit_code = 2


class Commands(click.Group):
    """A group whose commands tell a bad input, and too little memory, in one line with exit code 2.

    An interrupt by Ctrl-C has exit code 130, and one by SIGTERM 143.
    """

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable() as settle:
            try:
                done = super().invoke(ctx)
                settle()
                return done
            except BenchError as error:
                raise BadInput(str(error)) from error
            except MemoryError as error:
                raise BadInput(
                    f"out of memory ({error}); choose a smaller table or batch"
                ) from error
            except KeyboardInterrupt as stop:
                what, code = (
                    ("terminated", TERMINATED)
                    if isinstance(stop, Terminated)
                    else ("interrupted", INTERRUPTED)
                )
                click.echo(
                    f"{what}: nothing that was finished is lost; the same command runs what is missing",
                    err=True,
                )
                ctx.exit(code)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="ue-bench")
def main() -> None:
    """Compare embedding-table strategies for categorical features, on MovieLens.

    Example: ue-bench run --strategy unified --budget 28kB --seed 0
    """


OPTIONS: dict[str, Callable[[Any], Any]] = {
    "results": click.option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=LOCAL,
        show_default=True,
        help="Folder of the records.",
    ),
    "data_dir": click.option(
        "--data-dir",
        type=click.Path(path_type=Path),
        default=None,
        help="Folder or zip with the data set in its official layout, instead of cache and "
        "download; folder of a table's files.",
    ),
    "target": click.option(
        "--target", default=None, metavar="COLUMN", help="Of a table: the column to predict."
    ),
    "columns": click.option(
        "--features",
        type=Name("features"),
        default=None,
        metavar="NAMES",
        help="Of a table: columns to embed, separated by commas; crosses a*b are what wide adds.",
    ),
    "time": click.option(
        "--time",
        default=None,
        metavar="COLUMN",
        help="Of a table: the column that orders its rows.",
    ),
    "numeric": click.option(
        "--numeric",
        default=None,
        metavar="NAMES",
        help="Of a table: features to round to two digits though their values are whole.",
    ),
    "entities": click.option(
        "--entities",
        default=None,
        metavar="USER,ITEM",
        help="Of a table: the features that are user and item.  [default: those of most values]",
    ),
    "plugins": click.option(
        "--plugin",
        "plugins",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A Python file with more strategies; repeatable.",
    ),
    "storage": click.option(
        "--storage",
        required=True,
        envvar="UE_BENCH_STORAGE",
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE; "
        "may be set as UE_BENCH_STORAGE instead.",
    ),
    "time_limit": click.option(
        "--time-limit",
        type=click.FloatRange(min=0, min_open=True),
        default=None,
        metavar="SECONDS",
        help="End a run that takes longer: it fails, and the study goes on.  [default: none]",
    ),
    "json": click.option(
        "--json", "as_json", is_flag=True, help="Print JSON alone on standard output."
    ),
}


def shared(*names: str) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of these names, which several commands have."""

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = OPTIONS[name](command)
        return command

    return decorate


def tell_left_out(skipped: list[str], most: int = 5) -> None:
    """Name the files of a results folder that are no valid record; nothing is made of them."""
    for line in skipped[:most]:
        click.echo(f"left out: {line}", err=True)
    if len(skipped) > most:
        click.echo(f"left out: {len(skipped) - most} more; ue-bench check names them all", err=True)


def load_plugins(plugins: tuple[Path, ...]) -> None:
    if plugins:
        from ue_bench.strategies import load_plugin

        for path in plugins:
            load_plugin(path)
