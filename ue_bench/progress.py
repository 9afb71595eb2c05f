"""Progress on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ue_bench.errors import one_line

PLAIN_SECONDS = 10.0  # between two plain lines
WIDEST = 32  # characters that a bar shows of what is running


Left = Callable[[], float | None]


@contextmanager
def progress(
    label: str, total: float | None, unit: str = "", left: Left | None = None
) -> Iterator[Callable[..., None]]:
    """Yield ``update(done, what="", total=total)``, which reports how far the work is.

    total: of the work; None: not known yet.
    unit: printed behind the numbers ("runs"); "bytes" are shown as sizes.
    left: returns the seconds that are left of more work than this, if they are known; by default
    this work is taken to go on as fast as it went.
    what: what is running.
    """
    if sys.stderr.isatty():
        yield from _bar(label, total, unit, left)
    else:
        yield from _lines(label, total, unit, left)


def note(text: str) -> None:
    """Print one line on standard error about something that is neither requested nor wrong."""
    print(one_line(text), file=sys.stderr, flush=True)


def _bar(
    label: str, total: float | None, unit: str, left: Left | None
) -> Iterator[Callable[..., None]]:
    from rich import progress as rich_progress
    from rich.console import Console

    amount: rich_progress.ProgressColumn = rich_progress.MofNCompleteColumn()
    if unit == "bytes":
        amount = rich_progress.DownloadColumn()
    remaining: rich_progress.ProgressColumn
    remaining = rich_progress.TimeRemainingColumn(elapsed_when_finished=True)
    if left is not None:
        remaining = rich_progress.TextColumn("{task.fields[left]}")
    label = one_line(label)
    with rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=20),
        amount,
        remaining,
        console=Console(stderr=True),
    ) as bars:
        task = bars.add_task(label, total=total, left="")

        def update(done: float, what: str = "", total: float | None = total) -> None:
            description = label
            if what:
                description = f"{label}  {one_line(what)[:WIDEST]}"
            shown = "" if left is None else _left_text(left())
            bars.update(task, completed=done, total=total, description=description, left=shown)

        yield update


def _left_text(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.0f} s left in all"


def _lines(
    label: str, total: float | None, unit: str, left: Left | None
) -> Iterator[Callable[..., None]]:
    started = time.monotonic()
    last = started
    begun: float | None = None  # what was done before this command

    def update(done: float, what: str = "", total: float | None = total) -> None:
        nonlocal begun, last
        now = time.monotonic()
        if begun is None:
            begun = done
        if now - last < PLAIN_SECONDS and done != total:
            return
        last = now
        line = f"{label}: {done:,.0f}"
        if total:
            line += f" of {total:,.0f}"
        line += f" {unit}"
        if left is not None:
            in_all = _left_text(left())
            line += f", {in_all}" if in_all else ""
        elif total and begun < done < total:
            seconds_left = (now - started) / (done - begun) * (total - done)
            line += f", {seconds_left:,.0f} s left"
        if what:
            line += f"; {what}"
        print(one_line(line), file=sys.stderr, flush=True)

    yield update
