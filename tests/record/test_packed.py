"""Packed records are read as files are; whatever is wrong with a packed file is told in a line."""

import errno
import lzma
import os
from dataclasses import replace
from pathlib import Path

import fake_records as fake
import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.record import load, packed, path_of, write
from ue_bench.record.packed import PACKED


@pytest.fixture
def results(tmp_path):
    """Two studies of three records each."""
    for study in ("one", "two"):
        for record in fake.arm([0.9, 0.91, 0.92]):
            write(replace(record, study=study), tmp_path)
    return tmp_path


def pack(results, study="one", *words):
    line = ["pack", "--study", study, "--results", str(results), *map(str, words)]
    result = CliRunner().invoke(main, line)
    return result.exit_code, result.output


def texts(results, study=None):
    records, skipped = load(results, study)
    assert skipped == []
    return [record.to_json() for record in records]


def lines_of(results):
    return lzma.decompress((results / "one" / PACKED).read_bytes()).splitlines(keepends=True)


def rewrite(results, lines):
    (results / "one" / PACKED).write_bytes(lzma.compress(b"".join(lines)))


def test_packed_records_are_read_like_files(results):
    before = texts(results)
    assert pack(results) == (0, f"one: 3 records; in {results / 'one' / PACKED}\n")
    assert texts(results) == before
    assert [len(texts(results, study)) for study in ("one", "two")] == [3, 3]
    assert os.listdir(results / "one") == [PACKED]
    assert len(os.listdir(results / "two")) == 3


def test_packing_again_adds_what_is_new_and_is_the_same_to_the_byte(results):
    pack(results)
    first = (results / "one" / PACKED).read_bytes()
    assert pack(results)[0] == 0
    assert (results / "one" / PACKED).read_bytes() == first
    (added,) = fake.arm([0.95], budget=3_504)
    write(replace(added, study="one"), results)
    assert len(texts(results, "one")) == 4
    assert pack(results)[1].startswith("one: 4 records")
    assert os.listdir(results / "one") == [PACKED]
    assert len(texts(results, "one")) == 4


def test_a_file_is_newer_than_a_packed_record(results):
    pack(results)
    record = load(results, "one")[0][0]
    anew = replace(record, quality=record.quality | {"test_mse": 0.5})
    write(anew, results)
    for _ in range(2):
        scores = [run.quality["test_mse"] for run in load(results, "one")[0]]
        assert (len(scores), scores.count(0.5)) == (3, 1)
        pack(results)


def test_what_is_no_record_stays_and_is_told(results):
    torn = results / "one" / "torn.json"
    torn.write_text("{")
    code, output = pack(results)
    assert code == 0
    assert f"left as it is: {torn}: not a record" in output
    assert sorted(os.listdir(results / "one")) == [PACKED, "torn.json"]


@pytest.mark.parametrize("study", ["none", "empty"])
def test_a_study_without_records_is_one_line(results, study):
    (results / "empty").mkdir()
    code, output = pack(results, study)
    assert code == 2
    assert "give another --study or --results" in output
    assert "Traceback" not in output
    assert not (results / "none").exists()
    assert os.listdir(results / "empty") == []


def test_an_altered_line_is_left_out(results):
    pack(results)
    first, second, third = lines_of(results)
    rewrite(results, [first, second.replace(b'"test_mse"', b'"test_mes"'), third])
    records, skipped = load(results, "one")
    assert len(records) == 2
    (line,) = skipped
    assert line.startswith(f"{results / 'one' / PACKED}, line 2: ")
    code, output = pack(results)
    assert (code, "nothing was changed" in output) == (2, True)
    assert len(lines_of(results)) == 3


def test_a_record_of_another_study_is_left_out(results):
    pack(results, "two")
    os.replace(results / "two" / PACKED, results / "one" / PACKED)
    records, skipped = load(results, "one")
    assert (len(records), len(skipped)) == (3, 3)
    assert all("of study 'two'; file and folder must carry these names" in line for line in skipped)


@pytest.mark.parametrize("left", [0.5, 0.9, 0.99])
def test_a_file_that_is_cut_off_is_told(results, left):
    pack(results)
    path = results / "one" / PACKED
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole))])
    records, skipped = load(results, "one")
    assert len(records) < 3 or left > 0.9
    (line,) = skipped
    assert "what follows is left out" in line


def test_what_is_no_xz_and_a_pipe_are_told(results):
    path = results / "one" / PACKED
    path.write_bytes(b"no xz")
    assert "not packed records" in load(results, "one")[1][0]
    path.unlink()
    os.mkfifo(path)
    assert "a named pipe" in load(results, "one")[1][0]
    assert len(load(results, "one")[0]) == 3


def test_bytes_without_end_are_not_read_to_the_end(results, monkeypatch):
    pack(results)
    lines = lines_of(results)
    monkeypatch.setattr(packed, "LONGEST_LINE", len(max(lines, key=len)) + 1)
    assert len(texts(results, "one")) == 3
    rewrite(results, [lines[0], b"0" * 1_000_000 + b"\n", lines[1]])
    records, skipped = load(results, "one")
    assert len(records) == 1
    assert "line 2: it is cut off, or too long" in skipped[0]
    rewrite(results, lines)
    monkeypatch.setattr(packed, "MOST_BYTES", len(lines[0]) + 10)
    records, skipped = load(results, "one")
    assert (len(records), len(skipped)) == (1, 1)


def test_a_folder_in_use_is_left_alone(results):
    from ue_bench.record.lock import alone

    with alone(results / "one"):
        code, output = pack(results)
    assert code == 2
    assert "another command works in this folder" in output
    assert len(os.listdir(results / "one")) == 3


def test_a_disk_that_is_full_loses_nothing(results, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    code, output = pack(results)
    assert (code, "No space left on device" in output) == (2, True)
    assert len(os.listdir(results / "one")) == 3
    assert path_of(results, "one", load(results, "one")[0][0].run_id).exists()


def test_lines_that_are_no_records_have_an_end(results):
    """A few kilobytes stand for a hundred million lines."""
    pack(results)
    rewrite(results, [*lines_of(results), b"{}\n" * 5_000_000])
    records, skipped = load(results, "one")
    assert len(records) == 3
    assert len(skipped) == 1_001
    assert "1,000 lines are no records; what follows is left out" in skipped[-1]


def test_records_that_could_not_be_read_again_are_not_packed(results, monkeypatch):
    monkeypatch.setattr("ue_bench.record.packed.MOST_BYTES", 5_000)
    code, output = pack(results)
    assert (code, "more than a packed file may hold" in output) == (2, True)
    assert len(texts(results, "one")) == 3


def test_a_file_that_is_too_large_once_compressed_replaces_nothing(results, monkeypatch):
    """The reader refuses it, and the files that it would stand for are deleted after it."""
    pack(results)
    path = results / "one" / PACKED
    before = path.read_bytes()
    monkeypatch.setattr(packed, "MOST_PACKED", len(before))
    (added,) = fake.arm([0.95], budget=3_504)
    file = write(replace(added, study="one"), results)
    code, output = pack(results)
    assert (code, f"may hold ({len(before):,} compressed bytes); leave" in output) == (2, True)
    assert path.read_bytes() == before
    assert sorted(os.listdir(results / "one")) == sorted([PACKED, file.name])
    assert len(texts(results, "one")) == 4

    file.unlink()
    assert pack(results)[0] == 0, "a file of just that size is read, and so may be written"


def test_a_file_without_end_is_left_out(results):
    torn = results / "one" / "huge.json"
    torn.touch()
    os.truncate(torn, 10**12)  # of no size on disk
    packed_file = results / "two" / PACKED
    packed_file.touch()
    os.truncate(packed_file, 10**12)
    records, skipped = load(results)
    assert len(records) == 6
    assert [("1,000,000,000,000 bytes" in line) for line in skipped] == [True, True]


def test_files_of_another_user_stay_and_are_told(results, monkeypatch):
    def unlink(self, missing_ok=False):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", unlink)
        code, output = pack(results)
    assert (code, "let its owner run the same command" in output) == (2, True)
    assert len(texts(results, "one")) == 3


# ---- compact records


def is_refused(results, out, told):
    """Whether compact records in `out` are refused in one line, and all whole ones are left."""
    pack(results)
    before = (results / "one" / PACKED).read_bytes()
    code, output = pack(results, "one", "--compact", out)
    assert (code, output.count("\n")) == (2, 1), output
    assert "Traceback" not in output
    assert (results / "one" / PACKED).read_bytes() == before
    assert os.listdir(results / "one") == [PACKED]
    return told in output


def test_whole_records_are_not_replaced_by_compact_ones(results, tmp_path_factory):
    told = "is where the whole records are"
    assert is_refused(results, results, told)
    assert is_refused(results, f"{results}/.", told)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "all").symlink_to(results)
    assert is_refused(results, elsewhere / "all", told)
    (elsewhere / "one").symlink_to(results / "one")
    assert is_refused(results, elsewhere, told)


def test_whole_records_of_another_folder_are_not_replaced_either(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    (out / "one").mkdir()
    (run, *_) = fake.arm([0.8])
    packed.write_packed([replace(run, study="one")], out / "one" / PACKED)
    assert is_refused(results, out, f"{out / 'one' / PACKED} holds whole records")
    (out / "one" / PACKED).unlink()
    (out / "one" / PACKED).symlink_to(results / "one" / PACKED)
    assert is_refused(results, out, f"{out / 'one' / PACKED} holds whole records")
    (out / "one" / PACKED).unlink()
    (out / "one" / PACKED).write_bytes(b"damaged")
    assert is_refused(results, out, f"{out / 'one' / PACKED} holds what is no record")
    assert (out / "one" / PACKED).read_bytes() == b"damaged"


def test_compact_records_are_written_again_in_a_folder_that_nobody_holds(results, tmp_path_factory):
    from ue_bench.record.lock import alone

    out = tmp_path_factory.mktemp("out")
    for _ in range(2):
        code, output = pack(results, "one", "--compact", out)
        assert (code, output) == (0, f"one: 3 compact records; in {out / 'one' / PACKED}\n")
    assert [run.env for run in load(out)[0]] == [{}] * 3
    assert os.listdir(out / "one") == [PACKED]
    with alone(out / "one"):
        code, output = pack(results, "one", "--compact", out)
    assert (code, "another command works in this folder" in output) == (2, True)
