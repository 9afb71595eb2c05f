"""Where the rows of a data set come from, and whether they are read or kept rows are used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ue_bench.data.dataset import Dataset
from ue_bench.data.kept.coded_store import Store, key_of
from ue_bench.data.kept.file_digests import state_of
from ue_bench.data.kept.kept_contents import Contents, Holder
from ue_bench.data.kept.kept_dataset import KeptDataset, contents_of

# Values, rows times features, from which rows are kept. Those of ML-100K are coded in 0.15 s.
LEAST_VALUES = 1_000_000
LEAST_BYTES = 1_000_000  # of files: no table of fewer bytes is worth a look into the cache


@dataclass(frozen=True)
class Source:
    """What is known of a data set before it is read.

    name, source, refused: as in `Dataset`.
    read: reads all rows.
    identity: what the rows follow from, as JSON can hold it, with the checksum of the files as
    `files`; None: they are never kept.
    paths: its files; none for a data set that is made.
    """

    name: str
    source: str
    read: Callable[[], Dataset]
    identity: Mapping[str, Any] | None = None
    paths: tuple[Path, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def may_be_large(self) -> bool:
        """Whether there may be so many rows that they are kept."""
        if self.identity is None:
            return False
        state = state_of(self.paths)
        if state is None:  # a file is missing, which reading reports
            return False
        return not self.paths or sum(size for _, size, *_ in state) >= LEAST_BYTES


def load_kept(source: Source, store: Store) -> Dataset:
    """Return a data set whose rows are kept; where it is small, or cannot be kept, read it."""
    if source.identity is None or not source.may_be_large or not store.most_bytes:
        return source.read()
    key = key_of(source.identity)

    def read_again() -> Contents:
        return contents_of(source.read())

    def dataset_of(holder: Holder) -> Dataset:
        return KeptDataset(holder, store, key, source.name, source.source, source.refused)

    found = store.find(key, read_again)
    if found is not None:
        return dataset_of(found)
    with store.alone(key):
        found = store.find(key, read_again)  # of a process that was faster
        if found is not None:
            return dataset_of(found)
        before = state_of(source.paths)
        dataset = source.read()
        is_small = dataset.n_rows * len(dataset.features) < LEAST_VALUES
        # changed between its checksum and its rows, or while it was read
        has_changed = source.identity.get("files", dataset.checksum) != dataset.checksum
        if is_small or has_changed or state_of(source.paths) != before:
            return dataset
        title = f"{source.name}: {dataset.n_rows:,} rows, {len(dataset.features)} features"
        return dataset_of(store.write(key, title, contents_of(dataset), read_again))
