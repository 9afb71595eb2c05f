"""Coded rows in the cache: equal to what is read, shared, verified, bounded, and nothing that anybody depends on."""

import errno
import multiprocessing
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import movielens_files as official
import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ue_bench import data
from ue_bench.cli import main
from ue_bench.cli.coded_rows import verify
from ue_bench.config import RunConfig
from ue_bench.data import Definition
from ue_bench.data.click_world import PRESETS, Preset
from ue_bench.data.dataset import Dataset
from ue_bench.data.kept import coded_entry, coded_store, file_digests, source
from ue_bench.data.kept.coded_entry import Entry
from ue_bench.data.kept.coded_store import OLD_SECONDS, Store
from ue_bench.data.kept.kept_dataset import KeptDataset
from ue_bench.data.kept.kept_encoding import encoded_split
from ue_bench.data.table.table_files import TableFiles
from ue_bench.errors import BenchError
from ue_bench.training.run_data import encoded_of
from ue_bench.training.run_once import run_once

NAMES = ("user", "item", "price", "tags", "day")
ROWS = 240


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, in which rows of any number are kept."""
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / "cache"))
    keep_all(monkeypatch)
    return tmp_path / "cache"


def keep_all(monkeypatch):
    monkeypatch.setattr(source, "LEAST_VALUES", 1)
    monkeypatch.setattr(source, "LEAST_BYTES", 0)


def frame(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    tags = [["new", "sale"], ["sale"], [], ["old"]]
    return pl.DataFrame(
        {
            "user": [f"u{n}" for n in random.integers(30, size=rows)],
            "item": random.integers(20, size=rows),
            "price": [None if n % 7 == 0 else n * 1.37 for n in range(rows)],
            "tags": [tags[n % 4] for n in range(rows)],
            "day": ["2024-01-31" if n % 2 else "2024-02-01" for n in range(rows)],
            "y": (random.random(rows) < 0.5).astype(float),
            "time": random.integers(10_000, size=rows),
        }
    )


def written(folder, seed=0, rows=ROWS):
    """A table and its definition, with the checksum."""
    folder.mkdir(parents=True, exist_ok=True)
    frame(rows, seed).write_parquet(folder / "t.parquet")
    return defined(folder)


def defined(folder):
    return data.define(Definition("t.parquet", "y", NAMES, time="time"), folder)


def load(folder, definition, **options):
    return data.load("t", folder, definition, **options)


def entries(cache):
    return [path for path in sorted((cache / "coded").iterdir()) if path.is_dir()]


def require_equal(kept: Dataset, read: Dataset):
    """Both data sets answer every question alike."""
    for name in ("name", "source", "checksum", "features", "base", "wide", "entities", "unit"):
        assert getattr(kept, name) == getattr(read, name), name
    for name in ("entities_chosen", "separators", "rules", "rows_checksum", "stars", "n_rows"):
        assert getattr(kept, name) == getattr(read, name), name
    assert dict(kept.facts) == dict(read.facts)
    assert kept.describe() == read.describe()
    assert kept.headline(kept.describe()) == read.headline(read.describe())
    assert kept.warnings() == read.warnings()
    assert kept.warnings(read.features[:1]) == read.warnings(read.features[:1])
    for name in ("target", "times", "best", "is_test"):
        mine, other = getattr(kept, name), getattr(read, name)
        assert (mine is None) == (other is None), name
        if other is not None:
            assert mine.dtype == other.dtype
            assert np.array_equal(mine, other), name
    for name in read.features:
        assert kept.remark(name) == read.remark(name)
        assert kept.column(name).equals(read.column(name)), name


def require_alike(kept: data.Encoded, read: data.Encoded):
    """Both have the same numbers, and the same values in the same order."""
    for name in ("codes", "ratings", "parts", "parts_in_file", "user", "item", "best", "order"):
        mine, other = getattr(kept, name), getattr(read, name)
        assert (mine is None) == (other is None), name
        if other is not None:
            assert mine.dtype == other.dtype
            assert np.array_equal(mine, other), name
    pairs = zip((*kept.features, *kept.entities), (*read.features, *read.entities), strict=True)
    for mine, other in pairs:
        assert (mine.name, mine.n_seen) == (other.name, other.n_seen)
        assert list(mine.values) == list(other.values)
        assert list(mine.counts) == list(other.counts)
        assert (mine.bags is None) == (other.bags is None)
        if other.bags is not None:
            assert np.array_equal(mine.bags.offsets, other.bags.offsets)
            assert np.array_equal(mine.bags.members, other.bags.members)
    assert (kept.user_names is None) == (read.user_names is None)


def times_refused(dataset):
    with pytest.raises(BenchError, match="which a temporal split needs") as raised:
        _ = dataset.times
    return str(raised.value)


CELLS = {
    "text": st.one_of(st.none(), st.text(max_size=4)),
    "whole": st.one_of(st.none(), st.integers(-5, 5)),
    "float": st.one_of(st.none(), st.floats(-9, 9, width=32)),
    "bool": st.booleans(),
    "list": st.lists(st.sampled_from(["a", "b", "c"]), max_size=3),
}
KINDS = {
    "text": pl.String,
    "whole": pl.Int64,
    "float": pl.Float64,
    "bool": pl.Boolean,
    "list": pl.List(pl.String),
}


@settings(max_examples=25)
@given(st.data(), st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4), st.booleans())
def test_kept_rows_answer_as_those_that_were_read(tmp_path_factory, drawn, kinds, has_time):
    folder = tmp_path_factory.mktemp("table")
    rows = drawn.draw(st.integers(10, 30))
    columns = {"y": [float(n % 3) for n in range(rows)]}
    if has_time:
        times = st.one_of(st.none(), st.integers(0, 5))
        columns["t"] = pl.Series(
            drawn.draw(st.lists(times, min_size=rows, max_size=rows)), dtype=pl.Int64
        )
    names = []
    for number, kind in enumerate(kinds):
        cells = drawn.draw(st.lists(CELLS[kind], min_size=rows, max_size=rows))
        names.append(f"x{number}")
        columns[names[-1]] = pl.Series(cells, dtype=KINDS[kind])
    pl.DataFrame(columns).write_parquet(folder / "t.parquet")
    asked = Definition("t.parquet", "y", tuple(names), time="t" if has_time else None).to_dict()
    with pytest.MonkeyPatch.context() as patched:
        keep_all(patched)
        patched.setenv("UE_BENCH_CACHE", str(folder / "cache"))
        read = data.load("t", folder, asked, keep=False)
        if read.rows_without_time:
            refused = [
                times_refused(data.load("t", folder, asked, keep=keep)) for keep in (True, False)
            ]
            assert refused[0] == refused[1]
            return
        for _ in range(2):
            kept = data.load("t", folder, asked)
            assert isinstance(kept, KeptDataset)
            require_equal(kept, read)
            config = RunConfig(features="base", split="random")
            require_alike(
                encoded_split(kept, kept.base, config), encoded_split(read, read.base, config)
            )


@pytest.mark.parametrize(
    "changes",
    [
        {"split": "random"},
        {"split": "random", "split_seed": 3, "features": "user,price,user*item"},
        {"split": "user_temporal", "features": "item,tags"},
        {"split": "global_temporal", "task": "binary"},
        {"split": "stream", "blocks": 4},
        {"split": "random", "multi_valued": "day=-", "min_count": 3},
    ],
)
def test_the_rows_of_a_split_are_the_same_numbers(tmp_path, changes):
    table = written(tmp_path)
    config = RunConfig(dataset="t", table=table, **changes)
    read = load(tmp_path, table, keep=False)
    expected = encoded_split(read, read.feature_names(config.features), config)
    for _ in range(2):
        dataset, found = encoded_of(config, tmp_path)
        assert isinstance(dataset, KeptDataset)
        assert {feature.min_count for feature in found.features} == {config.min_count}
        require_alike(found, expected)


@pytest.mark.parametrize(
    "changes",
    [
        {"strategy": "unified", "budget": 2_000, "split": "random"},
        {"strategy": "collisionless", "split": "user_temporal", "task": "binary"},
        {"strategy": "cafe", "budget": 4_000, "split": "random", "min_count": 2},
        {"strategy": "unified", "budget": 2_000, "split": "stream", "blocks": 4},
        {"strategy": "bias", "split": "random"},
    ],
)
def test_a_run_has_the_same_record_with_and_without_kept_rows(tmp_path, monkeypatch, changes):
    table = written(tmp_path)
    config = RunConfig(
        dataset="t", table=table, epochs=2, batch_size=32, measure="quality", **changes
    )

    def made():
        record = run_once(config, data_dir=tmp_path)
        cost = {
            k: v
            for k, v in record.cost.items()
            if k not in ("train_seconds", "peak_training_bytes")
        }
        return record.run_id, record.found, record.quality, cost

    kept = [made(), made()]
    monkeypatch.setenv("UE_BENCH_CACHE_SIZE", "0")
    shutil.rmtree(tmp_path / "cache")
    read = made()
    assert not (tmp_path / "cache" / "coded").exists()
    assert kept == [read, read]


def test_movielens_and_made_logs_are_kept_too(tmp_path, cache, monkeypatch):
    monkeypatch.setitem(PRESETS, "click-world-small", Preset(rows=2_000, scale=0.01))
    folder = official.write_folder(tmp_path, "ml-100k")
    for name, where in (("ml-100k", folder), ("click-world-small@0", None)):
        read = data.load(name, where, keep=False)
        for _ in range(2):
            kept = data.load(name, where)
            assert isinstance(kept, KeptDataset)
            require_equal(kept, read)
        assert kept.single(read.features[0]).owners is kept.single(read.features[0]).owners
    assert len(entries(cache)) == 2


def test_rows_that_are_kept_are_not_read_again(tmp_path, monkeypatch):
    table = written(tmp_path)
    config = RunConfig(dataset="t", table=table)
    _, first = encoded_of(config, tmp_path)
    monkeypatch.setattr(TableFiles, "batches", lambda *_: pytest.fail("the table was read"))
    monkeypatch.setattr(
        "ue_bench.data.kept.kept_encoding.encode", lambda *_: pytest.fail("it was coded")
    )
    _, second = encoded_of(config, tmp_path)
    require_alike(second, first)


def test_an_entry_follows_the_content_and_no_name(tmp_path, cache):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    table = written(here)
    assert load(here, table).name == "t"
    assert written(elsewhere) == table
    other = data.load("another name", elsewhere, table)
    assert other.name == other.describe()["name"] == "another name"
    assert len(entries(cache)) == 1
    changed = written(here, seed=1)
    assert changed["checksum"] != table["checksum"]
    assert not load(here, changed).column("user").equals(other.column("user"))
    assert len(entries(cache)) == 2
    with pytest.raises(BenchError, match="it has changed since"):
        load(here, table)
    # a data set with a name is no more than its content
    folder = official.write_folder(tmp_path, "ml-100k")
    before = data.load("ml-100k", folder)
    ratings = folder / "u.data"
    ratings.write_text("".join(ratings.read_text().splitlines(keepends=True)[:-1]))
    after = data.load("ml-100k", folder)
    assert after.n_rows == before.n_rows - 1
    assert len(entries(cache)) == 4


def test_another_definition_is_another_entry(tmp_path, cache):
    written(tmp_path)
    for changes in ({}, {"numeric": ("item",)}, {"features": NAMES[:2]}, {"time": None}):
        asked = replace(Definition("t.parquet", "y", NAMES, time="time"), **changes).to_dict()
        require_equal(load(tmp_path, asked), load(tmp_path, asked, keep=False))
    assert len(entries(cache)) == 4


def test_a_seed_matters_only_where_the_split_is_drawn(tmp_path, cache):
    table = written(tmp_path)
    for split, number in (("random", 3), ("global_temporal", 4), ("global_temporal", 4)):
        for seed in (1, 2):
            encoded_of(RunConfig(dataset="t", table=table, split=split, split_seed=seed), tmp_path)
        assert len(entries(cache)) == number


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def garbage(path):
    path.write_text("[]")


@pytest.mark.parametrize("damage", [flip, cut, garbage, Path.unlink])
def test_a_damaged_entry_is_named_and_made_anew(tmp_path, cache, capsys, damage):
    table = written(tmp_path)
    config = RunConfig(dataset="t", table=table, features="user,tags")
    _, expected = encoded_of(config, tmp_path)
    capsys.readouterr()
    for entry in entries(cache):
        paths = [
            entry / "manifest.json",
            *sorted(entry.glob("*.npy"))[:2],
            *sorted(entry.glob("*.arrow"))[-1:],
        ]
        for path in paths:
            damage(path)
            dataset, found = encoded_of(config, tmp_path)
            require_alike(found, expected)
            require_equal(dataset, load(tmp_path, table, keep=False))
            lines = capsys.readouterr().err.splitlines()
            assert len(lines) == 1, path
            assert str(entry) in lines[0]
            assert path.name in lines[0]
            assert "made anew" in lines[0]
            Entry.open(entry).verify()
    assert len(entries(cache)) == 2


def test_a_large_file_is_verified_once_until_it_changes(tmp_path, cache, monkeypatch, capsys):
    monkeypatch.setattr(file_digests, "LEAST_BYTES", 0)
    monkeypatch.setattr(file_digests, "SETTLED_SECONDS", 0.0)
    computed = []
    digest_of = coded_entry._digest_of
    monkeypatch.setattr(
        coded_entry, "_digest_of", lambda path: computed.append(path.name) or digest_of(path)
    )
    table = written(tmp_path)

    def read_by_another_process():
        computed.clear()
        coded_entry._verified.clear()
        return load(tmp_path, table).column("user")

    load(tmp_path, table)
    first = read_by_another_process()
    assert computed
    assert list(read_by_another_process()) == list(first)
    assert computed == []
    (entry,) = entries(cache)
    for path in entry.glob("*.npy"):
        flip(path)
    capsys.readouterr()
    assert list(read_by_another_process()) == list(first)
    assert "made anew" in capsys.readouterr().err
    # `ue-bench data --verify` reads everything
    coded_entry._verified.clear()
    computed.clear()
    verify()
    assert len(computed) == len(list(entry.glob("*.npy")) + list(entry.glob("*.arrow")))


def test_an_entry_that_is_removed_while_it_is_used_is_made_anew(tmp_path, cache, capsys):
    table = written(tmp_path)
    load(tmp_path, table)
    kept = load(tmp_path, table)
    kept.column("user")
    assert Store.of(cache).prune(0)
    require_equal(kept, load(tmp_path, table, keep=False))
    assert capsys.readouterr().err == ""


def _load_slowly(folder, table):
    os.environ["UE_BENCH_CACHE"] = str(folder / "cache")  # a server of forks keeps its own
    read = TableFiles.batches

    def slow(files, names):
        (folder / f"read-{os.getpid()}").touch()
        time.sleep(0.5)
        return read(files, names)

    TableFiles.batches = slow
    source.LEAST_VALUES, source.LEAST_BYTES = 1, 0
    _, encoded = encoded_of(RunConfig(dataset="t", table=table), folder)
    (folder / f"sum-{encoded.codes.sum()}-{os.getpid()}").touch()


def _stop_while_reading(folder, table):
    os.environ["UE_BENCH_CACHE"] = str(folder / "cache")
    TableFiles.batches = lambda *_: os._exit(9)
    source.LEAST_VALUES, source.LEAST_BYTES = 1, 0
    load(folder, table)


def started(target, *arguments, count=1):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["ue_bench.training.preload"])
    processes = [context.Process(target=target, args=arguments) for _ in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


def test_of_several_processes_one_makes_an_entry(tmp_path, cache):
    table = written(tmp_path)
    assert started(_stop_while_reading, tmp_path, table) == [9]
    assert started(_load_slowly, tmp_path, table, count=2) == [0, 0]
    assert len(list(tmp_path.glob("read-*"))) == 1
    sums = {path.name.split("-")[1] for path in tmp_path.glob("sum-*")}
    assert sums == {str(encoded_of(RunConfig(dataset="t", table=table), tmp_path)[1].codes.sum())}
    assert {path.name for path in (cache / "coded").iterdir()} == {
        path.name for path in entries(cache)
    }


@pytest.mark.parametrize("where", ["file/cache", "/proc/none"])
def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys, where):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UE_BENCH_CACHE", str(tmp_path / where))
    table = written(tmp_path)
    for _ in range(2):
        found = load(tmp_path, table)
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert "cannot write to" in lines[0]
        assert "UE_BENCH_CACHE" in lines[0]
        require_equal(found, load(tmp_path, table, keep=False))


def test_a_home_that_does_not_exist_is_no_failure(tmp_path, monkeypatch):
    monkeypatch.setenv("UE_BENCH_CACHE", "~nobody-of-this-name/cache")
    table = written(tmp_path)
    assert load(tmp_path, table).n_rows == ROWS


def test_a_full_disk_is_one_line(tmp_path, cache, monkeypatch, capsys):
    table = written(tmp_path)
    read = load(tmp_path, table, keep=False)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        require_equal(load(tmp_path, table), read)
        assert "No space left on device" in capsys.readouterr().err
    assert list((cache / "coded").iterdir()) == []
    with monkeypatch.context() as patched:
        patched.setattr(coded_store, "SPARE_BYTES", 2**70)
        require_equal(load(tmp_path, table), read)
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert list((cache / "coded").iterdir()) == []


def test_what_was_used_least_recently_is_removed_first(tmp_path, cache, monkeypatch):
    tables = [written(tmp_path / str(seed), seed) for seed in range(3)]
    for seed in (0, 1, 2, 0):
        load(tmp_path / str(seed), tables[seed])
        time.sleep(0.02)
    size = max(entry.n_bytes for entry in Store.of(cache).entries())
    removed = Store.of(cache).prune(2 * size + size // 2)
    assert len(removed) == 1
    assert len(entries(cache)) == 2
    with monkeypatch.context() as patched:
        patched.setattr(TableFiles, "batches", lambda *_: pytest.fail("the table was read"))
        for seed in (0, 2):
            load(tmp_path / str(seed), tables[seed])
    # a new entry makes room for itself
    monkeypatch.setenv("UE_BENCH_CACHE_SIZE", str(size + size // 2))
    load(tmp_path / "1", tables[1])
    assert len(entries(cache)) == 1
    monkeypatch.setenv("UE_BENCH_CACHE_SIZE", "much")
    with pytest.raises(BenchError, match="UE_BENCH_CACHE_SIZE: 'much' was given"):
        load(tmp_path / "1", tables[1])


def test_what_a_killed_process_left_is_removed(tmp_path, cache):
    load(tmp_path, written(tmp_path))
    old, young = cache / "coded" / ".key-old", cache / "coded" / ".key-young"
    for folder in (old, young):
        folder.mkdir()
    before = time.time() - OLD_SECONDS - 1
    os.utime(old, (before, before))
    Store.of(cache).prune(2**60)
    assert (old.exists(), young.exists()) == (False, True)
    assert len(entries(cache)) == 2  # the one, and the folder of a process that may be writing


def data_command(*words):
    done = CliRunner().invoke(main, ["data", *words])
    assert done.exit_code == 0, done.stderr
    return done.stdout.splitlines(), done.stderr.splitlines()


def test_the_command_lists_removes_and_verifies(tmp_path, cache):
    written(tmp_path)
    options = ["--dataset", str(tmp_path / "t.parquet"), "--target", "y", "--features", "user,item"]
    shown, _ = data_command(*options)
    assert "coded rows of all data sets: " in shown[-1]
    (entry,) = entries(cache)
    flip(entry / "values 0.arrow")
    _, told = data_command(*options, "--verify")
    assert len(told) == 1
    assert "values 0.arrow has another content" in told[0]
    kept, _ = data_command("--prune", "1GB")
    assert kept[0].startswith("kept ")
    assert "t.parquet: 240 rows, 2 features, last used 2" in kept[0]
    removed, _ = data_command("--prune")
    assert removed[0].startswith("removed ")
    assert "0 B kept in" in removed[-1]
    assert entries(cache) == []
    assert data_command("--prune")[0][-1].startswith("0 B removed")
    refused = CliRunner().invoke(main, ["data", "--prune", "all"])
    assert refused.exit_code == 2
    assert "--prune: 'all' was given" in refused.stderr


def test_small_tables_touch_no_cache(tmp_path, cache, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("UE_BENCH_CACHE", str(cache))
    load(tmp_path, written(tmp_path))
    assert not cache.exists()


class Counted:
    """A checksum that counts how often it is computed."""

    def __init__(self, path):
        self.path = path
        self.n = 0

    def __call__(self):
        self.n += 1
        return f"sha256:{hash(self.path.read_bytes())}"


def remembered(counted):
    return file_digests.remembered([counted.path], "test", counted)


def test_a_checksum_is_remembered_until_a_file_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(file_digests, "LEAST_BYTES", 0)
    counted = Counted(tmp_path / "file")
    counted.path.write_bytes(b"first")
    remembered(counted)
    remembered(counted)
    assert counted.n == 2, "the file may change within the resolution of the clock"
    monkeypatch.setattr(file_digests, "SETTLED_SECONDS", 0.0)
    first = remembered(counted)
    assert remembered(counted) == first
    assert counted.n == 3
    # another content of the same size and the same time
    state = counted.path.stat()
    counted.path.write_bytes(b"other")
    os.utime(counted.path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert remembered(counted) != first
    assert counted.n == 4
    remembered(counted)
    file_digests.forget()
    remembered(counted)
    assert counted.n == 5
    with pytest.raises(FileNotFoundError):
        remembered(Counted(tmp_path / "missing"))


def test_what_is_remembered_may_be_damaged(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(file_digests, "LEAST_BYTES", 0)
    monkeypatch.setattr(file_digests, "SETTLED_SECONDS", 0.0)
    counted = Counted(tmp_path / "file")
    counted.path.write_bytes(b"first")
    first = remembered(counted)
    (kept,) = (cache / file_digests.FOLDER).iterdir()
    for content in (b"", b"{}", b"\xff", kept.read_bytes()[:-3]):
        kept.write_bytes(content)
        assert remembered(counted) == first
    assert counted.n == 5


def test_an_empty_variable_prunes_no_cache_that_may_not_be_meant(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("UE_BENCH_CACHE")
    load(tmp_path, written(tmp_path))
    before = entries(tmp_path / "home" / "ue_bench")
    assert len(before) == 1
    monkeypatch.setenv("UE_BENCH_CACHE", "")
    for words in (["--prune"], ["--prune", "5GB"]):
        done = CliRunner().invoke(main, ["data", *words])
        assert (done.exit_code, done.output) == (
            2,
            "Error: --prune: UE_BENCH_CACHE is set and empty, and the user's cache folder may not "
            "be what is meant; set it to a folder, or unset it\n",
        )
    load(tmp_path, written(tmp_path))  # for all else it is as if it were not set
    assert entries(tmp_path / "home" / "ue_bench") == before
    monkeypatch.delenv("UE_BENCH_CACHE")
    assert data_command("--prune")[0][0].startswith("removed ")
