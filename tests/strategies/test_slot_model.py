"""From slots on a layer is a module that others trace, compile and export, with equal numbers."""

import errno
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import ue_bench
from ue_bench import SlotModel, UnifiedEmbedding
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.registry import static_strategies
from ue_bench.testing import BAGGED, FEATURES, StrategyContract
from ue_bench.training.saved import save

OLD_TORCH = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6)
FEW_BITS = ["int8", "int4", "int3", "int1"]


def built(strategy, **changes):
    """A layer as it is served, in evaluation mode."""
    contract = StrategyContract()
    contract.strategy = strategy
    contract.regions = STRATEGIES[strategy].regions[0]
    layer = contract.build(**changes)
    layer.finish_training()
    return layer.eval()


def located(layer, n=6):
    return layer.rows([[*feature.values[:2], "never seen"] * n for feature in FEATURES])


def exported(model, rows):
    return torch.export.export(
        model, model.inputs(rows), dynamic_shapes=model.dynamic_shapes(rows)
    ).module()


@torch.no_grad()
def require_equal_program(layer):
    rows = located(layer)
    model = SlotModel(layer).eval()
    program = exported(model, rows)
    # More slots than a batch that pools read in another way.
    for n in (1, len(rows), 3000):
        some = rows[torch.arange(n) % len(rows)]
        torch.testing.assert_close(
            program(*model.inputs(some)), layer.from_rows(some), rtol=0, atol=ATOL[layer.spec.name]
        )


# Numbers are equal to the bit, but where a large batch is multiplied in another order.
ATOL = dict.fromkeys(STRATEGIES, 0.0) | {"tt_rec": 1e-7}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", static_strategies())
def test_the_exported_program_of_every_strategy_equals_its_layer(strategy):
    require_equal_program(built(strategy))


@pytest.mark.parametrize("strategy", ["unified", "hashed_bits", "tt_rec", "magnitude_pruning"])
def test_the_exported_program_equals_the_layer(strategy):
    require_equal_program(built(strategy))


@pytest.mark.parametrize("step", ["pool", "region", "row"])
@pytest.mark.parametrize("name", FEW_BITS)
def test_few_bits_are_read_alike(name, step):
    rule = "mean" if step == "row" else "learned"
    layer = built("per_feature", numbers=NumberFormat(name=name, step=step, rule=rule))
    require_equal_program(layer)


@pytest.mark.skipif(OLD_TORCH, reason="torch 2.5 exports bags for one number of rows alone")
def test_rows_with_bags():
    layer = built("unified", features=BAGGED)
    model = SlotModel(layer).eval()
    rows = layer.rows([["u1", "u2", "?"], [["i1é", "i2é"], ["i4é"], []], ["no", "yes", ""]])
    with torch.no_grad():
        program = exported(model, rows)
        for some in (rows, rows[[2]], rows[[0, 0, 1, 0, 2, 1]]):
            assert torch.equal(program(*model.inputs(some)), layer.from_rows(some))


@pytest.mark.parametrize("bits", [32, 4])
def test_a_compiled_model_trains_alike(bits):
    torch.manual_seed(0)
    layer = ue_bench.embedding("unified", {"a": 50, "b": 20}, budget=4000, dim=8, bits=bits)
    model = SlotModel(layer, nn.Linear(16, 1))
    rows = layer.rows({"a": list(range(40)), "b": list(range(40))})
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    results = []
    for call in (model, compiled):
        model.zero_grad()
        output = call(*model.inputs(rows))
        output.square().sum().backward()
        results.append((output.detach(), layer.pool.weight.grad.clone()))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_the_layer_of_a_model_of_ones_own_is_exported_with_it():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = UnifiedEmbedding(97, 8)
            self.head = nn.Linear(16, 1)

        def forward(self, slots):
            return self.head(self.table.embed(slots))

    model = Own().eval()
    rows = model.table.rows(["a", "b", "c"], (0, 1))
    shapes = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(model, (rows.slots,), dynamic_shapes=shapes).module()
    assert torch.equal(program(rows.slots), model.head(model.table.from_rows(rows)))


def test_the_layer_of_a_run_is_exported():
    config = ue_bench.RunConfig(dataset="planted-small", strategy="unified", budget="4kB", dim=8)
    layer = ue_bench.embedding_of(config)
    names = [feature.name for feature in layer.spec.features]
    rows = layer.rows({name: ["1", "2", "no such value"] for name in names})
    model = SlotModel(layer)
    assert torch.equal(exported(model, rows)(*model.inputs(rows)), layer.from_rows(rows))


def run_onnx(path, inputs):
    session = onnxruntime.InferenceSession(path)
    names = [given.name for given in session.get_inputs()]
    feed = {name: tensor.numpy() for name, tensor in zip(names, inputs, strict=True)}
    return session.run(None, feed)[0]


def require_equal_onnx(model, rows, path):
    ue_bench.write_onnx(model, rows, path)
    for some in (rows, rows[[0]], rows[[1, 0, 2] * 5]):
        inputs = model.inputs(some)
        with torch.no_grad():
            wanted = model(*inputs).numpy()
        np.testing.assert_allclose(run_onnx(path, inputs), wanted, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", static_strategies())
def test_onnx_of_every_strategy(strategy, tmp_path):
    layer = built(strategy)
    require_equal_onnx(SlotModel(layer).eval(), located(layer), tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW_BITS)
def test_onnx_of_few_bits(name, tmp_path):
    layer = built("unified", numbers=NumberFormat(name=name))
    require_equal_onnx(SlotModel(layer).eval(), located(layer), tmp_path / "model.onnx")


@pytest.mark.slow
def test_onnx_of_hashed_bits_and_a_head(tmp_path):
    layer = built("hashed_bits")
    model = SlotModel(layer, nn.Sequential(nn.Linear(sum(layer.widths), 4), nn.ReLU())).eval()
    require_equal_onnx(model, located(layer), tmp_path / "model.onnx")


def test_onnx_of_bags(tmp_path):
    layer = built("unified", features=BAGGED)
    rows = layer.rows([["u1", "u2", "?"], [["i1é", "i2é"], ["i4é"], []], ["no", "yes", ""]])
    model = SlotModel(layer).eval()
    if OLD_TORCH:
        with pytest.raises(BenchError, match="fixes the size of"):
            ue_bench.write_onnx(model, rows, tmp_path / "model.onnx")
        assert not list(tmp_path.iterdir())
        return
    require_equal_onnx(model, rows, tmp_path / "model.onnx")


def test_onnx_of_a_saved_model_predicts(tmp_path):
    config = ue_bench.RunConfig(
        dataset="planted-small", strategy="unified", budget="4kB", dim=8, epochs=1, hidden=8
    )
    kept = []
    ue_bench.run_once(config.with_seed(0), on_trained=lambda model, data: kept.append(model))
    save(tmp_path / "model", kept[0], config.with_seed(0))
    model = ue_bench.load(tmp_path / "model")
    columns = {name: ["1", "2", "no such value"] for name in model.columns}
    served = model.slot_model()
    rows = model.rows(columns)
    ue_bench.write_onnx(served, rows, tmp_path / "model.onnx")
    got = run_onnx(tmp_path / "model.onnx", served.inputs(rows))
    np.testing.assert_allclose(got, model.predict(columns).numpy(), rtol=0, atol=1e-6)


def test_an_onnx_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    layer = ue_bench.embedding("unified", {"a": 9}, budget=640, dim=8)
    model, rows = SlotModel(layer).eval(), layer.rows({"a": ["x"]})
    os.mkfifo(tmp_path / "pipe.onnx")
    for path in (tmp_path, tmp_path / "pipe.onnx", "/dev/full"):
        with pytest.raises(BenchError, match="only a regular file is replaced"):
            ue_bench.write_onnx(model, rows, path)
    (tmp_path / "old.onnx").write_text("precious")
    with pytest.raises(BenchError, match=r"cannot write .*: Not a directory"):
        ue_bench.write_onnx(model, rows, tmp_path / "old.onnx" / "new.onnx")

    def full(model, inputs, path, **_):
        Path(path).write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch.onnx, "export", full)
    with pytest.raises(BenchError, match="No space left on device"):
        ue_bench.write_onnx(model, rows, tmp_path / "old.onnx")
    assert (tmp_path / "old.onnx").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["old.onnx", "pipe.onnx"]


def test_bad_input_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(BenchError, match="Linear was given"):
        SlotModel(nn.Linear(2, 2))
    layer = ue_bench.embedding("unified", {"a": 9}, budget=640, dim=8)
    model = SlotModel(layer)
    rows = layer.rows({"a": ["x"]})
    with pytest.raises(BenchError, match=r"training mode; call model\.eval"):
        ue_bench.write_onnx(model, rows, tmp_path / "a.onnx")
    with pytest.raises(BenchError, match="no rows were given"):
        ue_bench.write_onnx(model.eval(), rows[[]], tmp_path / "a.onnx")
    with pytest.raises(BenchError, match="list was given; give what"):
        model.inputs([1])
    layer.index_map += 1
    with pytest.raises(BenchError, match="changed its index map"):
        model.inputs(rows)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BenchError, match=r"onnx and onnxscript cannot be imported; .*\[onnx\]"):
        ue_bench.write_onnx(model, rows, tmp_path / "a.onnx")
