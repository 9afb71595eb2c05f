"""What Optuna proposes becomes a configuration and comes back from one."""

import pytest

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.run import resolve
from ue_bench.search import Sampler, belongs, best_few
from ue_bench.study import Search

SPACE = {"lookups.user_id": (1, 2, 3), "options.bias": (False, True), "lr": (1e-3, 4e-3), "region_rule": ("sqrt", "equal")}
BASE = resolve(RunConfig(strategy="memcom", regions="separate", budget=56064, measure="quality"))
SEARCH = Search(BASE, SPACE, trials=4)


def record(config, score, phase="search", status="ok", size=1):
    return Record(
        config.run_id, "s", phase, status, None, config.to_dict(), quality={"val_mse": score}, cost={"total_bytes": size}
    )


@pytest.fixture
def sampler(tmp_path):
    return Sampler(SEARCH, BASE, tmp_path / "optuna.sqlite3", 0, [])


def test_proposals_are_configurations_within_the_space(sampler):
    for _ in range(20):
        trial, config = sampler.ask()
        lookups = config.lookups if isinstance(config.lookups, dict) else {}
        assert lookups.get("user_id", 1) in SPACE["lookups.user_id"]
        assert set(lookups) <= {"user_id"}
        assert config.options["bias"] in (False, True)
        assert type(config.options["bias"]) is bool
        assert config.lr in SPACE["lr"]
        assert config.region_rule in SPACE["region_rule"]
        assert belongs(record(config, 1.0), BASE, SPACE)
        sampler.tell(trial, record(config, 0.9))


def test_what_is_no_trial_of_the_search_does_not_belong(sampler):
    _, config = sampler.ask()
    assert belongs(record(config, 1.0, phase="grid"), BASE, SPACE)
    assert not belongs(record(config, 1.0, status="failed"), BASE, SPACE)
    assert not belongs(record(config.with_seed(1), 1.0), BASE, SPACE)
    assert not belongs(record(resolve(RunConfig(budget=56064, measure="quality")), 1.0), BASE, SPACE)


def test_a_storage_that_is_gone_is_rebuilt_from_records(tmp_path, sampler):
    known = []
    for score in (0.9, 0.8, 0.7):
        trial, config = sampler.ask()
        known.append(record(config, score))
        sampler.tell(trial, known[-1])
    rebuilt = Sampler(SEARCH, BASE, tmp_path / "other.sqlite3", 0, known)
    assert sorted(trial.value for trial in rebuilt.study.trials) == [0.7, 0.8, 0.9]
    again = Sampler(SEARCH, BASE, tmp_path / "optuna.sqlite3", 0, known)
    assert len(again.study.trials) == 3


def test_the_best_few_are_chosen_on_validation():
    runs = [
        record(BASE.with_seed(n), score, size=size) for n, (score, size) in enumerate([(0.9, 1), (0.8, 3), (0.85, 4), (0.95, 2)])
    ]
    assert [r.quality["val_mse"] for r in best_few(runs, SEARCH)] == [0.8, 0.85, 0.9]
    both = Search(BASE, SPACE, trials=4, objectives=("quality.val_mse", "cost.total_bytes"))
    assert [r.quality["val_mse"] for r in best_few(runs, both)] == [0.8, 0.9]  # the others are beaten in both
