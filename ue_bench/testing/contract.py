"""The contract of a strategy as a class of tests: subclass it, name your strategy, run pytest.

    from ue_bench.testing import StrategyContract

    class TestMine(StrategyContract):
        strategy = MyStrategy

A test fails with the sentence of the contract that is broken.
"""

import copy
import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from ue_bench.errors import BenchError, BudgetError
from ue_bench.features import Bags, Feature
from ue_bench.hashing import lookup_seed
from ue_bench.strategies import STRATEGIES, EmbeddingStrategy, Spec, build, check_budget
from ue_bench.strategies.budget import well_used
from ue_bench.strategies.located_rows import LocatedRows
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.pool import make_room
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.testing import elsewhere
from ue_bench.testing.held_values import forms_of_values, holders, recognised, sizes

FEATURES = (  # values, how many of them are seen, how often
    Feature("user", tuple(f"u{i}" for i in range(120)), 100, tuple(range(100, 0, -1))),
    Feature("item", tuple(f"i{i}é" for i in range(60)), 50, (3,) * 50),
    Feature("flag", ("no", "yes", ""), 3, (60, 30, 10)),
)

# Bags of items: each item alone, so that a bag's number is its item's code, then some together.
_ALONE = [[item] for item in range(60)]
_TOGETHER = [3, 58, 17]
_BAGS = [*_ALONE, _TOGETHER, [17, 3, 58], [0, 1, 2, 55]]
BAGGED = (FEATURES[0], replace(FEATURES[1], bags=Bags.of(_BAGS)), FEATURES[2])


def training_rows(features: Sequence[Feature]) -> TrainingRows:
    """Training rows of features, drawn by name, so that their order changes no row."""
    columns = []
    for feature in features:
        generator = torch.Generator().manual_seed(lookup_seed(feature.name, 0, 1))
        known = feature.n_seen if feature.bags is None else min(feature.n_seen, len(feature.bags))
        columns.append(torch.randint(max(known, 1), (400,), generator=generator))
    return TrainingRows.of(features, torch.stack(columns, dim=1))


MORE_VALUES = 300
_NUMBERS = itertools.count()  # of values that no strategy in this process has met
_COUNTED = "what knows values is a vocabulary, whose bytes count (self.vocabularies)"


def _with_more_values(feature: Feature) -> Feature:
    """Return a feature with `MORE_VALUES` new values, which training has seen."""
    new = tuple(f"{feature.name} number {next(_NUMBERS)}" for _ in range(MORE_VALUES))
    seen, unseen = feature.values[: feature.n_seen], feature.values[feature.n_seen :]
    return replace(
        feature,
        values=(*seen, *new, *unseen),
        n_seen=feature.n_seen + MORE_VALUES,
        counts=(*feature.counts, *(2,) * MORE_VALUES),
    )


FEW_BITS = (
    NumberFormat(name="int8"),
    NumberFormat(name="int4", step="region"),
    NumberFormat(name="int3", step="row", rule="mean"),
    NumberFormat(name="int1"),
)


class StrategyContract:
    """The tests of one strategy in one form.

    strategy: a name in the registry, or a class. regions: one of those the strategy allows.
    options: its own knobs. plugin: the file that a name comes from, for the tests that start
    another process.
    """

    strategy: ClassVar[str | type[EmbeddingStrategy]]
    regions: ClassVar[str | None] = None
    options: ClassVar[dict[str, Any]] = {}
    plugin: ClassVar[Path | None] = None
    budget: int = 4_000  # bytes; the exact table of the features has 183 rows of 8 numbers: 5,856

    def spec(self, **changes: Any) -> Spec:
        """What the tests build from."""
        if isinstance(self.strategy, str):
            name = self.strategy
            default = STRATEGIES[name].regions[0]
        else:
            name = self.strategy.__name__
            default = "multiplexed"
        budget = self.budget if self._has_budget() else None
        spec = Spec(
            name=name,
            features=FEATURES,
            lookups=(2, 1, 1),
            dim=8,
            budget=budget,
            regions=self.regions or default,
            region_rule="proportional",
            options=self.options,
        )
        if isinstance(self.strategy, str) and STRATEGIES[self.strategy].stream_only:
            spec = replace(spec, grows=True)
        spec = replace(spec, **changes)
        return replace(spec, rows=training_rows(spec.features))

    def build(self, seed: int = 0, **changes: Any) -> EmbeddingStrategy:
        """Build the strategy, with initial values that follow from `seed`.

        If its whole table is smaller than `budget`, the budget becomes three quarters of that table
        from here on, so that the strategy has to save bytes.
        """
        try:
            return self._build(self.spec(**changes), seed)
        except BudgetError as error:
            if "budget" in changes or error.works > self.budget:
                raise
            self.budget = error.works * 3 // 4
            return self._build(self.spec(**changes), seed)

    def _build(self, spec: Spec, seed: int) -> EmbeddingStrategy:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if isinstance(self.strategy, str):
                return build(spec)
            built = self.strategy(spec)
            check_budget(built)
            return built

    def _has_budget(self) -> bool:
        return not isinstance(self.strategy, str) or STRATEGIES[self.strategy].has_budget

    def codes(self, rows: int = 64) -> Tensor:
        """Rows of codes, unseen values among them: int64 [rows, F]."""
        generator = torch.Generator().manual_seed(1)
        columns = []
        for feature in FEATURES:
            columns.append(torch.randint(feature.cardinality, (rows,), generator=generator))
        return torch.stack(columns, dim=1)

    def test_shape(self) -> None:
        built = self.build()
        codes = self.codes()
        out = built(codes)
        width = sum(built.widths)
        assert out.shape == (len(codes), width), "forward gives [B, W] with W the sum of widths"
        assert len(built.widths) == len(FEATURES), "widths has one entry a feature"
        assert out.dtype == torch.float32, "vectors are float32"
        assert built(codes[:0]).shape == (0, width), "an empty batch is legal"

    def test_finite(self) -> None:
        assert torch.isfinite(self.build()(self.codes())).all(), "initial vectors are finite"

    def test_forward_is_locate_then_embed(self) -> None:
        built = self.build()
        codes = self.codes()
        located = []
        for index, feature in enumerate(FEATURES):
            values = [feature.values[code] for code in codes[:, index].tolist()]
            located.append(built.locate(index, values))
        assert all(slots.dtype == torch.int64 for slots in located), "slots are int64"
        vectors = built.embed(torch.cat(located, dim=1))
        assert torch.equal(vectors, built(codes)), "codes and raw values give the same vectors"

    def test_rows_independent(self) -> None:
        built = self.build().eval()
        codes = self.codes()
        assert torch.allclose(built(codes), _one_by_one(built, codes), atol=1e-6), (
            "a row's vectors do not depend on the other rows of its batch"
        )

    def test_same_seed_same_module(self) -> None:
        codes = self.codes()
        vectors = self.build(seed=3)(codes)
        again = self.build(seed=3)(codes)
        other = self.build(seed=4)(codes)
        assert torch.equal(vectors, again), "the same seeds give the same module"
        assert not torch.equal(vectors, other), "another init seed gives another module"

    def test_every_parameter_gets_gradient(self) -> None:
        built = self.build()
        codes = torch.cartesian_prod(*(torch.arange(feature.cardinality) for feature in FEATURES))
        out = built(codes)
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
        (out * weights).sum().backward()
        for name, parameter in built.named_parameters():
            if name in built.sleeping:
                continue
            assert parameter.grad is not None, f"parameter {name} gets no gradient"
            assert parameter.grad.abs().sum() > 0, f"the gradient of parameter {name} is zero"

    def test_twenty_steps_of_training_change_numbers_alone(self) -> None:
        built = self.build()
        before = {name: tensor.shape for name, tensor in built.state_dict().items()}
        bytes_before = built.footprint()
        optimizer = self._train(built)
        after = {name: tensor.shape for name, tensor in built.state_dict().items()}
        assert after == before, "training makes no parameter or buffer that was not there before"
        assert built.footprint() == bytes_before, "training changes no bytes"
        assert len(list(built.parameters())) == len(optimizer.param_groups[0]["params"]), (
            "every parameter is there before the optimizer is made"
        )

    def _train(self, built: EmbeddingStrategy) -> torch.optim.Optimizer:
        """Train for two epochs of ten steps, which end as the trainer ends them.

        Returns the optimizer. The strategy is in evaluation mode then, before `finish_training`.
        """
        optimizer = torch.optim.Adam(built.parameters(), lr=1e-2)
        built.train()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            for epoch in range(2):
                for step in range(10):
                    codes = self.codes()[torch.randperm(64)[:16]]
                    optimizer.zero_grad()
                    out = built(codes)
                    assert torch.isfinite(out).all(), (
                        f"vectors are finite after {10 * epoch + step} steps"
                    )
                    (out - 0.1).square().mean().backward()
                    optimizer.step()
                if built.finish_epoch(epoch):
                    optimizer = torch.optim.Adam(built.parameters(), lr=1e-2)
        built.eval()
        return optimizer

    def test_no_vocabulary_is_hidden(self) -> None:
        built = self._located(FEATURES)
        forms = forms_of_values(built.spec)
        for holder in holders(built):
            n_values = recognised(holder, forms)
            assert n_values < len(FEATURES[1].values) // 2, (
                f"{holder.name} holds {n_values} values of features; {_COUNTED}"
            )
        before = sizes(built)  # before more values are met, which a global may keep
        more = tuple(_with_more_values(feature) for feature in FEATURES)
        for name, size in sizes(self._located(more)).items():
            grown = size - before.get(name, 0)
            assert grown < MORE_VALUES // 2, (
                f"{name} has {grown} entries more where each feature has {MORE_VALUES} values "
                f"more; {_COUNTED}"
            )

    def _located(self, features: tuple[Feature, ...]) -> EmbeddingStrategy:
        """Build the strategy, and locate every value of its features, also by codes."""
        try:
            built = self.build(features=features)
        except BudgetError as error:  # more values may need more than the budget
            built = self.build(features=features, budget=error.works)
        built(self.codes())
        for index, feature in enumerate(features):
            built.locate(index, list(feature.values))
        return built

    def test_budget_kept_and_used(self) -> None:
        built = self.build()
        if not self._has_budget():
            return
        footprint = built.footprint()
        used = footprint.table + footprint.auxiliary
        assert well_used(used, self.budget), f"{used} bytes are used of a budget of {self.budget}"

    def test_a_budget_that_is_not_kept_is_refused(self) -> None:
        if self._has_budget():
            return
        message = ""
        try:
            self.build(budget=self.budget)
        except BenchError as error:
            message = str(error)
        assert "leave the budget out" in message, "a strategy without budget takes none"

    def test_too_small_a_budget_says_what_works(self) -> None:
        if not self._has_budget():
            return
        message = ""
        try:
            self.build(budget=3)
        except BenchError as error:
            message = str(error)
        assert any(character.isdigit() for character in message), (
            "3 bytes raise BenchError, which states the least that works"
        )

    def test_footprint_counts_everything(self) -> None:
        built = self.build()
        footprint = built.footprint()
        held = sum(tensor.nbytes for tensor in built.state_dict().values())
        if not any(getattr(part, "training_only", ()) for part in built.modules()):
            assert footprint.table + footprint.auxiliary == held, (
                "table and auxiliary are all parameters and persistent buffers"
            )
        assert (footprint.vocabulary > 0) == bool(built.vocabularies), (
            "a vocabulary that is held is counted"
        )
        assert (footprint.vocabulary_floor > 0) == bool(built.vocabularies), (
            "a vocabulary that is held is counted without its keys too"
        )
        assert footprint.total_floor <= footprint.total, "a vocabulary without keys is no larger"
        if isinstance(self.strategy, str):
            assert bool(built.vocabularies) == STRATEGIES[self.strategy].needs_vocabulary, (
                "the entry says whether a vocabulary is held"
            )

    def test_numbers_may_have_few_bits(self) -> None:
        """Whatever learns its numbers in a `Pool` has them in few bits for nothing."""
        codes = self.codes()
        for asked in FEW_BITS:
            built = self._in_few_bits(asked)
            if built is None:
                continue
            title = f"in {asked.name}, a step for each {asked.step}"
            before = built.footprint()
            used = before.table + before.auxiliary
            if built.spec.budget is not None:
                assert well_used(used, built.spec.budget), (
                    f"{title}: {used} bytes are used of a budget of {built.spec.budget}"
                )
            out = built(codes)
            (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
            for name, parameter in built.named_parameters():
                assert parameter.grad is not None, f"{title}: parameter {name} gets no gradient"
            vectors = built.eval()(codes).detach()
            built.finish_training()
            after = built.footprint()
            assert (after.table, after.auxiliary) == (before.table, before.auxiliary), (
                f"{title}: the bytes served are known before training"
            )
            assert built.training_bytes() == used, f"{title}: no floats are held beside the codes"
            assert torch.allclose(built(codes), vectors, atol=1e-6), (
                f"{title}: what is served is what evaluation saw in training"
            )

    def _in_few_bits(self, numbers: NumberFormat) -> EmbeddingStrategy | None:
        """Build the strategy in few bits; None where its entry says that it has no such form."""
        if isinstance(self.strategy, str):
            entry = STRATEGIES[self.strategy]
            if entry.float_only or entry.numbers:
                return None
        spec = self.spec(numbers=numbers)
        try:
            return self._build(spec, seed=0)
        except BudgetError as error:
            return self._build(replace(spec, budget=error.works), seed=0)

    def test_slots_from_codes_are_counted(self) -> None:
        built = self.build()
        before = built.footprint()
        built(self.codes())
        n_slots = 0
        for index, feature in enumerate(FEATURES):
            n_slots += built.locate(index, feature.values).numel()
        assert built.slot_cache_bytes() >= 4 * n_slots, "the slots that codes read are counted"
        assert built.footprint() == before, "and they are not served"

    def test_what_is_served_is_what_was_counted(self) -> None:
        built = self.build().eval()
        codes = self.codes()
        before = built.footprint()
        built.finish_training()
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
        assert torch.allclose(out, _one_by_one(built, codes), atol=1e-6)

    def test_an_epoch_may_end(self) -> None:
        built = self.build()
        built.finish_epoch(0)
        assert torch.isfinite(built(self.codes())).all(), "vectors stay finite between epochs"

    def test_state_dict_round_trip(self) -> None:
        """After training, whose best state the trainer loads, and of a model that continues."""
        codes = self.codes()
        trained = self.build(seed=5)
        self._train(trained)
        restored = self.build(seed=6).eval()
        restored.load_state_dict(copy.deepcopy(trained.state_dict()))
        vectors = trained(codes)
        copied = copy.deepcopy(trained)(codes)
        assert torch.equal(vectors, restored(codes)), (
            "a state_dict carries everything that was learned: a strategy that is built anew and "
            "loads that of the trained one gives the same vectors"
        )
        assert torch.equal(copied, vectors), "a copy is the same module"

    def test_a_bag_is_the_mean_of_its_values(self) -> None:
        """In training, where the strategy's own numbers get gradients, and as it is served."""
        built = self.build(features=BAGGED)
        plain = self.build()
        codes = self.codes(8)
        assert torch.equal(built(codes), plain(codes)), "a bag of one value is that value"
        bag = codes[:1].clone()
        bag[0, 1] = len(_ALONE)
        reordered = bag.clone()
        reordered[0, 1] += 1
        alone = codes[:1].repeat(len(_TOGETHER), 1)
        alone[:, 1] = torch.tensor(_TOGETHER)
        vectors = built(torch.cat([bag, codes, reordered]))
        mean = _one_by_one(plain, alone).mean(0)
        assert torch.allclose(vectors[0], mean, atol=1e-6), (
            "a bag is the mean of its values, and other features stay as they are"
        )
        assert torch.allclose(vectors[-1], mean, atol=1e-6), "the order in a bag does not matter"
        weight = torch.linspace(-1, 1, len(mean))
        (vectors[0] * weight).sum().backward()
        (mean * weight).sum().backward()
        pairs = zip(built.named_parameters(), plain.parameters(), strict=True)
        for (name, parameter), of_mean in pairs:
            assert torch.allclose(_gradient(parameter), _gradient(of_mean), atol=1e-5), (
                f"parameter {name}: every value of a bag has its share of the gradient"
            )

    def test_rows_are_located_once(self) -> None:
        built = self.build()
        columns = [list(feature.values[:40]) * 2 for feature in FEATURES[:2]]
        columns.append(([*FEATURES[2].values] * 27)[:80])
        rows = built.rows(columns)
        assert torch.equal(built.from_rows(rows), built.from_values(columns)), (
            "located rows have the vectors of their values"
        )
        chosen = built.from_rows(rows[[5, 0, 79]])
        assert torch.allclose(chosen, built.from_values(columns)[[5, 0, 79]], atol=1e-6), (
            "any of the rows can be looked up"
        )
        state = copy.deepcopy(built.state_dict())
        built.finish_epoch(0)
        self._check_rows(built, rows, columns)
        rows = built.rows(columns)
        built.load_state_dict(state)
        self._check_rows(built, rows, columns)

    def _check_rows(
        self, built: EmbeddingStrategy, rows: LocatedRows, columns: list[list[str]]
    ) -> None:
        try:
            vectors = built.from_rows(rows)
        except BenchError:
            return  # they are refused, because the index map has changed
        assert torch.equal(vectors, built.from_values(columns)), (
            "an index map that changes calls `locate_all`, and declares `map_in_state` if a state "
            "decides it"
        )

    def test_what_is_served_can_be_built_again(self) -> None:
        trained = self.build(seed=5)
        self._train(trained)
        trained.finish_training()
        features = tuple(trained.to_serve(index) for index in range(len(FEATURES)))
        again = self.build(seed=6, features=features, budget=trained.spec.budget, unfilled=True)
        again.drop_training_only()
        make_room(again)
        again.load_state_dict(copy.deepcopy(trained.state_dict()))
        rows = 43
        columns = []
        for feature in FEATURES:
            values = [*feature.values[:40], "a value that no data set has", "", "日本"][-rows:]
            columns.append((values * rows)[:rows])
        assert torch.equal(again.eval().from_values(columns), trained.from_values(columns)), (
            "a strategy built from the features of `to_serve`, with the state of the trained one, "
            "gives the same vectors"
        )

    def test_seeds_follow_names(self) -> None:
        built = self.build()
        reordered = self.build(features=FEATURES[::-1], lookups=(1, 1, 2))
        for index, feature in enumerate(FEATURES):
            slots = built.locate(index, feature.values).t()
            others = reordered.locate(len(FEATURES) - 1 - index, feature.values).t()
            for lookup, other in zip(slots.tolist(), others.tolist(), strict=True):
                assert _first_places(lookup) == _first_places(other), (
                    f"which values of {feature.name} collide must not depend on the order of the "
                    "features"
                )

    def test_what_serves_unseen_values_is_trained(self) -> None:
        built = self.build(value_dropout=1e12)  # every value is read as an unseen one
        if not built.vocabularies:
            return
        unseen = ["a value that no data set has", "", "日本", *map(str, range(1_000, 1_030))]
        before = built.from_values([unseen] * len(FEATURES)).detach()
        counts = [feature.n_seen for feature in FEATURES]
        codes = torch.cartesian_prod(*map(torch.arange, counts))
        located = []
        for index, feature in enumerate(FEATURES):
            slots = built.locate_as_unseen(index, feature.values)
            located.append(slots.index_select(0, codes[:, index]))
        assert torch.equal(built.slots(codes), torch.cat(located, dim=1)), (
            "value dropout reads a training value as an unseen one"
        )
        out = built(codes)
        weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(0))
        (out * weights).sum().backward()
        with torch.no_grad():
            for parameter in built.parameters():
                parameter.sub_(_gradient(parameter))
            after = built.from_values([unseen] * len(FEATURES))
        moved = (after - before).abs().amax(0).split(list(built.widths))
        for feature, change in zip(FEATURES, moved, strict=True):
            assert change.max() > 0, (
                f"training values of {feature.name} train what serves its unseen values"
            )

    def test_rare_values_are_unseen(self) -> None:
        whole = self.build()
        if not whole.vocabularies:
            return
        features = tuple(replace(feature, min_count=50) for feature in FEATURES)
        built = self.build(features=features)
        rare = {0: FEATURES[0].values[51:], 1: FEATURES[1].values, 2: ("",)}
        for index, values in rare.items():
            slots = built.locate(index, values)
            assert torch.equal(slots, built.locate_as_unseen(index, values)), (
                "a value that training has seen less than `min_count` times is unseen"
            )
        assert built.footprint().vocabulary <= whole.footprint().vocabulary, (
            "a vocabulary does not hold rare values"
        )
        built.finish_epoch(0)
        assert torch.isfinite(built(self.codes())).all()

    def test_unseen_value_is_legal(self) -> None:
        built = self.build()
        values = ["a value that no data set has", "", "日本", "x" * 5_000]
        for index in range(len(FEATURES)):
            slots = built.locate(index, values)
            assert slots.shape[0] == len(values), "locate takes any text"
        unseen = torch.tensor([[feature.cardinality - 1 for feature in FEATURES]])
        assert torch.isfinite(built(unseen)).all()

    def test_locate_agrees_across_processes(self) -> None:
        if not isinstance(self.strategy, str):
            return  # the class may live where another process cannot import it
        attributes = {
            "strategy": self.strategy,
            "regions": self.regions,
            "options": self.options,
            "budget": self.budget,
        }
        slots = _slots(self.build())
        others = _slots_elsewhere(self.plugin, attributes)
        assert others == slots, "slots differ between processes"


def _one_by_one(built: EmbeddingStrategy, codes: Tensor) -> Tensor:
    """The vectors of rows, each in a batch of its own."""
    return torch.cat([built(row.unsqueeze(0)) for row in codes])


def _gradient(parameter: Tensor) -> Tensor:
    """The dense gradient of a parameter, zeros if it has none."""
    if parameter.grad is None:
        return torch.zeros_like(parameter)
    return parameter.grad.to_dense()


def _first_places(slots: list[int]) -> list[int]:
    """Where each slot occurs first. Equal lists collide in the same places."""
    return [slots.index(slot) for slot in slots]


def _slots(built: EmbeddingStrategy) -> list[list[list[int]]]:
    """The slots of all values of each feature."""
    slots = []
    for index, feature in enumerate(FEATURES):
        slots.append(built.locate(index, feature.values).tolist())
    return slots


def _slots_elsewhere(plugin: Path | None, attributes: dict[str, Any]) -> Any:
    """The slots of a contract's strategy in another process. attributes: of the contract."""
    file = None if plugin is None else str(plugin)
    try:
        answer = elsewhere.ask(json.dumps({**attributes, "plugin": file}))
    except TimeoutError:
        raise AssertionError(
            f"locate takes more than {elsewhere.MOST_SECONDS:g} s in another process"
        ) from None
    assert answer, "another process could not build it (see above)"
    return json.loads(answer)
