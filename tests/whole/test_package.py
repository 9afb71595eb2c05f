"""The package as strangers get it: what the archives hold, the wheel alone in an environment of its own, and its types."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import movielens_files as official
import oldest
import pytest

from ue_bench.study import names
from ue_bench.version import __version__

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MADE = (
    ".git",
    ".venv*",
    "__pycache__",
    ".*cache",
    ".hypothesis",
    "build",
    "dist",
    "*.egg-info",
    "local",
)  # what no clean clone has
BY_SETUPTOOLS = {"PKG-INFO", "setup.cfg"}

STRANGER = """
from pathlib import Path
from typing import Any, assert_type

import torch

from ue_bench import Record, RunConfig, UnifiedEmbedding, __version__, run_once
from ue_bench.strategies import BOTH, EmbeddingStrategy, Entry, Spec
from ue_bench.study import Grid, Search, Study
from ue_bench.testing import StrategyContract

config = RunConfig(strategy="unified", budget=1000)
record = run_once(config, data_dir=Path("ml-100k"))
assert_type(record, Record)
assert_type(config.run_id, str)
assert_type(RunConfig.from_dict(config.to_dict()), RunConfig)
assert_type(UnifiedEmbedding(num_embeddings=10, embedding_dim=2).forward(["a"], seeds=(0, 1)), torch.Tensor)
assert_type(__version__, str)
STUDY = Study(question="?", parts=(Grid((config,), seeds=2), Search(config, {"dim": (4, 8)}, trials=2)))


class Mine(EmbeddingStrategy):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        assert_type(spec.require_budget(), int)

    def locate(self, feature: int, values: Any) -> torch.Tensor:
        return torch.zeros(len(values), 1, dtype=torch.int64)

    def embed(self, slots: torch.Tensor) -> torch.Tensor:
        return slots.float()


STRATEGIES = {"mine": Entry(Mine, BOTH, "mine", "this page")}


class TestMine(StrategyContract):
    name = "mine"
"""


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def run(*words: object, cwd: Path, path: str = os.defpath) -> str:
    """Standard output of a command that succeeds. path: where it finds other programs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, words)), cwd=cwd, capture_output=True, text=True, env={**kept, "PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_folder_of_code_is_a_package_of_the_wheel():
    found = {
        str(path.relative_to(ROOT)).replace("/", ".")
        for path in (ROOT / "ue_bench").rglob("*")
        if path.is_dir()
        and any(
            member.suffix not in (".pyc", ".xz") for member in path.iterdir() if member.is_file()
        )
    }
    assert (
        set(PROJECT["tool"]["setuptools"]["packages"]) == {"ue_bench", "ue_bench.studies"} | found
    )


def test_the_minor_versions_named_begin_with_the_least():
    named = [
        name
        for name in PROJECT["project"]["classifiers"]
        if name.startswith("Programming Language :: Python :: 3.")
    ]
    assert PROJECT["project"]["requires-python"] == f">={named[0].rpartition(' ')[2]}"


def test_every_dependency_has_an_oldest_version():
    pins = oldest.constraints(PROJECT["project"])
    assert len(pins) == len(PROJECT["project"]["dependencies"])
    assert "torch==2.5" in pins
    assert "filelock==3.20.3" in pins, "earlier ones follow a lock that is a symbolic link"
    with pytest.raises(ValueError, match="'torch' has no lower bound"):
        oldest.constraints(PROJECT["project"] | {"dependencies": ["torch"]})


def test_the_citation_has_the_address_of_the_project():
    address = PROJECT["project"]["urls"]["Repository"]
    lines = (ROOT / "CITATION.cff").read_text().splitlines()
    assert f'repository-code: "{address}"' in lines, "run make citation"


def test_the_citation_and_the_changelog_know_the_version():
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in headings[:2]


def test_every_target_of_make_that_a_contributor_is_told_of_exists():
    told = set(re.findall(r"make ([a-z -]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {target for words in told for target in words.split()} <= targets


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files of a clean clone."""
    folder = tmp_path_factory.mktemp("clone") / "ue_bench"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*MADE))
    return folder


@pytest.fixture(scope="module")
def archives(clone, tmp_path_factory):
    """(source archive, wheel that was built from it)."""
    dist, before = tmp_path_factory.mktemp("dist"), files(clone)
    run(sys.executable, "-m", "build", "--outdir", dist, cwd=clone, path=os.environ["PATH"])
    assert {
        name
        for name in files(clone) - before
        if not name.startswith(("ue_bench.egg-info", "build"))
    } == set()
    return (
        dist / f"ue_bench-{__version__}.tar.gz",
        dist / f"ue_bench-{__version__}-py3-none-any.whl",
    )


@pytest.mark.slow
def test_the_source_archive_is_the_repository(clone, archives, tmp_path):
    with tarfile.open(archives[0]) as archive:
        archive.extractall(tmp_path, filter="data")
    unpacked = {
        name
        for name in files(tmp_path / f"ue_bench-{__version__}")
        if not name.startswith("ue_bench.egg-info/")
    }
    assert unpacked - BY_SETUPTOOLS == {
        name for name in files(clone) if not name.startswith("ue_bench.egg-info/")
    }


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_nothing_else(clone, archives):
    with zipfile.ZipFile(archives[1]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licence = wheel.read(f"ue_bench-{__version__}.dist-info/licenses/LICENSE").decode()
    assert licence == (ROOT / "LICENSE").read_text()
    code = {name for name in files(clone) if name.startswith("ue_bench/")}
    assert held == code | {
        f"ue_bench/{name}" for name in files(clone) if name.startswith("studies/")
    }
    assert "ue_bench/py.typed" in held


@pytest.fixture(scope="module", params=["libraries_of_these_tests", "libraries_of_its_own"])
def installed(request, archives, tmp_path_factory):
    """The folder of programs of a fresh environment with the wheel."""
    home = tmp_path_factory.mktemp("environment")
    own = request.param == "libraries_of_its_own"
    venv.create(home, with_pip=own)
    if own:
        run(home / "bin/pip", "install", "--quiet", archives[1], cwd=home)
        run(home / "bin/pip", "check", cwd=home)
    else:
        site = next(home.glob("lib/python*/site-packages"))
        site.joinpath("shared.pth").write_text(
            "\n".join(folder for folder in sys.path if folder.endswith("-packages"))
        )
        into = (sys.executable, "-m", "pip", "--python", home / "bin/python")
        run(*into, "install", "--quiet", "--no-deps", archives[1], cwd=home)
    return home / "bin"


@pytest.mark.slow
def test_the_wheel_works_alone(installed, tmp_path):
    """Away from any clone, and with neither git nor make at hand."""

    def ue_bench(*words: object) -> str:
        return run(installed / "ue-bench", *words, cwd=tmp_path, path=str(installed))

    where = run(
        installed / "python", "-c", "import ue_bench; print(ue_bench.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert ue_bench("--version").split()[-1] == __version__
    assert ue_bench("list", "studies").split() == names()
    data = official.write_folder(tmp_path, "ml-100k")
    options = ("--data-dir", data, "--results", tmp_path / "results")
    record = json.loads(ue_bench("run", *options, "--budget", "1kB", "--epochs", "2", "--json"))
    assert record["status"] == "ok"
    assert record["env"]["git_sha"] is None
    ue_bench("study", "article", *options, "--workers", "2")
    ue_bench("report", "--results", tmp_path / "results")
    assert (tmp_path / "results/report/report.html").read_text().count("</html>") == 1


def examples_of_the_page():
    """The plug-ins of docs/adding-a-strategy.md by name of the file."""
    page = (ROOT / "docs" / "adding-a-strategy.md").read_text()
    found = re.findall(r"<!-- file: (\S+) -->\n```python\n(.*?)```", page, re.DOTALL)
    assert [name for name, _ in found] == ["two_hash_sum.py", "coarse_to_fine.py"]
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("installed", ["libraries_of_these_tests"], indirect=True)
def test_what_the_page_adds_is_ranked_by_the_wheel(installed, tmp_path):
    """In an empty folder, against the records that the wheel brings, on the data that these are of."""
    for name, text in examples_of_the_page().items():
        folder = tmp_path / name.removesuffix(".py")
        folder.mkdir()
        (folder / name).write_text(text)
        words = ("rank", name, "--quick", "--workers", "2", "--json")
        answer = run(installed / "ue-bench", *words, cwd=folder, path=str(installed))
        (found,) = json.loads(answer).values()
        assert not found["whole"]
        for place in found["places"]:
            assert 1 <= place["rank"] <= place["among"]
            assert place["among"] > 20
        assert found["places"], found["left_out"]


@pytest.mark.slow
def test_a_strangers_types(installed, tmp_path):
    """What a stranger writes against the public names passes `mypy --strict`; its own mistake does not."""
    check = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed / "python"]
    (tmp_path / "stranger.py").write_text(STRANGER)
    assert "no issues found" in run(*check, "stranger.py", cwd=tmp_path)
    (tmp_path / "wrong.py").write_text("from ue_bench import RunConfig\nRunConfig(budget='28kB')\n")
    wrong = subprocess.run(
        [*map(str, check), "wrong.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "[arg-type]" in wrong.stdout
