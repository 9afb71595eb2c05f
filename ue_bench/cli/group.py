"""The program's group of commands: exit codes, bad input and interrupts, and shared options."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.json_alone import json_alone, standard_output
from ue_bench.cli.names import Name
from ue_bench.cli.printing import could_not_print, print_all_letters, print_no_more
from ue_bench.cli.stops import Terminated, stoppable
from ue_bench.cli.voice import Silent, leave_with, speaks
from ue_bench.errors import BenchError, first_line, one_line, visible_json
from ue_bench.plugins import raised_in
from ue_bench.version import __version__

LOCAL = Path("results/local")
PUBLISHED = Path("results/published")
LESS_MEMORY = "choose a smaller table or batch, free memory, or raise the limit (ulimit -v)"
INTERRUPTED = 130  # exit code, as of a shell
TERMINATED = 143
MOST_SECONDS = 2_000_000  # of a time limit: the system waits for at most 2**31 milliseconds


class BadInput(click.ClickException):
    exit_code = 2


class Seconds(click.FloatRange):
    """A number of seconds in a range. `nan`, which click lets through, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


class Commands(click.Group):
    """A group that reports bad input, and too little memory, in one line with exit code 2.

    What the code of a plug-in or of a study's file raises is bad input, too.
    Ctrl-C ends a command with exit code 130, SIGTERM with 143.
    """

    def invoke(self, ctx: click.Context) -> Any:
        with stoppable() as raise_postponed:
            try:
                _require_folder()
                print_all_letters()
                result = super().invoke(ctx)
                raise_postponed()
                return result
            except click.UsageError as error:
                _leave_to_others(error, ctx)
                raise
            except Terminated as stop:
                leave_with(TERMINATED)
                if speaks(stop, ctx.invoked_subcommand):
                    _report_stop("terminated")
                ctx.exit(TERMINATED)
            except KeyboardInterrupt as stop:
                leave_with(INTERRUPTED)
                if speaks(stop, ctx.invoked_subcommand):
                    _report_stop("interrupted")
                ctx.exit(INTERRUPTED)
            # A plug-in that calls sys.exit(0) would end the command as if all were well, and what
            # it raises need not be an Exception.
            except BaseException as error:
                if could_not_print(error):
                    print_no_more()
                    raise BadInput(
                        f"standard output cannot be written ({error.strerror}); what "
                        "was finished is kept, and the same command prints it again"
                    ) from error
                text = told(error)
                if text is None:  # a bug of this package, or the end of a command
                    raise
                _leave_to_others(error, ctx)
                raise BadInput(text) from error


def _require_folder() -> None:
    """Raise BenchError where the current folder is gone: libraries cannot be loaded in it."""
    try:
        os.getcwd()
    except OSError as error:
        raise BenchError(
            f"the current folder cannot be used ({error.strerror}); change to one that exists"
        ) from error


def told(error: BaseException) -> str | None:
    """Return the line for bad input, too little memory, or an error in the code of others.

    None: it is none of these.
    """
    if isinstance(error, BenchError):
        return str(error)
    if _lacks_memory(error):
        return one_line(f"out of memory{_in_brackets(error)}; {LESS_MEMORY}")
    raised = raised_in(error)
    return None if raised is None else one_line(f"{raised}; mend the file")


def _lacks_memory(error: BaseException) -> bool:
    """Return whether memory was refused: to Python, or to the loader of a library."""
    return isinstance(error, MemoryError) or (
        isinstance(error, ImportError) and "failed to map segment" in str(error)
    )


def _in_brackets(error: BaseException) -> str:
    message = first_line(error)
    return f" ({message})" if message else ""


def _leave_to_others(error: BaseException, ctx: click.Context) -> None:
    """End without a word where another process of the run reports the error."""
    leave_with(Silent.exit_code)
    if not speaks(error, ctx.invoked_subcommand):
        raise Silent() from error


def _report_stop(what: str) -> None:
    click.echo(
        f"{what}: nothing that was finished is lost; the same command runs what is missing",
        err=True,
    )


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
        help="Of a table: the features that are user and item.  "
        "[default: by name, such as user_id; else those of most values]",
    ),
    "positive": click.option(
        "--positive",
        default=None,
        metavar="VALUE",
        help="Of a table: the value of the target that is 1; all others are 0. The task is binary.",
    ),
    "test_files": click.option(
        "--test-files",
        default=None,
        metavar="PATH",
        help="Of a table: files of the test part; the split divides the other rows.",
    ),
    "plugins": click.option(
        "--plugin",
        "plugins",
        type=click.Path(path_type=Path),
        multiple=True,
        help="A Python file with more strategies; repeatable.",
    ),
    "workers": click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=1,
        show_default=True,
        help="Runs at a time, one thread each.",
    ),
    "time_limit": click.option(
        "--time-limit",
        type=Seconds(min=0, min_open=True, max=MOST_SECONDS),
        default=None,
        metavar="SECONDS",
        help="End a run that takes longer: it fails, and the study goes on.  [default: none]",
    ),
    "json": lambda command: click.option(
        "--json", "as_json", is_flag=True, help="Print JSON alone on standard output."
    )(json_alone(command)),
}


def print_json(value: Any) -> None:
    """Print JSON on standard output, without characters that a terminal obeys."""
    with standard_output():
        click.echo(_json_text(value))


def print_json_list(values: Iterable[Any]) -> None:
    """Print what `print_json` prints of a list, of which only one value is held at a time."""
    before = "["
    with standard_output():
        for value in values:
            click.echo(before + _json_text(value), nl=False)
            before = ", "
        click.echo("[]" if before == "[" else "]")


def _json_text(value: Any) -> str:
    return visible_json(json.dumps(value, ensure_ascii=False))


def shared(*names: str) -> Callable[[Any], Any]:
    """Return a decorator that adds the options of these names, which several commands have."""

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = OPTIONS[name](command)
        return command

    return decorate


def report_skipped(skipped: Sequence[str], most: int = 5) -> None:
    """Name the files of a results folder that are no valid record, on standard error."""
    for line in skipped[:most]:
        click.echo(f"left out: {line}", err=True)
    if len(skipped) > most:
        click.echo(f"left out: {len(skipped) - most} more; ue-bench check lists all", err=True)


def print_warnings(warnings: Iterable[str]) -> None:
    """Print what is wrong with the columns of a data set, on standard error."""
    for line in warnings:
        click.echo(one_line(f"warning: {line}"), err=True)


def load_plugins(plugins: Sequence[Path]) -> tuple[str, ...]:
    """Add the strategies of these Python files to the list, and return their names."""
    if not plugins:
        return ()
    from ue_bench import strategies

    return tuple(strategies.load_plugins(plugins))
