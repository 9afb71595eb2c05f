"""Progress on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ue_bench.errors import one_line

PLAIN_SECONDS = 10.0  # between two plain lines
WIDEST = 32  # characters that a bar shows of what is running


@contextmanager
def progress(label: str, total: float | None, unit: str = "") -> Iterator[Callable[..., None]]:
    """Yield ``update(done, what="", total=total)``, which reports how far the work is.

    total: of the work; None: not known yet.
    unit: printed behind the numbers ("runs"); "bytes" are shown as sizes.
    what: what is running.
    """
    if sys.stderr.isatty():
        yield from _bar(label, total, unit)
    else:
        yield from _lines(label, total, unit)


def note(text: str) -> None:
    """Print one line on standard error about something that is neither requested nor wrong."""
    print(one_line(text), file=sys.stderr, flush=True)


def _bar(label: str, total: float | None, unit: str) -> Iterator[Callable[..., None]]:
    from rich import progress as rich_progress
    from rich.console import Console

    amount: rich_progress.ProgressColumn = rich_progress.MofNCompleteColumn()
    if unit == "bytes":
        amount = rich_progress.DownloadColumn()
    label = one_line(label)
    with rich_progress.Progress(
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=20),
        amount,
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    ) as bars:
        task = bars.add_task(label, total=total)

        def update(done: float, what: str = "", total: float | None = total) -> None:
            description = label
            if what:
                description = f"{label}  {one_line(what)[:WIDEST]}"
            bars.update(task, completed=done, total=total, description=description)

        yield update


def _lines(label: str, total: float | None, unit: str) -> Iterator[Callable[..., None]]:
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
        if total and begun < done < total:
            seconds_left = (now - started) / (done - begun) * (total - done)
            line += f", {seconds_left:,.0f} s left"
        if what:
            line += f"; {what}"
        print(one_line(line), file=sys.stderr, flush=True)

    yield update
