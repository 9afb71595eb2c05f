"""Bad input: exit code 2, a few lines that say what to do, no traceback, nothing on standard output, and nothing lost."""

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import movielens_files as official
import pytest
import torch
from click.testing import CliRunner

from ue_bench import record
from ue_bench.cli import main

MOST_LINES = 6
PUBLISHED = str(Path(__file__).resolve().parents[2] / "results" / "published")
LONG = "a" * 300  # more than a file may be called


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Every path below `folder`, with the content of the files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.fixture(scope="module")
def movielens(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("data"), "ml-100k")


@pytest.fixture
def results(tmp_path):
    """A results folder in which something stands already."""
    for study in ("run", "article", "table_size"):
        (tmp_path / "results" / study).mkdir(parents=True)
        (tmp_path / "results" / study / "0123456789abcdef.json").write_text(
            '{"of": "an older run"}'
        )
    return tmp_path / "results"


def judge(code: int, out: str, err: str) -> str:
    assert code == 2, out + err
    assert out == ""
    assert "Traceback" not in err
    assert 1 <= len(err.splitlines()) <= MOST_LINES
    return err


def refused(results: Path, *arguments: object) -> str:
    """What the command says on standard error when it refuses."""
    before = snapshot(results)
    outcome = CliRunner().invoke(main, [str(argument) for argument in arguments])
    said = judge(outcome.exit_code, outcome.stdout, outcome.stderr)
    assert snapshot(results) == before
    return said


def run_of(movielens: Path, results: Path, *options: object) -> tuple[object, ...]:
    """The arguments of a run that is good and fast but for `options`."""
    fast = ("--budget", "1kB", "--epochs", "1", "--measure", "quality")
    return "run", "--data-dir", movielens, "--results", results, *fast, *options


# ---- names and numbers


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--strategy", "unifed"],
            ["unknown strategy 'unifed'", "did you mean 'unified'?", "per_feature"],
        ),
        (["--strategy", "none"], ["unknown strategy 'none'"]),
        (
            ["--dataset", "ml100k"],
            ["unknown data set 'ml100k'", "did you mean 'ml-100k'?", "ml-32m"],
        ),
        (["--dataset", "full"], ["unknown data set 'full'"]),
        (
            ["--split", "radom"],
            ["unknown split 'radom'", "did you mean 'random'?", "global_temporal"],
        ),
        (
            ["--features", "usr_id"],
            ["unknown feature 'usr_id'", "did you mean 'user_id'?", "zip_code"],
        ),
        (["--features", "user_id*gnre"], ["unknown feature 'gnre'", "did you mean 'genres'?"]),
        (["--features", ""], ["features: none given"]),
        (["--features", "age,age"], ["'age' is given twice"]),
        (["--regions", "separat"], ["unknown regions 'separat'", "did you mean 'separate'?"]),
        (["--regions", "none"], ["unknown regions 'none'"]),
        (["--region-rule", "sqr"], ["unknown region rule 'sqr'", "did you mean 'sqrt'?"]),
        (["--optimizer", "admw"], ["unknown optimizer 'admw'", "did you mean 'adamw'?"]),
        (["--optimizer", "none"], ["unknown optimizer 'none'"]),
        (["--head", "mpl"], ["unknown head 'mpl'", "did you mean 'mlp'?"]),
        (["--measure", "qualty"], ["unknown measure 'qualty'", "did you mean 'quality'?"]),
        (["--budget", "0"], ["budget: 0 was given", "at least 1"]),
        (["--budget", "-5"], ["budget: '-5' was given", "28kB"]),
        (["--budget", "12 apples"], ["budget: '12 apples' was given", "28kB", "1.5MiB"]),
        (["--dim", "0"], ["dim: 0 was given", "at least 1"]),
        (["--dim", "-16"], ["dim: -16 was given"]),
        (["--dim", "1.5"], ["--dim", "'1.5'"]),
        (["--width", "0"], ["width: 0 was given"]),
        (["--width", "5"], ["width: 5 was given for 6 lookups", "at least 6"]),
        (["--dim", "8", "--width", "96"], ["either dim", "or width", "not both"]),
        (["--lookups", "0"], ["lookups: 0 was given", "at least 1"]),
        (["--lookups", "-1"], ["lookups: -1 was given"]),
        (["--lookups", "--2"], ["lookups: '--2' was given", "user_id=2,movie_id=2"]),
        (["--lookups", "²"], ["lookups: '²' was given"]),
        (["--lookups", "many"], ["lookups: 'many' was given"]),
        (["--lookups", "user_id=0"], ["'user_id': 0", "at least 1"]),
        (["--lookups", "user_id=--2"], ["lookups: 'user_id=--2' was given"]),
        (["--lookups", "user_id=2,user_id=3"], ["each feature once"]),
        (
            ["--lookups", "usr_id=2"],
            ["unknown lookups for feature 'usr_id'", "did you mean 'user_id'?"],
        ),
        (
            ["--features", "user_id,age", "--lookups", "movie_id=2"],
            ["unknown lookups for feature 'movie_id'", "age, user_id"],
        ),
        (["--multi-valued", "genre"], ["unknown multi-valued feature 'genre'", "choose from"]),
        (
            ["--features", "user_id,genres", "--multi-valued", "genres,genres"],
            ["'genres' is given twice"],
        ),
        (["--epochs", "0"], ["epochs: 0 was given"]),
        (["--epochs", "-1"], ["epochs: -1 was given"]),
        (["--batch-size", "0"], ["batch_size: 0 was given"]),
        (["--batch-size", "-8"], ["batch_size: -8 was given"]),
        (["--batch-size", "ful"], ["--batch-size", "'ful' is neither a whole number nor 'full'"]),
        (["--patience", "0"], ["patience: 0 was given"]),
        (["--patience", "never"], ["--patience", "'never' is neither a whole number nor 'none'"]),
        (["--evals-per-epoch", "0"], ["evals_per_epoch: 0 was given"]),
        (["--lr", "0"], ["lr: 0.0 was given", "above 0"]),
        (["--lr", "-0.1"], ["lr: -0.1 was given"]),
        (["--lr", "nan"], ["lr: nan was given"]),
        (["--lr", "inf"], ["lr: inf was given"]),
        (["--lr", "1e30", "--epochs", "3"], ["training diverged", "lower lr"]),
        (["--weight-decay", "-1"], ["weight_decay: -1.0 was given"]),
        (["--dropout", "1"], ["dropout: 1.0 was given", "below 1"]),
        (["--lr", "1e39", "--optimizer", "adagrad"], ["lr: 1e+39 was given", "below 1e+38"]),
        (["--init-scale", "0"], ["init_scale: 0.0 was given"]),
        (["--init-scale", "1e39"], ["init_scale: 1e+39 was given", "below 1e+30"]),
        (["--threads", "0"], ["threads: 0 was given"]),
        (["--threads", "100000"], ["threads: 100000 was given", "below 1025"]),
        (["--dim", str(2**31)], ["dim: 2147483648 was given", "below 2**31"]),
        (["--width", str(2**31)], ["width: 2147483648 was given", "below 2**31"]),
        (["--hidden", str(2**31)], ["hidden: 2147483648 was given", "below 2**31"]),
        (["--hidden", str(2**31 - 1)], ["out of memory"]),
        (
            ["--strategy", "collisionless", "--lookups", "65536", "--dim", str(2**31 - 1)],
            ["out of memory"],
        ),
        (["--lookups", "65537"], ["lookups: 65537 was given", "at most 65,536"]),
        (["--lookups", "user_id=65537"], ["'user_id': 65537", "at most 65,536"]),
        (
            ["--strategy", "multi_hash_sum", "--option", "hashes=65537"],
            ["hashes=65537", "from 1 to 65,536"],
        ),
        (
            ["--strategy", "hash_embedding", "--option", "hashes=1000000000000"],
            ["hashes=1000000000000", "from 1 to 65,536"],
        ),
        (["--low-cardinality-max", "-1"], ["low_cardinality_max: -1 was given"]),
        (["--seed", "-1"], ["seed: -1 was given"]),
        (["--seed", str(2**32)], ["below 2**32"]),
        *(
            (["--" + name, "-1"], ["_seed: -1 was given"])
            for name in ("hash-seed", "init-seed", "batch-seed", "split-seed")
        ),
        (["--option", "knob"], ["option: 'knob' was given", "NAME=VALUE"]),
        (["--option", "=1"], ["option: '=1' was given"]),
        (["--option", "a=1", "--option", "a=2"], ["option: 'a=2' was given", "each name once"]),
        (["--option", "a=NaN"], ["option: 'a=NaN' was given", "finite"]),
        (["--option", "a=[1e999]"], ["option: 'a=[1e999]' was given", "finite"]),
        (
            ["--strategy", "unified", "--regions", "separate"],
            ["unified", "'separate'", "multiplexed"],
        ),
        (
            ["--strategy", "per_feature", "--regions", "multiplexed"],
            ["per_feature", "'multiplexed'", "separate"],
        ),
        (["--strategy", "collisionless", "--regions", "separate"], ["collisionless", "exact"]),
        (
            ["--optimizer", "sparse_adam", "--weight-decay", "0.1"],
            ["sparse_adam", "weight decay", "adamw"],
        ),
        (["--optimizer", "adagrad", "--weight-decay", "0.1"], ["adagrad", "weight decay"]),
        (["--low-cardinality", "exact"], ["exact rows leave nothing", "--low-cardinality-max"]),
        (["--device", "gpu"], ["device: 'gpu' was given", "cpu or cuda"]),
        (["--nonsense"], ["--nonsense"]),
    ],
    ids=" ".join,
)
def test_a_bad_option_is_refused(movielens, results, options, words):
    said = refused(results, *run_of(movielens, results, *options))
    for word in words:
        assert word in said


@pytest.mark.parametrize("hidden", ["0", "-1"])
def test_a_hidden_layer_has_units(movielens, results, hidden):
    assert "hidden: " in refused(results, *run_of(movielens, results, "--hidden", hidden))


@pytest.mark.parametrize(("given", "meant"), [("bsae", "base"), ("wdie", "wide")])
def test_the_nearest_named_feature_set_is_suggested(movielens, results, given, meant):
    assert f"did you mean '{meant}'?" in refused(
        results, *run_of(movielens, results, "--features", given)
    )


def test_a_knob_that_the_method_lacks_is_refused(movielens, results):
    assert "'knob'" in refused(results, *run_of(movielens, results, "--option", "knob=1"))


def test_a_table_that_no_machine_can_hold_is_refused(movielens, results):
    assert "memory" in refused(results, *run_of(movielens, results, "--budget", "900000GB"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_cuda_is_refused_where_there_is_none(movielens, results, device):
    said = refused(results, *run_of(movielens, results, "--device", device))
    assert "no usable CUDA device" in said
    assert "choose cpu" in said


def test_a_hashed_strategy_without_a_budget_is_refused(movielens, results):
    said = refused(results, "run", "--data-dir", movielens, "--results", results, "--epochs", "1")
    assert "unified needs a budget" in said
    assert "--budget" in said


def test_a_budget_that_the_strategy_does_not_keep_is_refused(movielens, results):
    exact = ("--strategy", "collisionless")
    said = refused(results, *run_of(movielens, results, *exact, "--budget", "200kB"))
    assert "a budget of 200,000 bytes was given" in said
    assert "leave the budget out" in said
    takes = int(re.search(r"its table takes ([\d,]+) bytes", said)[1].replace(",", ""))
    arguments = ["run", "--data-dir", movielens, "--results", results, "--epochs", "1", *exact]
    done = CliRunner().invoke(main, [str(word) for word in (*arguments, "--json")])
    cost = json.loads(done.stdout)["cost"]
    assert cost["table_bytes"] + cost["auxiliary_bytes"] == takes


BUDGETS = [
    (["--strategy", "unified", "--budget", "10"], "64"),
    (["--strategy", "unified", "--budget", "1", "--dim", "3"], "12"),
    (
        ["--strategy", "unified", "--budget", "100"],
        "128",
    ),  # a row and a half: 90 % of it must be used
    (["--strategy", "per_feature", "--budget", "128"], "384"),
    (
        ["--strategy", "per_feature", "--budget", "383", "--region-rule", "sqrt", "--lookups", "2"],
        "384",
    ),
    (["--strategy", "per_feature", "--budget", "9", "--features", "wide", "--width", "160"], "640"),
    *(
        (["--budget", budget, "--low-cardinality", "exact", "--low-cardinality-max", "5"], "1,216")
        for budget in ("100", "1160")
    ),
]


@pytest.mark.parametrize(("options", "smallest"), BUDGETS)
def test_a_budget_too_small_states_the_smallest_that_works(movielens, results, options, smallest):
    said = refused(results, *run_of(movielens, results, *options))
    stated = re.findall(r"(?:at least|lower it to|raise it to) ([\d,]+)(?! %|\d)", said)
    assert stated[0] == smallest
    for budget in stated:
        good = run_of(movielens, results, *options, "--budget", budget.replace(",", ""))
        assert CliRunner().invoke(main, [str(word) for word in good]).exit_code == 0


# ---- studies and lists


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["study", "tablesize"],
            ["unknown study 'tablesize'", "did you mean 'table_size'?", "lookup_allocation"],
        ),
        (["study", "../article"], ["unknown study"]),
        (["study"], ["NAME"]),
        (
            ["study", "article", "--dataset", "ml-2m"],
            ["unknown data set 'ml-2m'", "did you mean 'ml-"],
        ),
        (["study", "article", "--seed", "-1"], ["seed: -1 was given"]),
        (
            ["study", "article", "--seed", "4294000000"],
            ["seed: 4294000000 was given", "4284967296"],
        ),
        (["study", "article", "--seed", str(2**70)], [f"seed: {2**70} was given", "4284967296"]),
        (["study", "article", "--workers", "0"], ["--workers", "0"]),
        *(
            (["study", "article", "--time-limit", limit], ["--time-limit", "0<x<=2000000"])
            for limit in ("nan", "1e300", "inf", "0", "2000001")
        ),
        (
            ["advise", "ml-100k", "--memory", "1MB", "--seed", "4294000000"],
            ["seed: 4294000000 was given", "4284967296"],
        ),
        (["study", "table_size", "--data-dir", "/nowhere"], ["/nowhere does not exist"]),
        (["list", "strategy"], ["unknown list 'strategy'", "did you mean 'strategies'?"]),
        (["list"], ["strategies|studies|datasets"]),
        (["data", "--dataset", "movielens"], ["unknown data set 'movielens'", "ml-100k"]),
        (["runn"], ["runn"]),
        (["report", "--results", LONG], ["does not exist; run a study first"]),
        (["report", "--results", PUBLISHED, "--study", LONG], ["no record of study"]),
        (["check", "--results", LONG], ["does not exist"]),
        (["study", f"{LONG}.py"], ["no Python file"]),
        (["check-strategy", f"{LONG}.py"], ["no Python file"]),
    ],
    ids=lambda value: " ".join(value).replace(LONG, "LONG"),
)
def test_a_bad_name_is_refused(results, arguments, words):
    place = ["--results", results] if arguments[0] in ("study", "advise") else []
    said = refused(results, *arguments, *place)
    for word in words:
        assert word in said


# ---- data


def edit(path: Path, line: int, new: str) -> None:
    lines = path.read_text("latin-1").split("\n")
    lines[line - 1] = new
    path.write_text("\n".join(lines), "latin-1")


def missing(root: Path) -> tuple[Path, str]:
    return root / "nowhere", "nowhere does not exist"


def empty(root: Path) -> tuple[Path, str]:
    (root / "empty").mkdir()
    return root / "empty", "it is empty"


def a_member_missing(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root, "ml-100k")
    (folder / "u.item").unlink()
    return root, "u.item missing"


def truncated_zip(root: Path) -> tuple[Path, str]:
    path = official.write_zip(root, "ml-100k")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path, "cut short"


def wrong_zip(root: Path) -> tuple[Path, str]:
    return official.write_zip(root, "ml-1m"), "it is ml-1m"


def foreign_zip(root: Path) -> tuple[Path, str]:
    with zipfile.ZipFile(root / "photos.zip", "w") as archive:
        archive.writestr("cat.jpg", b"meow")
    return root / "photos.zip", "it holds cat.jpg"


def no_zip(root: Path) -> tuple[Path, str]:
    (root / "page.zip").write_text("<html>404</html>")
    return root / "page.zip", "not a zip file"


def malformed_line(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root, "ml-100k")
    edit(folder / "u.data", 57, "1\t2\tx\t880000000")
    return folder, f"{folder / 'u.data'}:57: rating 'x' is not a number"


def malformed_line_in_zip(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root / "unpacked", "ml-100k")
    edit(folder / "u.data", 3, "1\t2\t3")
    with zipfile.ZipFile(root / "ml-100k.zip", "w") as archive:
        for member in folder.iterdir():
            archive.write(member, f"ml-100k/{member.name}")
    return root / "ml-100k.zip", "ml-100k.zip/ml-100k/u.data:3: 3 fields"


def users_cut_in_a_line(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root, "ml-100k")
    users = folder / "u.user"
    users.write_bytes(users.read_bytes()[: users.stat().st_size // 2 - 3])
    return folder, "cut short"


def users_cut_at_a_line_end(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root, "ml-100k")
    users = (folder / "u.user").read_text().splitlines(keepends=True)
    (folder / "u.user").write_text("".join(users[: len(users) // 2]))
    return folder, "is not in u.user; is that file cut short?"


def unknown_user(root: Path) -> tuple[Path, str]:
    folder = official.write_folder(root, "ml-100k")
    edit(folder / "u.data", 5, "77\t2\t3\t880000000")
    return folder, f"{folder / 'u.data'}:5: user 77 is not in u.user"


FAULTS = [
    missing,
    empty,
    a_member_missing,
    truncated_zip,
    wrong_zip,
    foreign_zip,
    no_zip,
    malformed_line,
    malformed_line_in_zip,
    users_cut_in_a_line,
    users_cut_at_a_line_end,
    unknown_user,
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@pytest.mark.parametrize("command", ["data", "run", "study"])
def test_bad_data_is_refused(tmp_path, results, command, fault: Callable[[Path], tuple[Path, str]]):
    (tmp_path / "data").mkdir()
    place, word = fault(tmp_path / "data")
    arguments = {
        "data": ("data", "--data-dir", place),
        "run": run_of(place, results),
        "study": ("study", "table_size", "--data-dir", place, "--results", results),
    }
    assert word in refused(results, *arguments[command])


@pytest.mark.parametrize(
    "place", ["a" * 5000, "~nobody-of-that-name/data"], ids=["too long", "no such user"]
)
def test_a_data_folder_that_cannot_exist_is_refused(results, place):
    refused(results, "data", "--data-dir", place)


# ---- results


def below_a_file(root: Path) -> Path:
    (root / "letter.txt").write_text("dear")
    return root / "letter.txt" / "results"


def a_file(root: Path) -> Path:
    (root / "letter.txt").write_text("dear")
    return root / "letter.txt"


def a_study_that_is_a_file(root: Path) -> Path:
    for name in ("run", "article"):
        (root / name).write_text("dear")
    return root


def below_proc(root: Path) -> Path:
    return Path("/proc/ue_bench/results")


def name_too_long(root: Path) -> Path:
    return root / ("a" * 300)


@pytest.mark.parametrize("command", ["run", "study"])
@pytest.mark.parametrize(
    "place",
    [
        below_a_file,
        a_file,
        a_study_that_is_a_file,
        name_too_long,
        pytest.param(
            below_proc, marks=pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
        ),
    ],
    ids=lambda place: place.__name__,
)
def test_a_results_folder_that_cannot_be_written_is_refused_before_training(
    tmp_path, movielens, command, place
):
    (tmp_path / "results").mkdir()
    folder = place(tmp_path / "results")
    arguments = {
        "run": run_of(movielens, folder),
        "study": ("study", "article", "--data-dir", movielens, "--results", folder),
    }
    said = refused(tmp_path / "results", *arguments[command])
    assert "epochs" not in said
    assert str(folder)[:60] in said


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"schema": 99}',
        b'{"schema": 1, "run_id": "a"}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_is_no_record_is_named_and_left_out(tmp_path, content):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.json").write_bytes(content)
    records, skipped = record.load(tmp_path)
    assert records == []
    assert len(skipped) == 1
    assert str(tmp_path / "run" / "a.json") in skipped[0]


def test_a_record_that_holds_nan_is_named_and_left_out(tmp_path, movielens):
    written = CliRunner().invoke(main, [str(word) for word in run_of(movielens, tmp_path)])
    assert written.exit_code == 0
    (path,) = (tmp_path / "run").glob("*.json")
    content = json.loads(path.read_text())
    content["quality"]["test_mse"] = float("nan")
    path.write_text(json.dumps(content))
    records, skipped = record.load(tmp_path)
    assert records == []
    assert str(path) in skipped[0]


# ---- as a user meets it


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (
            [
                "run",
                "--strategy",
                "unifed",
                "--budget",
                "1kB",
                "--results",
                "{results}",
                "--data-dir",
                "{data}",
            ],
            "'unified'",
        ),
        (
            ["run", "--budget", "1kB", "--results", "{data}/u.data/here", "--data-dir", "{data}"],
            "cannot write",
        ),
        (["study", "tablesize", "--results", "{results}"], "'table_size'"),
        (["data", "--data-dir", "{data}/u.item"], "not a zip file"),
    ],
)
def test_the_program_refuses_in_the_same_way(movielens, results, arguments, word):
    before = snapshot(results.parent), snapshot(movielens)
    filled = [text.format(results=results, data=movielens) for text in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "ue_bench", *filled],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert word in judge(done.returncode, done.stdout, done.stderr)
    assert (snapshot(results.parent), snapshot(movielens)) == before
