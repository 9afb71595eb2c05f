"""Slots of codes are the same, kept or computed in each batch, located in blocks or at once."""

from dataclasses import replace

import pytest
import torch
from saved_models import ASKED, FEATURES, FORMS, TRAINED_ON, rows

from ue_bench.errors import BenchError, BudgetError
from ue_bench.strategies import slots
from ue_bench.training.assembly import make_model, make_recipe, make_spec, without_ignored_budget
from ue_bench.training.resolve import resolve
from ue_bench.training.train import fit

# those whose slots follow from a value alone
OWN = {
    *("unified", "per_feature", "multi_hash_sum", "multi_hash_mean", "compositional"),
    *("hash_embedding", "hashed_net", "hashed_bits", "robe", "dhe"),
}


def model_of(config):
    spec = replace(make_spec(config, FEATURES), rows=TRAINED_ON)
    try:
        return make_model(config, spec, 3.0)
    except BudgetError as error:
        return model_of(replace(config, budget=error.works * 3 // 4))


def asked(name, form, **changes):
    return without_ignored_budget(resolve(replace(ASKED, strategy=name, regions=form, **changes)))


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_training_without_kept_slots_is_the_same_to_the_last_bit(name, form):
    computed = asked(name, form, slots="on-the-fly")
    if name not in OWN:
        with pytest.raises(BenchError, match=f"^{name}: slots 'on-the-fly' .* choose cached"):
            model_of(computed)
        return
    histories = []
    kept_bytes = []
    for config in (asked(name, form), computed):
        model = model_of(config)
        histories.append(fit(model, rows(), rows(32), make_recipe(config)).history)
        kept_bytes.append(model.strategy.slot_cache_bytes())
    assert histories[0] == histories[1]
    assert kept_bytes[0] > kept_bytes[1] == 0


@pytest.mark.parametrize("block", [1, 7, 10_000])
@pytest.mark.parametrize(("name", "form"), FORMS)
def test_blocks_of_values_have_the_slots_of_all_values(name, form, block, monkeypatch):
    monkeypatch.setattr(slots, "BLOCK", block)
    strategy = model_of(asked(name, form)).strategy.eval()
    codes = rows().codes
    expected = []
    for index, feature in enumerate(FEATURES):
        values = [feature.values[code] for code in codes[:, index].tolist()]
        expected.append(strategy.locate(index, values))
    assert torch.equal(strategy.slots(codes).long(), torch.cat(expected, dim=1))


def test_slots_beyond_32_bits_are_kept_whole(monkeypatch):
    monkeypatch.setattr(slots, "BLOCK", 3)
    strategy = model_of(asked("unified", "multiplexed")).strategy.eval()
    last = len(FEATURES) - 1
    locate = type(strategy).locate

    def far(self, feature, values):
        return locate(self, feature, values) + (2**40 if feature == last else 0)

    monkeypatch.setattr(type(strategy), "locate", far)
    found = strategy.slots(rows().codes)
    assert found.dtype == torch.int64
    assert (found[:, -1] >= 2**40).all()
    assert (found[:, :-1] < 2**31).all()
