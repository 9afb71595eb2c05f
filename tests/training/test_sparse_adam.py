"""Adam over the rows of a batch moves them as torch's own does, and the path is chosen by the table's size."""

from dataclasses import replace

import pytest
import torch

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.base import Pool, Spec
from ue_bench.testing import StrategyContract
from ue_bench.training.row_adam import RowAdam
from ue_bench.training.run_once import DENSE_UP_TO, run_once, sparse_path

SHORT = RunConfig(budget=28_032, epochs=1, measure="quality")


def trained(kind, steps, draw, rows=300, sparse=True, dtype=torch.float64, **options):
    """A table after some steps on batches that `draw` gives."""
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(rows, 4, dtype=dtype))
    optimizer = kind([table], lr=0.05, **options)
    targets = torch.randn(rows, 4, dtype=dtype)
    caught_up = kind is RowAdam and not options.get("lazy")
    for _ in range(steps):
        slots = draw(rows)
        if caught_up:
            optimizer.catch_up(table, slots)
        optimizer.zero_grad()
        read = torch.nn.functional.embedding(slots, table, sparse=sparse)
        (read - targets[slots]).square().sum().backward()
        optimizer.step()
    if caught_up:
        optimizer.settle()
    return table.detach()


def some(rows):
    """Repeated rows are likely, and a part of them is in no batch."""
    return torch.randint(rows // 2, (8, 5))


def few(rows):
    """A row is in a batch after hundreds of steps without it."""
    return (torch.rand(3) ** 6 * rows).long()


@pytest.mark.parametrize(
    "options", [{}, {"dtype": torch.float32}, {"betas": (0.5, 0.9), "eps": 1e-3}]
)
def test_left_alone_it_is_torchs_sparse_adam(options):
    ours = trained(RowAdam, 300, some, lazy=True, **options)
    torch.testing.assert_close(
        ours, trained(torch.optim.SparseAdam, 300, some, **options), rtol=1e-6, atol=1e-6
    )
    assert not torch.equal(ours, trained(RowAdam, 299, some, lazy=True, **options))


@pytest.mark.parametrize("draw", [some, few])
@pytest.mark.parametrize(("betas", "steps"), [((0.9, 0.999), 1300), ((0.5, 0.9), 60)])
def test_caught_up_it_is_adam(draw, betas, steps):
    """Also beyond the steps after which a momentum is spent, with rows that are seldom read, and with repeated ones."""
    ours, theirs = (
        trained(kind, steps, draw, betas=betas, sparse=kind is RowAdam, eps=1e-12)
        for kind in (RowAdam, torch.optim.Adam)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert (
        ours - trained(RowAdam, steps, draw, betas=betas, lazy=True, eps=1e-12)
    ).abs().max() > 1e-2


def test_what_is_read_and_not_trained_on_is_caught_up_with_once():
    torch.manual_seed(0)
    start, ends = torch.randn(30, 4, dtype=torch.float64), []
    for extra in (False, True):
        table = torch.nn.Parameter(start.clone())
        optimizer = RowAdam([table], lr=0.05)
        for step in range(20):
            slots = torch.tensor([step % 7, 3, 3, 11])
            if extra:  # several reads before a step, of rows with and without a gradient
                optimizer.catch_up(table, torch.arange(5, 20))
                optimizer.catch_up(table, slots[:2])
            optimizer.catch_up(table, slots)
            if extra:
                optimizer.catch_up(table, torch.tensor([[2, 2]]))
            optimizer.zero_grad()
            (
                torch.nn.functional.embedding(slots, table, sparse=True) - step
            ).square().sum().backward()
            optimizer.step()
            if extra and step % 3:
                optimizer.settle()
        optimizer.settle()
        ends.append(table.detach())
    torch.testing.assert_close(*ends, rtol=1e-7, atol=1e-7)


def test_rows_outside_the_batch_stay():
    torch.manual_seed(0)
    start = torch.randn(300, 4, dtype=torch.float64)
    for lazy in (True, False):
        assert torch.equal(trained(RowAdam, 20, some, lazy=lazy)[150:], start[150:])


def test_a_dense_gradient_is_told():
    with pytest.raises(TypeError, match="dense gradient"):
        trained(RowAdam, 1, some, sparse=False, lazy=True)


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, entry in STRATEGIES.items() for form in entry.regions]
)
def test_gradients_of_the_rows_are_those_of_the_table(name, form):
    """Every pool of every strategy, sparse ones beside dense ones too, and no strategy reads a sparse pool in another way."""
    contract = type("Checked", (StrategyContract,), {"strategy": name, "regions": form})()
    codes, gradients = contract.codes(), []
    sizes = sorted({m.weight.numel() for m in contract.build().modules() if isinstance(m, Pool)})
    for changes in [
        {},
        {"sparse": True},
        *({"sparse": True, "sparse_above": size} for size in sizes),
    ]:
        built = contract.build(**changes)
        pools = [module for module in built.modules() if isinstance(module, Pool)]
        out = built(codes)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        above = changes.get("sparse_above", 0) if changes else max([0, *sizes])
        assert [pool.weight.grad.is_sparse for pool in pools] == [
            pool.weight.numel() > above for pool in pools
        ]
        gradients.append(
            [p.grad.to_dense() if p.grad.is_sparse else p.grad for p in built.parameters()]
        )
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-4, atol=1e-5)


def test_the_path_follows_the_size_of_a_pool():
    def path(numbers, **changes):
        sparse, above = sparse_path(replace(SHORT, **changes))
        return Pool(numbers, Spec("any", (), (), 1, sparse=sparse, sparse_above=above), 1).sparse

    assert not path(DENSE_UP_TO)
    assert path(DENSE_UP_TO + 1)
    assert not path(DENSE_UP_TO + 1, optimizer="adamw")
    assert not path(DENSE_UP_TO + 1, weight_decay=0.1)
    assert not path(DENSE_UP_TO + 1, optimizer_path="dense")
    assert path(1, optimizer_path="sparse")
    assert path(1, optimizer="sparse_adam")
    assert path(1, optimizer="adagrad")
    assert not path(DENSE_UP_TO + 1, optimizer="adagrad", optimizer_path="dense")


def test_both_paths_train_alike_and_the_record_says_which_ran():
    """sparse_adam is on the sparse path too, and does what its name says in torch."""
    asked = {path: replace(SHORT, optimizer_path=path) for path in ("auto", "dense", "sparse")}
    found = {path: run_once(config) for path, config in asked.items()}
    lazy = run_once(replace(SHORT, optimizer="sparse_adam"))
    paths = {path: record.found["optimizer_path"] for path, record in found.items()}
    assert paths == {"auto": "dense", "dense": "dense", "sparse": "sparse"}
    assert lazy.found["optimizer_path"] == "sparse"
    assert found["auto"].quality == found["dense"].quality
    assert found["auto"].run_id != found["dense"].run_id
    dense = found["dense"].quality["val_mse"]
    assert found["sparse"].quality["val_mse"] == pytest.approx(dense, abs=1e-3)
    assert lazy.quality != found["sparse"].quality


def test_what_has_no_such_path_is_told():
    with pytest.raises(BenchError, match="choose adam"):
        RunConfig(optimizer="sparse_adam", optimizer_path="dense")
    with pytest.raises(BenchError, match="weight decay"):
        run_once(replace(SHORT, optimizer_path="sparse", weight_decay=0.1))
