"""A saved model predicts what the trained one predicts, to the bit."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import saved_models as made
import torch
from safetensors.torch import load_file, save_file

import ue_bench
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES, Entry
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.methods.hashing_trick import HashingTrick
from ue_bench.training.model_folder import CONFIG, NUMBERS
from ue_bench.training.saved import save
from ue_bench.training.train import predict

pytestmark = pytest.mark.usefixtures("one_thread")


STRANGE = {
    "user": ["u0", "never", "", "u59"],
    "item": ["i1é", "x" * 3_000, "日本", "i39é"],
    "flag": ["yes", "?", "", "no"],
}


def crossed(columns):
    """The values of `user*flag`."""
    pairs = zip(columns["user"], columns["flag"], strict=True)
    return [f"{user}\x1f{flag}" for user, flag in pairs]


def require_equal(folder, **changes):
    """Save, load and compare, on seen, unseen and strange values. Returns the loaded model."""
    model, config = made.trained(**changes)
    save(folder, model, config)
    loaded = ue_bench.load(folder)
    assert torch.equal(loaded.predict(made.columns()), predict(model, made.rows()))
    with torch.no_grad():
        vectors = model.strategy.from_values([*STRANGE.values(), crossed(STRANGE)])
        assert torch.equal(loaded.embed(STRANGE), vectors)
        assert torch.equal(loaded.predict(STRANGE), model.head(vectors))
    assert loaded.config == config
    assert loaded.record["run_id"] == config.run_id
    return loaded


@pytest.mark.parametrize(("name", "regions"), made.FORMS)
def test_every_strategy_in_every_form(name, regions, tmp_path):
    loaded = require_equal(tmp_path, strategy=name, regions=regions)
    footprint = loaded.model.strategy.footprint()
    held_bytes = loaded.model.strategy.training_bytes()
    assert held_bytes == footprint.table + footprint.auxiliary, "what is only trained was not saved"
    values = [key for key in load_file(tmp_path / NUMBERS) if key.startswith("values.")]
    assert bool(values) == STRATEGIES[name].needs_vocabulary


# The last form of each strategy that has a budget.
WITH_BUDGET = [form for form in dict(made.FORMS).items() if STRATEGIES[form[0]].has_budget]


@pytest.mark.parametrize(("name", "regions"), WITH_BUDGET)
def test_with_exact_rows_for_few_values(name, regions, tmp_path):
    loaded = require_equal(
        tmp_path, strategy=name, regions=regions, low_cardinality="exact", low_cardinality_max=3
    )
    held = {feature["name"]: feature["held"] for feature in loaded.record["features"]}
    assert held["flag"] == 3
    if not STRATEGIES[name].needs_vocabulary:
        assert held == {"user": 0, "item": 0, "flag": 3, "user*flag": 0}


@pytest.mark.parametrize("head", ["mlp", "dcn", "dot", "linear"])
def test_every_head(head, tmp_path):
    require_equal(tmp_path, head=head)


@pytest.mark.parametrize(
    "changes",
    [
        {"hash_seeds": {"user": [7, 8], "item": [4294967295]}},
        {"dim": None, "width": 50},
        {"optimizer": "sparse_adam"},
        {"optimizer": "adagrad", "strategy": "tt_rec"},
        {"strategy": "multi_hash_mean", "options": {"hashes": 3}},
        {"init": "normal"},
        {"strategy": "memcom", "options": {"bias": True}},
        {"rating_bias": "default"},
        {"head_init": "default", "average_epochs": 0.0},
        {"patience": None, "strategy": "cce"},
        {"strategy": "per_feature", "region_rule": "equal"},
        {"strategy": "frequency_double_hash", "options": {"frequent_share": 0.9}},
        {"strategy": "int8"},
        {"strategy": "magnitude_pruning", "budget": 9_000},
    ],
    ids=str,
)
def test_other_fields(changes, tmp_path):
    require_equal(tmp_path, **changes)


def test_no_more_is_saved_than_serving_needs(tmp_path):
    """Hashing: no value. Double hashing: only those that own a row."""
    require_equal(tmp_path / "hashed")
    assert set(load_file(tmp_path / "hashed" / NUMBERS)) == {
        "strategy.pool.weight",
        "head.hidden.weight",
        "head.hidden.bias",
        "head.out.weight",
        "head.out.bias",
    }
    loaded = require_equal(tmp_path / "owned", strategy="frequency_double_hash")
    owned = sum(feature["held"] for feature in loaded.record["features"])
    assert 0 < owned < sum(feature["n_seen"] for feature in loaded.record["features"])
    trained, _ = made.trained(strategy="frequency_double_hash")
    vocabulary_bytes = trained.strategy.footprint().vocabulary
    assert loaded.model.strategy.footprint().vocabulary == vocabulary_bytes


def test_a_loaded_model_can_be_saved_again(tmp_path):
    for name in ("unified", "collisionless", "frequency_double_hash", "cce"):
        first = tmp_path / name
        again = tmp_path / f"{name}-again"
        loaded = require_equal(first, strategy=name)
        save(again, loaded.model, loaded.config)
        assert (again / NUMBERS).read_bytes() == (first / NUMBERS).read_bytes()
        predictions = ue_bench.load(again).predict(made.columns())
        assert torch.equal(predictions, loaded.predict(made.columns()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    save(folder, *made.trained())
    return folder


@pytest.fixture(scope="module")
def loaded(folder):
    return ue_bench.load(folder)


def test_columns_of_every_kind(loaded):
    raw = made.columns()
    expected = loaded.predict(raw)
    assert loaded.columns == ["user", "item", "flag"]
    assert loaded.features == ["user", "item", "flag", "user*flag"]
    as_bytes = {}
    for name, values in raw.items():
        as_bytes[name] = [value.encode() for value in values]
    for other in (
        pd.DataFrame(raw),
        pl.DataFrame(raw),
        {name: np.array(values) for name, values in raw.items()},
        {name: tuple(values) for name, values in raw.items()},
        dict(reversed(raw.items())),
        as_bytes,
        raw | {"user*flag": crossed(raw)},
    ):
        assert torch.equal(loaded.predict(other), expected)
    numbers = {"user": list(range(96)), "item": [5] * 96, "flag": ["no"] * 96}
    texts = numbers | {"user": [str(i) for i in range(96)], "item": ["5"] * 96}
    assert torch.equal(loaded.predict(numbers), loaded.predict(texts))
    assert torch.equal(loaded.predict(pd.DataFrame(numbers)), loaded.predict(texts))


def test_many_rows_are_those_of_the_evaluation(loaded):
    """More rows than one forward pass of an evaluation has."""
    n = 20_000
    model, _ = made.trained()
    assert torch.equal(loaded.predict(made.columns(n)), predict(model, made.rows(n)))
    assert loaded.embed(made.columns(n)).shape == (n, 8 * 5)


def test_no_rows(loaded):
    empty = {"user": [], "item": [], "flag": []}
    assert loaded.predict(empty).shape == (0,)
    assert loaded.embed(empty).shape == (0, 40)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item": None}, "column 'item' is missing; 'user', 'flag' was given"),
        ({"flag": None}, "column 'flag' is missing"),
        ({"usr": ["a"], "user": None}, "column 'user' is missing; 'item', 'flag', 'usr' was given"),
        ({"usr": ["a"], "user": None}, "unknown column 'usr' (did you mean 'user'?)"),
        ({"item": ["a", "b"]}, "column 'item' has 2 values and column 'user' has 1"),
        (
            {"item": [None]},
            "column 'item': None is a NoneType; categories must be str, bytes or int",
        ),
        ({"item": [1.5]}, "column 'item': 1.5 is a float"),
        ({"item": "i1"}, "column 'user' holds lists, and the feature has one value a row"),
    ],
    ids=str,
)
def test_columns_that_do_not_fit_are_an_error(loaded, change, message):
    columns = {"user": ["u1"], "item": ["i1é"], "flag": ["no"]} | change
    columns = {name: values for name, values in columns.items() if values is not None}
    with pytest.raises(BenchError) as error:
        loaded.predict(columns)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([["u1", "i1é", "no"]], "row 1 is one list; give each row's values by name"),
        ([{"user": 1, "item": 2, "flag": 3}, {"user": 1}], "row 2: column 'item' is missing"),
        (7, "columns: one int was given; give the values by name, as in {'user': [...], 'item'"),
        (pd.DataFrame([["u1", "u2"]], columns=["user", "user"]), "two are named 'user'"),
    ],
    ids=str,
)
def test_rows_that_do_not_name_their_values_are_an_error(loaded, given, message):
    with pytest.raises(BenchError) as error:
        loaded.predict(given)
    assert str(error.value).startswith(message) or message in str(error.value)


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def swap(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


UNIFIED = made.ASKED.to_dict() | {"regions": "multiplexed"}
DAMAGES = {
    "nothing there": (
        lambda f: [p.unlink() for p in f.iterdir()],
        "holds no saved model (no config.json)",
    ),
    "no numbers": (lambda f: (f / NUMBERS).unlink(), "model.safetensors cannot be read"),
    "a bit of the numbers": (
        lambda f: flip(f / NUMBERS, -1),
        "model.safetensors is damaged: it does not match its checksum",
    ),
    "half of the numbers": (
        lambda f: (f / NUMBERS).write_bytes((f / NUMBERS).read_bytes()[:500]),
        "is damaged",
    ),
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), "config.json is no saved model ("),
    "another program's": (
        lambda f: (f / CONFIG).write_text('{"model_type": "bert"}'),
        "is no saved model of ue_bench",
    ),
    "a number of the config": (
        lambda f: swap(f / CONFIG, '"dim": 8', '"dim": 9'),
        "config.json is damaged",
    ),
    "a newer format": (
        lambda f: made.rewrite(f, format_version=3),
        "format 3 is newer than 2; upgrade ue_bench",
    ),
    "a field unknown": (
        lambda f: made.rewrite(f, config={"sport": "fly"}),
        "unknown config field 'sport'",
    ),
    "a strategy unknown": (
        lambda f: made.rewrite(f, config=UNIFIED | {"strategy": "unifed"}),
        "did you mean 'unified'?",
    ),
    "another table": (
        lambda f: made.rewrite(f, config=UNIFIED | {"budget": 8_000}),
        "does not fit",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_an_error(damage, tmp_path):
    save(tmp_path, *made.trained())
    harm, message = DAMAGES[damage]
    harm(tmp_path)
    with pytest.raises(BenchError) as error:
        ue_bench.load(tmp_path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": None}, "features: a list is expected, not null"),
        ({"model_sha256": 5}, "model_sha256: text is expected, not int"),
        ({"config": []}, "config: fields by name is expected"),
        ({"versions": {}}, "versions.ue_bench is missing"),
        ({"features": [{"name": "user"}]}, "features[0].cardinality is missing"),
        ({"format": "other"}, "is no saved model of ue_bench"),
    ],
    ids=str,
)
def test_another_writers_mistakes_are_an_error(changes, message, tmp_path):
    save(tmp_path, *made.trained())
    made.rewrite(tmp_path, **changes)
    with pytest.raises(BenchError) as error:
        ue_bench.load(tmp_path)
    assert message in str(error.value)


OTHER_VALUES = {
    "too few": lambda t: t.update({"values.0.offsets": t["values.0.offsets"][:-1].clone()}),
    "no UTF-8": lambda t: t.update({"values.1.utf8": t["values.1.utf8"] | 128}),
    "cut off": lambda t: t.update({"values.0.utf8": t["values.0.utf8"][:7].clone()}),
    "absent": lambda t: t.pop("values.0.utf8"),
    "of no feature": lambda t: t.update({"values.9.utf8": t["values.0.utf8"].clone()}),
}


@pytest.mark.parametrize("change", OTHER_VALUES)
def test_values_that_do_not_fit_are_an_error(change, tmp_path):
    """Another writer's file of numbers, with a checksum that fits."""
    save(tmp_path, *made.trained(strategy="collisionless"))
    numbers = tmp_path / NUMBERS
    tensors = load_file(numbers)
    OTHER_VALUES[change](tensors)
    save_file(tensors, numbers)
    made.rewrite(tmp_path, model_sha256=hashlib.sha256(numbers.read_bytes()).hexdigest())
    with pytest.raises(BenchError, match=r"does not fit|values of feature '(user|item|flag)'"):
        ue_bench.load(tmp_path)


def test_no_single_bit_goes_unnoticed(tmp_path):
    save(tmp_path, *made.trained(budget=800))
    whole = {name: (tmp_path / name).read_bytes() for name in (CONFIG, NUMBERS)}
    random = np.random.default_rng(0)
    for name, content in whole.items():
        for place in random.integers(len(content), size=150):
            flip(tmp_path / name, int(place))
            if name == NUMBERS or not reads_alike(tmp_path / name, content):
                with pytest.raises(BenchError):
                    ue_bench.load(tmp_path)
            (tmp_path / name).write_bytes(content)
    ue_bench.load(tmp_path)


def reads_alike(path, content):
    """Whether a file of JSON holds the same: the 17th digit of a number may say nothing."""
    try:
        return json.loads(path.read_bytes()) == json.loads(content)
    except ValueError:
        return False


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    model = made.trained()
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_text("weights")
    with pytest.raises(BenchError, match="holds something else"):
        save(tmp_path, *model)
    assert (tmp_path / "model.safetensors").read_text() == "weights"
    (tmp_path / "file").write_text("")
    with pytest.raises(BenchError, match="cannot write"):
        save(tmp_path / "file", *model)


def test_a_saved_model_is_replaced(tmp_path):
    require_equal(tmp_path, strategy="collisionless")
    (tmp_path / "notes.txt").write_text("mine")
    require_equal(tmp_path, strategy="unified")
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG, NUMBERS, "notes.txt"]


def test_what_a_killed_command_left_over_is_in_nobodys_way(tmp_path):
    (tmp_path / ".saving-abc").mkdir()
    require_equal(tmp_path)
    mask = os.umask(0)
    os.umask(mask)
    for name in (CONFIG, NUMBERS):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~mask


FULL_DISK = """
import resource, signal, sys, torch
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import saved_models as made
from ue_bench.errors import BenchError
from ue_bench.training.saved import save
torch.set_num_threads(1)
model = made.trained(budget=400, head="linear")
here = Path(sys.argv[1])
save(here / "small", *model)
numbers = (here / "small" / "model.safetensors").stat().st_size
about = (here / "small" / "config.json").stat().st_size
assert numbers < about - 100
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for folder in ("new", "old"):
    for size in (0, numbers - 100, about - 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
        try:
            save(here / folder, *model)
        except BenchError as error:
            print(error)
"""


@pytest.mark.slow
def test_nothing_is_half_written_on_a_full_disk(tmp_path):
    """The limits on the size of files are too small for the numbers, then for the configuration."""
    old = tmp_path / "old"
    save(old, *made.trained(strategy="collisionless"))
    before = {path.name: path.read_bytes() for path in old.iterdir()}
    command = [sys.executable, "-c", FULL_DISK, tmp_path, os.path.dirname(made.__file__)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert len(lines) == 6
    assert all(line.startswith(f"cannot write {tmp_path}/") for line in lines), lines
    of_numbers = ["serializ" in line for line in lines]
    assert of_numbers == [True, True, False] * 2, "the last error is the configuration's"
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before
    assert list((tmp_path / "new").iterdir()) == []


class SaysItNeedsNone(Collisionless):
    """Needs values, and says that it needs none."""

    def to_serve(self, feature):
        return self.spec.features[feature].holding(())


class DependsOnValues(HashingTrick):
    """Its index map depends on values that it does not say it needs."""

    def locate(self, feature, values):
        return (super().locate(feature, values) + self.spec.features[0].n_seen) % 7


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (SaysItNeedsNone, "does not fit strategy 'odd'"),
        (DependsOnValues, "odd: .* return what else it needs in `to_serve`"),
    ],
)
def test_a_strategy_that_cannot_be_built_again_is_an_error(method, message, tmp_path, monkeypatch):
    has_budget = method is DependsOnValues
    entry = Entry(method, ("multiplexed",), "odd on purpose", "a test", has_budget=has_budget)
    monkeypatch.setitem(STRATEGIES, "odd", entry)
    with pytest.raises(BenchError, match=message):
        save(tmp_path, *made.trained(strategy="odd"))
    assert list(tmp_path.iterdir()) == []


def test_the_global_generator_is_left_as_it_was(folder):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ue_bench.load(folder)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_model_of_a_version_that_knew_no_scale_of_the_target(tmp_path):
    model, config = made.trained(target_scale="raw")
    save(tmp_path, model, config)
    stored = config.to_dict()
    del stored["target_scale"]
    made.rewrite(tmp_path, config=stored)
    loaded = ue_bench.load(tmp_path)
    assert loaded.config == config
    assert torch.equal(loaded.predict(made.columns()), predict(model, made.rows()))


def test_a_model_saved_with_a_budget_that_its_strategy_does_not_keep_is_loaded(tmp_path):
    """Earlier versions saved such models: the budget in their configuration says nothing."""
    model, config = made.trained(strategy="collisionless")
    save(tmp_path, model, replace(config, budget=1_000))
    loaded = ue_bench.load(tmp_path)
    assert loaded.config.budget == 1_000
    columns = made.columns()
    with torch.no_grad():
        vectors = loaded.model.strategy.from_values(columns)
        assert torch.equal(vectors, model.strategy.from_values(columns))
