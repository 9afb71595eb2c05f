"""Only the errors that are documented, whatever comes in: ratings files, configurations, options, lookups."""

import json
import random
import shutil
from dataclasses import fields

import fuzzing
import movielens_files as official
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
import xxhash
from fuzzing import cases, json_like, numbers, ran, scalars, texts
from hypothesis import strategies as st

from ue_bench import RunConfig, UnifiedEmbedding, data
from ue_bench.cli.options import parse_knobs
from ue_bench.config.lookups import parse_lookups
from ue_bench.config.units import parse_bytes
from ue_bench.errors import BenchError, one_line
from ue_bench.features import Feature
from ue_bench.hashing import FEW_TEXTS, hash_rows
from ue_bench.strategies import STRATEGIES, Spec, build

LAYOUTS = ("ml-100k", "ml-1m", "ml-10m", "ml-25m")
FIELDS = [field.name for field in fields(RunConfig)]


def told_in_a_line(error: BenchError) -> None:
    assert str(error).isprintable()
    assert str(error).strip()


# ---- ratings


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    return {
        name: official.write_folder(tmp_path_factory.mktemp("originals"), name) for name in LAYOUTS
    }


PIECES = (
    b"\0",
    b"\n",
    b"\r",
    b"\t",
    b"|",
    b"::",
    b",",
    b'"',
    b"\xff",
    b"\xef\xbb\xbf",
    b"-",
    b"9" * 30,
    b"1e9",
    b" ",
    b"\x85",
    b"\xc3\xa9",
)


def mutate(content: bytes, random: random.Random) -> bytes:
    """A change or a few: of a bit, a byte, a piece, a line."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        here, there = sorted(random.randrange(len(changed) + 1) for _ in range(2))
        there = min(there, here + 40)
        match random.randrange(7):
            case 0 if changed:
                changed[here % len(changed)] ^= 1 << random.randrange(8)
            case 1:
                changed[here:here] = random.choice(PIECES)
            case 2:
                del changed[here:there]
            case 3:
                changed[here:here] = changed[here:there]
            case 4:
                del changed[here:]
            case 5:
                lines = bytes(changed).split(b"\n")
                random.shuffle(lines)
                changed = bytearray(b"\n".join(lines))
            case _:
                changed[here:there] = random.randbytes(random.randrange(12))
    return bytes(changed)


@cases(
    fast=25,
    slow=1500,
    name=st.sampled_from(LAYOUTS),
    member=st.integers(0, 2),
    seed=st.integers(0, 2**64),
    raw=st.none() | st.binary(),
)
def test_a_ratings_file_is_read_or_refused_in_one_line(
    originals, tmp_path, name, member, seed, raw
):
    folder = tmp_path / "data"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(originals[name], folder)
    files = sorted(folder.iterdir())
    file = files[member % len(files)]
    file.write_bytes(mutate(file.read_bytes(), random.Random(seed)) if raw is None else raw)
    try:
        dataset = data.load(name, folder)
    except BenchError as error:
        return told_in_a_line(error)
    try:
        dataset.describe()
        names = dataset.feature_names("wide")
        for kind in ("random", "user_temporal", "global_temporal", "article"):
            encoded = data.encode(dataset, names, data.split(dataset, kind, 0))
            assert np.isfinite(encoded.ratings).all()
            assert (encoded.codes >= 0).all()
    except BenchError as error:
        told_in_a_line(error)


# ---- configurations


def check_config(given) -> None:
    try:
        config = RunConfig.from_dict(given)
    except BenchError as error:
        return told_in_a_line(error)
    text = json.dumps(
        config.to_dict(), allow_nan=False, ensure_ascii=False
    ).encode()  # a record can hold it
    again = RunConfig.from_dict(json.loads(text))
    assert again == config
    assert again.run_id == config.run_id == RunConfig.from_stored(config.without_defaults()).run_id


@cases(
    fast=60,
    slow=2000,
    given=json_like | st.dictionaries(st.sampled_from(FIELDS) | texts, json_like, max_size=6),
)
def test_a_configuration_is_taken_or_refused_in_one_line(given):
    check_config(given)


VALID = (
    {
        "budget": 28032,
        "lookups": {"user_id": 2},
        "hash_seeds": {"user_id": [1, 2]},
        "options": {"k": [1, 2.5, "x", None, True]},
    },
    {
        "strategy": "per_feature",
        "regions": "separate",
        "region_rule": "sqrt",
        "dim": None,
        "width": 96,
        "batch_size": None,
        "lr": 1,
    },
)
one_value = st.one_of(
    json_like,
    st.lists(numbers, max_size=3),
    st.dictionaries(texts, numbers | st.lists(numbers, max_size=3), max_size=3),
)


@cases(
    fast=60, slow=2500, base=st.sampled_from(VALID), field=st.sampled_from(FIELDS), value=one_value
)
def test_a_valid_configuration_with_one_field_changed(base, field, value):
    check_config(base | {field: value})


@pytest.mark.parametrize(
    "given",
    [
        3,
        None,
        "unified",
        ["budget"],
        {"lr": 10**400},
        {"options": {"a": float("nan")}},
        {"options": {"a": {1: 2}}},
        {"options": {"a": {1, 2}}},
        {"options": {"a": (1, 2)}},
        {"options": {"\ud800": 1}},
        {"dataset": "\udcff"},
        {"budget": 2**63},
        {"hash_seeds": {"user_id": [-1]}},
        {"lookups": {"\ud800": 1}},
        {"options": {"a": json.loads("[" * 30 + "]" * 30)}},
    ],
)
def test_what_no_record_can_hold_is_refused(given):
    with pytest.raises(BenchError):
        RunConfig.from_dict(given)


# ---- options


@cases(
    fast=100,
    slow=1000,
    text=texts | st.from_regex(r"\s*\d{0,20}(\.\d{0,20})?\s*[kKmMgG]?[iI]?[bB]?\s*"),
)
def test_a_size_is_whole_bytes_or_refused(text):
    try:
        size = parse_bytes(text)
    except BenchError as error:
        return told_in_a_line(error)
    assert type(size) is int
    assert size >= 0


@cases(fast=60, slow=1000, text=texts | st.from_regex(r"([a-z*_]{0,3}=?-?\d{0,20},?){0,3}"))
def test_lookups_are_counts_or_refused(text):
    try:
        lookups = parse_lookups(text)
    except BenchError as error:
        return told_in_a_line(error)
    counts = lookups.values() if isinstance(lookups, dict) else [lookups]
    assert all(type(count) is int for count in counts)
    check_config({"lookups": lookups})


VALUES = (
    texts
    | json_like.map(lambda value: json.dumps(value))
    | st.sampled_from(["[" * 5000, "[" * 900 + "]" * 900, "1e400", "Infinity"])
)


@cases(
    fast=60,
    slow=1000,
    given=st.lists(st.tuples(texts, st.sampled_from(("=", "", "==")), VALUES), max_size=3),
)
def test_knobs_are_json_or_refused(given):
    try:
        options = parse_knobs(["".join(parts) for parts in given])
    except BenchError as error:
        return told_in_a_line(error)
    check_config({"options": options})


# ---- lookups

some_values = st.one_of(
    st.lists(st.text(fuzzing.letters, max_size=5) | texts, max_size=6),
    st.lists(st.binary(max_size=5), max_size=6),
    st.lists(numbers, max_size=6),
    st.lists(st.integers(), max_size=6),
    st.lists(scalars | st.binary(max_size=3), max_size=6),
)
CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "numpy": np.array,
    "numpy of objects": lambda values: np.array(values, dtype=object),
    "polars": lambda values: pl.Series(values, strict=False),
    "pandas": pd.Series,
    "torch": lambda values: torch.tensor(values),
}


def expected(values, seeds, size):
    """By the definition, one value at a time; None where one of them is no category."""
    if not all(type(value) in (str, bytes, int) for value in values):
        return None
    try:
        raw = [value if type(value) is bytes else str(value).encode() for value in values]
    except UnicodeEncodeError:
        return None
    return [[xxhash.xxh32_intdigest(one, seed) % size for seed in seeds] for one in raw]


@cases(
    fast=60,
    slow=1500,
    values=some_values,
    kind=st.sampled_from(sorted(CONTAINERS)),
    size=st.sampled_from((1, 7, 1000, 2**31, 2**33)),
    seeds=st.lists(st.integers(0, 2**32 - 1), max_size=3),
)
def test_values_are_hashed_alike_on_both_roads_or_refused(values, kind, size, seeds):
    wanted = expected(values, seeds, size)
    many = values * (FEW_TEXTS // max(1, len(values)) + 1)
    for given, road in ((values, "few"), (many, "many")):
        try:
            held = CONTAINERS[kind](given)
        except (
            Exception
        ):  # the container's own library cannot hold these values: nothing of ours has run
            return
        try:
            rows = hash_rows(held, seeds, size)
        except (TypeError, ValueError):
            # a list of what are categories one by one is never refused; other containers may have changed the values
            assert wanted is None or kind not in ("list", "tuple"), road
            continue
        assert rows.shape == (len(given), len(seeds))
        assert ((rows >= 0) & (rows < size)).all()
        if kind in ("list", "tuple"):
            assert wanted is not None, road
            assert rows.tolist()[: len(values)] == wanted, road
        elif values:
            assert rows.tolist()[: len(values)] == rows.tolist()[-len(values) :]


FEATURES = (
    Feature("user_id", ("1", "2", "é", ""), 3, (3, 1, 1)),
    Feature("genres", ("a|b", "c"), 2, (2, 3)),
)


LAYERS = ("unified", "per_feature", "collisionless", "hash_embedding", "robe", "dhe", "layer")


@pytest.fixture(scope="module")
def built():
    layers = {}
    for name in LAYERS[:-1]:
        regions, sized = STRATEGIES[name].regions[0], STRATEGIES[name].has_budget
        # Separate regions are capped at what the few values here can use.
        budget = 128 if regions == "separate" else 4096
        layers[name] = build(
            Spec(
                name=name,
                features=FEATURES,
                lookups=(1, 2),
                dim=4,
                budget=budget if sized else None,
                regions=regions,
                region_rule="proportional",
            )
        )
    return layers | {"layer": UnifiedEmbedding(10, 2)}


@cases(
    fast=40, slow=600, values=some_values, name=st.sampled_from(LAYERS), feature=st.integers(0, 1)
)
def test_a_layer_takes_categories_and_refuses_the_rest(built, values, name, feature):
    try:
        found = (
            built[name](values, [1, 2]) if name == "layer" else built[name].locate(feature, values)
        )
    except (TypeError, ValueError):
        assert expected(values, [0], 1) is None or name == "collisionless"
        return
    assert len(found) == len(values)


def test_what_is_no_character_is_shown_as_its_escape():
    assert one_line("plain 日本 ×") == "plain 日本 ×"
    assert one_line("a\nb\x1b[31m\u202e\ud800\u2028") == r"a\nb\x1b[31m\u202e\ud800\u2028"
    assert str(BenchError("a\nb")) == r"a\nb"


@pytest.mark.slow
def test_ten_thousand_cases_were_run():
    """Of this file alone; the commands and the records have theirs beside them."""
    own = [
        name
        for name, test in globals().items()
        if name.startswith("test_") and hasattr(test, "__signature__")
    ]
    if not all(ran[name] for name in own):
        pytest.skip("only some of the cases were chosen")
    print(f"{sum(ran[name] for name in own):,} cases")
    assert sum(ran[name] for name in own) >= 10_000
