"""Progress on standard error: a bar with the time left on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ue_bench.errors import one_line

PLAIN_SECONDS = 10.0  # between two plain lines


@contextmanager
def progress(label: str, total: float | None, unit: str = "") -> Iterator[Callable[..., None]]:
    """Yields ``update(done, what="", total=total)``: how much of `total` is done, and what is running.

    total None: not known yet. unit: printed behind the numbers ("runs"; "bytes" are shown as sizes).
    """
    if sys.stderr.isatty():
        yield from _bar(label, total, unit)
    else:
        yield from _lines(label, total, unit)


def note(text: str) -> None:
    """One line on standard error about something that is not asked for and not wrong."""
    print(text, file=sys.stderr, flush=True)


def _bar(label: str, total: float | None, unit: str) -> Iterator[Callable[..., None]]:
    from rich import progress as rich_progress
    from rich.console import Console

    amount = (
        rich_progress.DownloadColumn() if unit == "bytes" else rich_progress.MofNCompleteColumn()
    )
    label = one_line(label)
    columns = (
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=20),
        amount,
    )
    with rich_progress.Progress(
        *columns,
        rich_progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
    ) as bars:
        task = bars.add_task(label, total=total)

        def update(done: float, what: str = "", total: float | None = total) -> None:
            bars.update(
                task,
                completed=done,
                total=total,
                description=f"{label}  {one_line(what)[:32]}" if what else label,
            )

        yield update


def _lines(label: str, total: float | None, unit: str) -> Iterator[Callable[..., None]]:
    started = last = time.monotonic()

    def update(done: float, what: str = "", total: float | None = total) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < PLAIN_SECONDS and done != total:
            return
        last = now
        of = f"{done:,.0f} of {total:,.0f}" if total else f"{done:,.0f}"
        left = (
            f", {(now - started) / done * (total - done):,.0f} s left"
            if total and 0 < done < total
            else ""
        )
        print(
            one_line(f"{label}: {of} {unit}{left}{'; ' + what if what else ''}"),
            file=sys.stderr,
            flush=True,
        )

    yield update
