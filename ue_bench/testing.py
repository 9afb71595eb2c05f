"""The contract of a strategy as a class of tests: subclass it, name your strategy, and pytest runs every one of them.

    from ue_bench.testing import StrategyContract

    class TestMine(StrategyContract):
        strategy = MyStrategy

A test fails with the sentence of the contract that is broken.
"""

import atexit
import copy
import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Bags, Feature
from ue_bench.strategies import STRATEGIES, EmbeddingStrategy, Spec, build, check_budget
from ue_bench.strategies.budget import LEAST_USED

FEATURES = (  # values, how many are seen, how often
    Feature("user", tuple(f"u{i}" for i in range(120)), 100, tuple(range(100, 0, -1))),
    Feature("item", tuple(f"i{i}é" for i in range(60)), 50, (3,) * 50),
    Feature("flag", ("no", "yes", ""), 3, (60, 30, 10)),
)

_BAGS = [[n] for n in range(60)] + [
    [3, 58, 17],
    [17, 3, 58],
    [0, 1, 2, 55],
]  # of items: each alone, then some together
BAGGED = (FEATURES[0], replace(FEATURES[1], bags=Bags.of(_BAGS)), FEATURES[2])


class StrategyContract:
    """strategy: a name in the registry, or a class. regions: one of those the strategy allows. options: its own knobs.

    plugin: the file that a name comes from, for the tests that start another process.
    """

    strategy: ClassVar[str | type[EmbeddingStrategy]]
    regions: ClassVar[str | None] = None
    options: ClassVar[dict[str, Any]] = {}
    plugin: ClassVar[Path | None] = None
    budget: int = 4_000  # bytes; the exact table of the features has 183 rows of 8 numbers: 5,856

    def spec(self, **changes: Any) -> Spec:
        """What the tests build from."""
        name = self.strategy if isinstance(self.strategy, str) else self.strategy.__name__
        known = STRATEGIES[name].regions[0] if isinstance(self.strategy, str) else "multiplexed"
        spec = Spec(
            name=name,
            features=FEATURES,
            lookups=(2, 1, 1),
            dim=8,
            budget=self.budget,
            regions=self.regions or known,
            region_rule="proportional",
            options=self.options,
        )
        return replace(spec, **changes)

    def build(self, seed: int = 0, **changes: Any) -> EmbeddingStrategy:
        """The strategy, with initial values that follow from `seed`.

        Where its whole table is smaller than `budget`, from here on at three quarters of that table: to fit is no luck then.
        """
        try:
            return self._built(self.spec(**changes), seed)
        except BudgetError as error:
            if "budget" in changes or error.works > self.budget:
                raise
            self.budget = error.works * 3 // 4
            return self._built(self.spec(**changes), seed)

    def _built(self, spec: Spec, seed: int) -> EmbeddingStrategy:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if isinstance(self.strategy, str):
                return build(spec)
            built = self.strategy(spec)
            check_budget(built)
            return built

    def codes(self, rows: int = 64) -> Tensor:
        """Rows of codes, unseen values among them."""
        generator = torch.Generator().manual_seed(1)
        return torch.stack(
            [torch.randint(f.cardinality, (rows,), generator=generator) for f in FEATURES], dim=1
        )

    def test_shape(self) -> None:
        built, codes = self.build(), self.codes()
        out = built(codes)
        assert out.shape == (len(codes), sum(built.widths)), (
            "forward gives [B, W] with W the sum of widths"
        )
        assert len(built.widths) == len(FEATURES), "widths has one entry a feature"
        assert out.dtype == torch.float32, "vectors are float32"
        assert built(codes[:0]).shape == (0, sum(built.widths)), "an empty batch is legal"

    def test_finite(self) -> None:
        assert torch.isfinite(self.build()(self.codes())).all(), "initial vectors are finite"

    def test_forward_is_locate_then_embed(self) -> None:
        built, codes = self.build(), self.codes()
        values = [
            [feature.values[code] for code in codes[:, i].tolist()]
            for i, feature in enumerate(FEATURES)
        ]
        located = [built.locate(i, column) for i, column in enumerate(values)]
        assert all(slots.dtype == torch.int64 for slots in located), "slots are int64"
        assert torch.equal(built.embed(torch.cat(located, dim=1)), built(codes)), (
            "codes and raw values give the same vectors"
        )

    def test_rows_independent(self) -> None:
        built, codes = self.build().eval(), self.codes()
        alone = torch.cat([built(row.unsqueeze(0)) for row in codes])
        assert torch.allclose(built(codes), alone, atol=1e-6), (
            "a row's vectors do not depend on the other rows of its batch"
        )

    def test_same_seed_same_module(self) -> None:
        codes = self.codes()
        assert torch.equal(self.build(seed=3)(codes), self.build(seed=3)(codes)), (
            "the same seeds give the same module"
        )
        assert not torch.equal(self.build(seed=3)(codes), self.build(seed=4)(codes)), (
            "another init seed gives another module"
        )

    def test_every_parameter_gets_gradient(self) -> None:
        built = self.build()
        codes = torch.cartesian_prod(*(torch.arange(feature.cardinality) for feature in FEATURES))
        out = built(codes)
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(0))).sum().backward()
        for name, parameter in built.named_parameters():
            assert parameter.grad is not None, f"parameter {name} gets no gradient"
            assert parameter.grad.abs().sum() > 0, f"the gradient of parameter {name} is zero"

    def test_budget_kept_and_used(self) -> None:
        built = self.build()
        if isinstance(self.strategy, str) and not STRATEGIES[self.strategy].has_budget:
            return
        footprint = built.footprint()
        used = footprint.table + footprint.auxiliary
        assert LEAST_USED * self.budget <= used <= self.budget, (
            f"{used} bytes are used of a budget of {self.budget}"
        )

    def test_too_small_a_budget_says_what_works(self) -> None:
        if isinstance(self.strategy, str) and not STRATEGIES[self.strategy].has_budget:
            return
        told = ""
        try:
            self.build(budget=7)
        except BenchError as error:
            told = str(error)
        assert any(character.isdigit() for character in told), (
            "7 bytes raise BenchError, which states the least that works"
        )

    def test_footprint_counts_everything(self) -> None:
        built = self.build()
        footprint = built.footprint()
        held = sum(t.numel() * t.element_size() for t in built.state_dict().values())
        if not any(
            module.training_only
            for module in built.modules()
            if isinstance(module, EmbeddingStrategy)
        ):
            assert footprint.table + footprint.auxiliary == held, (
                "table and auxiliary are all parameters and persistent buffers"
            )
        assert (footprint.vocabulary > 0) == bool(built.vocabularies), (
            "a vocabulary that is held is counted"
        )

    def test_what_is_served_is_what_was_counted(self) -> None:
        built, codes = self.build().eval(), self.codes()
        before = built.footprint()
        built.end_training()
        after = built.footprint()
        assert (after.table, after.auxiliary) == (before.table, before.auxiliary), (
            "the bytes served are known before training"
        )
        assert built.training_bytes() == after.table + after.auxiliary, (
            "after training nothing is held that is not served"
        )
        out = built(codes)
        assert out.shape == (len(codes), sum(built.widths)), "what is served gives [B, W]"
        assert torch.isfinite(out).all(), "what is served is finite"
        assert torch.allclose(out, torch.cat([built(row.unsqueeze(0)) for row in codes]), atol=1e-6)

    def test_an_epoch_may_end(self) -> None:
        built, codes = self.build(), self.codes()
        built.end_epoch(0)
        assert torch.isfinite(built(codes)).all(), "vectors stay finite between epochs"

    def test_state_dict_round_trip(self) -> None:
        trained, codes = self.build(seed=5), self.codes()
        restored = self.build(seed=6)
        restored.load_state_dict(copy.deepcopy(trained.state_dict()))
        assert torch.equal(trained(codes), restored(codes)), (
            "a state_dict carries everything that was learned"
        )
        assert torch.equal(copy.deepcopy(trained)(codes), trained(codes)), (
            "a copy is the same module"
        )

    def test_a_bag_is_the_mean_of_its_values(self) -> None:
        """In training, where the strategy's own numbers get gradients, and as it is served."""
        built, plain, codes = self.build(features=BAGGED), self.build(), self.codes(8)
        assert torch.equal(built(codes), plain(codes)), "a bag of one value is that value"
        item = torch.tensor([0, 1, 0])
        alone = torch.stack([codes[0] * (1 - item) + item * value for value in _BAGS[60]])
        bag = codes[:1] * (1 - item) + item * 60
        vector, *_, reversed_ = built(torch.cat([bag, codes, bag + item]))
        mean = torch.cat([plain(row.unsqueeze(0)) for row in alone]).mean(0)
        assert torch.allclose(vector, mean, atol=1e-6), (
            "a bag is the mean of its values, and other features stay as they are"
        )
        assert torch.allclose(reversed_, mean, atol=1e-6), "the order in a bag does not matter"
        weight = torch.linspace(-1, 1, len(vector))
        (vector * weight).sum().backward()
        (mean * weight).sum().backward()
        for (name, own), other in zip(built.named_parameters(), plain.parameters(), strict=True):
            given, wanted = (
                torch.zeros_like(own) if p.grad is None else p.grad.to_dense() for p in (own, other)
            )
            assert torch.allclose(given, wanted, atol=1e-5), (
                f"parameter {name}: every value of a bag has its share of the gradient"
            )

    def test_what_is_served_can_be_built_again(self) -> None:
        trained = self.build(seed=5).eval()
        trained.end_epoch(0)
        trained.end_training()
        features = tuple(trained.to_serve(index) for index in range(len(FEATURES)))
        again = self.build(seed=6, features=features, budget=self.budget)
        again.drop_training_only()
        again.load_state_dict(copy.deepcopy(trained.state_dict()))
        values = [
            [*feature.values[:40], "a value that no data set has", "", "日本"][-43:]
            for feature in FEATURES
        ]
        rows = [(column * 43)[:43] for column in values]
        assert torch.equal(again.eval().from_values(rows), trained.from_values(rows)), (
            "a strategy built from the features of `to_serve`, with the state of the trained one, gives the same vectors"
        )

    def test_seeds_follow_names(self) -> None:
        built = self.build()
        reordered = self.build(features=FEATURES[::-1], lookups=(1, 1, 2))
        for index, feature in enumerate(FEATURES):
            mine, theirs = (
                built.locate(index, feature.values),
                reordered.locate(len(FEATURES) - 1 - index, feature.values),
            )
            for one, other in zip(mine.t().tolist(), theirs.t().tolist(), strict=True):
                same = [one.index(slot) for slot in one] == [other.index(slot) for slot in other]
                assert same, (
                    f"which values of {feature.name} collide must not depend on the order of the features"
                )

    def test_unseen_value_is_legal(self) -> None:
        built = self.build()
        for index in range(len(FEATURES)):
            slots = built.locate(index, ["a value that no data set has", "", "日本", "x" * 5_000])
            assert slots.shape[0] == 4, "locate takes any text"
        assert torch.isfinite(
            built(torch.tensor([[feature.cardinality - 1 for feature in FEATURES]]))
        ).all()

    def test_locate_agrees_across_processes(self) -> None:
        if not isinstance(self.strategy, str):
            return  # the class may live where another process cannot import it
        asked = {
            "strategy": self.strategy,
            "regions": self.regions,
            "options": self.options,
            "budget": self.budget,
        }
        built = self.build()
        here = [built.locate(i, f.values).tolist() for i, f in enumerate(FEATURES)]
        assert _ask_elsewhere(self.plugin, asked) == here, "slots differ between processes"


_ELSEWHERE = """
import json, sys
from pathlib import Path
from ue_bench.strategies import load_plugin
from ue_bench.testing import StrategyContract
if sys.argv[1]:
    load_plugin(Path(sys.argv[1]))
for line in sys.stdin:
    built = type("Elsewhere", (StrategyContract,), json.loads(line))().build()
    print(json.dumps([built.locate(i, f.values).tolist() for i, f in enumerate(built.spec.features)]), flush=True)
"""


@functools.cache
def _elsewhere(plugin: Path | None) -> subprocess.Popen[str]:
    """Another Python, for as long as this one lives: it answers a line for each strategy, and loads torch only once."""
    command = [sys.executable, "-c", _ELSEWHERE, str(plugin or "")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # nosec B603 # a list, no shell
    atexit.register(process.communicate)  # closes its input, and it ends
    return process


def _ask_elsewhere(plugin: Path | None, asked: dict[str, Any]) -> Any:
    process = _elsewhere(plugin)
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(asked) + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, "another process could not build it (see above)"
    return json.loads(answer)


def check(name: str, regions: str, plugin: Path | None = None) -> Iterator[tuple[str, str | None]]:
    """Run the contract's tests on a strategy of the list: each test's name, and what is wrong (None: nothing)."""
    contract = type(
        "Checked", (StrategyContract,), {"strategy": name, "regions": regions, "plugin": plugin}
    )()
    for test in [
        attribute for attribute in vars(StrategyContract) if attribute.startswith("test_")
    ]:
        try:
            getattr(contract, test)()
        except AssertionError as error:
            yield test, str(error).splitlines()[0] if str(error) else "the assertion does not hold"
        except (
            Exception
        ) as error:  # whatever a stranger's code raises is what this is there to tell
            yield (
                test,
                f"raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
            )
        else:
            yield test, None
