"""Searches: from proposals to configurations and back, without ever seeing a test score."""

from dataclasses import replace
from itertools import product

import fake_workers
import optuna
import pytest

from ue_bench.config import RunConfig
from ue_bench.config.first_seed import FIRST_SEEDS_BELOW
from ue_bench.config.lookups import apportion
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Grid, Search, Study, local_executor, shares
from ue_bench.study.plan import Plan
from ue_bench.study.sampler import Sampler, distributions, make_sampler, random_sampler
from ue_bench.study.search_records import belongs, best_few, blind, objectives, trial_facts
from ue_bench.training.resolve import resolve

SPACE = {
    "lookups.user_id": (1, 2, 3),
    "options.bias": (False, True),
    "lr": (1e-3, 4e-3),
    "region_rule": ("sqrt", "equal"),
}
BASE = resolve(RunConfig(strategy="memcom", regions="separate", budget=56064, measure="quality"))
SEARCH = Search(BASE, SPACE, trials=4)


def record(config, score, phase="search", status="ok", size=1):
    return Record(
        run_id=config.run_id,
        study="s",
        phase=phase,
        status=status,
        config=config,
        quality={"val_mse": score},
        cost={"total_bytes": size},
    )


@pytest.fixture
def sampler(tmp_path):
    return Sampler(SEARCH, BASE, tmp_path / "optuna.sqlite3", 0, [])


def test_the_samplers_take_every_first_seed():
    for make in (lambda seed: make_sampler(SEARCH, seed), random_sampler):
        study = optuna.create_study(sampler=make(FIRST_SEEDS_BELOW - 1))
        for _ in range(12):  # more than the proposals that TPE makes at random
            trial = study.ask(distributions(SEARCH))
            study.tell(trial, 0.0)


def test_a_plan_counts_its_seeds_from_one_that_leaves_room():
    for part in (Search(BASE, SPACE, trials=4, seed=500), Grid((BASE,), first=500)):
        study = Study("?", (part,))
        Plan("s", study, seed=FIRST_SEEDS_BELOW - 501)
        with pytest.raises(BenchError, match=f"seed: {FIRST_SEEDS_BELOW} was given as the first"):
            Plan("s", study, seed=FIRST_SEEDS_BELOW - 500)


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
        assert belongs(record(config, 1.0), BASE, SEARCH)
        sampler.tell(trial, record(config, 0.9))


def test_a_sampler_that_repeats_itself_is_helped_out(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "ue_bench.study.sampler.make_sampler", lambda search, seed: fake_workers.Stuck(seed)
    )
    stuck, found = Sampler(SEARCH, BASE, tmp_path / "optuna.sqlite3", 0, []), set()
    for _ in range(40):
        trial, config = stuck.ask()
        found.add(config.run_id)
        stuck.tell(trial, None)
    assert len(found) > 10


def test_what_is_no_trial_of_the_search_does_not_belong(sampler):
    _, config = sampler.ask()
    assert belongs(record(config, 1.0, phase="grid"), BASE, SEARCH)
    assert not belongs(record(config, 1.0, status="failed"), BASE, SEARCH)
    assert not belongs(record(config.with_seed(1), 1.0), BASE, SEARCH)
    assert not belongs(
        record(resolve(RunConfig(budget=56064, measure="quality")), 1.0), BASE, SEARCH
    )


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
        record(BASE.with_seed(n), score, size=size)
        for n, (score, size) in enumerate([(0.9, 1), (0.8, 3), (0.85, 4), (0.95, 2)])
    ]
    assert [r.quality["val_mse"] for r in best_few(runs, SEARCH)] == [0.8, 0.85, 0.9]
    both = Search(BASE, SPACE, trials=4, objectives=("quality.val_mse", "cost.total_bytes"))
    # The others are beaten in both objectives.
    assert [r.quality["val_mse"] for r in best_few(runs, both)] == [0.8, 0.9]


NAMES = ("user_id", "movie_id", "gender", "age")
FIXED = Search(RunConfig(budget=56064, measure="quality"), shares(NAMES, 7), trials=4, total=7)
START = resolve(FIXED.base)


def trial(config, score, number, search=FIXED):
    return replace(record(config, score), found={"trial": trial_facts(search, number)})


def test_shares_are_apportioned_and_what_sums_to_the_total_stays():
    for extra in product(range(4), repeat=4):
        given = dict(zip(NAMES, extra, strict=True))
        shared = apportion(3, given)
        assert sum(shared.values()) == 3
        if sum(extra) == 3:
            assert shared == given
        if any(extra):
            quotas = {name: 3 * n / sum(extra) for name, n in given.items()}
            assert all(abs(shared[name] - quotas[name]) < 1 for name in NAMES)
    assert apportion(8, dict.fromkeys(NAMES, 0)) == dict.fromkeys(NAMES, 2)
    assert apportion(4, {"a": 7.0, "b": 3.0}) == {"a": 3, "b": 1}  # quotas 2.8 and 1.2
    assert apportion(4, {"a": 6.0, "b": 4.0}) == {"a": 2, "b": 2}  # quotas 2.4 and 1.6


def test_equal_shares_favour_no_feature():
    """Over all shares of three lookups among four features, ties favour no feature."""
    won = dict.fromkeys(NAMES, 0)
    for extra in product(range(7), repeat=4):
        given = dict(zip(NAMES, extra, strict=True))
        for name, n in apportion(3, given).items():
            won[name] += n
    assert max(won.values()) < 1.1 * min(won.values())


def test_proposals_keep_the_total_and_what_was_run_is_told(tmp_path):
    sampler = Sampler(FIXED, START, tmp_path / "optuna.sqlite3", 0, [])
    known = {}
    for _ in range(12):
        asked, config = sampler.ask()
        lookups = {name: config.lookups.get(name, 1) for name in NAMES}
        assert sum(lookups.values()) == 7
        known[config.run_id] = trial(config, 0.8 + 0.01 * lookups["age"], len(known))
        assert belongs(known[config.run_id], START, FIXED)
        assert not belongs(
            known[config.run_id], START, replace(FIXED, space=shares(NAMES, 8), total=8)
        )
        sampler.tell(asked, known[config.run_id])
    rebuilt = Sampler(FIXED, START, tmp_path / "other.sqlite3", 0, known.values())
    again = Sampler(FIXED, START, tmp_path / "optuna.sqlite3", 0, known.values())
    told = [
        sorted(sorted(t.params.items()) for t in s.study.trials if t.value is not None)
        for s in (sampler, rebuilt, again)
    ]
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == len(known)
    assert all(sum(value for _, value in params) == 7 for params in told[0])


def test_two_samplers_keep_their_trials_apart_and_in_order(tmp_path):
    chance = replace(FIXED, sampler="random")
    runs = []
    for declared in (FIXED, chance):
        sampler = Sampler(declared, START, tmp_path / "optuna.sqlite3", 0, [])
        runs.append([trial(sampler.ask()[1], 0.9, number, declared) for number in range(3)])
    # The first proposals of TPE are random too.
    assert [r.run_id for r in runs[0]] != [r.run_id for r in runs[1]]
    assert not any(belongs(r, START, chance) for r in runs[0])
    assert all(belongs(r, START, chance) for r in runs[1])
    # A run that is no trial answers any search.
    smallest = replace(FIXED, space=shares(NAMES, 4), total=4)
    assert belongs(record(START, 0.9), START, smallest)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sampler": "tpee"}, "unknown sampler 'tpee' (did you mean 'tpe'?)"),
        ({"total": 3}, "a total of 3 lookups for 4 features"),
        ({"total": 9}, "lookups.user_id: with a total of 9, 1 to 6 must be allowed"),
        ({"space": {"lr": (1e-3,)}}, "a total of 7 lookups for 0 features"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_line(changes, told):
    with pytest.raises(BenchError) as caught:
        replace(FIXED, **changes)
    assert told in str(caught.value)


def executor_of(declared, results):
    plan = Plan("s", Study("?", (declared,), latency=False))
    return local_executor.LocalExecutor(plan, results)


def searched(tmp_path, monkeypatch, declared, known):
    """Run a search that starts with the records in `known`.

    Return its trials by their numbers, and the values that Optuna has.
    """
    monkeypatch.setattr(
        local_executor, "Workers", lambda count, time_limit: FakeWorkers(count, lambda val: 1 - val)
    )
    executor = executor_of(declared, tmp_path)
    executor.ledger.answers.update({one.run_id: one for one in known})
    trials = [one for one in executor.run() if one.phase == "search"]
    assert executor.ledger.made == len(executor.ledger.answers) - len(known)
    storage = f"sqlite:///{tmp_path}/s/optuna.sqlite3"
    (name,) = optuna.get_all_study_names(storage)
    # Each once: a proposal that is repeated after the last missing trial is not made again.
    values = sorted(
        {
            trial.value
            for trial in optuna.load_study(study_name=name, storage=storage).trials
            if trial.value is not None
        }
    )
    return {one.found["trial"]["number"]: one for one in trials}, values


def test_a_search_goes_on_as_if_it_had_not_been_ended(tmp_path, monkeypatch):
    """TPE goes on beyond its random beginning, with one trial missing or with many."""
    declared = replace(SEARCH, space={"batch_seed": tuple(range(500))}, trials=16)
    whole, values = searched(tmp_path / "whole", monkeypatch, declared, [])
    assert sorted(whole) == list(range(16))
    for kept in ([n for n in whole if n != 13], range(12), range(1, 16), []):
        again, told = searched(
            tmp_path / str(len(kept)) / str(kept[0] if kept else 0),
            monkeypatch,
            declared,
            [whole[n] for n in kept],
        )
        assert {n: one.run_id for n, one in again.items()} == {
            n: one.run_id for n, one in whole.items()
        }
        assert told == values


def test_a_search_whose_trials_came_in_another_order_goes_on_with_all_that_is_known(
    tmp_path, monkeypatch
):
    """Several workers leave trials in another order, so that the search cannot be repeated.

    No record is lost, and no number is given twice.
    """
    declared = replace(SEARCH, space={"batch_seed": tuple(range(500))}, trials=16)
    known = [trial(replace(BASE, batch_seed=n), n / 100, n, declared) for n in range(10)]
    found, told = searched(tmp_path, monkeypatch, declared, known)
    assert sorted(found) == list(range(16))
    assert {one.run_id for one in known} <= {one.run_id for one in found.values()}
    assert set(told) == {one.quality["val_mse"] for one in found.values()}


class Poisoned(dict):
    """The quality of a run. To read a test score from it is an error."""

    def __getitem__(self, key):
        if not key.startswith("val_"):
            raise AssertionError(f"a search read {key}")
        return super().__getitem__(key)


def test_what_a_search_is_told_has_no_test_score():
    quality = {
        "val_mse": 0.9,
        "val_mae": 0.7,
        "test_mse": 0.1,
        "slices": {},
        "anchors": {},
        "beats_bias": True,
        "history": [],
    }
    told = blind(
        Record(
            run_id="id",
            study="s",
            phase="search",
            config=RunConfig(),
            quality=quality,
            cost={"total_bytes": 1},
        )
    )
    assert told.quality == {"val_mse": 0.9, "val_mae": 0.7}
    assert told.cost == {"total_bytes": 1}


def test_a_search_chooses_the_same_whatever_the_test_scores_say(tmp_path, monkeypatch):
    chosen, told = [], set()
    for module in ("sampler", "search_records"):
        monkeypatch.setattr(
            f"ue_bench.study.{module}.objectives",
            lambda record, of: told.update(record.quality) or objectives(record, of),
        )
    for name, spoil in (("opposed", lambda val: 1 - val), ("poisoned", None)):
        monkeypatch.setattr(
            local_executor,
            "Workers",
            lambda count, time_limit, spoil=spoil: FakeWorkers(count, spoil),
        )
        searched = executor_of(SEARCH, tmp_path / name)
        done = searched.run()
        assert len({r.run_id for r in done if r.phase == "search"}) == SEARCH.trials
        again = executor_of(SEARCH, tmp_path / name)
        # The storage is gone, and the search is chosen again from its records.
        again.ledger.answers.update(searched.ledger.answers)
        assert [r.run_id for r in again.run()] == [r.run_id for r in done]
        assert again.ledger.made == 0
        chosen.append([r.run_id for r in done])
    assert len(chosen[0]) == SEARCH.trials + SEARCH.best * SEARCH.seeds
    assert chosen[0] == chosen[1]
    assert told == {"val_mse"}


class FakeWorkers:
    """Runs that take no time. The validation MSE follows from the configuration.

    spoil: the test MSE, given the validation MSE; None: to read a test score is an error.
    """

    def __init__(self, count, spoil):
        self.count, self.spoil, self.jobs = count, spoil, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def free(self):
        return self.count - len(self.jobs)

    def start(self, job):
        self.jobs.append(job)

    def next(self):
        job = self.jobs.pop(0)
        val = int(job.config.run_id[:8], 16) / 16**8
        quality = (
            {"val_mse": val, "test_mse": self.spoil(val)}
            if self.spoil
            else Poisoned(val_mse=val, test_mse=0.0)
        )
        found = {"trial": job.trial} if job.trial else {}
        return job, Record(
            run_id=job.config.run_id,
            study="s",
            phase=job.phase,
            config=job.config,
            found=found,
            quality=quality,
        )
