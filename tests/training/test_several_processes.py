"""Several processes train one model: as one process would, with one voice, and they end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import movielens_files as official
import pytest
import trained_together

from ue_bench.errors import BenchError
from ue_bench.record import read
from ue_bench.training.launched import Place, place
from ue_bench.training.process_group import ProcessGroup
from ue_bench.training.process_ranks import ALONE

RUN = [
    *("run", "--strategy", "unified", "--budget", "2kB", "--dim", "8", "--dropout", "0"),
    *("--optimizer-path", "sparse", "--batch-size", "33", "--measure", "quality"),
    *("--epochs", "4", "--patience", "none"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return official.write_folder(tmp_path_factory.mktemp("100k"), "ml-100k")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(commands: list[list[object]]) -> list[subprocess.Popen]:
    """Start one Python process for each list of arguments, as a launcher does."""
    port = free_port()
    started = []
    for rank, arguments in enumerate(commands):
        environment = os.environ | {
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(len(commands)),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        started.append(
            subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


def together(commands: list[list[object]]) -> list[tuple[int, str, str]]:
    """Return exit code, output and errors of each process."""
    started = start(commands)
    texts = [process.communicate(timeout=300) for process in started]
    return [(process.returncode, *text) for process, text in zip(started, texts, strict=True)]


def arguments(folder: Path, results: Path, *more: object) -> list[object]:
    return ["-m", "ue_bench", *RUN, "--data-dir", folder, "--results", results, *more]


def errors(results: Path) -> list[float]:
    """The validation errors of the only record in a folder."""
    (path,) = (results / "run").glob("*.json")
    return [entry["val_mse"] for entry in read(path).quality["history"]]


def test_two_processes_train_as_one_and_one_speaks(folder, tmp_path):
    pair = [arguments(folder, tmp_path / "two", "--save", tmp_path / "model")] * 2
    (code, output, told), (other_code, *other_texts) = together(pair)
    assert (code, other_code) == (0, 0), (told, other_texts)
    assert "  record: " in output
    assert other_texts == ["", ""]
    alone = subprocess.run([sys.executable, *map(str, arguments(folder, tmp_path / "one"))])
    assert alone.returncode == 0
    one = errors(tmp_path / "one")
    assert errors(tmp_path / "two") == pytest.approx(one, abs=1e-4)
    assert max(one) - min(one) > 1e-3  # training changes what is compared
    (path,) = (tmp_path / "two" / "run").glob("*.json")
    assert read(path).found["processes"] == 2
    assert (tmp_path / "model" / "model.safetensors").is_file()


@pytest.mark.slow
def test_an_error_of_one_process_ends_all_with_one_line(folder, tmp_path):
    lacks_data = arguments(tmp_path / "absent", tmp_path / "results")
    ended = together([arguments(folder, tmp_path / "results"), lacks_data])
    assert [code for code, _, _ in ended] == [2, 2], ended
    texts = "".join(output + errors for _, output, errors in ended)
    assert texts.startswith("Error: ")
    assert "absent does not exist" in texts
    assert texts.count("\n") == 1
    assert not (tmp_path / "results" / "run").exists() or not list(
        (tmp_path / "results" / "run").iterdir()
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--split", "stream"], "a stream is read in the order of time"),
        (["--measure", "latency"], "nothing is trained"),
        (["--strategy", "cafe"], "it learns from the values of each batch"),
        (["--strategy", "nonesuch"], "unknown strategy 'nonesuch'"),
        (["--lr", "1e30"], "training diverged"),
        (["--epochs", "many"], "'many' is not a valid integer"),
    ],
)
def test_an_error_of_all_is_one_line(folder, tmp_path, more, message):
    ended = together([arguments(folder, tmp_path, *more)] * 2)
    assert [code for code, _, _ in ended] == [2, 2]
    texts = "".join(output + errors for _, output, errors in ended)
    assert texts.count(message) == 1
    assert texts.count("Error: ") == 1
    assert "Traceback" not in texts


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_other(folder, tmp_path):
    long = arguments(folder, tmp_path, "--epochs", "1000000")
    first, second = start([long, long])
    while not first.stderr.readline():  # the progress of training
        time.sleep(0.1)
    second.send_signal(signal.SIGKILL)
    second.communicate()
    _, errors = first.communicate(timeout=300)
    assert first.returncode == 2
    last = errors.splitlines()[-1]
    assert last.startswith("Error: another process of this run has ended without a message")
    assert "Traceback" not in errors


@pytest.mark.slow
def test_torchrun_starts_them(folder, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port"]
    command = [*launcher, free_port(), *arguments(folder, tmp_path)]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("  record: ") == 1
    assert len(errors(tmp_path)) == 4


@pytest.mark.slow
def test_every_strategy_trains_together_as_alone(tmp_path):
    program = Path(trained_together.__file__)
    ended = together([[program, tmp_path / "errors"]] * 2)
    assert [code for code, _, _ in ended] == [0, 0], ended
    first, second = (json.loads((tmp_path / f"errors.{rank}").read_text()) for rank in (0, 1))
    assert first == second
    for name, config in trained_together.configs().items():
        if config.strategy == "cce":  # its clusters are drawn anew, from other draws
            continue
        # The step of few bits is taken for a whole table, or kept for some batches, whichever is
        # cheaper for the rows that a process has.
        mean_step = config.strategy in ("int4", "int8") and config.optimizer_path == "dense"
        tolerance = 1e-2 if mean_step else 1e-4
        alone = trained_together.errors_of(config)
        assert first[name][:-1] == pytest.approx(alone[:-1], abs=tolerance), name


def test_every_row_of_a_batch_is_taken_once():
    for count in (1, 2, 3, 7):
        for n in (1, 2, 6, 7, 100):
            taken: list[int] = []
            total = 0.0
            for rank in range(count):
                group = ProcessGroup.__new__(ProcessGroup)
                group.rank, group.count = rank, count
                rows, share = group.share(n)
                assert len(range(n)[rows]) >= 1  # every process takes every step
                total += share
                if share:
                    taken += range(n)[rows]
            assert taken == list(range(n))
            assert total == pytest.approx(1)
    assert ALONE.share(5) == (slice(0, 5), 1.0)


def test_the_place_is_that_of_the_launcher(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert place() == Place(0, 1, 0)
    monkeypatch.setenv("RANK", "3")
    assert place() == Place(0, 1, 0)  # the number of something else
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert place() == Place(3, 8, 1)
    for name, text, message in [
        ("RANK", "8", "it must be from 0 to 7"),
        ("RANK", "-1", "a whole number from 0 on"),
        ("WORLD_SIZE", "0", "a whole number from 1 on"),
        ("LOCAL_RANK", "two", "'two' is set"),
    ]:
        with monkeypatch.context() as changed:
            changed.setenv(name, text)
            with pytest.raises(BenchError, match=message):
                place()
