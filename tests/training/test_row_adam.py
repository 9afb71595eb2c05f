"""Adam over the rows of a batch moves them as torch's does; the table's size chooses the path."""

from dataclasses import replace

import pytest
import torch

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.many_rows import MANY
from ue_bench.strategies.pool import Pool
from ue_bench.strategies.registry import static_strategies
from ue_bench.strategies.spec import Spec
from ue_bench.testing import StrategyContract
from ue_bench.training.assembly import DENSE_UP_TO, sparse_path
from ue_bench.training.row_adam import RowAdam
from ue_bench.training.run_once import run_once

FORMS = [(name, form) for name in static_strategies() for form in STRATEGIES[name].regions]
SHORT = RunConfig(budget=28_032, epochs=1, measure="quality")


def trained(kind, steps, draw, rows=300, dim=4, sparse=True, dtype=torch.float64, **options):
    """A table after some steps on batches that `draw` gives."""
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(rows, dim, dtype=dtype))
    optimizer = kind([table], lr=0.05, **options)
    targets = torch.randn(rows, dim, dtype=dtype)
    caught_up = kind is RowAdam and not options.get("lazy")
    for _ in range(steps):
        slots = draw(rows)
        optimizer.zero_grad()
        if caught_up:
            read = optimizer.read(table, slots)
        else:
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
    theirs = trained(torch.optim.SparseAdam, 300, some, **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert not torch.equal(ours, trained(RowAdam, 299, some, lazy=True, **options))


@pytest.mark.parametrize("draw", [some, few])
@pytest.mark.parametrize(
    ("betas", "steps"),
    [pytest.param((0.9, 0.999), 1300, marks=pytest.mark.slow), ((0.5, 0.9), 60)],
)
def test_caught_up_it_is_adam(draw, betas, steps):
    """This holds beyond the steps after which a momentum is spent, for seldom and repeated rows."""
    options = {"betas": betas, "eps": 1e-12}
    ours = trained(RowAdam, steps, draw, **options)
    adam = trained(torch.optim.Adam, steps, draw, sparse=False, **options)
    torch.testing.assert_close(ours, adam, rtol=1e-6, atol=1e-6)
    lazy = trained(RowAdam, steps, draw, lazy=True, **options)
    assert (ours - lazy).abs().max() > 1e-2


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_so_it_is_with_many_rows_at_once(dim):
    """They are moved by other operations than few are."""

    def many(rows):
        return torch.randint(rows, (2 * MANY, 3))

    options = {"rows": 4 * MANY, "dim": dim, "dtype": torch.float32, "eps": 1e-12}
    ours = trained(RowAdam, 6, many, **options)
    adam = trained(torch.optim.Adam, 6, many, sparse=False, **options)
    torch.testing.assert_close(ours, adam, rtol=1e-5, atol=1e-5)


def test_what_is_read_and_not_trained_on_is_caught_up_once():
    torch.manual_seed(0)
    start = torch.randn(30, 4, dtype=torch.float64)
    ends = []
    for extra in (False, True):
        table = torch.nn.Parameter(start.clone())
        optimizer = RowAdam([table], lr=0.05)
        for step in range(20):
            slots = torch.tensor([step % 7, 3, 3, 11])
            if extra:  # several reads before a step, of rows with and without a gradient
                optimizer.read(table, torch.arange(5, 20))
                optimizer.read(table, slots[:2])
            read = optimizer.read(table, slots)
            if extra:
                optimizer.read(table, torch.tensor([[2, 2]]))
            optimizer.zero_grad()
            (read - step).square().sum().backward()
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


def test_a_dense_gradient_is_an_error():
    with pytest.raises(TypeError, match="dense gradient"):
        trained(RowAdam, 1, some, sparse=False, lazy=True)


def pools_of(strategy):
    return [module for module in strategy.modules() if isinstance(module, Pool)]


def gradients_of(strategy, codes):
    """Gradients of a weighted sum of the vectors, and which pools have sparse ones."""
    vectors = strategy(codes)
    weights = torch.linspace(-1, 1, vectors.numel()).view_as(vectors)
    (vectors * weights).sum().backward()
    sparse = [pool.weight.grad.is_sparse for pool in pools_of(strategy)]
    return [weight.grad.to_dense() for weight in strategy.parameters()], sparse


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_gradients_of_the_rows_are_those_of_the_table(name, form):
    """Every pool of every strategy has them, and no strategy reads a sparse pool in another way."""
    contract = type("Checked", (StrategyContract,), {"strategy": name, "regions": form})()
    codes = contract.codes()
    dense, sparse = gradients_of(contract.build(), codes)
    assert not any(sparse)
    sizes = [pool.weight.numel() for pool in pools_of(contract.build())]
    for sparse_above in sorted({0, *sizes}):  # sparse pools beside dense ones too
        built = contract.build(sparse=True, sparse_above=sparse_above)
        gradients, sparse = gradients_of(built, codes)
        assert sparse == [size > sparse_above for size in sizes]
        torch.testing.assert_close(gradients, dense, rtol=1e-4, atol=1e-5)


def test_the_path_follows_the_size_of_a_pool():
    def path(numbers, **changes):
        sparse, above = sparse_path(replace(SHORT, **changes))
        spec = Spec(name="any", features=(), lookups=(), dim=1, sparse=sparse, sparse_above=above)
        return Pool(numbers, spec, 1).sparse

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
    auto = run_once(SHORT)
    dense = run_once(replace(SHORT, optimizer_path="dense"))
    sparse = run_once(replace(SHORT, optimizer_path="sparse"))
    lazy = run_once(replace(SHORT, optimizer="sparse_adam"))
    paths = [record.found["optimizer_path"] for record in (auto, dense, sparse, lazy)]
    assert paths == ["dense", "dense", "sparse", "sparse"]
    assert auto.quality == dense.quality
    assert auto.run_id != dense.run_id
    mse = dense.quality["val_mse"]
    assert sparse.quality["val_mse"] == pytest.approx(mse, abs=1e-3)
    assert lazy.quality != sparse.quality


def test_an_optimizer_without_the_path_is_an_error():
    with pytest.raises(BenchError, match="choose adam"):
        RunConfig(optimizer="sparse_adam", optimizer_path="dense")
    with pytest.raises(BenchError, match="weight decay"):
        run_once(replace(SHORT, optimizer_path="sparse", weight_decay=0.1))
