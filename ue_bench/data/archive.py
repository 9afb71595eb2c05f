"""Zips from anywhere, read with bounded memory and time.

An archive is checked before anything in it is read, and nothing is ever unpacked: members are read
in place, by the names that a layout has. No MovieLens archive has more than two dozen members,
links or encryption, so an archive that has any of these is damaged, hostile or something else, and
is refused as a whole.
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
# Bytes of the list of members, which zipfile reads as a whole: 1,000 members have some 100,000.
MOST_DIRECTORY = 1 << 20
# Bytes of a member to its stored bytes, for a member above SMALL. MovieLens has 4, and deflate
# ends at 1,032.
MOST_RATIO = 100
SMALL = 1 << 20
_END = b"PK\x05\x06"  # start of the record that ends a zip
_END_BYTES = 22
_LONGEST_COMMENT = (1 << 16) - 1
_LOCATOR = b"PK\x06\x07"  # start of the record before it in a zip64
_LOCATOR_BYTES = 20
_HEADER_BYTES = 30  # header of a member, without its name
# Flags of a member: encrypted, patch, strongly encrypted, names encrypted.
_REFUSED_FLAGS = 0x1 | 0x20 | 0x40 | 0x2000
# Other compressions may need gigabytes to be unpacked.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose list of members is sound.

    Raises BenchError for an archive that is too large or a zip64, and for one with too many
    members, names that lead out of a folder or occur twice, links, encryption or members that
    overlap. Raises what zipfile raises for a file that is no zip.
    """
    size = path.stat().st_size
    if size > MOST_ARCHIVE_BYTES:
        raise _refused(path, f"it has {size:,} bytes, and at most {MOST_ARCHIVE_BYTES:,} are read")
    _check_end(path, size)
    try:
        archive = zipfile.ZipFile(path)
    except (NotImplementedError, UnicodeDecodeError) as error:
        raise _refused(path, f"its list of members cannot be read ({error})") from error
    with archive:
        _check_members(path, archive)
        yield archive


def check_member(path: Path, member: zipfile.ZipInfo, most_bytes: int) -> None:
    """Raise BenchError for a member of more than `most_bytes`, or of far more than is stored."""
    name = repr(member.filename)
    size = member.file_size
    stored = member.compress_size
    if member.compress_type not in _COMPRESSIONS:
        raise _refused(path, f"its member {name} is compressed in another way than deflate")
    if size > most_bytes:
        raise _refused(
            path, f"its member {name} claims {size:,} bytes, and at most {most_bytes:,} are read"
        )
    if size > max(SMALL, MOST_RATIO * stored):
        raise _refused(
            path,
            f"its member {name} claims {size:,} bytes out of {stored:,}, "
            f"more than {MOST_RATIO} to 1",
        )


def _check_end(path: Path, size: int) -> None:
    """Check the size of the list of members before zipfile reads it.

    A file without such a list passes: zipfile raises for it.
    """
    with path.open("rb") as file:
        file.seek(max(0, size - _END_BYTES - _LONGEST_COMMENT - _LOCATOR_BYTES))
        tail = file.read()
    before, end = _split_at_end(tail)
    if len(end) < _END_BYTES:
        return
    if before[-_LOCATOR_BYTES:].startswith(_LOCATOR):
        raise _refused(path, "it is a zip64, made for more than 4 GB or 65,535 members")
    count, directory = struct.unpack_from("<HL", end, 10)
    if directory > MOST_DIRECTORY:
        raise _refused(
            path,
            f"its list of {count:,} members has {directory:,} bytes, "
            f"and at most {MOST_DIRECTORY:,} are read",
        )


def _split_at_end(tail: bytes) -> tuple[bytes, bytes]:
    """Split the last bytes of a zip before its end record, which is empty where there is none.

    zipfile, too, looks for an end record without a comment first.
    """
    end = tail[-_END_BYTES:]
    if end.startswith(_END) and end.endswith(b"\0\0"):
        return tail[:-_END_BYTES], end
    before, mark, rest = tail.rpartition(_END)
    if not mark:
        return tail, b""
    return before, mark + rest


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise _refused(
            path, f"it has {len(members):,} members, and at most {MOST_MEMBERS:,} are read"
        )
    for member in members:
        fault = _fault_of(member)
        if fault is not None:
            raise _refused(path, f"its member {_short_name(member)} {fault}")
    if len({member.filename for member in members}) < len(members):
        raise _refused(path, "some of its members have the same name")
    members.sort(key=lambda member: member.header_offset)
    starts = [member.header_offset for member in members]
    starts.append(archive.start_dir)
    for member, next_start in zip(members, starts[1:], strict=True):
        header = _HEADER_BYTES + len(member.orig_filename)
        if member.header_offset + header + member.compress_size > next_start:
            raise _refused(path, f"its member {_short_name(member)} overlaps what follows")


def _fault_of(member: zipfile.ZipInfo) -> str | None:
    name = member.orig_filename.replace("\\", "/")
    if name.startswith("/") or name[1:2] == ":":
        return "has an absolute name"
    if ".." in name.split("/"):
        return "has a name that leads out of its folder"
    if "\0" in name:
        return "has a name with a zero byte"
    if member.flag_bits & _REFUSED_FLAGS:
        return "is encrypted, or a patch"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    return None


def _short_name(member: zipfile.ZipInfo) -> str:
    return repr(member.orig_filename[:80])


def _refused(path: Path, why: str) -> BenchError:
    return BenchError(
        f"{path} is refused: {why}; give the official zip, or a folder with its files"
    )
