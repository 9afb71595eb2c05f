"""Download the official zip of a data set, of bounded size and checked against its MD5."""

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from ue_bench.data.catalog import LAYOUTS, DatasetInfo
from ue_bench.data.checksums import md5_of
from ue_bench.errors import BenchError
from ue_bench.progress import progress
from ue_bench.whole_file import replacing

TIMEOUT = 15.0  # seconds without an answer
MOST_MD5_BYTES = 1 << 16  # of a file with one MD5
_CHUNK = 1 << 18

Update = Callable[..., None]


class Unreachable(Exception):
    """The official address did not deliver the file; another address may."""


def download(info: DatasetInfo, target: Path) -> None:
    """Fetch the official zip into `target`, which exists only when it is whole.

    Raises Unreachable, or BenchError for a file that is too large or has the wrong MD5.
    """
    expected = info.md5 or _published_md5(info)
    most = LAYOUTS[info.layout].most_archive_bytes
    with replacing(target) as file:
        with progress(f"downloading {info.name}", None, "bytes") as update:
            for chunk in _chunks(info.url, most, update):
                file.write(chunk)
        file.flush()
        md5 = md5_of(Path(file.name))
        if md5 != expected:
            raise BenchError(
                f"{info.url}: md5 {md5} instead of the published {expected}; "
                "nothing was kept, run again"
            )


def _published_md5(info: DatasetInfo) -> str:
    url = f"{info.url}.md5"
    text = b"".join(_chunks(url, MOST_MD5_BYTES, _no_update)).decode("ascii", "replace")
    digits = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if digits is None:
        raise BenchError(
            f"{url} has no md5 ({text[:40]!r}); download the zip and give it with --data-dir"
        )
    return digits.group().lower()


def _no_update(done: int, total: int | None) -> None:
    """Show no progress."""


def _chunks(url: str, most: int, update: Update) -> Iterator[bytes]:
    """Yield the bytes at an address.

    Raises Unreachable when not all of them arrive, and BenchError when there are more than were
    announced, or more than `most`.
    """
    received = 0
    try:
        # the address is a constant of the catalog, never input
        with urllib.request.urlopen(url, timeout=TIMEOUT) as response:  # nosec B310
            announced = _announced_bytes(response)
            if announced is not None and announced > most:
                raise _too_large(
                    url, f"announces {announced:,} bytes, and at most {most:,} are downloaded"
                )
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                _check_received(url, received, announced, most)
                update(received, total=announced)
                yield chunk
    except urllib.error.HTTPError as error:
        raise Unreachable(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise Unreachable(str(error.reason)) from error
    except (OSError, HTTPException) as error:
        why = str(error) or type(error).__name__
        raise Unreachable(f"the connection broke after {received:,} bytes: {why}") from error
    if announced is not None and received != announced:
        raise Unreachable(f"the connection broke after {received:,} of {announced:,} bytes")


def _announced_bytes(response: HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length")
    if length is None or not re.fullmatch(r"[0-9]{1,18}", length):
        return None
    return int(length)


def _check_received(url: str, received: int, announced: int | None, most: int) -> None:
    if announced is None and received > most:
        raise _too_large(url, f"sends more than the {most:,} bytes that are downloaded at most")
    if announced is not None and received > announced:
        raise _too_large(url, f"sends more than the {announced:,} bytes that it announced")


def _too_large(url: str, why: str) -> BenchError:
    return BenchError(
        f"{url} {why}: this is not the official file, and nothing was kept; "
        "get it elsewhere and use --data-dir"
    )
