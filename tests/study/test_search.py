"""Searches: from proposals to configurations and back, without ever seeing a test score."""

from dataclasses import replace

import fake_workers
import optuna
import pytest

from ue_bench.config import RunConfig
from ue_bench.config.first_seed import FIRST_SEEDS_BELOW
from ue_bench.errors import BenchError
from ue_bench.record import Record
from ue_bench.study import Between, Grid, Search, Study, UpTo, local_executor
from ue_bench.study.plan import Plan
from ue_bench.study.sampler import (
    Sampler,
    distributions,
    make_sampler,
    parameters,
    random_sampler,
)
from ue_bench.study.search_records import (
    Answered,
    best_few,
    blind,
    known_trials,
    runs_of,
    trial_facts,
    val_mse,
)
from ue_bench.study.space import configure, with_options
from ue_bench.training.resolve import resolve

SPACE = {
    "lookups.user_id": (1, 2, 3),
    "options.bias": (False, True),
    "lr": (1e-3, 4e-3),
    "region_rule": ("sqrt", "equal"),
}
BASE = resolve(
    RunConfig(
        strategy="memcom",
        regions="separate",
        region_rule="sqrt",
        budget=56064,
        measure="quality",
        options={"bias": False},
    )
)
SEARCH = Search(BASE, SPACE, trials=4, trial_seeds=1, startup=2, seeds=5)


def record(config, score, phase="search", status="ok"):
    return Record(
        run_id=config.run_id,
        study="s",
        phase=phase,
        status=status,
        config=config,
        quality={"val_mse": score},
    )


@pytest.fixture
def sampler():
    return Sampler(SEARCH, BASE, 0)


def answered(config, score, number=0):
    """A trial on one seed."""
    return Answered(number, config, (record(config, score),))


def test_the_samplers_take_every_first_seed():
    for make in (lambda seed: make_sampler(SEARCH, seed), random_sampler):
        study = optuna.create_study(sampler=make(FIRST_SEEDS_BELOW - 1))
        for _ in range(12):  # more than the proposals that TPE makes at random
            trial = study.ask(distributions(BASE, SEARCH))
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
        sampler.dismiss(trial)
        sampler.learn([answered(config, 0.9)])


def test_a_sampler_that_repeats_itself_is_helped_out(monkeypatch):
    monkeypatch.setattr(
        "ue_bench.study.sampler.make_sampler", lambda search, seed: fake_workers.Stuck(seed)
    )
    stuck, found = Sampler(SEARCH, BASE, 0), set()
    for _ in range(40):
        trial, config = stuck.ask()
        found.add(config.run_id)
        stuck.dismiss(trial)
    assert len(found) > 10


# --- trials of several runs


ON_THREE = replace(SEARCH, trial_seeds=3)


def runs(number, scores, search=ON_THREE, base=BASE, config=BASE):
    """The records of the first runs of a trial."""
    facts = {"trial": trial_facts(search, base, number)}
    configs = runs_of(config, search)[: len(scores)]
    pairs = zip(configs, scores, strict=True)
    return {run.run_id: replace(record(run, score), found=facts) for run, score in pairs}


def test_the_value_of_a_trial_is_the_mean_over_its_seeds():
    records = runs(0, [0.9, 0.7, 0.8])
    (trial,), after = known_trials(records, BASE, ON_THREE)
    assert [record.config.init_seed for record in trial.records] == [0, 1, 2]
    assert val_mse(trial.records) == pytest.approx(0.8)
    assert after == 1
    sampler = Sampler(ON_THREE, BASE, 0)
    sampler.learn([trial])
    assert [trial.value for trial in sampler.study.trials] == pytest.approx([0.8])


def test_a_trial_counts_whole_or_not_at_all():
    other = resolve(replace(BASE, lr=1e-3))
    records = runs(0, [0.9, 0.7, 0.8]) | runs(4, [0.1, 0.1], config=other)
    trials, after = known_trials(records, BASE, ON_THREE)
    assert [trial.number for trial in trials] == [0]  # the other has a run to come
    assert after == 5
    records |= runs(4, [0.1, 0.1, 0.1], config=other)
    spoiled = other.with_seed(1).run_id
    records[spoiled] = replace(records[spoiled], status="infeasible", quality={})
    assert [trial.number for trial in known_trials(records, BASE, ON_THREE)[0]] == [0]


def test_the_trials_of_another_search_are_none_of_this_one():
    records = runs(0, [0.9, 0.7, 0.8])
    for change in (
        {"batch": 5},
        {"startup": 3},
        {"trial_seeds": 2},
        {"space": {**SPACE, "lr": (1e-3, 4e-3, 8e-3)}},
    ):
        assert known_trials(records, BASE, replace(ON_THREE, **change)) == ([], 0)
    assert known_trials(records, replace(BASE, dropout=0.1), ON_THREE) == ([], 0)
    assert len(known_trials(records, BASE, replace(ON_THREE, trials=9))[0]) == 1


# --- spaces


def test_numbers_of_a_range_are_proposed_with_few_digits_and_reach_its_ends():
    search = replace(SEARCH, space={"lr": Between(1e-4, 1e-2, log=True)})
    sampler = Sampler(search, BASE, 0)
    rates = [sampler.ask()[1].lr for _ in range(200)]
    assert all(1e-4 <= rate <= 1e-2 and rate == float(f"{rate:.3g}") for rate in rates)
    assert sum(rate < 1e-3 for rate in rates) == pytest.approx(100, abs=25)  # equal ratios
    even = replace(SEARCH, space={"dropout": Between(0.0, 0.8)})
    shares = [Sampler(even, BASE, seed).ask()[1].dropout for seed in range(60)]
    assert sum(shares) / 60 == pytest.approx(0.4, abs=0.1)


def test_a_default_outside_its_range_is_told_as_the_nearest_number():
    search = replace(SEARCH, space={"weight_decay": Between(1e-8, 1e-3, log=True)})
    assert BASE.weight_decay == 0
    assert parameters(BASE, search) == {"weight_decay": 1e-8}
    sampler = Sampler(search, BASE, 0)
    sampler.learn([answered(BASE, 0.9)])
    assert [trial.params for trial in sampler.study.trials] == [{"weight_decay": 1e-8}]


def test_a_default_that_is_in_no_list_is_learned_without_that_knob():
    search = replace(SEARCH, space={"lr": (1e-3, 2e-3), "dropout": (BASE.dropout, 0.5)})
    odd = replace(BASE, lr=7e-3)
    assert parameters(odd, search) == {"dropout": BASE.dropout}
    sampler = Sampler(search, odd, 0)
    sampler.learn([answered(odd, 0.9)])
    assert [trial.params for trial in sampler.study.trials] == [{"dropout": BASE.dropout}]
    assert all(sampler.ask()[1].lr in (1e-3, 2e-3) for _ in range(9))


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (float("nan"), 1), (0, float("inf"))])
def test_what_is_no_range_is_one_line(limits):
    with pytest.raises(BenchError, match="the first must be the smaller one"):
        Between(*limits)


def test_a_logarithmic_range_is_above_0():
    with pytest.raises(BenchError, match="above 0 where log=True"):
        Between(0, 1, log=True)


ROBE = Search(
    RunConfig(strategy="robe", budget=14_016, dim=8, lookups=2, measure="quality"),
    {"dim": (2, 8, 16), "options.block": UpTo("dim", (4, 8, 16))},
    trials=9,
)


def test_a_knob_that_another_value_clips_is_no_choice():
    """A block of ROBE is at most a vector: of 2 numbers there is one kind, of 8 two."""
    base = with_options(resolve(ROBE.base), ROBE)
    sampler = Sampler(ROBE, base, 0)
    found = set()
    for _ in range(60):
        _, config = sampler.ask()
        found.add((config.dim, config.options.get("block")))
        sampler.learn([answered(config, 0.9)])
        assert parameters(config, ROBE).keys() <= {
            "dim",
            "options.block up to 8",
            "options.block up to 16",
        }
    assert found == {(2, 8), (8, 4), (8, 8), (16, 4), (16, 8), (16, 16)}


def test_the_first_trial_has_the_default_of_every_knob_written_out():
    """Otherwise the default and a proposal that gives the default value would be two trials."""
    base = with_options(resolve(ROBE.base), ROBE)
    assert base.options == {"block": 8}
    assert configure(base, {"dim": 8, "options.block": 8}) == base
    narrow = with_options(resolve(replace(ROBE.base, dim=4)), ROBE)
    assert narrow.options == {"block": 4}  # what runs


def test_equal_lookups_of_all_features_are_the_number_that_the_default_has():
    search = Search(
        resolve(RunConfig(budget=14_016, lookups=2, dim=8)),
        {f"lookups.{name}": (1, 2) for name in ("user_id", "movie_id", "gender", "age")},
    )
    chosen = dict.fromkeys(search.space, 2)
    assert configure(search.base, chosen) == search.base
    assert configure(search.base, dict.fromkeys(search.space, 1)).lookups == 1


def plan_of(search):
    return Plan("s", Study("?", (search,), latency=False))


@pytest.mark.parametrize(
    ("search", "told"),
    [
        (
            Search(RunConfig(budget=1000), {"region_rule": ("sqrt", "equal")}),
            "region_rule is in the space of a search from unified, whose runs do not depend on it",
        ),
        (
            Search(RunConfig(budget=1000), {"batch_seed": (0, 1)}),
            "batch_seed is in the space of a search, and the seeds of all trials are the same",
        ),
        (
            Search(
                RunConfig(budget=1000, lookups=2), {"lookups.age": (1, 2), "lookups.gender": (1, 2)}
            ),
            "its space leaves out those of movie_id, occupation, user_id, zip_code; name all",
        ),
    ],
)
def test_a_knob_that_is_no_choice_is_one_line(search, told):
    with pytest.raises(BenchError) as caught:
        list(plan_of(search).stages({}))
    assert told in str(caught.value)


def test_a_limit_has_values_of_its_own():
    space = {"dim": UpTo("hidden", (2, 4)), "options.block": UpTo("dim", (2, 4))}
    with pytest.raises(
        BenchError, match="which has a limit too; name a knob with values of its own"
    ):
        replace(ROBE, space=space)


def test_the_best_few_are_chosen_on_validation():
    scores = (0.9, 0.8, 0.85, 0.95)
    trials = [answered(BASE.with_seed(n), score) for n, score in enumerate(scores)]
    assert [val_mse(trial.records) for trial in best_few(trials, SEARCH)] == [0.8, 0.85, 0.9]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"trial_seeds": 0}, "trials on 0 seeds each; give at least 1"),
        ({"startup": 0}, "a start of 0 trials; give at least 1"),
        ({"margin": 0.0}, "a search with a margin of 0.0; give more than 0"),
        (
            {"give_up": (2, 0.1)},
            "a search that gives up after 2 epochs by 0.1 with a margin of None",
        ),
        ({"give_up": (2, 0.1), "margin": 0.2}, "give at least 1 epoch, a margin, and no less"),
    ],
)
def test_a_search_that_makes_no_sense_is_one_line(changes, told):
    with pytest.raises(BenchError) as caught:
        replace(SEARCH, **changes)
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
    samplers = []

    def remembered(*given):
        samplers.append(Sampler(*given))
        return samplers[-1]

    monkeypatch.setattr(local_executor, "Sampler", remembered)
    executor = executor_of(declared, tmp_path)
    executor.ledger.answers.update({one.run_id: one for one in known})
    trials = [one for one in executor.run() if one.phase == "search"]
    assert executor.ledger.made == len(executor.ledger.answers) - len(known)
    (sampler,) = samplers

    values = sorted({trial.value for trial in sampler.study.trials if trial.value is not None})
    return {one.found["trial"]["number"]: one for one in trials}, values


def test_a_search_goes_on_as_if_it_had_not_been_ended(tmp_path, monkeypatch):
    """TPE goes on beyond its random beginning, with one trial missing or with many."""
    declared = replace(SEARCH, space={"hidden": tuple(range(64, 564))}, trials=16)
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
        assert set(told) <= set(values)  # those of the batches before the last missing trial


def test_a_search_whose_trials_are_others_goes_on_with_all_that_is_known(tmp_path, monkeypatch):
    """Another version of Optuna proposed them, so that the search cannot be repeated.

    No record is lost, and no number is given twice.
    """
    declared = replace(SEARCH, space={"hidden": tuple(range(64, 564))}, trials=16)
    base = BASE.with_seed(1000)
    known = []
    for number in range(10):
        config = replace(base, hidden=64 + number)
        facts = {"trial": trial_facts(declared, base, number)}
        known.append(replace(record(config, number / 100), found=facts))
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
            cost={"total_bytes": 1, "train_seconds": 2.0},
        )
    )
    assert told.quality == {"val_mse": 0.9, "val_mae": 0.7}
    assert told.cost == {}


def test_a_search_chooses_the_same_whatever_the_test_scores_say(tmp_path, monkeypatch):
    chosen, told = [], set()
    monkeypatch.setattr(
        "ue_bench.study.search_records.val_mse",
        lambda records: told.update(*(r.quality for r in records)) or val_mse(records),
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
