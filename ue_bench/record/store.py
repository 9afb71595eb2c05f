"""Records as files: `<results>/<study>/<run_id>.json`, each written whole, last.

Records are the truth. Their files are named by `run_id`, so that two results folders merge by
copying. Those of a study may be packed into one file (see `packed`).
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from ue_bench.errors import BenchError, one_line
from ue_bench.record.compact import compact
from ue_bench.record.lock import alone
from ue_bench.record.packed import LONGEST_LINE, PACKED, read_packed, write_packed
from ue_bench.record.record import Record, SpeedRecord, parse
from ue_bench.whole_file import cannot_write, read_regular, write_whole


def path_of(results: Path, study: str, run_id: str) -> Path:
    """Return the file of a record."""
    return results / study / f"{run_id}.json"


def write(record: Record | SpeedRecord, results: Path) -> Path:
    """Write the file of a record in one step: a file that is there is whole."""
    return write_whole(path_of(results, record.study, record.run_id), record.to_json())


def require_writable(folder: Path) -> None:
    """Raise BenchError for a folder that takes no record, before hours of training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # nameless: two commands may try at once
    except OSError as error:
        raise cannot_write(folder, error) from error


def read(path: Path) -> Record | SpeedRecord:
    """Return the record of a file. Raises BenchError, which names the file, as `parse` does."""
    try:
        text = read_regular(path, LONGEST_LINE)
    except OSError as error:
        raise BenchError(f"{path}: not a record ({error})") from error
    return parse(text, path)


def load(
    results: Path, study: str | None = None, keep: Callable[[Record], Record] | None = None
) -> tuple[list[Record | SpeedRecord], list[str]]:
    """Return the records of a results folder, or of one study, and a line for each file left out.

    The records are sorted by study and id. keep: returns what is wanted of a run's record; the rest
    is not held while others are read. Raises BenchError for a folder that does not exist, and
    for a study that is not the name of a folder.
    """
    kept: dict[tuple[str, str], Record | SpeedRecord] = {}
    paths, skipped = _paths(results, study)
    for record in _records_in(paths, skipped):
        if keep is not None and isinstance(record, Record):
            record = keep(record)
        kept[record.study, record.run_id] = record
    return [kept[key] for key in sorted(kept)], skipped


def runs_one_by_one(results: Path, study: str) -> Iterator[Record]:
    """Yield the runs of a study, of which only one is held at a time.

    Those with a file of their own come first, by id. Files that are no record are left out. Raises
    BenchError as `load` does.
    """
    paths, skipped = _paths(results, study)
    paths.sort(key=lambda path: path.name == PACKED)
    yielded = set()
    for record in _records_in(paths, skipped):
        # a file of its own is newer than the packed record
        if isinstance(record, Record) and record.run_id not in yielded:
            yielded.add(record.run_id)
            yield record


def _records_in(paths: Iterable[Path], skipped: list[str]) -> Iterator[Record | SpeedRecord]:
    """Yield the records of files, and add a line to `skipped` for each that is none."""
    for path in paths:
        is_packed = path.name == PACKED
        for record in read_packed(path) if is_packed else [_read(path)]:
            if isinstance(record, BenchError):
                skipped.append(str(record))
            elif record.study == path.parent.name and (is_packed or record.run_id == path.stem):
                yield record
            else:
                holds = f"holds run {record.run_id!r} of study {record.study!r}"
                skipped.append(one_line(f"{path}: {holds}; file and folder must carry these names"))


def _read(path: Path) -> Record | SpeedRecord | BenchError:
    try:
        return read(path)
    except BenchError as error:
        return error


def pack(results: Path, study: str) -> tuple[int, list[str]]:
    """Gather the records of a study in one file, and delete the files that each had.

    Returns how many records it has, and a line for each file that is no record and stays. Hold the
    lock of the folder (see `lock`). Raises BenchError as `load` does, and where nothing is there to
    be packed or a file cannot be written or deleted.
    """
    records, skipped = load(results, study)
    if not records:
        raise BenchError(f"{results / study} has no records; give another --study or --results")
    folder = results / study
    for line in skipped:
        if line.startswith(str(folder / PACKED)):  # a new file would leave out what this one hides
            raise BenchError(f"{line}; nothing was changed")
    write_packed(records, folder / PACKED)
    for record in records:
        path = path_of(results, study, record.run_id)
        try:
            path.unlink(missing_ok=True)
        except PermissionError as error:
            raise BenchError(
                f"{path} cannot be deleted ({error.strerror}), and is in {PACKED} now; let its "
                "owner run the same command"
            ) from error
    return len(records), skipped


def pack_compact(results: Path, study: str, out: Path) -> int:
    """Write what comparisons need of a study's runs to one file in `out`, and return their number.

    See `compact`. Holds the lock of the folder in `out`. Raises BenchError as `load` does, where
    whole records would be replaced, where there is no run, where another command works in the
    folder, and where the file cannot be written.
    """
    folder = out / study
    for given, taken in ((out, results), (folder, results / study)):
        if os.path.realpath(given) == os.path.realpath(taken):  # a link to it, too
            raise BenchError(
                f"--compact: {out} was given, and {given} is where the whole records are, which "
                "would be replaced for good; give another folder"
            )
    runs, _ = load_runs(results, study)
    if not runs:
        raise BenchError(f"{results / study} has no runs; give another --study or --results")
    require_writable(folder)
    with alone(folder):
        _require_no_whole(folder / PACKED)
        write_packed(map(compact, runs), folder / PACKED)
    return len(runs)


def _require_no_whole(path: Path) -> None:
    """Raise BenchError for a packed file with anything but compact records.

    A line that cannot be read may be a whole record.
    """
    if not os.path.exists(path):
        return
    for record in read_packed(path):
        if isinstance(record, BenchError) or record.env:  # compact ones have no environment
            what = "what is no record" if isinstance(record, BenchError) else "whole records"
            raise BenchError(
                f"{path} holds {what}, which compact records would replace for good; give another "
                "--compact"
            )


def load_runs(
    results: Path, study: str | None = None, keep: Callable[[Record], Record] | None = None
) -> tuple[list[Record], list[str]]:
    """Return what `load` does, without what `ue-bench speed` measured."""
    records, skipped = load(results, study, keep)
    return [record for record in records if isinstance(record, Record)], skipped


def _paths(results: Path, study: str | None) -> tuple[list[Path], list[str]]:
    """Return the files of records by study: packed ones, then the others, sorted by id.

    The lines are of folders that may not be read, such as those of another user. Raises BenchError
    as `load` does.
    """
    if not os.path.isdir(results):  # not Path.is_dir, to which a name that is too long is an error
        raise BenchError(
            f"results folder {results} does not exist; run a study first or give another --results"
        )
    if study is None:
        folders = list(results.iterdir())
    elif study in ("", "..") or "\0" in study or Path(study).name != study:
        raise BenchError(f"study {study!r} was given; it is the name of a folder in {results}")
    else:
        folders = [results / study]
    paths: list[Path] = []
    skipped = []
    for folder in sorted(folders):
        if not os.path.isdir(folder):
            continue
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            skipped.append(str(BenchError(f"{folder}: it cannot be read ({error.strerror})")))
            continue
        paths.extend(folder / name for name in names if name == PACKED)
        paths.extend(folder / name for name in names if name.endswith(".json"))
    return paths, skipped
