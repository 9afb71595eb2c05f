"""Results folders of several machines merge to one."""

from dataclasses import replace

from click.testing import CliRunner
from test_search_order import BASE, files, run, well

from ue_bench import record as records_room
from ue_bench.cli import main
from ue_bench.record.merge import merge
from ue_bench.record.record import SpeedCase, SpeedRecord
from ue_bench.study import Grid, Study

LONG = Grid(tuple(replace(BASE, lr=lr) for lr in (1e-3, 2e-3, 3e-3)), seeds=5)


def test_folders_with_parts_of_a_study_merge_to_all_of_it(tmp_path):
    whole = tmp_path / "whole"
    run(whole, 1, Study("?", (LONG,), latency=False), result=well)
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for number, record in enumerate(records_room.load(whole)[0]):
        records_room.write(record, folders[number % 3])
    records_room.write(record, folders[0])  # in two of them
    outcome, skipped = merge(folders, tmp_path / "merged")
    assert (outcome["s"].written, skipped) == (15, [])
    assert files(tmp_path / "merged") == files(whole)


def test_a_good_run_replaces_a_failed_one_and_no_good_one(tmp_path):
    study = Study("?", (replace(LONG, seeds=1),), latency=False)
    for name in ("a", "b"):
        run(tmp_path / name, 1, study, result=well)
    first, second, third = records_room.load(tmp_path / "a")[0]
    failed = records_room.failure(
        first.config, study="s", phase="grid", cause="late", error="too long"
    )
    records_room.write(failed, tmp_path / "b")
    records_room.write(replace(second, cost=second.cost | {"table_bytes": 1}), tmp_path / "b")
    outcome, _ = merge([tmp_path / "a"], tmp_path / "b")
    assert vars(outcome["s"]) == {"written": 1, "ready": 1, "kept": 1}
    merged = {record.run_id: record for record in records_room.load(tmp_path / "b")[0]}
    assert merged[first.run_id] == first
    assert merged[second.run_id].cost["table_bytes"] == 1
    assert merged[third.run_id] == third


def test_what_cannot_be_merged_is_one_line(tmp_path):
    for folders in ([tmp_path / "none"], [tmp_path]):
        asked = ["merge", *map(str, folders), "--results", str(tmp_path)]
        result = CliRunner().invoke(main, asked)
        assert result.exit_code == 2
        assert result.output.count("\n") == 1


def measured(results):
    """What `ue-bench speed` leaves of one case."""
    case = SpeedCase(case="start", quick=True)
    env = {"versions": {"torch": "2"}, "cpu": None, "cores": None, "time": "now"}
    found, cost = {"title": "Start"}, {"lines": []}
    made = SpeedRecord(
        run_id=case.run_id, study="speed", config=case, found=found, cost=cost, env=env
    )
    records_room.write(made, results)


def merged(results, *folders):
    return CliRunner().invoke(main, ["merge", *map(str, folders), "--results", str(results)])


def test_measurements_of_speed_and_folders_without_runs_are_told(tmp_path):
    run(tmp_path / "a", 1, Study("?", (LONG,), latency=False), result=well)
    measured(tmp_path / "a")
    (tmp_path / "b" / "s").mkdir(parents=True)
    done = merged(tmp_path / "into", tmp_path / "a", tmp_path / "b")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"s: 15 records written, 0 were there; in {tmp_path / 'into' / 's'}\n"
    assert done.stderr.splitlines() == [
        f"left out: {tmp_path / 'b'} holds no run; give results folders, which have a folder for "
        "each study",
        "left out: 1 measurement of speed: of a machine, and of no run",
    ]


def test_a_merge_of_nothing_is_refused(tmp_path):
    run(tmp_path / "up" / "a", 1, Study("?", (LONG,), latency=False), result=well)
    told = "holds no run; give results folders, which have a folder for each study"
    done = merged(tmp_path / "into", tmp_path / "up")  # one folder too high
    assert (done.exit_code, done.output) == (2, f"Error: {tmp_path / 'up'} {told}\n")
    measured(tmp_path / "b")
    done = merged(tmp_path / "into", tmp_path / "b")
    assert done.exit_code == 2
    assert done.output.startswith(f"Error: {tmp_path / 'b'} {told} (left out: 1 measurement of ")
    assert done.output.count("\n") == 1
    assert not (tmp_path / "into").exists()
