"""The command line: help, lists, data, and a run from its options to its record."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import movielens_files as official
import pytest
from click.testing import CliRunner

from ue_bench import record
from ue_bench.cli import main
from ue_bench.config import SEEDS
from ue_bench.data import DATASETS
from ue_bench.strategies import ANCHORS, STRATEGIES
from ue_bench.strategies.registry import static_strategies
from ue_bench.study import names
from ue_bench.version import __version__

HEAVY = ("torch", "polars", "pandas", "optuna", "rich", "numpy")


def invoke(*arguments: object) -> tuple[str, str]:
    """(standard output, standard error) of a command that succeeds."""
    outcome = CliRunner().invoke(
        main, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout, outcome.stderr


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ue_bench", *map(str, arguments)]


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("data"), "ml-100k")


@pytest.fixture
def run(movielens, tmp_path):
    """Runs a configuration of small cost, and returns its record as printed."""

    def run_with(*options: object) -> dict:
        out, _ = invoke(
            "run",
            "--data-dir",
            movielens,
            "--results",
            tmp_path,
            "--epochs",
            "2",
            "--measure",
            "quality",
            *(() if {"--budget", "collisionless"} & {*options} else ("--budget", "1kB")),
            "--json",
            *options,
        )
        return json.loads(out)

    return run_with


# ---- help


@pytest.mark.parametrize("command", [[], *([name] for name in main.commands)], ids=" ".join)
def test_help_shows_an_example(command):
    out, err = invoke(*command, "--help")
    examples = re.findall(r"Example: ue-bench ([\w-]+)", out)
    assert examples == (command or ["run"])
    assert err == ""
    assert invoke(*command, "-h")[0] == out


def test_the_examples_parse():
    """Each example of the help is a command line that the program takes."""
    for name, command in main.commands.items():
        words = shlex.split(command.epilog)[3:]
        context = command.make_context(name, list(words))
        assert context.params


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from ue_bench.cli import main\n"
        "try: main(['--help'])\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert done.stderr.strip() == "[]"


def test_the_version_and_both_ways_to_call_it():
    wanted = f"ue-bench, version {__version__}\n"
    assert invoke("--version")[0] == wanted
    installed = Path(sys.executable).with_name("ue-bench")
    for command in (program("--version"), [str(installed), "--version"]):
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == wanted


# ---- lists and data


@pytest.mark.parametrize(
    ("what", "wanted"),
    [
        ("strategies", [*STRATEGIES, *ANCHORS]),
        ("studies", names()),
        ("datasets", list(DATASETS)),
    ],
)
def test_a_list_is_names_in_a_pipe_and_objects_as_json(what, wanted):
    assert wanted
    assert invoke("list", what) == ("\n".join(wanted) + "\n", "")
    rows = json.loads(invoke("list", what, "--json")[0])
    assert [row["name"] for row in rows] == wanted
    assert all(row["summary"] for row in rows)
    if what == "datasets":
        assert {row["name"]: row for row in rows}["ml-100k"]["features"] == ["base", "wide"]
    if what == "strategies":
        by_name = {row["name"]: row for row in rows}
        assert by_name["robe"]["regions"] == ["multiplexed", "separate"]
        assert by_name["robe"]["bits"] == [32, 16, 8, 4, 3, 2, 1]
        assert by_name["int4"]["bits"] == [4]
        assert by_name["dhe"]["bits"] == [32]
        assert by_name["dhe"]["float_only"]
        assert by_name["cafe"]["needs_vocabulary"] is False
        # anchors are told apart
        assert {row["name"] for row in rows if row["kind"] == "anchor"} == set(ANCHORS)


def test_a_list_on_a_terminal_has_the_details():
    ours, theirs = pty.openpty()
    try:
        subprocess.run(program("list", "datasets"), stdout=theirs, check=True, timeout=300)
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    for name, info in DATASETS.items():
        assert name in shown
        assert info.summary in shown


def test_data_says_what_is_in_a_data_set(movielens):
    out, err = invoke("data", "--data-dir", movielens, "--json")
    found = json.loads(out)
    assert err == ""
    assert set(found) == {
        "name",
        "ratings",
        "users",
        "items",
        "features",
        "rating_scale",
        "time_span",
        "source",
        "checksum",
        "warnings",
    }
    assert (found["name"], found["ratings"], found["users"], found["items"]) == (
        "ml-100k",
        200,
        12,
        20,
    )
    assert found["features"]["occupation"] == 3
    shown, _ = invoke("data", "--dataset", "ml-100k", "--data-dir", movielens)
    assert "ml-100k: 200 ratings of 20 items by 12 users, 1 to 5, 1997-11-20 to 1997-11-28" in shown
    assert re.search(r"zip_code +5 distinct values", shown)
    assert found["checksum"] in shown


def test_data_reads_a_zip_of_another_generation(tmp_path):
    found = json.loads(
        invoke(
            "data",
            "--dataset",
            "ml-25m",
            "--data-dir",
            official.write_zip(tmp_path, "ml-25m"),
            "--json",
        )[0]
    )
    assert (found["source"], found["rating_scale"]) == ("zip", [0.5, 5.0])


# ---- a run


def test_a_run_prints_its_record_alone_and_writes_it(movielens, tmp_path):
    asked = "--strategy unified --dataset ml-100k --split random --budget 1kB --dim 16 --seed 3 --hash-seed 5 --epochs 3"
    out, err = invoke(
        "run", *asked.split(), "--results", tmp_path, "--data-dir", movielens, "--json"
    )
    printed = json.loads(out)
    assert "3 of 3 epochs" in err
    written = tmp_path / "run" / f"{printed['run_id']}.json"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [written]
    assert json.loads(written.read_text()) == printed
    assert record.read(written).status == "ok"

    assert (printed["schema"], printed["study"], printed["status"], printed["error"]) == (
        2,
        "run",
        "ok",
        None,
    )
    wanted = {
        "strategy": "unified",
        "regions": "multiplexed",
        "budget": 1000,
        "dataset": "ml-100k",
        "split": "random",
    }
    assert wanted.items() <= printed["config"].items()
    assert {name: printed["config"][name] for name in SEEDS} == {
        "hash_seed": 5,
        "init_seed": 3,
        "batch_seed": 3,
        "split_seed": 3,
    }

    quality, cost = printed["quality"], printed["cost"]
    for name in ("train_mse", "val_mse", "test_mse", "test_mae"):
        assert 0 < quality[name] < 16
    assert [entry["epoch"] for entry in quality["history"]] == [1, 2, 3]
    assert all(entry["train_mse"] > 0 and entry["val_mse"] > 0 for entry in quality["history"])
    assert min(entry["val_mse"] for entry in quality["history"]) == pytest.approx(
        quality["val_mse"]
    )
    assert set(quality["anchors"]) == {"mean", "item_mean", "bias", "mf", "linear", "boosting"}
    assert cost["table_bytes"] == 960
    assert (
        cost["total_bytes"]
        == cost["table_bytes"] + cost["auxiliary_bytes"] + cost["vocabulary_bytes"]
    )
    assert {(entry["source"], entry["batch"]) for entry in cost["latency"]} == {
        (source, batch) for source in ("codes", "values") for batch in (1, 32, 256, 4096)
    }
    assert all(
        0 < entry["p50_us"] <= entry["p90_us"] <= entry["p99_us"] and entry["n"] >= 10
        for entry in cost["latency"]
    )
    for words in (str(tmp_path), str(movielens)):
        assert words not in out


def test_a_run_without_json_says_what_was_found(movielens, tmp_path):
    fast = ("--epochs", "2", "--measure", "quality", "--data-dir", movielens, "--results", tmp_path)
    out, _ = invoke("run", "--strategy", "per_feature", "--budget", "736", *fast)
    assert "per_feature on ml-100k, base, random split" in out
    assert re.search(r"test MSE \d\.\d{4}, validation MSE \d\.\d{4}", out)
    assert "damped user and item bias" in out
    assert "704 bytes in all; table and auxiliary are 1/4.18 of the exact table's" in out
    (path,) = (tmp_path / "run").glob("*.json")
    assert f"record: {path}" in out
    out, _ = invoke("run", "--strategy", "collisionless", "--split", "article", *fast)
    assert "no test rows" in out


def test_latency_alone(run):
    found = run("--measure", "latency")
    assert found["quality"] == {}
    assert len(found["cost"]["latency"]) == 12


def test_one_seed_sets_all_four_and_each_can_be_set_alone(run):
    assert [run("--seed", "3")["config"][name] for name in SEEDS] == [3, 3, 3, 3]
    for name in SEEDS:
        seeds = {other: 7 if other == name else 3 for other in SEEDS}
        found = run("--seed", "3", f"--{name.replace('_', '-')}", "7")["config"]
        assert {other: found[other] for other in SEEDS} == seeds


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("28032", 28_032), ("28kB", 28_000), ("1.5MiB", 1_572_864), ("2 kB", 2_000)],
)
def test_a_budget_as_people_write_it(run, text, n_bytes):
    found = run("--budget", text)
    assert found["config"]["budget"] == n_bytes
    assert 0.9 * n_bytes <= found["cost"]["table_bytes"] <= n_bytes


@pytest.mark.parametrize(
    ("text", "of_all"),
    [
        ("2", (2, 2, 2, 2, 2, 2)),
        ("user_id=2,movie_id=2", (2, 2, 1, 1, 1, 1)),
        (" movie_id = 3 , age=1", (1, 3, 1, 1, 1, 1)),
    ],
)
def test_lookups_for_all_or_by_feature(run, text, of_all):
    found = run("--lookups", text)["found"]
    assert tuple(found["lookups"].values()) == of_all
    assert found["width"] == 16 * sum(of_all)


def test_lookups_of_a_cross(run):
    found = run("--features", "user_id,user_id*genres", "--lookups", "user_id*genres=2")["found"]
    assert found["lookups"] == {"user_id": 1, "user_id*genres": 2}


def test_one_request_written_in_several_ways_is_one_run(run):
    ids = [run("--lookups", text)["run_id"] for text in ("1", "user_id=1", "age=1,movie_id=1")]
    ids += [
        run("--regions", "multiplexed")["run_id"],
        run("--budget", "1000")["run_id"],
        run("--seed", "0")["run_id"],
    ]
    assert len(set(ids)) == 1
    pairs = [
        run("--lookups", text)["run_id"] for text in ("age=2,user_id=3", "user_id=3,age=2,gender=1")
    ]
    assert pairs[0] == pairs[1] != ids[0]


def test_a_width_is_shared_by_the_lookups(run):
    found = run("--width", "96", "--lookups", "2")
    assert (found["found"]["dim"], found["found"]["width"]) == (8, 96)
    assert (found["config"]["dim"], found["config"]["width"]) == (None, 96)


def test_words_for_a_full_batch_and_no_early_stopping(run):
    found = run("--batch-size", "full", "--patience", "none", "--epochs", "9")
    assert (found["config"]["batch_size"], found["config"]["patience"]) == (None, None)
    assert (found["cost"]["steps"], len(found["quality"]["history"])) == (9, 9)
    found = run("--batch-size", "50", "--patience", "1", "--evals-per-epoch", "2")
    assert (found["config"]["batch_size"], found["config"]["patience"]) == (50, 1)
    assert [entry["epoch"] for entry in found["quality"]["history"]][:2] == [0.5, 1.0]


@pytest.mark.parametrize("rule", ["proportional", "sqrt", "equal"])
def test_region_rules(run, rule):
    found = run("--strategy", "per_feature", "--region-rule", rule)["config"]
    assert (found["regions"], found["region_rule"]) == ("separate", rule)


WORKABLE = {
    "dhe": ("--budget", "1100"),
    "int4": ("--budget", "520"),
    "mixed_precision": ("--budget", "836"),
}  # where 1kB leaves more than 10 % unused


@pytest.mark.parametrize(
    "options",
    [["--optimizer", "sparse_adam"], ["--optimizer", "adagrad"], ["--optimizer", "adamw"]],
)
@pytest.mark.parametrize("strategy", static_strategies())
def test_every_strategy_runs_with_every_optimizer(run, strategy, options):
    found = run("--strategy", strategy, *options, *WORKABLE.get(strategy, ()))
    assert found["config"]["strategy"] == strategy
    assert found["found"]["optimizer_path"] == (
        "dense" if options[1] == "adamw" or strategy == "dhe" else "sparse"
    )  # has no pool


def test_the_same_command_twice_gives_the_same_figures(run):
    options = ("--strategy", "per_feature", "--batch-size", "32", "--epochs", "4", "--seed", "1")
    first, again, other = run(*options), run(*options), run(*options, "--init-seed", "2")
    assert first["quality"] == again["quality"]
    assert first["run_id"] == again["run_id"]
    assert first["quality"] != other["quality"]


def test_a_run_in_a_process_of_its_own_gives_the_same_figures(run, movielens, tmp_path):
    done = subprocess.run(
        program(
            "run",
            "--data-dir",
            movielens,
            "--results",
            tmp_path / "other",
            "--budget",
            "1kB",
            "--epochs",
            "2",
            "--measure",
            "quality",
            "--json",
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["quality"] == run()["quality"]


# ---- Ctrl-C


def loads(running: subprocess.Popen, results: Path) -> bool:
    """Whether it is amid the imports of the command."""
    return b"/pandas/" in Path(f"/proc/{running.pid}/maps").read_bytes()


def trains(running: subprocess.Popen, results: Path) -> bool:
    """Whether it is at work: what it imports is there before the folder of the records is tried."""
    return (results / "run").exists()


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(
            loads, marks=pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
        ),
        pytest.param(trains, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_says_so_in_one_line(movielens, tmp_path, moment):
    command = program(
        "run",
        "--data-dir",
        movielens,
        "--results",
        tmp_path,
        "--budget",
        "1kB",
        "--epochs",
        10**6,
        "--patience",
        "none",
    )
    # a group of its own, as a terminal gives it
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        until = time.monotonic() + 600
        while running.poll() is None and not moment(running, tmp_path):
            assert time.monotonic() < until
            time.sleep(0.02)
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=300)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert out == ""
    assert err.startswith("interrupted: ")
    assert len(err.splitlines()) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


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
