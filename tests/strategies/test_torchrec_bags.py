"""The interface of TorchRec's EmbeddingBagCollection, over a look-alike always and over TorchRec where it is installed."""

import sys
from dataclasses import dataclass, field
from enum import Enum

import pytest
import torch

from ue_bench import HashedBagCollection
from ue_bench.errors import BenchError


class Pooling(Enum):
    SUM = "SUM"
    MEAN = "MEAN"
    NONE = "NONE"


@dataclass
class Config:
    """What the adapter reads of an `EmbeddingBagConfig`."""

    name: str
    num_embeddings: int
    embedding_dim: int
    feature_names: list[str] = field(default_factory=list)
    pooling: Pooling = Pooling.SUM


@dataclass
class Jagged:
    """What the adapter reads of a `JaggedTensor`."""

    _values: torch.Tensor
    _offsets: torch.Tensor
    _weights: torch.Tensor

    def values(self):
        return self._values

    def offsets(self):
        return self._offsets

    def weights(self):
        return self._weights


class LookAlike:
    """A `KeyedJaggedTensor`: values key by key, and the length of each bag of each key."""

    def __init__(self, keys, values, lengths, weights=None):
        bags = len(lengths) // len(keys)
        self.inverse = None
        self.jagged = {}
        start = 0
        for number, key in enumerate(keys):
            sizes = lengths[number * bags : (number + 1) * bags]
            end = start + int(sizes.sum())
            offsets = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
            of_key = None if weights is None else weights[start:end]
            self.jagged[key] = Jagged(values[start:end], offsets, of_key)
            start = end

    def to_dict(self):
        return self.jagged

    def inverse_indices_or_none(self):
        return self.inverse


@dataclass
class Keyed:
    keys: list[str]
    length_per_key: list[int]
    values: torch.Tensor


CONFIGS = [
    Config("goods", 100, 16, ["clicked", "bought"], Pooling.MEAN),
    Config("users", 500, 8, []),
    Config("places", 40, 8, ["clicked"]),
]
KEYS = ["clicked", "bought", "users"]
VALUES = torch.tensor([3, 5, 39, 0, 99, 7, 7, 499])
LENGTHS = torch.tensor([2, 0, 1, 1, 1, 0, 1, 1, 1], dtype=torch.int32)  # three bags of each key
WEIGHTS = torch.linspace(0.5, 2, 8)


def bags_of(key):
    start = KEYS.index(key) * 3
    ends = LENGTHS.cumsum(0).tolist()
    starts = [0, *ends[:-1]]
    return [slice(starts[i], ends[i]) for i in range(start, start + 3)]


def wanted(collection, config, key, weights=None):
    """The vectors of a feature of a table, in a loop over its bags."""
    module = collection.embedding_bags[config.name]
    rows = []
    for bag in bags_of(key):
        vectors = module.vectors_of(VALUES[bag])
        if weights is not None:
            vectors = vectors * weights[bag].unsqueeze(1)
        total = vectors.sum(0)
        if config.pooling.name == "MEAN":
            total = total / max(len(vectors), 1)
        rows.append(total)
    return torch.stack(rows)


def test_the_result_is_that_of_a_loop():
    torch.manual_seed(0)
    collection = HashedBagCollection(CONFIGS, compression=8, keyed_tensor=Keyed)
    keyed = collection(LookAlike(KEYS, VALUES, LENGTHS))
    assert keyed.keys == ["clicked@goods", "bought", "users", "clicked@places"]
    assert keyed.length_per_key == [16, 16, 8, 8]
    goods, users, places = CONFIGS
    parts = [(goods, "clicked"), (goods, "bought"), (users, "users"), (places, "clicked")]
    looped = torch.cat([wanted(collection, config, key) for config, key in parts], 1)
    torch.testing.assert_close(keyed.values, looped)


def test_weights_count_and_train():
    configs = CONFIGS[1:]
    collection = HashedBagCollection(configs, True, budget="2kB", keyed_tensor=Keyed)
    keyed = collection(LookAlike(KEYS, VALUES, LENGTHS, WEIGHTS))
    looped = [
        wanted(collection, configs[0], "users", WEIGHTS),
        wanted(collection, configs[1], "clicked", WEIGHTS),
    ]
    torch.testing.assert_close(keyed.values, torch.cat(looped, 1))
    keyed.values.sum().backward()
    assert collection.table.embedding.weight.grad.any()


def test_all_tables_are_one_in_the_budget():
    collection = HashedBagCollection(CONFIGS, budget=4_000, keyed_tensor=Keyed)
    assert [p.nbytes for p in collection.parameters()] == [4_000]
    assert collection.embedding_bag_configs() == CONFIGS
    assert not collection.is_weighted()
    assert collection.device == torch.device("cpu")
    other = HashedBagCollection(CONFIGS, budget=4_000, keyed_tensor=Keyed)
    other.load_state_dict(collection.state_dict())
    features = LookAlike(KEYS, VALUES, LENGTHS)
    assert torch.equal(other(features).values, collection(features).values)


@pytest.mark.parametrize(
    ("configs", "weighted", "line"),
    [
        ([], False, "no table was given"),
        ([CONFIGS[0], CONFIGS[0]], False, "2 tables are named 'goods'"),
        ([Config("a", 9, 4, pooling=Pooling.NONE)], False, "pooling NONE; give SUM or MEAN"),
        ([CONFIGS[0]], True, "pooling MEAN with weights; give SUM"),
    ],
)
def test_bad_input_is_one_line(configs, weighted, line):
    with pytest.raises(BenchError, match=line):
        HashedBagCollection(configs, weighted, compression=2)


def test_batches_of_different_sizes_are_refused():
    collection = HashedBagCollection(CONFIGS, compression=2, keyed_tensor=Keyed)
    features = LookAlike(KEYS, VALUES, LENGTHS)
    features.inverse = (KEYS, torch.zeros(3, 3))
    with pytest.raises(BenchError, match="inverse indices"):
        collection(features)


def test_without_torchrec_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchrec.sparse.jagged_tensor", None)
    collection = HashedBagCollection(CONFIGS, compression=2)
    with pytest.raises(BenchError, match=r"pip install 'ue-bench\[peers\]'"):
        collection(LookAlike(KEYS, VALUES, LENGTHS))


@pytest.mark.parametrize("weighted", [False, True])
def test_torchrec_itself(weighted):
    pytest.importorskip("torchrec", exc_type=(ImportError, OSError))
    from torchrec.modules.embedding_configs import EmbeddingBagConfig, PoolingType
    from torchrec.modules.embedding_modules import EmbeddingBagCollection
    from torchrec.sparse.jagged_tensor import KeyedJaggedTensor

    configs = []
    for config in CONFIGS:
        pooling = PoolingType.SUM if weighted else PoolingType[config.pooling.name]
        configs.append(
            EmbeddingBagConfig(
                name=config.name,
                num_embeddings=config.num_embeddings,
                embedding_dim=config.embedding_dim,
                feature_names=config.feature_names or [config.name],
                pooling=pooling,
            )
        )
    theirs = EmbeddingBagCollection(configs, is_weighted=weighted)
    ours = HashedBagCollection(configs, weighted, compression=4)
    with torch.no_grad():
        for name, bag in theirs.embedding_bags.items():
            ids = torch.arange(bag.num_embeddings)
            bag.weight.copy_(ours.embedding_bags[name].vectors_of(ids))
    features = KeyedJaggedTensor(KEYS, VALUES, WEIGHTS if weighted else None, LENGTHS)
    got, expected = ours(features), theirs(features)
    assert got.keys() == expected.keys()
    assert got.length_per_key() == expected.length_per_key()
    torch.testing.assert_close(got.values(), expected.values())
    torch.testing.assert_close(got["bought"], expected["bought"])
