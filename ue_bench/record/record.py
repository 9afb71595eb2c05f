"""The record of one run: its schema, its one JSON file (written whole, last), and the frame of many. Never imports torch.

A record is judged alone: `config` is what was asked, `found` what was met, `quality` and `cost` what was measured, `env` where.
Records are the truth. Files are named by `run_id`, so that two results folders merge by copying.
"""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import pandas as pd

from ue_bench.errors import BenchError, one_line
from ue_bench.record import schema as shapes

SCHEMA = 1
QUICK = "-quick"  # how the folder of a short form ends, of a study or of `ue-bench speed`
ADVICE = "advise-"  # how the folder of the runs of one `ue-bench advise` begins
SPEED = "speed"  # study and phase of records that hold no run, but what the clocks of `ue-bench speed` gave
PHASES = ("run", "grid", "search", "confirm", "latency", SPEED)  # why a study asked for the run


@dataclass(frozen=True)
class Record:
    """One run. `status` is ok or failed; a failure has its message in `error` and empty measurements, never a sentinel number."""

    run_id: str
    study: str
    phase: str
    status: str
    error: str | None
    config: dict[str, Any]
    found: dict[str, Any] = field(default_factory=dict)
    quality: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    env: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Canonical text, with a SHA-256 of the content in `checksum`. Raises ValueError for NaN or infinity."""
        content = asdict(self)
        content["checksum"] = _checksum(content)
        return json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1) + "\n"


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if "\\ud" in text:  # beyond the first 65,536 characters, or half of one that no file can hold
        json.dumps(content, ensure_ascii=False).encode()
    return hashlib.sha256(text.encode()).hexdigest()


def path_of(results: Path, study: str, run_id: str) -> Path:
    return results / study / f"{run_id}.json"


def write(record: Record, results: Path) -> Path:
    """Write under a temporary name in the same folder, then rename: a file that is there is whole."""
    return write_whole(path_of(results, record.study, record.run_id), record.to_json())


def write_whole(path: Path, text: str) -> Path:
    """Replace `path` by `text` in one step. Raises BenchError when the folder cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(
            prefix=f".{path.stem}-", suffix=".tmp", dir=path.parent
        )
        mask = os.umask(0)
        os.umask(mask)
        try:
            os.chmod(temporary, 0o666 & ~mask)  # as any new file: mkstemp's is for its owner alone
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BenchError(
            f"cannot write {path}: {error.strerror or error}; choose another folder or free the space"
        ) from error
    return path


def require_writable(folder: Path) -> None:
    """Raise BenchError now, rather than after hours of training, when records could not be written to `folder`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # nameless: two commands may try at once
    except OSError as error:
        raise BenchError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder or free the space"
        ) from error


def read(path: Path) -> Record:
    """Load one record. Raises BenchError that names the file when it is torn, altered, foreign or of a newer schema.

    The checksum is of what is read, not of how it is written: a change of the file that it lets pass (`1e-05` as `1E-05`) is none
    of the record.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BenchError(f"{path}: not a record ({error})") from error
    return parse(text, path)


def parse(text: bytes, path: Path | str) -> Record:
    """The inverse of `Record.to_json`. Raises BenchError as `read` does; `path` is what it names."""
    try:
        content = json.loads(text, object_pairs_hook=_shared)
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{path}: not a record ({error})") from error
    names = {f.name for f in fields(Record)}
    if not isinstance(content, dict) or type(content.get("schema")) is not int:
        raise BenchError(f"{path}: not a record of ue_bench (no schema number)")
    if content["schema"] > SCHEMA:
        raise BenchError(
            f"{path}: schema {content['schema']} is newer than {SCHEMA}; upgrade ue_bench"
        )
    checksum = content.pop("checksum", None)
    if set(content) != names:
        raise BenchError(
            f"{path}: not a record of ue_bench (fields {sorted(set(content) ^ names)[:20]} differ)"
        )
    try:
        found = _checksum(content)
    except (
        ValueError,
        RecursionError,
    ) as error:  # NaN or infinity, half a character, lists in lists without end
        raise BenchError(f"{path}: not a record of ue_bench ({error})") from error
    if checksum != found:
        raise BenchError(f"{path}: the content does not match its checksum; run it again")
    if fault := _fault(content):
        raise BenchError(f"{path}: not a record of ue_bench ({fault})")
    return Record(**content)


_NAMES = dict.fromkeys(("run_id", "study", "phase", "status"), shapes.text) | {
    "error": shapes.maybe(shapes.text)
}
_SHAPES = {
    "ok": shapes.fields({**_NAMES, "config": shapes.CONFIG, **shapes.RAN}),
    "failed": shapes.fields({**_NAMES, "config": shapes.CONFIG, **shapes.FAILED}),
}
_MEASURED = shapes.fields({**_NAMES, **shapes.MEASURED})


def _fault(content: dict[str, Any]) -> str | None:
    """What is wrong with a record that its checksum says is whole, or None."""
    phase, status = content["phase"], content["status"]
    if phase not in PHASES or status not in list(_SHAPES):
        return f"phase {phase!r}, status {status!r}; known are {', '.join((*PHASES, *_SHAPES))}"
    if fault := (_MEASURED if phase == SPEED else _SHAPES[status])(content, ()):
        return fault
    if not (content["study"].isprintable() and content["run_id"].isprintable()):
        return (
            f"study {content['study']!r}, run {content['run_id']!r}: a name is visible characters"
        )
    return None


def _shared(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose names and texts are in memory once for all records: they are half of a record."""
    return {
        sys.intern(name): sys.intern(value) if isinstance(value, str) else value
        for name, value in pairs
    }


def load(results: Path, study: str | None = None) -> tuple[list[Record], list[str]]:
    """All records of a results folder (of one study), sorted by study and id, and one line for each file left out."""
    if not os.path.isdir(results):  # not Path.is_dir, to which a name that is too long is an error
        raise BenchError(
            f"results folder {results} does not exist; run a study first or give another --results"
        )
    if study is not None and (
        study == ".." or "\0" in study or Path(study).name != study or not study
    ):
        raise BenchError(f"study {study!r} was given; it is the name of a folder in {results}")
    records, skipped = [], []
    folders = [results / study] if study else results.iterdir()
    for path in sorted(
        path for folder in folders if os.path.isdir(folder) for path in folder.glob("*.json")
    ):
        try:
            record = read(path)
        except BenchError as error:
            skipped.append(str(error))
            continue
        if (record.run_id, record.study) == (path.stem, path.parent.name):
            records.append(record)
        else:
            holds = f"holds run {record.run_id!r} of study {record.study!r}"
            skipped.append(one_line(f"{path}: {holds}; file and folder must carry these names"))
    return records, skipped


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """One row a record, one column a leaf, named with dots (`quality.test_mse`, `config.budget`)."""
    return pd.json_normalize([asdict(record) for record in records])
