"""Every strategy of the registry keeps the contract, in every form it has; and the contract's tests can fail."""

import pytest
import torch

from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.base import EmbeddingStrategy, Pool, Spec
from ue_bench.testing import StrategyContract

BUDGETS = {"int8": 2_000, "int4": 1_400}  # bytes; their whole tables are smaller than the 4,000 of the others

for _name, _entry in STRATEGIES.items():
    for _regions in _entry.regions:
        _title = f"Test_{_name}_{_regions}"
        globals()[_title] = type(
            _title, (StrategyContract,), {"strategy": _name, "regions": _regions, "budget": BUDGETS.get(_name, 4_000)}
        )


class Broken(EmbeddingStrategy):
    """Python's hash, a row for the batch as a whole, a parameter without use, and no care for the budget."""

    def __init__(self, spec: Spec) -> None:
        super().__init__(spec)
        self.pool = Pool(1000, spec)
        self.unused = torch.nn.Parameter(torch.zeros(3))

    def locate(self, feature, values):
        rows = [[abs(hash((value, feature, k))) % 1000 for k in range(self.spec.lookups[feature])] for value in values]
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
    ["test_rows_independent", "test_every_parameter_gets_gradient", "test_budget_kept_and_used", "test_seeds_follow_names",
     "test_too_small_a_budget_says_what_works"],
)  # fmt: skip
def test_a_broken_strategy_is_found(test):
    with pytest.raises(AssertionError):
        getattr(OfBroken(), test)()
