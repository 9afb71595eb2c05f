"""Another writer's model, with checksums that fit: it is loaded, or refused in a line before anything large is built."""

import copy
import hashlib
import json
from dataclasses import replace

import pytest
import saved_models as made
import torch
from safetensors.torch import load_file, save_file

import ue_bench
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES as ENTRIES
from ue_bench.strategies import build
from ue_bench.strategies.pool import Pool, make_room
from ue_bench.strategies.registry import static_strategies
from ue_bench.training import round_trip, saved
from ue_bench.training.model import HEADS
from ue_bench.training.model_folder import CONFIG, NUMBERS
from ue_bench.training.saved import save

pytestmark = pytest.mark.usefixtures("one_thread")

ANYTHING = (
    *(None, True, "", "x", "é\n", "\ud800", -1, 0, 1, 7, 1.5, 1e39, 1e300, 2**31, 2**32 - 1),
    *(2**40, 2**63 - 1, 2**63, 10**30, [], [1], {}, {"a": 1}, ["a"], [[]]),
)
DTYPES = (torch.float64, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool)
STRATEGIES = (
    *("unified", "per_feature", "collisionless", "cce", "int4", "magnitude_pruning", "tt_rec"),
    *("product_quantization", "hash_embedding", "frequency_double_hash", "mixed_dimension", "dhe"),
)


def places(content, at=()):
    """Yield where each value of a JSON content is."""
    if at:
        yield at
    names = []
    if isinstance(content, dict):
        names = list(content)
    elif isinstance(content, list):
        names = list(range(len(content)))
    for name in names:
        yield from places(content[name], (*at, name))


def owner_of(content, place):
    for name in place[:-1]:
        content = content[name]
    return content


def is_loaded_or_refused(folder, what):
    """Load a model. Whatever is raised is a BenchError of one line."""
    raised = None
    try:
        ue_bench.load(folder)
    except Exception as error:
        raised = error
    assert raised is None or isinstance(raised, BenchError), (what, repr(raised))
    assert str(raised).isprintable(), what


def read_numbers(folder):
    """Return copies: some releases of safetensors map the file, which is written again."""
    return {name: tensor.clone() for name, tensor in load_file(folder / NUMBERS).items()}


def write_numbers(folder, tensors):
    numbers = folder / NUMBERS
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, numbers)
    made.rewrite(folder, model_sha256=hashlib.sha256(numbers.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("frequency_double_hash", 2),
        *(
            pytest.param(name, len(ANYTHING), marks=pytest.mark.slow)
            for name in static_strategies()
        ),
    ],
)
def test_anything_anywhere_in_the_configuration(name, values, tmp_path):
    """Every value of config.json is replaced by `values` others, different ones from place to place."""
    save(tmp_path, *made.trained(strategy=name))
    whole = json.loads((tmp_path / CONFIG).read_text())
    everywhere = [place for place in places(whole) if place != ("checksum",)]
    assert len(everywhere) > 90
    for number, place in enumerate(everywhere):
        for other in range(values):
            value = ANYTHING[(values * number + other) % len(ANYTHING)]
            changed = copy.deepcopy(whole)
            owner_of(changed, place)[place[-1]] = value
            (tmp_path / CONFIG).write_text(json.dumps(changed))
            made.rewrite(tmp_path)
            is_loaded_or_refused(tmp_path, (place, value))
        changed = copy.deepcopy(whole)
        del owner_of(changed, place)[place[-1]]
        (tmp_path / CONFIG).write_text(json.dumps(changed))
        made.rewrite(tmp_path)
        is_loaded_or_refused(tmp_path, (place, "left out"))


def altered(tensor):
    """Yield what another writer may have in the place of a tensor."""
    for dtype in DTYPES:
        yield f"as {dtype}", tensor.to(dtype)
    yield "empty", tensor.flatten()[:0]
    yield "one number", tensor.flatten()[0]
    yield "deeper", tensor.unsqueeze(0)
    yield "flat", tensor.flatten()
    if tensor.dim():
        yield "half", tensor[: len(tensor) // 2]
        yield "reversed", tensor.flip(0)
    if tensor.dtype.is_floating_point:
        yield "nan", tensor * float("nan")
    else:
        yield "largest", torch.full_like(tensor, torch.iinfo(tensor.dtype).max)
        yield "smallest", torch.full_like(tensor, torch.iinfo(tensor.dtype).min)


@pytest.mark.parametrize(
    "name",
    [
        "frequency_double_hash",
        *(pytest.param(name, marks=pytest.mark.slow) for name in static_strategies()),
    ],
)
def test_anything_in_the_place_of_a_tensor(name, tmp_path):
    save(tmp_path, *made.trained(strategy=name))
    tensors = read_numbers(tmp_path)
    has_values = any(key.startswith("values.") for key in tensors)
    # Hashed rows are found without the training values, which are saved for a vocabulary alone.
    assert has_values == ENTRIES[name].needs_vocabulary
    for key, tensor in tensors.items():
        for what, other in altered(tensor):
            write_numbers(tmp_path, tensors | {key: other})
            is_loaded_or_refused(tmp_path, (key, what))
        write_numbers(tmp_path, {other: tensors[other] for other in tensors if other != key})
        is_loaded_or_refused(tmp_path, (key, "left out"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"counts": [1] * 3}, "counts of"),
        ({"counts": [-1] * 50}, "from 0 on for each"),
        ({"counts": [0.5] * 50}, "should have a list of torch.int64"),
        ({"counts": [2**62] * 50}, "add up to more than"),
        ({"offsets": [0, 2, 1]}, "their offsets do not rise from 0"),
        ({"offsets": [1, 2]}, "their offsets do not rise from 0"),
        ({"offsets": [0.0, 2.0]}, "should have a list of torch.int64"),
        ({"offsets": [[0, 2]]}, "should have a list of torch.int64"),
    ],
    ids=str,
)
def test_values_that_are_no_lists_of_their_kind(changes, message, tmp_path):
    save(tmp_path, *made.trained(strategy="collisionless"))
    tensors = read_numbers(tmp_path)
    for name, numbers in changes.items():
        tensors[f"values.0.{name}"] = torch.tensor(numbers)
    write_numbers(tmp_path, tensors)
    with pytest.raises(BenchError, match=message):
        ue_bench.load(tmp_path)


def test_a_feature_has_at_least_the_values_that_it_holds(tmp_path):
    save(tmp_path, *made.trained(strategy="collisionless"))
    features = json.loads((tmp_path / CONFIG).read_text())["features"]
    features[0]["cardinality"] = 3
    made.rewrite(tmp_path, features=features)
    with pytest.raises(BenchError, match="has 50, more than the cardinality of 3"):
        ue_bench.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("cce", "strategy.pointers.packed", r"its pointers go from \d+ to \d+ and there are \d+"),
        ("graph_hash", "strategy.pointers.packed", r"its pointers go from \d+ to \d+ and there"),
        ("product_quantization", "strategy.codes_0", r"its codes go from 0 to \d+ and there are"),
    ],
)
@pytest.mark.parametrize("exact", [False, True])
def test_numbers_that_point_at_what_is_not_there(name, tensor, message, exact, tmp_path):
    kept = {"budget": 3_300}  # of centroids whose number is no power of two
    if exact:
        kept |= {"low_cardinality": "exact", "low_cardinality_max": 3}
        tensor = tensor.replace("strategy.", "strategy.method.")
    save(tmp_path, *made.trained(strategy=name, **kept))
    tensors = read_numbers(tmp_path)
    pointers = tensors[tensor]
    pointers[: len(pointers) // 2] = 255
    write_numbers(tmp_path, tensors)
    with pytest.raises(BenchError, match=message):
        ue_bench.load(tmp_path)


# ---- sizes


@pytest.mark.parametrize("head", HEADS)
def test_a_head_has_as_many_numbers_as_it_says(head):
    built = HEADS[head]([8, 16, 8], 5, 0.1)
    numbers = sum(weight.numel() for weight in built.parameters())
    assert HEADS[head].count(32, 5) == numbers


CLAIMS = {
    "a budget": {"budget": 5_000_000_000},
    "a dim": {"dim": 50_000_000},
    "a width": {"dim": None, "width": 2_000_000_000},
    "lookups": {"lookups": 65_536},
    "a hidden layer": {"hidden": 30_000_000},
    "all of them": {"budget": 2**62, "dim": 2**31 - 1, "lookups": 65_536, "hidden": 2**31 - 1},
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_that_the_file_does_not_bear_out_is_refused_first(
    claim, head, tmp_path, monkeypatch
):
    """A few kilobytes claim gigabytes."""
    if head == "linear" and claim == "a hidden layer":
        return  # it has none, whatever `hidden` says
    save(tmp_path, *made.trained(head=head))
    content = json.loads((tmp_path / CONFIG).read_text())
    made.rewrite(tmp_path, config=content["config"] | CLAIMS[claim])
    assert (tmp_path / NUMBERS).stat().st_size < 20_000

    def built(*_, **__):
        raise AssertionError("a model was built")

    monkeypatch.setattr(round_trip, "make_model", built)
    with pytest.raises(BenchError, match=r"model.safetensors does not fit config.json: ") as error:
        ue_bench.load(tmp_path)
    assert "the file holds" in str(error.value)


@pytest.mark.parametrize("name", ["collisionless", "magnitude_pruning", "int8"])
def test_no_table_has_memory_before_its_shape_is_that_of_the_file(name, tmp_path, monkeypatch):
    """Values are a few bytes each, and could claim a row of any width that the head has."""
    save(tmp_path, *made.trained(strategy=name))
    tensors = read_numbers(tmp_path)
    features = json.loads((tmp_path / CONFIG).read_text())["features"]
    many = 20_000
    texts = b"".join(b"%06d" % number for number in range(many))
    tensors["values.0.utf8"] = torch.frombuffer(bytearray(texts), dtype=torch.uint8)
    tensors["values.0.offsets"] = torch.arange(many + 1) * 6
    tensors.pop("values.0.counts", None)
    features[0] |= {"held": many, "cardinality": many}
    write_numbers(tmp_path, tensors)
    made.rewrite(tmp_path, features=features)
    with monkeypatch.context() as patch:
        patch.setattr(saved, "make_room", lambda _: pytest.fail("the table was given memory"))
        with pytest.raises(BenchError, match=r"does not fit|budget"):
            ue_bench.load(tmp_path)


@pytest.mark.parametrize(("name", "regions"), made.FORMS)
def test_a_strategy_is_built_without_the_numbers_of_its_pools(name, regions):
    model, _ = made.trained(strategy=name, regions=regions)
    spec = replace(model.strategy.spec, options={}, unfilled=True)
    strategy = build(spec)
    pools = [module for module in strategy.modules() if isinstance(module, Pool)]
    assert bool(pools) == (name != "dhe")
    assert all(pool.weight.is_meta for pool in pools)
    make_room(strategy)
    assert not any(weight.is_meta for weight in strategy.state_dict().values())
