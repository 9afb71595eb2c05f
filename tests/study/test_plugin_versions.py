"""Runs of a plug-in have the digest of its code in their id: runs of two versions are never taken for one another."""

import hashlib
import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from types import SimpleNamespace

import movielens_files as official
import pytest
import saved_models
from click.testing import CliRunner
from fake_records import smallest

from ue_bench import load, plugins, record
from ue_bench.advise.runs import Runs
from ue_bench.cli import main
from ue_bench.cli.check import check
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import load_runs
from ue_bench.report.evidence.arms import collect
from ue_bench.strategies import BOTH, STRATEGIES, EmbeddingStrategy, Entry, code_of, load_plugin
from ue_bench.strategies.methods.hashing_trick import HashingTrick
from ue_bench.strategies.registry import GROUP
from ue_bench.study.processes import Job, Workers
from ue_bench.training import saved
from ue_bench.training.resolve import resolve

pytestmark = pytest.mark.usefixtures("list_is_put_back")

PLUGIN = """
from ue_bench.strategies import BOTH, Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick

class Mine(HashingTrick):
    def embed(self, slots):
        return super().embed(slots) * 1.0

STRATEGIES = {"mine": Entry(Mine, BOTH, "a hashed table", "a test")}
"""
EDITED = PLUGIN.replace("1.0", "9.0")  # as many bytes
OWN_STUDY = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(strategy="mine", budget=1000, epochs=1, patience=None)
STUDY = Study("which version?", (Grid((ARM,), seeds=2),), latency=False)
"""
ARM = RunConfig(strategy="mine", budget=1000, epochs=1, patience=None, measure="quality")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN)
    return path


def edit(path):
    """Change a file as an editor may within a second: neither its size nor its time differs."""
    times = path.stat()
    path.write_text(EDITED)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_an_edited_plugin_never_has_its_old_numbers_nor_a_mix(plugin, tmp_path):
    (tmp_path / "which_version.py").write_text(OWN_STUDY)
    results = tmp_path / "results"
    options = {
        "--plugin": plugin,
        "--data-dir": official.write_folder(tmp_path, "ml-100k"),
        "--results": results,
    }
    words = ["study", str(tmp_path / "which_version.py"), "--json"]
    for name, value in options.items():
        words += [name, str(value)]
    first = CliRunner().invoke(main, words)
    assert first.exit_code == 0, first.output
    assert "another version" not in first.stderr
    edit(plugin)
    second = CliRunner().invoke(main, words)
    assert second.exit_code == 0, second.output
    assert "2 runs made, 0 were ready, 0 failed" in second.stderr
    told = [line for line in second.stderr.splitlines() if "another version" in line]
    assert told == [
        f"mine: 2 records in {results / 'which_version'} were made by another version of {plugin} "
        f"(digest {digest(PLUGIN)}, now {digest(EDITED)}); they are left alone and do not count"
    ]
    runs = {}
    for text, done in ((PLUGIN, first), (EDITED, second)):
        made = json.loads(done.stdout)
        assert [run["config"]["code"] for run in made] == [digest(text)] * 2
        runs[text] = [run["quality"]["test_mse"] for run in made]
    assert not set(runs[PLUGIN]) & set(runs[EDITED])
    # The report has an arm for each version, each with its own two runs.
    records, _ = load_runs(results, "which_version")
    arms = collect(records).kept
    by_label = {arm.label: sorted(run.quality["test_mse"] for run in arm.runs) for arm in arms}
    assert by_label == {
        f"mine 1×16 [code={digest(text)}]": sorted(scores) for text, scores in runs.items()
    }
    faults = [line for line in check(results, studies=["which_version"]) if "made by code" in line]
    assert len(faults) == 2
    assert all(digest(PLUGIN) in line and digest(EDITED) in line for line in faults)
    # The old file brings the old records back.
    plugin.write_text(PLUGIN)
    assert "0 runs made, 2 were ready" in CliRunner().invoke(main, words).stderr


def test_a_label_names_the_code_only_where_it_differs(plugin):
    load_plugin(plugin)
    runs = [smallest(resolve(ARM.with_seed(seed)), "s", "grid", 0.5) for seed in (0, 1)]
    (arm,) = collect(runs).kept
    assert arm.label == "mine 1×16"


def test_python_does_not_run_the_bytecode_of_the_file_before_its_edit(plugin):
    for text, factor in ((PLUGIN, 1.0), (EDITED, 9.0)):
        if text != PLUGIN:
            edit(plugin)
        method = load_plugin(plugin)["mine"].method
        assert factor in method.embed.__code__.co_consts
        assert code_of("mine").digest == digest(text)
        assert code_of("mine").origin == str(plugin)


def test_a_run_under_way_keeps_the_plugin_that_its_command_has_read(plugin, tmp_path):
    load_plugin(plugin)
    config = resolve(ARM)
    edit(plugin)
    data = official.write_folder(tmp_path, "ml-100k")
    job = Job(config, "s", "grid", results=None, data_dir=data, plugins=(plugin,))
    with Workers(1) as workers:
        workers.start(job)
        _, done = workers.next()
    assert (done.status, done.config.code) == ("ok", digest(PLUGIN))


def test_a_file_that_a_plugin_inherits_from_is_part_of_its_code(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    base = tmp_path / "base_of_mine.py"
    base.write_text(PLUGIN)
    path = tmp_path / "derived.py"
    path.write_text(
        "import base_of_mine\nfrom ue_bench.strategies import BOTH, Entry\n"
        "class Derived(base_of_mine.Mine):\n    pass\n"
        "STRATEGIES = {'derived': Entry(Derived, BOTH, 'a table', 'a test')}\n"
    )
    # The module is there for the time of this test.
    monkeypatch.setitem(sys.modules, "base_of_mine", importlib.import_module("base_of_mine"))
    load_plugin(path)
    config = resolve(replace(ARM, strategy="derived"))
    assert config.code not in (None, digest(path.read_text()))
    base.write_text(EDITED)
    with Workers(1) as workers, pytest.raises(BenchError, match=config.code) as told:
        workers.start(Job(config, "s", "grid", results=None, data_dir=None, plugins=(path,)))
    assert "derived: the run is of the code with digest" in str(told.value)


class Elsewhere(EmbeddingStrategy):
    """A class of a notebook has no file."""

    __module__ = "a_notebook"


class Here(HashingTrick):
    """A class of a program has the file of the program."""


def test_which_code_has_a_digest():
    assert code_of("unified") is None
    assert resolve(RunConfig()).code is None
    assert "code" not in resolve(RunConfig()).without_defaults()
    STRATEGIES["by_hand"] = Entry(Elsewhere, BOTH, "a table", "a test")
    assert code_of("by_hand") is None
    STRATEGIES["by_hand"] = Entry(Here, BOTH, "a table", "a test")
    assert code_of("by_hand").origin == __file__


def test_an_installed_package_has_a_digest_of_its_version_and_file(plugin, monkeypatch):
    """An entry point of a distribution, whose module is the file of the plug-in."""
    entry = load_plugin(plugin)["mine"]
    module = entry.module

    def installed(version):
        point = EntryPoint("theirs", f"{module}:ENTRY", GROUP)
        dist = SimpleNamespace(name="their-package", version=version)
        point = point._for(dist)
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: [point] if group == GROUP else []
        )
        monkeypatch.setattr(EntryPoint, "load", lambda self: replace(entry))
        STRATEGIES.pop("theirs", None)
        return code_of("theirs")

    first, second = installed("1.0"), installed("1.1")
    assert first == installed("1.0")
    assert first.digest != second.digest
    assert first.origin == f"their-package 1.0 ({plugin})"
    edit(plugin)
    assert installed("1.0").digest != first.digest


def test_a_configuration_that_names_other_code_is_refused(plugin):
    load_plugin(plugin)
    asked = replace(ARM, code=digest(EDITED))
    with pytest.raises(BenchError, match=f"{digest(EDITED)}.*{digest(PLUGIN)}"):
        resolve(asked)
    with pytest.raises(BenchError, match=r"unified: .* it has no digest here"):
        resolve(replace(asked, strategy="unified"))
    assert resolve(replace(ARM, code=digest(PLUGIN))) == resolve(ARM)


def test_advice_leaves_the_records_of_another_version_alone(plugin, tmp_path, capsys):
    load_plugin(plugin)
    old = smallest(resolve(ARM), "advise-1", "search", 0.5)
    record.write(old, tmp_path)
    for text, count in ((PLUGIN, 1), (EDITED, 0)):
        plugin.write_text(text)
        load_plugin(plugin)
        runs = Runs("advise-1", tmp_path, None, (plugin,), clock=None)
        assert len(runs.records) == count
    (told,) = capsys.readouterr().err.splitlines()
    assert f"(digest {digest(PLUGIN)}, now {digest(EDITED)})" in told


def test_a_saved_model_warns_where_its_code_has_changed(plugin, tmp_path, recwarn):
    load_plugin(plugin)
    model, config = saved_models.trained(strategy="mine", regions="separate")
    saved.save(tmp_path / "model", model, config)
    content = json.loads((tmp_path / "model/config.json").read_text())
    assert content["config"]["code"] == digest(PLUGIN)
    load(tmp_path / "model")
    assert not [warning for warning in recwarn if "code" in str(warning.message)]
    edit(plugin)
    load_plugin(plugin)
    with pytest.warns(UserWarning, match=f"digest {digest(PLUGIN)}, and .* has {digest(EDITED)}"):
        load(tmp_path / "model")


def test_the_code_of_a_study_file_changes_no_run(tmp_path):
    """It is not loaded in the processes of the runs, so that their ids need no digest of it."""
    text = OWN_STUDY.replace('"mine"', '"unified"')
    meddling = f"""{text}
import torch
from ue_bench.strategies.methods.hashing_trick import HashingTrick

HashingTrick.embed = lambda self, slots: torch.zeros(len(slots), 16 * slots.shape[1])
"""
    data = official.write_folder(tmp_path, "ml-100k")
    embed = HashingTrick.embed
    scores = []
    try:
        for number, source in enumerate((text, meddling)):
            path = tmp_path / f"own_{number}.py"
            path.write_text(source)
            words = ["study", str(path), "--data-dir", str(data), "--json"]
            done = CliRunner().invoke(main, [*words, "--results", str(tmp_path / "results")])
            assert done.exit_code == 0, done.output
            made = json.loads(done.stdout)
            scores.append([(run["run_id"], run["quality"]["test_mse"]) for run in made])
        assert HashingTrick.embed is not embed
    finally:
        HashingTrick.embed = embed
    assert scores[0] == scores[1]


CRASH = """
from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick


class Crash(HashingTrick):
    def embed(self, slots):
        return super().embed(slots) / (1 // 0)


STRATEGIES = {"crash": Entry(Crash, ("multiplexed",), summary="it fails", source="a test")}
"""
CRASHING = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARM = RunConfig(strategy="crash", budget=1000, epochs=1)
STUDY = Study("?", (Grid((ARM,), seeds=2),), latency=False)
"""


@pytest.mark.slow
def test_an_error_of_a_plug_in_names_its_file_and_line_and_ends_no_study(tmp_path):
    (tmp_path / "crash.py").write_text(CRASH)
    (tmp_path / "crashing.py").write_text(CRASHING)
    done = subprocess.run(
        [
            *(sys.executable, "-P", "-m", "ue_bench", "study", tmp_path / "crashing.py"),
            *("--plugin", tmp_path / "crash.py", "--results", tmp_path),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    told = "crash.py, line 8, in embed: ZeroDivisionError: integer division or modulo by zero"
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    records, _ = record.load_runs(tmp_path)
    assert [run.error for run in records] == [told] * 2
