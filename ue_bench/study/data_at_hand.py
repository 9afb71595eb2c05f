"""Records count for a study only where they were made on the data that its runs would read."""

from collections.abc import Collection, Iterable
from pathlib import Path

from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.record.data_identity import checksums_of, others, short
from ue_bench.training.run_data import checksum_of, rows_checksum_of


class DataAtHand:
    """The data sets that have a name, as runs would find them.

    Their files are read when there is a record to compare with, and their rows where the checksum
    of the files is another one than the record's. data_dir: the folder of the files.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self.data_dir = data_dir
        self._files: dict[str, str] = {}
        self._rows: dict[str, str | None] = {}

    def require(
        self, records: Iterable[Record], where: str | Path, names: Collection[str] | None = None
    ) -> None:
        """Raise BenchError where records were made on other data of the name of their data set.

        where: what holds them, for the message. names: only records of these data sets count.
        """
        by_name: dict[str, list[Record]] = {}
        for record in records:
            name = record.config.dataset
            if checksums_of(record) is not None and (names is None or name in names):
                by_name.setdefault(name, []).append(record)
        for name, alike in by_name.items():
            differing = self._differing(name, alike)
            if differing:
                recorded = [f"{n} on {short(files)}" for files, n in sorted(differing.items())]
                raise BenchError(
                    f"{where}: records were made on other data of the name {name} "
                    f"({', '.join(recorded)}) than the data at hand ({short(self._files[name])}); "
                    "they are left alone; give their data with --data-dir, or keep new records "
                    "elsewhere with --results"
                )

    def _differing(self, name: str, records: list[Record]) -> dict[str, int]:
        """Return how many records were made on other data, by the checksum of its files."""
        if name not in self._files:
            self._files[name] = checksum_of(name, self.data_dir)
        files = self._files[name]
        differing = others(records, files, self._rows.get(name))
        if differing and name not in self._rows:
            self._rows[name] = rows_checksum_of(name, self.data_dir)
            differing = others(records, files, self._rows[name])
        return dict(differing)
