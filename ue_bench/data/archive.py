"""Zips from anywhere, read with bounded memory and time: what is odd about one is told before anything in it is read.

Nothing is ever unpacked: members are read in place, by the names that a layout has. No MovieLens archive has more than two dozen
members, links or secrets, so that one which has is damaged, hostile or something else, and is refused whole.
"""

import stat
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ue_bench.data.catalog import MOST_ARCHIVE_BYTES
from ue_bench.errors import BenchError

MOST_MEMBERS = 1_000
MOST_DIRECTORY = (
    1 << 20
)  # bytes of the list of members, which zipfile reads as a whole: 1,000 members have some 100,000
MOST_RATIO = 100  # of a member above SMALL to what is stored of it; MovieLens has 4, and deflate ends at 1,032
SMALL = 1 << 20
_END, _END_BYTES, _LONGEST_COMMENT = b"PK\x05\x06", 22, (1 << 16) - 1  # the record that ends a zip
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20  # stands before it in a zip64
_HEADER_BYTES = 30  # before each member, without its name
_SECRET = (
    0x1 | 0x20 | 0x40 | 0x2000
)  # flags of a member: encrypted, patch, encrypted strongly, names encrypted
_READABLE = (
    zipfile.ZIP_STORED,
    zipfile.ZIP_DEFLATED,
)  # the others may ask for gigabytes to be unpacked


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose list of members is sound. Raises BenchError, or what zipfile raises for no zip.

    Refused are an archive that is too large or a zip64, too many members, names that lead out of a folder or come twice, links,
    encryption, and members that overlap.
    """
    size = path.stat().st_size
    if size > MOST_ARCHIVE_BYTES:
        raise _odd(path, f"it has {size:,} bytes, and at most {MOST_ARCHIVE_BYTES:,} are read")
    _check_end(path, size)
    try:
        opened = zipfile.ZipFile(path)
    except (NotImplementedError, UnicodeDecodeError) as error:
        raise _odd(path, f"its list of members cannot be read ({error})") from error
    with opened as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise _odd(
                path, f"it has {len(members):,} members, and at most {MOST_MEMBERS:,} are read"
            )
        for member in members:
            if why := _fault(member):
                raise _odd(path, f"its member {member.orig_filename[:80]!r} {why}")
        if len({member.filename for member in members}) < len(members):
            raise _odd(path, "some of its members have the same name")
        members.sort(key=lambda member: member.header_offset)
        starts = [member.header_offset for member in members] + [archive.start_dir]
        for member, end in zip(members, starts[1:], strict=True):
            if (
                member.header_offset
                + _HEADER_BYTES
                + len(member.orig_filename)
                + member.compress_size
                > end
            ):
                raise _odd(path, f"its member {member.orig_filename[:80]!r} overlaps what follows")
        yield archive


def check_member(path: Path, member: zipfile.ZipInfo, most_bytes: int) -> None:
    """Raises BenchError for a member that claims more than `most_bytes`, or far more than is stored of it."""
    name, claimed, stored = member.filename, member.file_size, member.compress_size
    if member.compress_type not in _READABLE:
        raise _odd(path, f"its member {name!r} is packed in another way than deflate")
    if claimed > most_bytes:
        raise _odd(
            path,
            f"its member {name!r} claims {claimed:,} bytes, and at most {most_bytes:,} are read",
        )
    if claimed > max(SMALL, MOST_RATIO * stored):
        raise _odd(
            path,
            f"its member {name!r} claims {claimed:,} bytes out of {stored:,}, more than {MOST_RATIO} to 1",
        )


def _check_end(path: Path, size: int) -> None:
    """Look at the bounds of the list of members before zipfile reads it. Says nothing where there is none: zipfile will."""
    with path.open("rb") as file:
        file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
        tail = file.read()
    at = len(tail) - _END_BYTES
    if not (
        tail[at:].startswith(_END) and tail.endswith(b"\0\0")
    ):  # without a comment; zipfile too looks here first
        at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_BYTES:
        return
    if tail[max(0, at - _LOCATOR_BYTES) : at].startswith(_LOCATOR):
        raise _odd(path, "it is a zip64, made for more than 4 GB or 65,535 members")
    count, directory = struct.unpack_from("<HL", tail, at + 10)
    if directory > MOST_DIRECTORY:
        raise _odd(
            path,
            f"its list of {count:,} members has {directory:,} bytes, and at most {MOST_DIRECTORY:,} are read",
        )


def _fault(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        return "has an absolute name"
    if ".." in name.split("/"):
        return "has a name that leads out of its folder"
    if "\0" in name:
        return "has a name with a zero byte"
    if member.flag_bits & _SECRET:
        return "is encrypted, or a patch"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return None


def _odd(path: Path, why: str) -> BenchError:
    return BenchError(
        f"{path} is refused: {why}; give the official zip, or a folder with its files"
    )
