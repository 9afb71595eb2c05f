"""A record is written whole or not at all, and a file that is not one is named."""

import json
import os

import pytest

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record, frame, load, path_of, read, require_writable, write


def make(**changes):
    config = RunConfig(budget=28032)
    given = {
        "run_id": config.run_id,
        "study": "s",
        "phase": "run",
        "status": "ok",
        "error": None,
        "config": config.to_dict(),
        "found": {
            "cardinalities": {"age": 3},
            "lookups": {"age": 1},
            "dim": 16,
            "exact_table_bytes": 192,
        },
        "quality": {
            "val_mse": 0.8,
            "test_mse": 0.9,
            "best_epoch": 1.0,
            "history": [],
            "anchors": {},
            "slices": {"of": "test"},
        },
        "cost": {"table_bytes": 96, "auxiliary_bytes": 0, "vocabulary_bytes": 0, "total_bytes": 96},
    }
    return Record(**{**given, **changes})


def test_round_trip(tmp_path):
    path = write(make(), tmp_path)
    assert path == path_of(tmp_path, "s", make().run_id)
    assert read(path) == make()
    assert load(tmp_path) == ([make()], [])
    assert frame([make()])["quality.test_mse"].tolist() == [0.9]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_no_nan_reaches_a_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(make(quality={"test_mse": float("nan")}), tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_a_crash_while_writing_leaves_the_old_record_and_nothing_else(tmp_path, monkeypatch):
    path = write(make(), tmp_path)
    before = path.read_bytes()

    def die(*_):
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, die)
            with pytest.raises(KeyboardInterrupt):
                write(make(error="changed"), tmp_path)
        assert path.read_bytes() == before
        assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_cut_short_anywhere_it_is_named_and_left_out(tmp_path):
    path = write(make(), tmp_path)
    whole = path.read_bytes()
    for end in [*range(0, len(whole) - 2, 97), len(whole) - 3]:
        path.write_bytes(whole[:end])
        records, skipped = load(tmp_path)
        assert records == []
        assert len(skipped) == 1
        assert path.name in skipped[0]


def test_any_changed_digit_is_found(tmp_path):
    path = write(make(), tmp_path)
    path.write_text(path.read_text().replace("0.9", "0.8"))
    with pytest.raises(BenchError, match="checksum"):
        read(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [({"schema": 99}, "newer"), ({"schema": None}, "schema"), ({"surprise": 1}, "surprise")],
)
def test_a_newer_or_foreign_file_is_told(tmp_path, change, told):
    path = write(make(), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BenchError, match=told):
        read(path)


def test_a_record_under_another_name_is_left_out(tmp_path):
    path = write(make(), tmp_path)
    path.rename(path.with_name("0123456789abcdef.json"))
    records, skipped = load(tmp_path)
    assert records == []
    assert "carry these names" in skipped[0]


def test_a_folder_that_cannot_be_written_is_told_first(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write"):
        require_writable(tmp_path / "file" / "results")
    require_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(BenchError, match="does not exist"):
        load(tmp_path / "none")
