"""Every command and code block of the README works as printed. (Its numbers: `ue_bench.check`.)"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ue_bench.strategies import STRATEGIES
from ue_bench.study import names

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands():
    for language, text in BLOCKS:
        if language == "sh":
            yield from (shlex.split(line, comments=True) for line in text.splitlines() if line.strip())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder for the commands, which write to results/local below it."""
    return tmp_path_factory.mktemp("readme")


def test_every_block_is_of_a_kind_that_is_run():
    assert {language for language, _ in BLOCKS} == {"sh", "python"}
    assert {words[0] for words in commands()} == {"make", "ue-bench"}


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in commands()])
def test_commands_as_printed(words, folder):
    if words[0] == "make":  # these run this very test, or minutes of training: here only that the targets resolve
        words, cwd = ["make", "--dry-run", *words[1:]], ROOT
    else:
        words, cwd = [sys.executable, "-m", "ue_bench", *words[1:]], folder
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("code", [text for language, text in BLOCKS if language == "python"])
def test_python_as_printed(code, tmp_path):
    (tmp_path / "test_block.py").write_text(code)
    plugin = "STRATEGIES =" in code  # the README says to hold it to the contract
    run = ["-m", "ue_bench", "check-strategy", "test_block.py"] if plugin else ["test_block.py"]
    done = subprocess.run([sys.executable, *run], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_strategy_is_counted():
    assert f"The {len(STRATEGIES)} strategies that are here" in README


def test_every_study_is_told_of():
    assert set(
        re.findall(r"^\| `([\w-]+)` \| (?=.*\| (?:seconds|[\w ]*minutes|half an hour|a quarter|an hour))", README, re.MULTILINE)
    ) == set(names())


def test_the_figure_shown_is_there():
    shown = re.search(r"!\[.*?\]\((docs/figures/\w+\.png)\)", README)
    assert shown
    assert (ROOT / shown[1]).is_file()


def test_paths_in_the_text_exist():
    for path in re.findall(r"`((?:ue_bench|studies|results|tests|docs)/[\w./]+)`", README):
        if path != "results/local":
            assert (ROOT / path).exists(), path
    assert shutil.which("make")
