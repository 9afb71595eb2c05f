"""The coded rows in the cache: what `ue-bench data` prints about them, and how it removes them."""

from datetime import UTC, datetime

import click

from ue_bench.config.units import parse_bytes
from ue_bench.data.cache import cache_folder, require_certain_cache
from ue_bench.data.kept import file_digests
from ue_bench.data.kept.coded_store import Listed, Store, total_bytes
from ue_bench.errors import one_line
from ue_bench.report.format import bytes_text


def summarise() -> None:
    """Print how much there is, where there is any."""
    store = Store.of(cache_folder())
    entries = store.entries()
    if entries:
        size = bytes_text(total_bytes(entries))
        click.echo(one_line(f"  coded rows of all data sets: {size} in {store.folder}"))


def prune(size: str) -> None:
    """Remove entries until the rest takes at most a size, and list what was removed and the rest.

    Raises BenchError for a size that is none, for a folder that cannot be written, and where the
    variable of the cache is set and empty.
    """
    require_certain_cache("--prune")
    store = Store.of(cache_folder())
    removed = store.prune(parse_bytes(size, "--prune"))
    for entry in removed:
        click.echo(_line("removed", entry))
    rest = store.entries()
    for entry in rest:
        click.echo(_line("kept", entry))
    click.echo(
        one_line(
            f"{bytes_text(total_bytes(removed))} removed, {bytes_text(total_bytes(rest))} kept in "
            f"{store.folder}"
        )
    )


def verify() -> None:
    """Forget the checksums of files, and remove entries that are damaged."""
    file_digests.forget()
    for line in Store.of(cache_folder()).verify():
        click.echo(one_line(line), err=True)


def _line(what: str, entry: Listed) -> str:
    used = datetime.fromtimestamp(entry.used, UTC)
    size = bytes_text(entry.n_bytes)
    return one_line(f"{what} {size:>10}  {entry.title}, last used {used:%Y-%m-%d %H:%M} UTC")
