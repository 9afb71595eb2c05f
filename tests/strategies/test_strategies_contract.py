"""Every strategy of the registry keeps the contract in every form, and its tests can fail."""

import functools
import hashlib
import zlib

import numpy as np
import pytest
import torch
import xxhash

from ue_bench.errors import BudgetError
from ue_bench.strategies import STRATEGIES, EmbeddingStrategy, Pool, Spec
from ue_bench.testing import StrategyContract, check

for _name, _entry in STRATEGIES.items():
    for _regions in _entry.regions:
        _title = f"Test_{_name}_{_regions}"
        globals()[_title] = type(
            _title, (StrategyContract,), {"strategy": _name, "regions": _regions}
        )


class Broken(EmbeddingStrategy):
    """Python's hash, rows that depend on the batch, an unused parameter, and no budget kept."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.pool = Pool(1000, spec)
        self.unused = torch.nn.Parameter(torch.zeros(3))

    def locate(self, feature, values):
        rows = [
            [abs(hash((value, feature, k))) % 1000 for k in range(self.spec.lookups[feature])]
            for value in values
        ]
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.spec.lookups[feature])

    def embed(self, slots):
        out = self.pool(slots).flatten(1)
        return out - out.mean(0)


class OfBroken(StrategyContract):
    strategy = Broken

    def build(self, seed=0, **changes):
        torch.manual_seed(seed)
        return Broken(self.spec(**changes))


@pytest.mark.parametrize(
    "test",
    [
        "test_rows_independent",
        "test_every_parameter_gets_gradient",
        "test_budget_kept_and_used",
        "test_seeds_follow_names",
        "test_too_small_a_budget_says_what_works",
        "test_a_bag_is_the_mean_of_its_values",
    ],
)
def test_a_broken_strategy_is_found(test):
    with pytest.raises(AssertionError):
        getattr(OfBroken(), test)()


class OneSize(EmbeddingStrategy):
    """Ten rows, whatever the budget."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.pool = Pool(10, spec)

    def locate(self, feature, values):
        return torch.zeros(len(values), self.spec.lookups[feature], dtype=torch.int64)

    def embed(self, slots):
        return self.pool(slots).flatten(1)


class OfOneSize(StrategyContract):
    strategy = OneSize


def test_a_table_of_one_size_does_not_pass_for_a_small_whole_one():
    with pytest.raises(BudgetError):
        OfOneSize().test_budget_kept_and_used()


def test_a_whole_table_below_the_budget_is_checked_at_a_part_of_it():
    assert [told for _, told in check("int8", STRATEGIES["int8"].regions[0]) if told] == []


class Late(EmbeddingStrategy):
    """A parameter that is made when the first batch comes."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.pool = Pool(100, spec)

    def locate(self, feature, values):
        lookups = self.spec.lookups[feature]
        return torch.tensor([len(str(value)) % 100 for value in values]).repeat(lookups, 1).T

    def embed(self, slots):
        if not hasattr(self, "scale"):
            self.scale = torch.nn.Parameter(torch.ones(1))
        return self.pool(slots).flatten(1) * self.scale


class Secret(Late):
    """A dictionary of the values that it has seen, in a plain Python object."""

    notes_of: type = type("Notes", (), {})

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.scale = torch.ones(1)
        self.notes = self.notes_of()
        self.notes.rows = {}

    def locate(self, feature, values):
        for value in values:
            self.notes.rows.setdefault(value, len(self.notes.rows))
        return super().locate(feature, values)


class InSlots(Secret):
    notes_of = type("Notes", (), {"__slots__": ("rows",)})


class InTheClass(Secret):
    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.notes = type("Notes", (), {"rows": {}})()


class Remembers(Late):
    """Remembers each value that it has located. `remember` is called with values and feature."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.scale = torch.ones(1)
        self.rows = {}

    def locate(self, feature, values):
        for value in values:
            self.remember(value, feature)
        return super().locate(feature, values)


class InBytes(Remembers):
    def remember(self, value, feature):
        self.rows[value.encode()] = len(self.rows)


class InHashes(Remembers):
    def remember(self, value, feature):
        self.rows[xxhash.xxh32_intdigest(value.encode(), 0)] = feature


class InOddHashes(Remembers):
    def remember(self, value, feature):
        self.rows[int.from_bytes(hashlib.md5(value.encode()).digest()[:6])] = feature


class InPairs(Remembers):
    def remember(self, value, feature):
        self.rows.setdefault("pairs", []).append((feature, (value, 1)))


class InShards(Remembers):
    def remember(self, value, feature):
        number = zlib.adler32(value.encode())
        self.rows.setdefault(number % 97, {})[f"{feature} {value}"] = 1


class InAnArray(Remembers):
    def remember(self, value, feature):
        hashes = self.__dict__.get("hashes", np.empty(0, np.uint32))
        self.hashes = np.append(hashes, np.uint32(zlib.crc32(value.encode())))


_REMEMBERED = {}


class InAGlobal(Remembers):
    def remember(self, value, feature):
        _REMEMBERED[feature, value] = 1


def _noting():
    noted = set()
    return lambda value: noted.add(f"{value}!")


_note = _noting()


class InAClosure(Remembers):
    def remember(self, value, feature):
        _note(value)


@functools.cache
def _row_of(value):
    return len(value)


class InACache(Remembers):
    def remember(self, value, feature):
        _row_of(value)


HIDDEN = {
    InBytes: r"self\.rows holds 183 values",
    InHashes: r"self\.rows holds 183 values",
    InOddHashes: r"self\.rows has 900 entries more",
    InPairs: r"self\.rows\['pairs'\] holds \d+ values",
    InShards: r"self\.rows has 9\d\d entries more",
    InAnArray: r"self\.hashes holds \d+ values",
    InAGlobal: r"_REMEMBERED of test_strategies_contract\.py holds \d+ values",
    InAClosure: r"_note of test_strategies_contract\.py's noted has 900 entries more",
    InACache: r"_row_of of test_strategies_contract\.py has 900 entries more",
}


@pytest.mark.parametrize("broken", HIDDEN)
def test_values_are_found_wherever_they_are_hidden(broken):
    _REMEMBERED.clear()
    with pytest.raises(AssertionError, match=HIDDEN[broken]):
        contract_of(broken).test_no_vocabulary_is_hidden()


class CountsBatches(Late):
    """A factor that training learns, as a plain number."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.scale = 1.0

    def embed(self, slots):
        if self.training:
            self.scale += 0.01
        return super().embed(slots)


class CountsEpochs(CountsBatches):
    def embed(self, slots):
        return self.pool(slots).flatten(1) * self.scale

    def end_epoch(self, epoch):
        self.scale /= 2
        return False


class ServesMore(CountsEpochs):
    def end_epoch(self, epoch):
        return False

    def end_training(self):
        self.scale = float(self.pool.weight.detach().abs().amax())


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (CountsBatches, "test_state_dict_round_trip"),
        (CountsEpochs, "test_state_dict_round_trip"),
        (CountsBatches, "test_what_is_served_can_be_built_again"),
        (ServesMore, "test_what_is_served_can_be_built_again"),
    ],
)
def test_what_training_learns_beside_the_state_is_found(broken, test):
    with pytest.raises(AssertionError, match="gives the same vectors"):
        getattr(contract_of(broken), test)()


def contract_of(broken):
    contract = type("OfBrokenOne", (StrategyContract,), {"strategy": broken})()
    contract.build = lambda seed=0, **changes: broken(contract.spec(**changes))
    return contract


@pytest.mark.parametrize(
    ("broken", "test", "told"),
    [
        (InSlots, "test_no_vocabulary_is_hidden", "self.notes.rows holds 183 values of features"),
        (InTheClass, "test_no_vocabulary_is_hidden", "self.notes.rows holds 183 values of fea"),
        (Late, "test_twenty_steps_of_training_change_numbers_alone", "training makes no parameter"),
        (Secret, "test_no_vocabulary_is_hidden", "self.notes.rows holds 183 values of features"),
    ],
)
def test_state_that_comes_late_and_a_hidden_dictionary_are_found(broken, test, told):
    with pytest.raises(AssertionError, match=told):
        getattr(contract_of(broken), test)()


def test_a_sleeping_parameter_may_have_no_gradient_at_first():
    class Sleeping(Late):
        sleeping = ("later",)

        def __init__(self, spec: Spec) -> None:
            super().__init__(spec)
            self.scale = torch.ones(1)
            self.later = torch.nn.Parameter(torch.zeros(3))
            self.pool = Pool(7, spec)

        def locate(self, feature, values):
            return super().locate(feature, values) % 7

    contract = contract_of(Sleeping)
    contract.test_every_parameter_gets_gradient()
    Sleeping.sleeping = ()
    with pytest.raises(AssertionError, match="parameter later gets no gradient"):
        contract.test_every_parameter_gets_gradient()
