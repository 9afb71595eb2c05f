"""Shards: parts of a study that together are all of it, and the folders that merge."""

import threading
from dataclasses import replace

import pytest
from click.testing import CliRunner
from test_search_order import BASE, GRID, TPE, files, run, well

from ue_bench import record as records_room
from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.record.lock import alone, one_part
from ue_bench.record.merge import merge
from ue_bench.record.record import SpeedCase, SpeedRecord
from ue_bench.study import Grid, Study
from ue_bench.study.shard import Shard

LONG = Grid(tuple(replace(BASE, lr=lr) for lr in (1e-3, 2e-3, 3e-3)), seeds=5)


@pytest.mark.parametrize("text", ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", "-1/3", "", "١/٢"])
def test_what_is_no_shard_is_one_line(text):
    with pytest.raises(BenchError, match="from 1/50 to 50/50"):
        Shard.parse(text)


@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_the_shards_of_a_grid_are_all_of_its_runs_once(tmp_path, monkeypatch, count):
    study = Study("?", (LONG,), latency=False)
    run(tmp_path / "whole", monkeypatch, 1, study, result=well)
    made = []
    for number in range(1, count + 1):
        folder = tmp_path / str(number)
        run(folder, monkeypatch, 1, study, result=well, shard=Shard(number, count))
        made += files(folder) if number <= 15 else []
    assert sorted(made) == sorted(files(tmp_path / "whole"))
    folders = [tmp_path / str(number) for number in range(1, count + 1)]
    outcome, skipped = merge(folders, tmp_path / "merged")
    idle = [str(folder) for folder in folders[15:]]  # more shards than runs
    told = (
        f"{', '.join(idle)} hold no run; give results folders, which have a folder for each study"
    )
    assert (outcome["s"].written, skipped) == (15, [told] if idle else [])
    assert files(tmp_path / "merged") == files(tmp_path / "whole")


def test_a_shard_makes_no_trial_and_confirms_what_was_searched(tmp_path, monkeypatch, capsys):
    study = Study("?", (GRID, replace(TPE, seeds=4)))
    records = run(tmp_path, monkeypatch, 1, study, result=well, shard=Shard(1, 2))
    assert {record.phase for record in records} == {"grid"}
    assert "which no shard makes" in capsys.readouterr().err
    searched = Study("?", (replace(TPE, seeds=1),), latency=False)
    run(tmp_path, monkeypatch, 1, searched, result=well)
    confirmed = set()
    for number in (1, 2):
        records = run(tmp_path, monkeypatch, 1, study, result=well, shard=Shard(number, 2))
        own = {record.run_id for record in records if record.phase == "confirm"}
        assert len(own) == 2 * 4 // 2
        assert not own & confirmed
        confirmed |= own


def test_a_folder_is_held_by_shards_or_by_one_command(tmp_path):
    with one_part(tmp_path, "1-of-2"), one_part(tmp_path, "2-of-2"):
        with pytest.raises(BenchError, match="another command works"), alone(tmp_path):
            pass
        with pytest.raises(BenchError, match="works"), one_part(tmp_path, "1-of-2"):
            pass
    with alone(tmp_path):
        assert list(tmp_path.glob(".shard*")) == []


def test_shards_that_start_together_do_not_shut_each_other_out(tmp_path):
    faults = []
    ready = threading.Barrier(8)

    def hold(number):
        ready.wait()
        try:
            for _ in range(20):
                with one_part(tmp_path, f"{number}-of-8"):
                    pass
        except BenchError as error:
            faults.append(error)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []


def test_a_good_run_replaces_a_failed_one_and_no_good_one(tmp_path, monkeypatch):
    study = Study("?", (replace(LONG, seeds=1),), latency=False)
    for name in ("a", "b"):
        run(tmp_path / name, monkeypatch, 1, study, result=well)
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


def test_measurements_of_speed_and_folders_without_runs_are_told(tmp_path, monkeypatch):
    run(tmp_path / "a", monkeypatch, 1, Study("?", (LONG,), latency=False), result=well)
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


def test_a_merge_of_nothing_is_refused(tmp_path, monkeypatch):
    run(tmp_path / "up" / "a", monkeypatch, 1, Study("?", (LONG,), latency=False), result=well)
    told = "holds no run; give results folders, which have a folder for each study"
    done = merged(tmp_path / "into", tmp_path / "up")  # one folder too high
    assert (done.exit_code, done.output) == (2, f"Error: {tmp_path / 'up'} {told}\n")
    measured(tmp_path / "b")
    done = merged(tmp_path / "into", tmp_path / "b")
    assert done.exit_code == 2
    assert done.output.startswith(f"Error: {tmp_path / 'b'} {told} (left out: 1 measurement of ")
    assert done.output.count("\n") == 1
    assert not (tmp_path / "into").exists()


def test_the_path_of_a_run_is_told_without_making_it(tmp_path):
    asked = ["run", "--strategy", "unified", "--budget", "28kB", "--results", str(tmp_path)]
    result = CliRunner().invoke(main, [*asked, "--print-path"])
    assert result.exit_code == 0, result.output
    path = result.output.strip()
    assert path.startswith(str(tmp_path / "run"))
    assert path.endswith(".json")
    assert list(tmp_path.iterdir()) == []
    asked += ["--epochs", "1", "--measure", "quality", "--budget", "14kB"]
    told = CliRunner().invoke(main, [*asked, "--print-path"]).output.strip()
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    assert [str(path) for path in (tmp_path / "run").glob("*.json")] == [told]
