"""What a submission pins and what a rerun leaves beside it follow from its own records."""

import json
from dataclasses import replace

import fake_workers
import msgspec
import pytest

from ue_bench.advise import rerun
from ue_bench.advise.community import entry_of
from ue_bench.advise.pinned_versions import PINNED, faults_of_pins, pins_of
from ue_bench.advise.submission import (
    ABOUT,
    EVIDENCE,
    About,
    Submission,
    faults_of_records,
    read,
    write_about,
)
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import failure
from ue_bench.record.packed import PACKED, write_packed

SEEDS = 10
VERSIONS = {name: f"{number}.0" for number, name in enumerate(PINNED)}


def run_of(budget, seed, score=None, time="2026-01-01T00:00:00Z"):
    """A confirmed run, as the records of a submission hold it."""
    config = RunConfig(strategy="unified", regions="multiplexed", budget=budget).with_seed(seed)
    score = 0.9 + 0.01 * (seed % 5) if score is None else score
    run = fake_workers.smallest(config, "methods", "confirm", score)
    env = {"ue_bench": VERSIONS["ue-bench"], "versions": VERSIONS, "time": time}
    return replace(run, env=env)


RUNS = [run_of(budget, 100 + seed) for budget in (1_000, 2_000) for seed in range(SEEDS)]
NO_ANSWER = failure(
    RunConfig(strategy="unified", budget=5).with_seed(100),
    study="methods",
    phase="confirm",
    cause="budget",
    error="too small",
)


@pytest.fixture
def folder(tmp_path):
    """A submission that nobody has verified."""
    folder = tmp_path / "mine"
    (folder / "methods").mkdir(parents=True)
    write_packed([*RUNS, NO_ANSWER], folder / "methods" / PACKED)
    write_about(folder, About("mine", "mine.py", ["unified"], "MIT"))
    return folder


@pytest.fixture
def verified(folder, monkeypatch):
    """The same after a rerun that gave what the records say."""
    held = {run.run_id: run for run in RUNS}
    monkeypatch.setattr(rerun, "run_once", lambda config: held[config.run_id])
    submission = read(folder)
    assert rerun.keep(submission, list(rerun.rerun(submission, 2)))
    return folder


# ---- versions


def test_what_is_pinned_is_what_the_runs_were_made_with():
    pins = pins_of([*RUNS, NO_ANSWER])
    assert pins.splitlines() == [f"{name}=={VERSIONS[name]}" for name in PINNED]
    assert list(faults_of_pins(f"# a comment\n\n{pins}", [*RUNS, NO_ANSWER])) == []


def with_torch(run, version):
    versions = {name: text for name, text in VERSIONS.items() if name != "torch"}
    if version is not None:
        versions["torch"] = version
    return replace(run, env=run.env | {"versions": versions})


@pytest.mark.parametrize(
    ("version", "told"),
    [("9.9", "torch 1.0 (19), torch 9.9 (1)"), (None, "torch 1.0 (19), no version of torch named")],
)
def test_runs_of_several_versions_are_not_submitted(version, told):
    mixed = [with_torch(RUNS[0], version), *RUNS[1:]]
    with pytest.raises(BenchError) as raised:
        pins_of(mixed)
    assert told in str(raised.value)
    (fault,) = faults_of_pins(pins_of(RUNS), mixed)
    assert fault.startswith("requirements.txt: it pins torch==1.0, and the runs were made with ")
    assert told in fault


def changed(line, to):
    return pins_of(RUNS).replace(line, to)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (changed("torch==1.0\n", ""), "requirements.txt: it does not pin torch"),
        (
            changed("torch==1.0", "torch==1.0.1"),
            "requirements.txt: it pins torch==1.0.1, and the runs were made with torch 1.0 (20)",
        ),
        (changed("numpy==2.0", "numpy==2.0\nnumpy==2.0"), "line 4: numpy is pinned twice"),
        (changed("optuna==5.0", "optuna==5.0\nevil==1"), "line 7: evil is none of ue-bench, torch"),
        (changed("optuna==5.0", "optuna==5.0\n-r /x"), "line 7: '-r /x' was given; give NAME=="),
    ],
)
def test_a_line_that_is_not_that_of_the_runs_is_named(text, told):
    (fault,) = faults_of_pins(text, RUNS)
    assert told in fault


# ---- evidence


def faults(folder):
    return list(rerun.faults_of_evidence(read(folder)))


def test_a_rerun_leaves_evidence_that_follows_from_the_records(verified):
    assert faults(verified) == []
    assert entry_of(read(verified)).verified
    evidence = json.loads((verified / EVIDENCE).read_text())
    assert set(evidence["env"]["versions"]) >= set(PINNED) - {"ue-bench"}
    assert len(evidence["runs"]) == 4
    by_id = {run.run_id: run for run in RUNS}
    for again in evidence["runs"]:
        before = by_id[again["run_id"]]
        assert again["seed"] == before.config.init_seed
        score = again["test_mse"]
        assert score["now"] == before.quality["test_mse"]
        # a tenth of 1.4826 times the median deviation, .01, on either side
        assert score["high"] - score["low"] == pytest.approx(2 * 0.1 * 1.4826 * 0.01)


def test_a_rerun_that_differs_takes_mark_and_evidence_away(verified, monkeypatch):
    monkeypatch.setattr(
        rerun, "run_once", lambda config: run_of(config.budget, config.init_seed, score=0.5)
    )
    submission = read(verified)
    made = list(rerun.rerun(submission, 1))
    assert [again.differs for again in made] == [("val_mse", "test_mse")] * 2
    assert not rerun.keep(submission, made)
    assert not read(verified).about.verified
    assert not (verified / EVIDENCE).exists()


def test_a_run_that_has_no_score_when_it_is_made_again_is_one_line(folder, monkeypatch):
    monkeypatch.setattr(rerun, "run_once", lambda config: replace(RUNS[0], quality={}))
    with pytest.raises(BenchError, match="its record has a val_mse, and the run has none when"):
        list(rerun.rerun(read(folder), 1))


def test_a_run_that_measured_latency_alone_has_no_scores():
    config = replace(RUNS[0].config, measure="latency")
    run = replace(RUNS[0], config=config, run_id=config.run_id)
    about = About("mine", "mine.py", ["unified"], "MIT")
    (fault,) = faults_of_records(Submission(None, about, (run, RUNS[1]), ()))
    told = "it measured latency alone and cannot have scores"
    assert fault == f"run {run.run_id}: {told}"


def test_a_bare_mark_is_refused_and_does_not_count_on_the_board(folder):
    write_about(folder, msgspec.structs.replace(read(folder).about, verified=True))
    (fault,) = faults(folder)
    assert fault.startswith(f"{ABOUT}: verified = true without rerun.json")
    assert not entry_of(read(folder)).verified


def test_evidence_of_what_is_not_verified_is_refused(verified):
    write_about(verified, msgspec.structs.replace(read(verified).about, verified=False))
    assert faults(verified) == [f"{EVIDENCE}: {ABOUT} says verified = false; delete {EVIDENCE}"]


def another_run(content):
    content["runs"][0]["run_id"] = "0" * 16


def another_seed(content):
    content["runs"][0]["seed"] = 7


def wide(content):
    content["runs"][0]["test_mse"]["high"] += 0.01


def outside(content):
    content["runs"][0]["val_mse"]["now"] += 0.01


def twice(content):
    content["runs"].append(content["runs"][0])


def one_arm(content):
    del content["runs"][:2]


def no_version(content):
    del content["env"]["versions"]["torch"]


def no_time(content):
    content["env"]["time"] = 5


def early(content):
    content["env"]["time"] = "2025-12-31T00:00:00Z"


def words(content):
    content["runs"] = "two of them"


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (another_run, "run 0000000000000000: the submission has no such run on a fresh seed"),
        (another_seed, "its seed is 10"),
        (wide, "by the records test_mse had to lie in "),
        (outside, "is not in "),
        (twice, "it is there twice"),
        (one_arm, "unified multiplexed, 1000 bytes: no run of it was made again"),
        (no_version, "it does not say its version of torch"),
        (no_time, "it does not say when its runs were made"),
        (early, "it is of 2025-12-31 00:00:00, and the submission has a run of 2026-01-01"),
        (words, "it does not say what it must"),
    ],
)
def test_evidence_that_does_not_follow_from_the_records_is_refused(verified, lie, told):
    content = json.loads((verified / EVIDENCE).read_text())
    lie(content)
    (verified / EVIDENCE).write_text(json.dumps(content))
    (fault,) = faults(verified)
    assert fault.startswith(EVIDENCE)
    assert told in fault
    assert not entry_of(read(verified)).verified


def test_records_that_lack_scores_have_no_evidence(verified):
    """The board reads submissions that nobody has checked."""
    bare = [replace(run, quality={}) for run in RUNS]
    submission = Submission(verified, read(verified).about, tuple(bare), ())
    assert not rerun.is_verified(submission)
