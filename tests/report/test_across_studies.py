"""Arms of different studies meet only where one asks for it, and only where they are comparable."""

import fake_records as fake
import pytest
from click.testing import CliRunner

from ue_bench import compare, record
from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.report.evidence.across_studies import as_one_study

SEEDS = range(10)


def arm(strategy, base, study, **asked):
    scores = [base + 0.001 * seed + 0.0002 * (seed * 7 % 5) for seed in SEEDS]
    runs = fake.arm(scores, strategy, 7_008, **asked)
    return [fake.replace(run, study=study) for run in runs]


@pytest.fixture
def results(tmp_path):
    """Two studies with one arm in common, and a third one with another recipe."""
    runs = arm("unified", 0.95, "first") + arm("unified", 0.95, "second")
    runs += arm("hashed_net", 0.90, "second", regions="multiplexed")
    runs += arm("robe", 0.91, "first", regions="multiplexed")
    runs += arm("compositional", 0.80, "third", regions="multiplexed", lr=0.5)
    for run in runs:
        record.write(run, tmp_path)
    return tmp_path


def test_arms_of_two_studies_meet_where_it_is_asked_for(results):
    with pytest.raises(BenchError, match="never meet"):
        compare("hashed_net", "robe", results)
    found = compare("hashed_net", "robe", results, across=True).row(0, named=True)
    assert found["study"] == "first + second + third"
    assert found["n"] == len(SEEDS)
    assert found["difference"] == pytest.approx(-0.01)
    line = f"compare hashed_net robe --across --results {results}"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.output
    assert "study first + second + third, 7.0 kB: hashed_net" in done.output


def test_another_recipe_does_not_meet(results):
    with pytest.raises(BenchError):
        compare("compositional", "robe", results, across=True)


def test_a_run_of_two_studies_counts_once(results):
    runs, _ = record.load_runs(results)
    once = as_one_study(runs)
    assert len(runs) - len(once) == len(SEEDS)
    found = compare("unified", "robe", results, across=True).row(0, named=True)
    assert found["n"] == len(SEEDS)
    many = [fake.replace(run, study=f"s{number}") for number, run in enumerate(once)]
    assert {run.study for run in as_one_study(many)} == {f"{len(many)} studies"}
