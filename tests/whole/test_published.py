"""Committed results are tested like code: nothing is wrong with them, and each fault that may befall a record is found."""

import hashlib
import json
import os
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import stdev

import pytest
from click.testing import CliRunner
from ue_bench.studies import methods

from ue_bench.cli import main
from ue_bench.cli.check import check
from ue_bench.cli.check_command import known_faults
from ue_bench.errors import BenchError
from ue_bench.record import load, read
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.trials import trials_of
from ue_bench.report.page.prose import refresh

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "results" / "published"
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


@pytest.mark.slow  # `make test` checks the records before it runs the tests
def test_nothing_is_wrong_with_what_is_published():
    known = known_faults(PUBLISHED)
    assert sorted(check(PUBLISHED, DOCUMENTS)) == sorted(known)
    assert sum("<!-- ue-bench: " in path.read_text() for path in DOCUMENTS) >= 2


def searches_of_lookup_allocation():
    """Return the trials of each search, in their order: every one ran on all seeds, to its end."""
    runs = load(PUBLISHED, "lookup_allocation")[0]
    searches = defaultdict(list)
    for trial in trials_of(run for run in runs if run.phase == "search"):
        searches[trial.search].append(trial)
    return [sorted(trials, key=lambda trial: trial.number) for trials in searches.values()]


def beside_leaders(trials, give_up=None):
    """Yield each trial of a search after its first batch with the leader that it is held against.

    give_up: the rule by which trials are left, beside the margin.
    """
    kept = []
    for trial in trials:
        start = methods.STUDY.parts[0].batch_start(trial.number)
        before = [one for one in kept if one.number < start]
        is_left = False
        if before:
            leader = min(before, key=lambda one: one.val_mse)
            is_left = worse_at_first(trial, leader) > methods.MARGIN
            is_left |= give_up is not None and gives_up(trial, leader, *give_up)
            yield trial, leader
        if not is_left:
            kept.append(trial)


def worse_at_first(trial, leader):
    """How much worse the first run of a trial is."""
    first, of_leader = (one.records[0].quality["val_mse"] for one in (trial, leader))
    return first - of_leader


def gives_up(trial, leader, epochs, worse):
    history = trial.records[0].quality["history"]
    lowest = min(entry["val_mse"] for entry in history[:epochs])
    return lowest > leader.records[0].quality["val_mse"] + worse


def test_the_margin_of_methods_would_have_left_no_winner():
    """What its header says: on the searches that ran every trial on all seeds."""
    off = []
    saved = 0
    searches = searches_of_lookup_allocation()
    for trials in searches:
        winner = min(trials, key=lambda trial: trial.val_mse)
        for trial, leader in beside_leaders(trials):
            first = worse_at_first(trial, leader)
            off.append(first - (trial.val_mse - leader.val_mse))
            if first > methods.MARGIN:
                assert trial is not winner
                saved += len(trial.records) - 1
    assert len(searches) == 12
    assert round(stdev(off), 4) == 0.0062
    runs_of_trials = sum(len(trial.records) for trials in searches for trial in trials)
    assert round(saved / runs_of_trials, 2) == 0.35


@pytest.mark.parametrize(
    ("give_up", "n_lost", "n_winners"), [(methods.GIVE_UP, 0, 0), ((8, 0.05), 18, 3)]
)
def test_giving_up_in_methods_would_have_ended_no_good_trial(give_up, n_lost, n_winners):
    """What its header says, of trials that the margin keeps."""
    lost = []
    winners = []
    for trials in searches_of_lookup_allocation():
        winner = min(trials, key=lambda trial: trial.val_mse)
        for trial, leader in beside_leaders(trials, give_up):
            is_good = worse_at_first(trial, leader) <= methods.MARGIN
            if is_good and gives_up(trial, leader, *give_up):
                lost.append(trial)
                if trial is winner:
                    winners.append(trial)
    assert (len(lost), len(winners)) == (n_lost, n_winners)


def test_exact_tables_are_as_good_as_they_should_be():
    """Mean test MSE of the exact table over seeds on ML-100K, random split, six features."""
    records = load(PUBLISHED, "default")[0]
    assert all(0.5 < r.quality["test_mse"] < 2 for r in records if r.phase != "latency")
    exact = [
        r.quality["test_mse"]
        for r in records
        if r.config.strategy == "collisionless"
        and r.config.features == "base"
        and r.phase == "grid"
    ]
    assert len(exact) >= 5
    assert sum(exact) / len(exact) <= 0.865


@pytest.fixture
def folder(tmp_path):
    """Three published records, and a page made from them."""
    (tmp_path / "default").mkdir()
    paths = sorted((PUBLISHED / "default").glob("*.json"))
    some = [path for path in paths if read(path).phase == "grid" and read(path).config.budget][:3]
    for path in some:
        shutil.copy(path, tmp_path / "default")
    (tmp_path / "page.md").write_text("<!-- ue-bench: table default -->\nold\n<!-- end -->\n")
    return tmp_path


def spoil(folder, **changes):
    """Rewrite the first record, with a valid checksum, in the file of its id, and return it."""
    path = sorted(folder.glob("default/*.json"))[0]
    spoiled = replace(read(path), **changes)
    path.unlink()
    path.with_name(f"{spoiled.run_id}.json").write_text(spoiled.to_json())
    return spoiled


def _other(config):
    """What changes where a record is that of another configuration."""
    return {"config": config, "run_id": config.run_id}


def first(folder):
    return read(sorted(folder.glob("default/*.json"))[0])


def test_records_without_fault_and_a_page_made_from_them(folder):
    assert check(folder) == []
    (fault,) = check(folder, [folder / "page.md"])
    assert (
        "page.md: the block 'table default' differs from the records; run: ue-bench report" in fault
    )
    (folder / "page.md").write_text(
        refresh((folder / "page.md").read_text(), Evidence(load(folder)[0]))
    )
    assert check(folder, [folder / "page.md"]) == []
    (folder / "page.md").write_text("<!-- ue-bench: answer nothing -->\n<!-- end -->\n")
    assert "names what no record has" in check(folder, [folder / "page.md"])[0]
    with pytest.raises(BenchError, match="cannot be read"):
        check(folder, [folder / "no.md"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (lambda r: {"env": r.env | {"git_dirty": True}}, "not made from a clean commit"),
        (lambda r: {"env": r.env | {"git_sha": None}}, "not made from a clean commit"),
        (lambda r: _other(replace(r.config, strategy="gone")), "unknown strategy 'gone'"),
        (
            lambda r: {"config": replace(r.config, lr=0.5)},
            "its configuration is that of ",
        ),
        (
            lambda r: _other(replace(r.config, region_rule=None, regions=None)),
            "its configuration, resolved, is that of run ",
        ),
        (
            lambda r: {"status": "failed", "cause": "input", "error": "a bad value"},
            "failed: a bad value",
        ),
        (lambda r: {"cost": r.cost | {"total_bytes": 1}}, "total_bytes 1 is not the sum"),
        (
            lambda r: {
                "cost": r.cost
                | {
                    "table_bytes": 8,
                    "auxiliary_bytes": 0,
                    "total_bytes": 8 + r.cost["vocabulary_bytes"],
                    "total_floor_bytes": 8 + r.cost["vocabulary_floor_bytes"],
                }
            },
            "take 8 bytes of a budget of",
        ),
    ],
)
def test_a_fault_in_a_record_is_found(folder, changes, told):
    spoiled = spoil(folder, **changes(first(folder)))
    (fault,) = check(folder)
    assert told in fault
    assert spoiled.run_id in fault
    assert "\n" not in fault


def test_a_field_that_no_version_has_is_a_fault(folder):
    path = sorted(folder.glob("default/*.json"))[0]
    content = json.loads(path.read_text())
    del content["checksum"]
    content["config"]["gone"] = 1
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(content))
    (fault,) = check(folder)
    assert "unknown config field 'gone'" in fault


def test_a_budget_that_cannot_work_is_no_fault(folder):
    changes = {"status": "infeasible", "cause": "budget", "error": "too small"}
    spoil(folder, **changes, quality={}, cost={})
    assert check(folder) == []


def test_what_is_no_record_is_found(folder):
    one, two, three = sorted(folder.glob("default/*.json"))
    one.write_text("{")
    two.write_text(
        json.dumps(json.loads(two.read_text()) | {"quality": {"test_mse": float("nan")}})
    )
    shutil.copy(three, three.with_name("copy.json"))
    faults = check(folder)
    assert len(faults) == 3
    assert "not a record" in faults[0]
    assert "not a record of ue_bench (Out of range float values" in faults[1]
    assert "copy.json: holds run" in faults[2]


def test_one_configuration_measured_twice_is_found(folder):
    record = first(folder)
    measure = "quality" if record.config.measure == "all" else "all"
    config = replace(record.config, measure=measure)
    twin = replace(record, config=config, run_id=config.run_id)
    (folder / "default" / f"{twin.run_id}.json").write_text(twin.to_json())
    (fault,) = check(folder)
    assert "default: 2 grid runs of one configuration" in fault


def test_a_study_that_is_unknown_and_no_record_at_all(folder, tmp_path):
    (folder / "default").rename(folder / "gone")
    for path in (folder / "gone").glob("*.json"):
        path.write_text(replace(read(path), study="gone").to_json())
    assert ["unknown study 'gone'" in fault for fault in check(folder)] == [True] * 3
    (tmp_path / "empty").mkdir()
    assert check(tmp_path / "empty") == [f"{tmp_path / 'empty'}: no record"]


def test_the_command_lists_what_is_wrong(folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(main, ["check", "--results", "."])
    assert (done.exit_code, done.output) == (0, ". and 0 documents: nothing is wrong\n")
    (folder / "README.md").write_text((folder / "page.md").read_text())
    done = CliRunner().invoke(main, ["check", "--results", "."])
    assert done.exit_code == 1
    assert done.output.startswith("README.md: the block 'table default' differs")
    assert (
        CliRunner()
        .invoke(main, ["check", "--results", ".", "page.md"])
        .output.startswith("page.md: the block")
    )
    assert CliRunner().invoke(main, ["check", "--results", "gone"]).exit_code == 2


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: os.mkfifo(path), "a named pipe"),
        (lambda path: path.write_bytes(b"\xff"), "can't decode"),
        (lambda path: path.mkdir(), "a folder"),
    ],
)
def test_known_faults_that_cannot_be_read_are_one_line(folder, monkeypatch, spoil, told):
    monkeypatch.chdir(folder)
    spoil(folder / "known-faults.txt")
    done = CliRunner().invoke(main, ["check", "--results", "."])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (2, True)
    assert told in done.output


def test_a_known_fault_is_printed_and_does_not_count(folder, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "README.md").write_text((folder / "page.md").read_text())
    run = ["check", "--results", "."]
    faults = CliRunner().invoke(main, run).output.splitlines()
    (folder / "known-faults.txt").write_text("# why\n\n" + "\n".join(faults) + "\n")
    done = CliRunner().invoke(main, run)
    assert done.exit_code == 0
    assert done.output.splitlines()[:-1] == [f"known: {fault}" for fault in faults]
    assert done.output.endswith("documents: nothing else is wrong\n")
    (folder / "README.md").unlink()
    done = CliRunner().invoke(main, run)
    assert done.exit_code == 1
    assert "this is not wrong any more, take it out: README.md: the block" in done.output
