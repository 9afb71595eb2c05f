"""Adam over the rows of a batch moves them as torch's own does, and the path is chosen by the table's size."""

from dataclasses import replace

import pytest
import torch

from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.run import DENSE_UP_TO, run_once, sparse_path
from ue_bench.sparse_adam import RowAdam
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.base import Pool, Spec
from ue_bench.testing import StrategyContract

SHORT = RunConfig(budget=28_032, epochs=1, measure="quality")


def trained(kind, steps, draw, rows=300, sparse=True, dtype=torch.float64, **options):
    """A table after some steps on batches that `draw` gives."""
    torch.manual_seed(0)
    table = torch.nn.Parameter(torch.randn(rows, 4, dtype=dtype))
    optimizer = kind([table], lr=0.05, **options)
    targets = torch.randn(rows, 4, dtype=dtype)
    for _ in range(steps):
        slots = draw(rows)
        optimizer.zero_grad()
        read = torch.nn.functional.embedding(slots, table, sparse=sparse)
        (read - targets[slots]).square().sum().backward()
        optimizer.step()
    return table.detach()


def some(rows):
    """Repeated rows are likely, and a part of them is in no batch."""
    return torch.randint(rows // 2, (8, 5))


@pytest.mark.parametrize("options", [{}, {"dtype": torch.float32}, {"betas": (0.5, 0.9), "eps": 1e-3}])
def test_it_is_torchs_sparse_adam(options):
    ours, theirs = (trained(kind, 300, some, **options) for kind in (RowAdam, torch.optim.SparseAdam))
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert not torch.equal(ours, trained(RowAdam, 299, some, **options))


def test_it_is_adam_where_every_row_is_in_every_batch():
    ours = trained(RowAdam, 100, torch.randperm, rows=50)
    torch.testing.assert_close(ours, trained(torch.optim.Adam, 100, torch.randperm, rows=50, sparse=False), rtol=1e-5, atol=1e-5)


def test_rows_outside_the_batch_stay():
    torch.manual_seed(0)
    start = torch.randn(300, 4, dtype=torch.float64)
    assert torch.equal(trained(RowAdam, 20, some)[150:], start[150:])


def test_a_dense_gradient_is_told():
    with pytest.raises(TypeError, match="dense gradient"):
        trained(RowAdam, 1, some, sparse=False)


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, entry in STRATEGIES.items() for form in entry.regions])
def test_gradients_of_the_rows_are_those_of_the_table(name, form):
    """Every pool of every strategy, sparse ones beside dense ones too, and no strategy reads a sparse pool in another way."""
    contract = type("Checked", (StrategyContract,), {"strategy": name, "regions": form})()
    codes, gradients = contract.codes(), []
    sizes = sorted({m.weight.numel() for m in contract.build().modules() if isinstance(m, Pool)})
    for changes in [{}, {"sparse": True}, *({"sparse": True, "sparse_above": size} for size in sizes)]:
        built = contract.build(**changes)
        pools = [module for module in built.modules() if isinstance(module, Pool)]
        out = built(codes)
        (out * torch.linspace(-1, 1, out.numel()).view_as(out)).sum().backward()
        above = changes.get("sparse_above", 0) if changes else max([0, *sizes])
        assert [pool.weight.grad.is_sparse for pool in pools] == [pool.weight.numel() > above for pool in pools]
        gradients.append([p.grad.to_dense() if p.grad.is_sparse else p.grad for p in built.parameters()])
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


def test_the_record_says_which_path_ran():
    """Asked for what it would have been, a run is another one with the same result; sparse_adam is adam on the sparse path."""
    found = {path: run_once(replace(SHORT, optimizer_path=path)) for path in ("auto", "dense", "sparse")}
    assert {path: record.found["optimizer_path"] for path, record in found.items()} == {
        "auto": "dense", "dense": "dense", "sparse": "sparse",
    }  # fmt: skip
    assert found["auto"].quality == found["dense"].quality != found["sparse"].quality
    assert run_once(replace(SHORT, optimizer="sparse_adam")).quality == found["sparse"].quality
    assert found["auto"].run_id != found["dense"].run_id


def test_what_has_no_such_path_is_told():
    with pytest.raises(BenchError, match="choose adam"):
        RunConfig(optimizer="sparse_adam", optimizer_path="dense")
    with pytest.raises(BenchError, match="weight decay"):
        run_once(replace(SHORT, optimizer_path="sparse", weight_decay=0.1))
