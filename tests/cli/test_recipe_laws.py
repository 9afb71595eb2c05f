"""What published records must show of the recipe, on records that break one law each."""

import random
from dataclasses import replace

import fake_records as fake
import numpy as np
import pytest

from ue_bench.cli import recipe_laws
from ue_bench.config import RunConfig
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.second_mode import fit, p_value, second_modes


def run(seed, *, above_bias=0.0, epochs_run=12, config=None, mse=0.85):
    """One run whose best validation MSE is that of the bias model plus `above_bias`."""
    config = config or fake.config(budget=14_016, measure="quality")
    record = fake.make(config.with_seed(seed), mse=mse)
    bias = record.quality["anchors"]["bias"]
    quality = record.quality | {
        "val_mse": bias["val_mse"] + above_bias,
        "epochs_run": epochs_run,
    }
    return replace(record, quality=quality)


def arms(records):
    return collect(records).kept


def noise(seed):
    return random.Random(seed).gauss(0, 0.004)


def test_runs_on_a_plateau_are_a_second_mode():
    stuck = [run(seed, above_bias=-0.045 + 0.03 * (seed < 8) + noise(seed)) for seed in range(40)]
    row = second_modes(arms(stuck)).iloc[0]
    assert (row["n"], row["second"], bool(row["bimodal"])) == (40, 8, True)
    (fault,) = recipe_laws.faults(arms(stuck))
    assert fault.startswith("8 of 40 runs lie in a second mode of their arm, 20.0%")


def test_runs_of_one_mode_are_none():
    one_mode = [run(seed, above_bias=-0.045 + 2 * noise(seed)) for seed in range(40)]
    assert not second_modes(arms(one_mode))["bimodal"].any()
    assert list(recipe_laws.faults(arms(one_mode))) == []


def test_the_test_of_two_modes_keeps_its_level():
    samples = np.random.default_rng(5).standard_normal((400, 40))
    p = np.array([p_value(ratio, 40) for ratio in fit(samples).ratio])
    assert 0.02 < np.mean(p < 0.05) < 0.08


def test_each_value_has_the_probability_of_its_own_part():
    samples = np.random.default_rng(2).standard_normal((3, 30))
    samples[:, ::3] += 9
    assert ((fit(samples).lower < 0.5) == (samples > 4.5)).all()


def test_an_arm_whose_runs_end_at_the_cap():
    cap = RunConfig().epochs
    (fault,) = recipe_laws.faults(
        arms([run(seed, above_bias=noise(seed), epochs_run=cap - (seed > 0)) for seed in range(10)])
    )
    assert f"1 of 10 runs of unified 1×16 ended at the cap of {cap} epochs" in fault


@pytest.mark.parametrize(("excess", "n_faults"), [(0.002, 0), (0.004, 1), (-0.01, 0)])
def test_the_exact_table_is_as_good_as_matrix_factorisation(excess, n_faults, monkeypatch):
    # Stands for matrix factorisation: any arm that is no exact table.
    monkeypatch.setattr(recipe_laws, "FACTORISATION", "unified")
    exact = fake.config("collisionless", measure="quality")
    factors = fake.config(budget=28_032, measure="quality")
    records = [run(seed, config=exact, mse=0.84 + excess) for seed in range(3)]
    records += [run(seed, config=factors, mse=0.84) for seed in range(3)]
    assert len(list(recipe_laws.faults(arms(records)))) == n_faults


def test_an_exact_table_of_few_bits_is_not_judged(monkeypatch):
    monkeypatch.setattr(recipe_laws, "FACTORISATION", "unified")
    factors = fake.config(budget=28_032, measure="quality")
    found = {}
    for bits in ("float32", "int2"):
        exact = fake.config("collisionless", measure="quality", bits=bits)
        records = [run(seed, config=exact, mse=0.86) for seed in range(3)]
        records += [run(seed, config=factors, mse=0.84) for seed in range(3)]
        found[bits] = len(list(recipe_laws.faults(arms(records))))
    assert found == {"float32": 1, "int2": 0}


def test_another_recipe_is_not_judged():
    config = fake.config(budget=14_016, measure="quality", lr=0.5)
    cap = config.epochs
    records = [run(seed, config=config, epochs_run=cap) for seed in range(40)]
    assert list(recipe_laws.faults(arms(records))) == []


def test_another_setting_is_not_judged():
    """A study that compares recipes may change what is no field of the recipe, such as the dim."""
    cap = RunConfig().epochs
    records = []
    for seed in range(10):
        record = run(seed, epochs_run=cap)
        records.append(replace(record, found=record.found | {"setting": "vectors of 8"}))
    assert list(recipe_laws.faults(arms(records))) == []
