"""Which records were made on the same rows of a data set that has a name.

The id of a run has the name of its data set and not its content, which may differ: a reduced
archive, another release. Records of one name are of the same data where their files have one
checksum, or their rows do (`found.checksum`, `found.rows_checksum`). A zip, the folder in it and a
copy in another format thus are the same data. The checksum of a table's files is in its id.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ue_bench.errors import BenchError
from ue_bench.record.record import Record

SHORT = 8  # hexadecimal digits of a checksum in a message

# The checksum of the rows in files that runs were made on before records had it.
ROWS_OF_FILES = {
    # ML-100K on the package index, on which the published records were made
    "sha256:9e21169b1b3ef85fe2923f1e564e3ca1bad1b86285caa0e7b7d7c95fdd39aadd": (
        "sha256:65024e2028fdcf24a84babb874ea40c7e6139dc4baa04ab931d9ac6d67bc181a"
    ),
}


@dataclass(frozen=True)
class Checksums:
    """What a record says about its data. rows: None where the record does not say it."""

    files: str
    rows: str | None


def checksums_of(record: Record) -> Checksums | None:
    """Return the checksums of a record's data.

    None for a table, for a run that met no data, and for what is no text.
    """
    files = record.found.get("checksum")
    if record.config.table is not None or not isinstance(files, str):
        return None
    rows = record.found.get("rows_checksum")
    return Checksums(files, rows if isinstance(rows, str) else None)


class Identities:
    """Tells data apart by the checksum of their files, given all checksums that some records have.

    Equal files are the same data, whatever the rows that a version read from them.
    """

    def __init__(self, known: Iterable[Checksums]) -> None:
        self._rows_of_files = dict(ROWS_OF_FILES)
        for checksums in sorted(known, key=lambda checksums: checksums.rows or ""):
            if checksums.rows is not None:
                self._rows_of_files.setdefault(checksums.files, checksums.rows)

    def of(self, files: str) -> str:
        """Return the checksum of the rows, or of the files where nothing says that of the rows."""
        return self._rows_of_files.get(files, files)


def require_one(records: Iterable[Record], where: str) -> None:
    """Raise BenchError for records of one name that were made on different data.

    where: what holds them, for the message.
    """
    by_name: dict[str, Counter[Checksums]] = {}
    for record in records:
        checksums = checksums_of(record)
        if checksums is not None:
            by_name.setdefault(record.config.dataset, Counter())[checksums] += 1
    for name, counts in by_name.items():
        identities = Identities(counts)
        runs: Counter[str] = Counter()
        files: dict[str, str] = {}
        for checksums, n in counts.items():
            identity = identities.of(checksums.files)
            runs[identity] += n
            files.setdefault(identity, checksums.files)
        if len(runs) > 1:
            parts = [f"{n} on {short(files[identity])}" for identity, n in runs.most_common()]
            raise BenchError(
                f"{where}: its records were made on different data of the name {name} "
                f"({', '.join(parts)}); nothing was changed; keep the records of each data set in "
                "a folder of their own"
            )


def others(records: Iterable[Record], files: str, rows: str | None = None) -> Mapping[str, int]:
    """Return how many records of one name were made on other data, by the checksum of its files.

    files, rows: the checksums of the data at hand.
    """
    counts: Counter[Checksums] = Counter()
    for record in records:
        checksums = checksums_of(record)
        if checksums is not None:
            counts[checksums] += 1
    identities = Identities([*counts, Checksums(files, rows)])
    differing: Counter[str] = Counter()
    for checksums, n in counts.items():
        if identities.of(checksums.files) != identities.of(files):
            differing[checksums.files] += n
    return differing


def short(checksum: str) -> str:
    """Return the start of a checksum for a message: `sha256:9e21169b…`."""
    kind, _, digits = checksum.rpartition(":")
    text = f"{digits[:SHORT]}…"
    return f"{kind}:{text}" if kind else text
