"""docs/hashing.md fixes the hashing to the bit: its blocks make the test vectors, and the program gives the same everywhere."""

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
        digest = xxhash.xxh32(
            bytes_of(entry), seed=entry["seed"]
        ).digest()  # four bytes, the most significant first
        assert int.from_bytes(digest, "big") == entry["xxh32"]
        assert entry["rows"] == {
            size: entry["xxh32"] % int(size) for size in ("1", "2", "1000", "2147483647")
        }
    for entry in FILE["lookup_seeds"]:
        parts = [
            entry["feature"],
            str(entry["lookup"]),
            *([str(entry["number"])] if entry["number"] else []),
        ]
        assert (
            xxhash.xxh32("\x1f".join(parts).encode(), seed=entry["hash_seed"]).intdigest()
            == entry["seed"]
        )
    for entry in FILE["crosses"]:
        assert bytes_of(entry) == "\x1f".join(map(str, entry["parts"])).encode()


def test_known_digests_of_the_specification():
    """XXH32 of nothing, with seeds 0 and 0x9E3779B1, from the specification's own sanity checks."""
    assert (xxhash.xxh32_intdigest(b"", 0), xxhash.xxh32_intdigest(b"", 0x9E3779B1)) == (
        0x02CC5D05,
        0x36B78AE7,
    )


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
        assert (
            lookup_seed(entry["feature"], entry["lookup"], entry["hash_seed"], entry["number"])
            == entry["seed"]
        )
    for entry in FILE["regions"]:
        found = separate(entry["rows"], entry["cardinalities"], entry["rule"])
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
        hash_seed=case["hash_seed"],
        **changes,
    )
    return build(spec)


@pytest.mark.parametrize(
    "case",
    FILE["tables"],
    ids=lambda case: f"{case['strategy']}-{case['region_rule']}-{case['budget']}",
)
def test_the_strategies_locate_as_the_vectors_say(case):
    built = strategy(case["strategy"], case)
    for index, feature in enumerate(case["features"]):
        values = list(feature["slots"])
        assert built.locate(index, values).tolist() == list(feature["slots"].values())
        many = pl.Series(values * FEW)
        assert built.locate(index, many).tolist() == list(feature["slots"].values()) * FEW


SEPARATE = next(case for case in FILE["tables"] if case["region_rule"] == "sqrt")
NAMES, WORDS = [f["name"] for f in SEPARATE["features"]], list(TEXTS)
BUDGET, D, HASH_SEED = SEPARATE["budget"], SEPARATE["dim"], SEPARATE["hash_seed"]


def of(index, rows, hashes, word):
    """As the page: (places in the region, its start, its size) of a value's hashes, lookup by lookup."""
    (start, size), feature = cut(rows)[index], SEPARATE["features"][index]
    return (
        [
            SAYS.row(word, s, size)
            for s in SAYS.seeds(feature["name"], feature["lookups"], HASH_SEED, hashes)
        ],
        start,
        size,
    )


def cut(rows):
    return SAYS.separate(rows, [f["cardinality"] for f in SEPARATE["features"]], "sqrt")


def several(index, word):
    places, start, _ = of(index, BUDGET // (4 * D), 3, word)
    return [start + place for place in places]


def parts(index, word):
    rows = BUDGET // (4 * D)
    places, start, _ = of(index, rows, 2, word)
    return [start + place + rows * (i % 2) for i, place in enumerate(places)]


def signed(index, word):
    (start, size), feature = cut(BUDGET // 4)[index], SEPARATE["features"][index]
    seeds = SAYS.seeds(feature["name"], feature["lookups"], HASH_SEED, D)
    return [2 * start + SAYS.row(word, seed, 2 * size) for seed in seeds]


def blocks(index, word):
    places, start, size = of(index, BUDGET // 4, math.ceil(D / 6), word)
    found, count = [], math.ceil(D / 6)
    for first in range(0, len(places), count):  # a lookup
        numbers = [
            start + (place + i) % size for place in places[first : first + count] for i in range(6)
        ]
        found += numbers[:D]
    return found


def network(index, word):
    feature = SEPARATE["features"][index]
    return [
        SAYS.row(word, seed, 1_000_000)
        for seed in SAYS.seeds(feature["name"], feature["lookups"], HASH_SEED, 32)
    ]


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
    for index in range(len(NAMES)):
        assert built.locate(index, WORDS).tolist() == [expected(index, word) for word in WORDS]


def test_hash_embedding_has_the_bucket_last():
    built = strategy("hash_embedding", SEPARATE, regions="separate")
    rows, buckets = built.pool.weight.shape[0], built.importance.shape[0]
    for index in range(len(NAMES)):
        for word, found in zip(WORDS, built.locate(index, WORDS).tolist(), strict=True):
            in_rows, first, _ = of(index, rows, 3, word)
            in_buckets, bucket, _ = of(index, buckets, 3, word)
            expected = [
                bucket + b if i % 3 == 2 else first + r
                for i, (r, b) in enumerate(zip(in_rows, in_buckets, strict=True))
            ]
            assert found == expected


def test_unseen_values_of_methods_that_hold_a_vocabulary():
    """memcom's row; both rows of frequency_double_hash behind what frequent values own; cce's T1 in its second round."""
    features = tuple(
        Feature(name, [f"{i}" for i in range(9)], 9, list(range(9, 0, -1))) for name in ("a", "b")
    )
    spec = Spec(name="memcom", features=features, lookups=(2, 1), dim=8, budget=2_000, hash_seed=5)
    memcom = build(spec)
    size = memcom.pool.weight.shape[0]
    assert memcom.locate(0, WORDS)[:, ::2].tolist() == [
        SAYS.slots(w, "a", 2, 5, (0, size)) for w in WORDS
    ]
    double = build(replace(spec, name="frequency_double_hash"))
    region = (double.rest[0].start, double.rest[0].size)
    assert region[0] > 0
    words = [word for word in WORDS if word not in features[0].values]
    seeds = SAYS.seeds("a", 2, 5, 2)
    assert double.locate(0, words).tolist() == [
        [region[0] + SAYS.row(word, s, region[1]) for s in seeds] for word in words
    ]
    cce = build(replace(spec, name="cce", options={"columns": 2}))
    for now in (0, 1):
        clusters, hashed = cce.split[0]
        seeds = SAYS.seeds("a", 2, 5, 4)
        for word, found in zip(words, cce.locate(0, words).tolist(), strict=True):
            expected = []
            for lookup in (0, 1):
                for column in (0, 1):
                    into_0, into_1 = seeds[4 * lookup + column], seeds[4 * lookup + 2 + column]
                    again = SAYS.lookup_seed("round", now, into_1) if now else into_1
                    table = 2 * cce.pairs * column
                    expected += [
                        table + SAYS.row(word, into_0, clusters),
                        table + clusters + SAYS.row(word, again, hashed),
                    ]
            assert found == expected
        assert cce.end_epoch(0)
