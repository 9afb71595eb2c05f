"""docs/hashing.md fixes the hashing to the bit.

Its blocks make the test vectors, and the program hashes as they say everywhere.
"""

import json
import math
from dataclasses import replace

import polars as pl
import pytest
import torch
import xxhash
from hashing_page import TEXTS, VECTORS, page, text

from ue_bench import UnifiedEmbedding
from ue_bench.features import Feature
from ue_bench.hashing import FEW, hash_rows, lookup_seed, to_bytes, to_column
from ue_bench.strategies import STRATEGIES, Spec, build
from ue_bench.strategies.regions import multiplexed, separate

FILE = json.loads(VECTORS.read_text(encoding="utf-8"))
SAYS = page()


def bytes_of(entry):
    return bytes.fromhex(entry["utf8"])


def test_the_page_gives_the_vectors():
    assert VECTORS.read_text(encoding="utf-8") == text(), (
        "write the file anew: python tests/hashing_page.py"
    )


def test_the_vectors_by_xxhash_alone():
    for entry in FILE["rows"]:
        assert entry["text"].encode() == bytes_of(entry)
        # four bytes, the most significant first
        digest = xxhash.xxh32(bytes_of(entry), seed=entry["seed"]).digest()
        assert int.from_bytes(digest, "big") == entry["xxh32"]
        assert list(entry["rows"]) == ["1", "2", "1000", "2147483647"]
        for size, row in entry["rows"].items():
            assert row == entry["xxh32"] % int(size)
    for entry in FILE["lookup_seeds"]:
        name = f"{entry['feature']}\x1f{entry['lookup']}"
        if entry["number"]:
            name += f"\x1f{entry['number']}"
        assert xxhash.xxh32_intdigest(name.encode(), entry["hash_seed"]) == entry["seed"]
    for entry in FILE["crosses"]:
        assert bytes_of(entry) == "\x1f".join(map(str, entry["parts"])).encode()


def test_known_digests_of_the_specification():
    """XXH32 of nothing, with seeds 0 and 0x9E3779B1, from the specification's own sanity checks."""
    assert xxhash.xxh32_intdigest(b"", 0) == 0x02CC5D05
    assert xxhash.xxh32_intdigest(b"", 0x9E3779B1) == 0x36B78AE7


@pytest.mark.parametrize("kind", ["one by one", "in bulk", "bytes", "layer"])
def test_the_program_hashes_as_the_vectors_say(kind):
    by_seed = {}
    for entry in FILE["rows"]:
        by_seed.setdefault(entry["seed"], []).append(entry)
    for seed, entries in by_seed.items():
        values = [bytes_of(entry) if kind == "bytes" else entry["text"] for entry in entries]
        for size in (1, 2, 1000, 2**31 - 1):
            expected = [entry["rows"][str(size)] for entry in entries]
            if kind == "one by one":
                found = [hash_rows([value], [seed], size).item() for value in values]
            elif kind == "layer":
                if size > 1000:
                    continue  # a table of gigabytes
                layer = UnifiedEmbedding(size, 1)
                torch.nn.init.zeros_(layer.embedding.weight)
                layer.embedding.weight.data[:, 0] = torch.arange(size)
                found = layer(values, [seed]).flatten().int().tolist()
            else:
                repeats = FEW // len(values) + 1
                found = hash_rows(pl.Series(values * repeats), [seed], size).flatten().tolist()
                expected = expected * repeats
            assert found == expected
        assert hash_rows(values, [seed], 2**32).flatten().tolist() == [
            entry["xxh32"] for entry in entries
        ]


def test_whole_numbers_and_crosses():
    for number, written in FILE["whole_numbers"]:
        assert to_bytes(number) == written.encode()
    small = [number for number, _ in FILE["whole_numbers"] if -(2**63) <= number < 2**63]
    assert to_column(pl.Series(small)).to_list() == [str(number) for number in small]
    assert to_bytes("196\x1fAction|Comedy") == bytes_of(FILE["crosses"][0])


def test_seeds_and_regions():
    for entry in FILE["lookup_seeds"]:
        seed = lookup_seed(entry["feature"], entry["lookup"], entry["hash_seed"], entry["number"])
        assert seed == entry["seed"]
    for entry in FILE["regions"]:
        found = separate(entry["rows"], entry["cardinalities"], entry["rule"], most=entry["most"])
        assert [[r.start, r.size] for r in found] == entry["regions"]
        assert sum(r.size for r in found) == entry["rows"]
        assert [(r.start, r.size) for r in multiplexed(7, 3)] == SAYS.multiplexed(7, [1, 2, 3])


def strategy(name, case, **changes):
    features = tuple(Feature(f["name"], range(f["cardinality"]), 0) for f in case["features"])
    regions = changes.pop("regions", STRATEGIES[name].regions[0])
    spec = Spec(
        name=name,
        features=features,
        lookups=tuple(f["lookups"] for f in case["features"]),
        dim=case["dim"],
        budget=case["budget"],
        regions=regions,
        region_rule=case["region_rule"],
        region_cap=case["region_cap"],
        hash_seed=case["hash_seed"],
        **changes,
    )
    return build(spec)


@pytest.mark.parametrize(
    "case",
    FILE["tables"],
    ids=lambda case: (
        f"{case['strategy']}-{case['region_rule']}-{case['region_cap']}-{case['budget']}"
    ),
)
def test_the_strategies_locate_as_the_vectors_say(case):
    built = strategy(case["strategy"], case)
    for index, feature in enumerate(case["features"]):
        values = list(feature["slots"])
        assert built.locate(index, values).tolist() == list(feature["slots"].values())
        many = pl.Series(values * FEW)
        assert built.locate(index, many).tolist() == list(feature["slots"].values()) * FEW


SEPARATE = next(case for case in FILE["tables"] if case["region_rule"] == "sqrt")
FEATURES = SEPARATE["features"]
WORDS = list(TEXTS)
BUDGET = SEPARATE["budget"]
D = SEPARATE["dim"]
HASH_SEED = SEPARATE["hash_seed"]


def seeds_of(index, hashes):
    feature = FEATURES[index]
    return SAYS.seeds(feature["name"], feature["lookups"], HASH_SEED, hashes)


def cut(rows, per_lookup=1):
    """The regions of all features, (start, size) each. per_lookup: slots that a lookup reads."""
    cardinalities = [feature["cardinality"] for feature in FEATURES]
    most = SAYS.usable(cardinalities, [per_lookup * feature["lookups"] for feature in FEATURES])
    return SAYS.separate(rows, cardinalities, "sqrt", most)


def of(index, rows, hashes, word, per_lookup=1):
    """The places in the region of a value's hashes, lookup by lookup, and the region's start."""
    start, size = cut(rows, per_lookup)[index]
    return [SAYS.row(word, seed, size) for seed in seeds_of(index, hashes)], start


def several(index, word):
    places, start = of(index, BUDGET // (4 * D), 3, word, per_lookup=3)
    return [start + place for place in places]


def parts(index, word):
    rows = BUDGET // (4 * D)
    places, start = of(index, rows, 2, word)
    return [start + place + rows * (i % 2) for i, place in enumerate(places)]


def signed(index, word):
    start, size = cut(BUDGET // 4, D)[index]
    return [2 * start + SAYS.row(word, seed, 2 * size) for seed in seeds_of(index, D)]


def blocks(index, word):
    count = math.ceil(D / 6)  # blocks of a lookup
    places, start = of(index, BUDGET // 4, count, word, per_lookup=D)
    size = cut(BUDGET // 4, D)[index][1]
    slots = []
    for first in range(0, len(places), count):
        numbers = []
        for place in places[first : first + count]:
            numbers += [start + (place + i) % size for i in range(6)]
        slots += numbers[:D]
    return slots


def network(index, word):
    return [SAYS.row(word, seed, 1_000_000) for seed in seeds_of(index, 32)]


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("multi_hash_sum", {"hashes": 3}, several),
        ("compositional", {}, parts),
        ("hashed_net", {}, signed),
        ("robe", {"block": 6}, blocks),
        ("dhe", {}, network),
    ],
)
def test_the_other_methods_hash_as_the_page_says(name, options, expected):
    built = strategy(name, SEPARATE, regions="separate", options=options)
    for index in range(len(FEATURES)):
        assert built.locate(index, WORDS).tolist() == [expected(index, word) for word in WORDS]


def test_hash_embedding_has_the_bucket_last():
    built = strategy("hash_embedding", SEPARATE, regions="separate")
    n_rows = built.pool.weight.shape[0]
    n_buckets = built.importance.rows
    for index in range(len(FEATURES)):
        for word, slots in zip(WORDS, built.locate(index, WORDS).tolist(), strict=True):
            rows, first_row = of(index, n_rows, 3, word, per_lookup=2)
            buckets, first_bucket = of(index, n_buckets, 3, word)
            expected = [first_row + row for row in rows]
            expected[2::3] = [first_bucket + bucket for bucket in buckets[2::3]]
            assert slots == expected


@pytest.fixture
def vocabulary_spec():
    counts = list(range(9, 0, -1))
    values = [f"{i}" for i in range(9)]
    features = tuple(Feature(name, values, 9, counts) for name in ("a", "b"))
    return Spec(name="memcom", features=features, lookups=(2, 1), dim=8, budget=2_000, hash_seed=5)


def test_unseen_values_of_memcom(vocabulary_spec):
    built = build(vocabulary_spec)
    region = (0, built.pool.weight.shape[0])
    rows = built.locate(0, WORDS)[:, ::2]
    assert rows.tolist() == [SAYS.slots(word, "a", 2, 5, region) for word in WORDS]


def test_unseen_values_of_frequency_double_hash(vocabulary_spec):
    """Both rows are behind those that frequent values own."""
    built = build(replace(vocabulary_spec, name="frequency_double_hash"))
    region = built.rest[0]
    assert region.start > 0
    seeds = SAYS.seeds("a", 2, 5, 2)
    words = [word for word in WORDS if word not in vocabulary_spec.features[0].values]
    for word, slots in zip(words, built.locate(0, words).tolist(), strict=True):
        assert slots == [region.start + SAYS.row(word, seed, region.size) for seed in seeds]


def test_unseen_values_of_cce(vocabulary_spec):
    """T1 has other hashes in the second round."""
    built = build(replace(vocabulary_spec, name="cce", options={"columns": 2}))
    clusters, hashed = built.split[0]
    seeds = SAYS.seeds("a", 2, 5, 4)
    words = [word for word in WORDS if word not in vocabulary_spec.features[0].values]
    for round_number in (0, 1):
        for word, slots in zip(words, built.locate(0, words).tolist(), strict=True):
            expected = []
            for lookup in (0, 1):
                for column in (0, 1):
                    first_seed = seeds[4 * lookup + column]
                    second_seed = seeds[4 * lookup + 2 + column]
                    if round_number:
                        second_seed = SAYS.lookup_seed("round", round_number, second_seed)
                    table = 2 * built.pairs * column
                    expected.append(table + SAYS.row(word, first_seed, clusters))
                    expected.append(table + clusters + SAYS.row(word, second_seed, hashed))
            assert slots == expected
        assert built.finish_epoch(0)
