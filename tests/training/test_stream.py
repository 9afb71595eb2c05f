"""The stream: what is predicted when, what becomes of values, and the record."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import torch
from click.testing import CliRunner

import ue_bench
from ue_bench import RunConfig, data
from ue_bench.cli import main
from ue_bench.config.stream_split import STREAM
from ue_bench.data.click_world import DAYS, LARGEST, ClickWorld, Preset
from ue_bench.data.encoding import encode
from ue_bench.data.splitting import block_ends
from ue_bench.errors import BenchError
from ue_bench.features import Bags, Feature
from ue_bench.record import read, write
from ue_bench.strategies.arrived import Reset
from ue_bench.training import timing
from ue_bench.training.assembly import make_model, make_recipe, make_spec
from ue_bench.training.baselines import DAMPING
from ue_bench.training.loss import Scale
from ue_bench.training.progressive_anchors import progressive_anchors
from ue_bench.training.resolve import resolve
from ue_bench.training.run_once import run_once
from ue_bench.training.stream import _arrived, _take_in, fit_stream
from ue_bench.training.stream_curves import AWAY, KINDS, RecentValues, kinds_of_rows
from ue_bench.training.train import Optimizers, Rows, train_step

ASKED = RunConfig(
    dataset="planted-small",
    split=STREAM,
    blocks=10,
    budget=2_000,
    batch_size=64,
    measure="quality",
)
FEATURES = (
    Feature("user", [f"u{n}" for n in range(30)], 30, [5] * 30),
    Feature("item", [f"i{n}" for n in range(20)], 20, [5] * 20),
)


def rows(n=400, seed=0):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack(
        [
            torch.randint(30, (n,), generator=generator),
            torch.randint(20, (n,), generator=generator),
        ],
        dim=1,
    )
    return Rows(codes.int(), torch.rand(n, generator=generator) + 3)


def fitted(given, ends, **changes):
    config = resolve(replace(ASKED, lookups=1, dim=8, **changes))
    scale = Scale.of(given.ratings[: ends[0]].numpy())
    model = make_model(config, make_spec(config, FEATURES), 3.5, scale)
    _, outputs = fit_stream(model, given, ends, FEATURES, make_recipe(config))
    return model.eval(), outputs


def test_a_block_is_predicted_before_its_targets_are_known():
    given = rows()
    ends = block_ends(len(given), 8)
    _, before = fitted(given, ends)
    changed = replace(given, ratings=given.ratings.clone())
    changed.ratings[ends[5] :] += 7
    _, after = fitted(changed, ends)
    assert before[: ends[0]].isnan().all()
    assert torch.equal(before[ends[0] : ends[6]], after[ends[0] : ends[6]])
    assert not torch.equal(before[ends[6] :], after[ends[6] :]), "what was trained on is known"


def test_each_row_is_trained_on_once():
    given = rows()
    ends = block_ends(len(given), 8)
    config = resolve(replace(ASKED, lookups=1, dim=8))
    model = make_model(config, make_spec(config, FEATURES), 3.5, Scale.of(given.ratings.numpy()))
    fit, _ = fit_stream(model, given, ends, FEATURES, make_recipe(config))
    assert fit.steps == 8 * 1  # 50 rows a block are one batch
    assert len(fit.history) == 7


def test_blocks_in_the_order_of_time_are_the_parts():
    world = data.load("planted-small")
    parts = data.split(world, STREAM, 0, blocks=10)
    ends = block_ends(world.n_rows, 10)
    in_order = parts[np.argsort(world.times, kind="stable")]
    assert set(in_order[: ends[0]]) == {0}
    assert set(in_order[ends[0] : ends[4]]) == {1}
    assert set(in_order[ends[4] :]) == {2}
    assert np.array_equal(parts, data.split(world, STREAM, 7, blocks=10)), "no seed draws it"


def test_kinds_of_rows_against_a_loop():
    codes = rows(600, seed=3).codes.numpy()
    codes[:, 0] = np.minimum(codes[:, 0], np.arange(600) // 25)  # new users all the time
    codes[100:500, 1] = np.maximum(codes[100:500, 1], 5)  # a few items go away and come back
    ends = block_ends(len(codes), 30)
    found = kinds_of_rows(codes, ends, FEATURES)
    last = [{}, {}]
    expected = []
    first = 0
    for number, end in enumerate(ends):
        for row in codes[first:end].tolist():
            seen = [last[column].get(code) for column, code in enumerate(row)]
            if None in seen:
                expected.append("new")
            elif any(number - block > AWAY for block in seen):
                expected.append("returned")
            else:
                expected.append("warm")
        for row in codes[first:end].tolist():
            for column, code in enumerate(row):
                last[column][code] = number
        first = end
    assert [KINDS[kind] for kind in found] == expected
    assert set(expected) == set(KINDS)


def test_the_bias_model_of_a_stream_against_a_loop():
    world = data.load("planted-small")
    parts = data.split(world, STREAM, 0, blocks=6)
    encoded = encode(world, ("user_id", "movie_id"), parts)
    order = np.argsort(world.times, kind="stable")
    encoded = replace(encoded, order=order)
    ends = block_ends(len(order), 6)
    scores = progressive_anchors(encoded, ends, binary=False)
    squares = {"mean": [], "bias": []}
    for first, end in pairwise(ends[2:]):  # the blocks of the test part
        before = order[:first]
        mean = encoded.ratings[before].mean(dtype=float)
        items, users = {}, {}
        for row in before:
            items.setdefault(encoded.item[row], []).append(encoded.ratings[row] - mean)
        of_item = {item: sum(r) / (len(r) + DAMPING) for item, r in items.items()}
        for row in before:
            left = encoded.ratings[row] - mean - of_item[encoded.item[row]]
            users.setdefault(encoded.user[row], []).append(left)
        of_user = {user: sum(r) / (len(r) + DAMPING) for user, r in users.items()}
        for row in order[first:end]:
            bias = of_item.get(encoded.item[row], 0) + of_user.get(encoded.user[row], 0)
            squares["mean"].append((encoded.ratings[row] - mean) ** 2)
            squares["bias"].append((encoded.ratings[row] - mean - bias) ** 2)
    for name, values in squares.items():
        assert scores[name]["test_mse"] == pytest.approx(np.mean(values), rel=1e-5)
    assert scores["bias"]["test_mse"] < scores["mean"]["test_mse"]
    assert scores["bias"]["train_mse"] is None


def test_the_record_of_a_stream():
    record = run_once(resolve(ASKED))
    stream = record.quality["stream"]
    blocks = stream["blocks"]
    assert [block["block"] for block in blocks] == list(range(1, 10))
    test = blocks[4:]  # from the fifth of ten on
    total = sum(block["n"] * block["mse"] for block in test)
    assert record.quality["test_mse"] == pytest.approx(total / sum(b["n"] for b in test), rel=1e-5)
    for block in blocks:
        of_kinds = [block[kind] for kind in KINDS]
        assert sum(kind["n"] for kind in of_kinds) == block["n"]
        squares = sum(kind["n"] * (kind["mse"] or 0) for kind in of_kinds)
        assert squares == pytest.approx(block["n"] * block["mse"], rel=1e-5)
        assert block["table_bytes"] <= 2_000
        assert block["optimizer_bytes"] > 0
    assert set(record.quality["anchors"]) == {"mean", "item_mean", "bias"}
    assert "rarity" not in record.quality
    assert record.quality["groups"]["test"]["by"] == "user"


def test_idle_and_shared_rows_against_a_loop():
    given = rows()
    ends = block_ends(len(given), 16)
    config = resolve(replace(ASKED, lookups=2, dim=8))
    model = make_model(config, make_spec(config, FEATURES), 3.5)
    recent = RecentValues(given.codes.numpy(), ends, FEATURES)
    found = recent.sharing(model.strategy, 9)
    owners = {}
    for row in given.codes[ends[9 - AWAY] : ends[9]].tolist():
        for index, code in enumerate(row):
            slots = model.strategy.locate(index, [FEATURES[index].values[code]])[0]
            for lookup, slot in enumerate(slots.tolist()):
                owners.setdefault(slot, set()).add((index, code, lookup))
    assert found["idle_share"] == pytest.approx(1 - len(owners) / model.strategy.pool.rows)
    shared = sum(len(names) for names in owners.values() if len(names) > 1)
    assert found["shared_share"] == pytest.approx(shared / sum(map(len, owners.values())))


def test_a_record_can_be_read_again(tmp_path):
    for asked in (ASKED, replace(ASKED, task="binary", positive_at_least=4.0)):
        path = write(run_once(resolve(asked)), tmp_path)
        assert read(path).quality["stream"]["blocks"]


def test_labels_of_a_stream():
    asked = replace(ASKED, task="binary", positive_at_least=4.0)
    record = run_once(resolve(asked))
    blocks = record.quality["stream"]["blocks"]
    total = sum(block["n"] * block["log_loss"] for block in blocks[4:])
    n = sum(block["n"] for block in blocks[4:])
    assert record.quality["test_log_loss"] == pytest.approx(total / n, rel=1e-5)


def test_the_same_stream_gives_the_same_numbers():
    first, second = run_once(resolve(ASKED)), run_once(resolve(ASKED))
    assert first.quality["stream"] == second.quality["stream"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategy": "qr_add"}, "it is built from the values of training, which a stream"),
        ({"strategy": "bias", "budget": None}, "an anchor is fitted to the rows of a split"),
        ({"strategy": "growing_exact", "budget": None, "split": "random"}, "for a stream of value"),
        ({"low_cardinality": "exact"}, "exact rows for features of at most .* were asked for"),
    ],
)
def test_what_a_stream_cannot_have(changes, told):
    with pytest.raises(BenchError, match=told):
        run_once(resolve(replace(ASKED, **changes)))


def test_the_values_of_a_block_are_counted_once_each():
    items = replace(FEATURES[1], bags=Bags.of([[0, 2], [1], [2]]))
    codes = torch.tensor([[3, 0], [3, 1], [4, 0]])
    arrived = _arrived(2, codes, (FEATURES[0], items))
    assert arrived.block == 2
    assert arrived.codes[1].tolist() == [0, 1, 2]
    assert arrived.counts[1].tolist() == [2, 1, 2]
    assert arrived.counts[0].tolist() == [2, 1]


def test_the_command_takes_the_protocol(tmp_path):
    line = "run --dataset planted-small --protocol stream --blocks 8 --budget 2kB"
    line += f" --measure quality --results {tmp_path} --json"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)["quality"]["stream"]["blocks"]) == 7
    done = CliRunner().invoke(main, [*line.split(), "--split", "random"])
    assert done.exit_code == 2
    assert "--protocol stream and --split random were given" in done.stderr


SERVED = (
    "growing_exact --bits 4 --bits-step row",
    "evicting_exact",
    "zero_collision",
    "frequency_threshold --bits 4 --bits-step row",
    "frequency_double_hash --regions separate",
    "unified",
)


@pytest.mark.parametrize("name", SERVED)
def test_a_model_of_a_stream_is_served(name, tmp_path):
    line = f"run --dataset planted-small --protocol stream --blocks 8 --strategy {name}"
    line += f" --measure quality --results {tmp_path} --save {tmp_path / 'model'}"
    if "growing_exact" not in name:
        line += " --budget 2kB"
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 0, done.stderr
    model = ue_bench.load(tmp_path / "model")
    columns = {"user_id": ["1", "no such user"], "movie_id": ["2", "3"]}
    columns |= {name: ["1", "1"] for name in ("gender", "age", "occupation", "zip_code")}
    assert len(model.predict(columns)) == 2


def test_latency_is_that_of_the_end_of_a_stream(monkeypatch):
    """Which values have rows is known once they have arrived."""
    timed = []

    def held(strategy, features, rows):
        timed.append(strategy.live_rows())
        return []

    monkeypatch.setattr(timing, "lookup_latency", held)
    asked = replace(ASKED, strategy="growing_exact", budget=None)
    trained = run_once(replace(asked, measure="quality"))
    record = run_once(replace(asked, measure="latency"))
    assert timed == [trained.quality["stream"]["blocks"][-1]["live_rows"]]
    assert not record.quality


def scores_of_new_values(folder, turnover, strategy, budget):
    """Return the MSE of a stream whose values are new each day, or stay, and that of the mean."""
    log = ClickWorld(f"click-world-small@{turnover}", Preset(rows=20_000, scale=0.00015))
    names = tuple(LARGEST.values())
    frame = pl.DataFrame({name: [f"v{value}" for value in log._ids(name)] for name in names})
    day = pl.Series("day", np.arange(log.n_rows) * DAYS // log.n_rows)
    frame.with_columns(day, pl.Series("y", log.target)).write_parquet(folder / "t.parquet")
    config = replace(
        ASKED,
        dataset="t.parquet",
        table=data.define(data.Definition("t.parquet", "y", names, time="day"), folder),
        task="binary",
        strategy=strategy,
        budget=budget,
        blocks=DAYS,
    )
    quality = run_once(resolve(config), data_dir=folder).quality
    return quality["test_mse"], quality["anchors"]["mean"]["test_mse"]


@pytest.mark.parametrize(("strategy", "budget"), [("unified", 50_000), ("growing_exact", None)])
def test_of_values_that_live_for_one_block_nothing_can_be_learned(tmp_path, strategy, budget):
    """The mean of all rows is then best, and a strategy comes near it; of values that stay it is not."""
    stays, mean = scores_of_new_values(tmp_path, 0, strategy, budget)
    assert stays < mean - 0.003
    changes, mean = scores_of_new_values(tmp_path, 1, strategy, budget)
    assert mean - 0.001 < changes < mean + 0.003


@pytest.mark.parametrize("rows_of_pool", [512, 1024, 700])
@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer_path": "dense"},
        {"optimizer_path": "sparse"},
        {"optimizer": "sparse_adam"},
        {"optimizer": "adagrad"},
    ],
)
def test_what_rows_share_outlives_a_row_that_starts_anew(rows_of_pool, changes):
    """Of RowAdam, two sums over steps are as long as a pool of 512 or of 1024 rows."""
    config = resolve(replace(ASKED, lookups=1, dim=8, budget=32 * rows_of_pool, **changes))
    model = make_model(config, make_spec(config, FEATURES), 3.5)
    (pool,) = model.strategy._pools()
    weight = pool.weight
    assert len(weight) == rows_of_pool
    optimizers = Optimizers(model, make_recipe(config))
    given = rows(64)
    for _ in range(3):
        train_step(model, optimizers, given.codes, given.ratings)
    optimizers.settle()
    for part in optimizers.parts:  # as after as many steps as the pool has rows
        part.state.get(weight, {}).get("left", torch.zeros(1)).fill_(1)
    trained = model.strategy.locate(0, ["u1", "u2"]).flatten()
    anew, stays = trained[:1], trained[1:]
    before = {
        (part, key): torch.as_tensor(value).clone()
        for part in optimizers.parts
        for key, value in part.state.get(weight, {}).items()
        if value is not None
    }
    optimizers.forget(weight, anew)
    by_row = 0
    for (part, key), value in before.items():
        now = torch.as_tensor(part.state[weight][key])
        if key in ("left", "ratios", "step"):
            assert torch.equal(now, value), key
            continue
        by_row += 1
        assert value[anew].any(), f"{key} of a trained row"
        assert not now[anew].any()
        assert torch.equal(now[stays], value[stays])
    assert by_row == (1 if changes.get("optimizer") else 2)


@pytest.mark.parametrize("path", ["dense", "sparse"])
@pytest.mark.parametrize("step", ["row", "pool"])
def test_the_learned_step_of_a_row_does_not_outlive_its_owner(path, step):
    """A step of the whole pool, which all owners have learned, stays as it is."""
    config = resolve(
        replace(ASKED, lookups=1, dim=8, bits="int4", bits_step=step, optimizer_path=path)
    )
    model = make_model(config, make_spec(config, FEATURES), 3.5)
    pool = model.strategy.pool
    optimizers = Optimizers(model, make_recipe(config))
    given = rows(64)
    for _ in range(3):
        train_step(model, optimizers, given.codes, given.ratings)
    optimizers.settle()
    trained = model.strategy.locate(0, ["u1", "u2"]).flatten()
    anew, stays = trained[:1], trained[1:]
    log_steps = pool.few_bits.log_steps
    with torch.no_grad():
        log_steps.fill_(7)
    (state,) = [part.state[log_steps] for part in optimizers.parts if log_steps in part.state]
    before = {key: value.clone() for key, value in state.items()}
    model.strategy.observe = lambda arrived: Reset(pool, anew)
    _take_in(model, optimizers, None)
    if step == "pool":
        assert log_steps.tolist() == [7]
        assert all(torch.equal(state[key], value) for key, value in before.items())
        return
    assert torch.equal(log_steps[anew], pool.few_bits._fitted(pool.weight)[anew].log())
    assert log_steps[stays].tolist() == [7]
    for key in ("exp_avg", "exp_avg_sq"):
        assert before[key][anew].all(), "a step moved it"
        assert not state[key][anew].any()
        assert torch.equal(state[key][stays], before[key][stays])
