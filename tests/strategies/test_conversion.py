"""`convert` keeps what the modules of a model take, return and mean."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import ue_bench
from ue_bench.errors import BenchError, BudgetError


class SmallDLRM(nn.Module):
    """Bags, plain embeddings, a bottom and a top MLP."""

    def __init__(self, sparse=False):
        super().__init__()
        self.user = nn.Embedding(500, 16, sparse=sparse)
        self.item = nn.Embedding(300, 8, padding_idx=0, sparse=sparse)
        self.tags = nn.EmbeddingBag(200, 16, mode="mean", padding_idx=3, sparse=sparse)
        self.bottom = nn.Linear(4, 16)
        self.top = nn.Linear(16 * 3 + 8, 1)

    def forward(self, dense, user, item, tags):
        parts = [self.bottom(dense), self.user(user), self.item(item), self.tags(tags)]
        return self.top(torch.cat(parts, 1)).squeeze(1)


NAMES = ["user", "item", "tags"]


def batch(n=64):
    generator = torch.Generator().manual_seed(0)

    def ids(size, *shape):
        return torch.randint(size, (n, *shape), generator=generator)

    return torch.randn(n, 4, generator=generator), ids(500), ids(300), ids(200, 5)


@pytest.mark.parametrize("bits", [32, 4])
def test_a_converted_model_trains_and_its_state_loads(bits):
    torch.manual_seed(0)
    model = ue_bench.convert(SmallDLRM(), NAMES, compression=8, bits=bits)
    untrained = copy.deepcopy(model)
    inputs, targets = batch(), torch.randn(64)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        loss = functional.mse_loss(model(*inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0]
    assert not torch.equal(untrained(*inputs), model(*inputs))
    untrained.load_state_dict(model.state_dict())
    assert torch.equal(untrained(*inputs), model(*inputs))
    if bits == 4:
        served = model.eval()(*inputs)
        model.user.table.pack()
        assert torch.equal(model(*inputs), served)


def test_all_share_one_table_in_the_budget():
    model = ue_bench.convert(SmallDLRM(), NAMES, budget="4kB")
    table = model.user.table
    assert model.item.table is table
    assert model.tags.table is table
    assert table.embedding.weight.shape == (4000 // (4 * 8), 8)  # 8 divides all dims
    assert sum(p.numel() for p in model.parameters()) == 125 * 8 + 5 * 16 + 16 * 3 + 8 + 1
    whole = 4 * (500 * 16 + 300 * 8 + 200 * 16)
    model = ue_bench.convert(SmallDLRM(), NAMES, compression=4, dim=4)
    assert model.user.table.embedding.weight.nbytes == whole // 4
    assert model.user.slots.shape == (500, 4)


def test_rows_are_those_of_the_decimal_text():
    model = ue_bench.convert(SmallDLRM(), ["user"], budget=8_000)
    seed = ue_bench.hashing.lookup_seed("user", 0, 0)
    vectors = model.user.table([str(i) for i in range(500)], (seed,))
    assert torch.equal(model.user(torch.arange(500)), vectors)


def test_padding_is_zero_and_trains_nothing():
    model = ue_bench.convert(SmallDLRM(), NAMES, compression=2)
    ids = torch.tensor([[0, 5], [0, 0]])
    vectors = model.item(ids)
    assert vectors.shape == (2, 2, 8)
    assert torch.equal(vectors[ids == 0], torch.zeros(3, 8))
    vectors[ids == 0].sum().backward()
    assert not model.item.table.embedding.weight.grad.any()
    assert torch.equal(model.tags(torch.tensor([[3, 3]])), torch.zeros(1, 16))
    alone = model.tags(torch.tensor([[7]]))
    torch.testing.assert_close(model.tags(torch.tensor([[3, 7, 3]])), alone)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("last", [False, True])
def test_bags_equal_those_of_torch_over_the_same_rows(mode, last):
    bag = nn.EmbeddingBag(50, 8, mode=mode, padding_idx=2, include_last_offset=last)
    model = ue_bench.convert(nn.ModuleDict({"bag": bag}), ["bag"], budget=800)
    made = model["bag"]
    with torch.no_grad():
        bag.weight.copy_(made.vectors_of(torch.arange(50)))
    ids = torch.tensor([4, 4, 2, 9, 2, 11, 0])
    offsets = torch.tensor([0, 2, 2, 5] + [7] * last)
    torch.testing.assert_close(made(ids, offsets), bag(ids, offsets))
    if not last:  # torch 2.5 reads beyond its offsets then
        torch.testing.assert_close(made(ids.view(1, 7)), bag(ids.view(1, 7)))
    torch.testing.assert_close(made(ids.int(), offsets.int()), bag(ids, offsets))
    if mode == "sum":
        weights = torch.rand(7)
        torch.testing.assert_close(made(ids, offsets, weights), bag(ids, offsets, weights))
    else:
        with pytest.raises(NotImplementedError, match="per_sample_weights"):
            made(ids, offsets, torch.rand(7))
    empty = torch.tensor([], dtype=torch.int64)
    none = torch.tensor([0, 0] + [0] * last)
    torch.testing.assert_close(made(empty, none), bag(empty, none))


def test_sparse_gradients_stay_sparse():
    model = ue_bench.convert(SmallDLRM(sparse=True), NAMES, compression=8)
    model(*batch()).sum().backward()
    assert model.user.table.embedding.weight.grad.is_sparse


@pytest.mark.parametrize("ids", [[500], [-1]])
def test_an_id_that_is_not_there_raises(ids):
    model = ue_bench.convert(SmallDLRM(), NAMES, compression=8)
    with pytest.raises(IndexError):
        model.user(torch.tensor(ids))


class Shared(nn.Module):
    """One weight in two modules, one module under two names, and an output layer that is tied."""

    def __init__(self):
        super().__init__()
        self.query = nn.Embedding(40, 8)
        self.key = nn.Embedding(40, 8)
        self.key.weight = self.query.weight
        self.again = self.query
        self.words = nn.Embedding(30, 8)
        self.out = nn.Linear(8, 30, bias=False)
        self.out.weight = self.words.weight


def test_shared_weights_stay_shared():
    model = Shared()
    with pytest.raises(BenchError, match=r"'query' is 'key.weight', too"):
        ue_bench.convert(model, ["query"], compression=2)
    assert type(model.query) is nn.Embedding
    ue_bench.convert(model, ["query", "key"], compression=2)
    ids = torch.arange(40)
    assert model.again is model.query
    assert torch.equal(model.query(ids), model.key(ids))
    assert model.query.table.embedding.weight.nbytes == 40 * 8 * 4 // 2


def test_a_weight_tied_to_an_output_layer_is_refused():
    with pytest.raises(BenchError, match=r"'words' is 'out.weight', too.*untie"):
        ue_bench.convert(Shared(), ["words"], compression=2)


def test_a_converted_model_is_exported():
    model = ue_bench.convert(SmallDLRM(), NAMES, compression=8).eval()
    inputs = batch()
    rows = torch.export.Dim("rows")
    program = torch.export.export(model, inputs, dynamic_shapes=({0: rows},) * 4).module()
    few = tuple(part[:7] for part in inputs)
    assert torch.equal(program(*few), model(*few))


HOOKS = [
    lambda module: module.register_forward_hook(lambda *_: None),
    lambda module: module.register_forward_pre_hook(lambda *_: None),
    lambda module: module.register_full_backward_hook(lambda *_: None),
    lambda module: module.register_full_backward_pre_hook(lambda *_: None),
    lambda module: module.register_state_dict_pre_hook(lambda *_: None),
    lambda module: module.register_state_dict_post_hook(lambda *_: None),
    lambda module: module._register_state_dict_hook(lambda *_: None),
    lambda module: module.register_load_state_dict_pre_hook(lambda *_: None),
    lambda module: module.register_load_state_dict_post_hook(lambda *_: None),
    lambda module: module.weight.register_hook(lambda gradient: gradient),
    lambda module: module.weight.register_post_accumulate_grad_hook(lambda _: None),
]


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
@pytest.mark.parametrize("number", range(len(HOOKS)))
def test_hooks_of_every_kind_are_refused(kind, number):
    model = nn.ModuleDict({"m": kind(9, 4)})
    handle = HOOKS[number](model["m"])
    with pytest.raises(BenchError, match="has hooks, which would be lost"):
        ue_bench.convert(model, ["m"], compression=2)
    assert type(model["m"]) is kind
    if handle is not None:
        handle.remove()
        ue_bench.convert(model, ["m"], compression=2)
        assert type(model["m"]) is not kind


def with_padding_row(module):
    nn.init.ones_(module.weight)
    return module


@pytest.mark.parametrize(
    ("module", "line"),
    [
        (nn.Linear(2, 2), "'m' is one Linear"),
        (type("Own", (nn.Embedding,), {})(9, 4), "'m' is one Own"),
        (nn.Embedding(9, 4, max_norm=1.0), "max_norm=1.0"),
        (nn.EmbeddingBag(9, 4, scale_grad_by_freq=True), "scale_grad_by_freq"),
        (nn.Embedding.from_pretrained(torch.ones(9, 4)), "frozen"),
        (nn.Embedding(9, 4, dtype=torch.float16), "torch.float16"),
        (with_padding_row(nn.Embedding(9, 4, padding_idx=1)), r"padding row \(1\)"),
    ],
)
def test_what_cannot_be_kept_is_refused(module, line):
    model = nn.ModuleDict({"m": module, "n": nn.Embedding(9, 4)})
    with pytest.raises(BenchError, match=line):
        ue_bench.convert(model, ["n", "m"], compression=2)
    assert type(model["n"]) is nn.Embedding


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"names": ["usr"], "compression": 2}, r"unknown module 'usr' \(did you mean 'user'\?\)"),
        ({"names": [], "compression": 2}, "choose from: item, tags, user"),
        ({"names": NAMES}, "give one of them"),
        ({"names": NAMES, "compression": 2, "budget": 9_000}, "give one of them"),
        ({"names": NAMES, "compression": 0.5}, "at least 1"),
        ({"names": NAMES, "budget": -5}, "whole number of bytes"),
        ({"names": NAMES, "budget": "lots"}, "write bytes"),
        ({"names": NAMES, "compression": 2, "dim": 3}, "give a divisor of 8"),
        ({"names": NAMES, "compression": 2, "bits": 5}, "unknown bits '5'"),
    ],
)
def test_bad_input_is_one_line(given, line):
    with pytest.raises(BenchError, match=line):
        ue_bench.convert(SmallDLRM(), **given)


def test_a_budget_without_a_row_names_one_that_works():
    with pytest.raises(BudgetError, match="pays for no row of 8 numbers") as refused:
        ue_bench.convert(SmallDLRM(), NAMES, budget=10)
    ue_bench.convert(SmallDLRM(), NAMES, budget=refused.value.works)


def test_modules_that_differ_are_refused():
    model = SmallDLRM()
    model.item.sparse = True
    with pytest.raises(BenchError, match="sparse is False of 'user' and True of 'item'"):
        ue_bench.convert(model, NAMES, compression=2)
