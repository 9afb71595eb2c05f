"""The interface of TorchRec's `EmbeddingBagCollection` over one hashed table.

A `KeyedJaggedTensor` comes in, and a `KeyedTensor` goes out. TorchRec is needed for the latter
alone, and is loaded by the first call.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ue_bench.errors import BenchError
from ue_bench.strategies.in_programs.hashed_ids import (
    HashedEmbeddingBag,
    IdTable,
    rows_of_ids,
    shared_table,
)


class HashedBagCollection(nn.Module):
    """In the place of TorchRec's `EmbeddingBagCollection`: all its tables become one hashed table.

    tables: its `EmbeddingBagConfig`s, of which the name, `num_embeddings`, `embedding_dim`,
        `feature_names` and the pooling count. Features of one config share their vectors.
    is_weighted: whether the weights of a `KeyedJaggedTensor` count.
    budget, compression, dim, bits, seed, init, init_scale: as in `ue_bench.convert`.
    keyed_tensor: what makes the result of `keys`, `length_per_key` and `values`; None: TorchRec's
        `KeyedTensor`.

    Raises BenchError for no table, for two of one name, for a pooling that is neither SUM nor MEAN,
    for weights with MEAN, and for a budget that does not work.
    """

    def __init__(
        self,
        tables: Sequence[Any],
        is_weighted: bool = False,
        device: torch.device | str | None = None,
        *,
        budget: int | str | None = None,
        compression: float | None = None,
        dim: int | None = None,
        bits: int | str = 32,
        seed: int = 0,
        init: str = "normal",
        init_scale: float | None = None,
        keyed_tensor: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__()
        _require_names([config.name for config in tables])
        self._configs = list(tables)
        self._is_weighted = is_weighted
        self._keyed_tensor = keyed_tensor
        sizes = [IdTable(config.num_embeddings, config.embedding_dim) for config in tables]
        self.table = shared_table(
            "HashedBagCollection",
            sizes,
            budget=budget,
            compression=compression,
            dim=dim,
            bits=bits,
            init=init,
            init_scale=init_scale,
            device=device,
        )
        self.embedding_bags = nn.ModuleDict()
        for config, size in zip(tables, sizes, strict=True):
            slots = rows_of_ids(config.name, size, self.table, seed)
            mode = _mode(config, is_weighted)
            bag = HashedEmbeddingBag(self.table, slots, mode, include_last_offset=True)
            self.embedding_bags[config.name] = bag.to(device)
        self._features = [_features_of(config) for config in tables]
        self._keys = _keys([config.name for config in tables], self._features)

    def forward(self, features: Any) -> Any:
        """Return the pooled vectors of a `KeyedJaggedTensor` as a `KeyedTensor`.

        Its values are float32 [B, sum of the embedding dims of all features]. The key of a feature
        that several tables have is ``feature@table``, as in TorchRec.

        Raises BenchError if the features have inverse indices, and if TorchRec is not installed.
        """
        if features.inverse_indices_or_none() is not None:
            raise BenchError(
                "HashedBagCollection: the features have inverse indices (batches of different "
                "sizes), and one size is pooled; give every feature as many bags"
            )
        jagged = features.to_dict()
        pooled: list[Tensor] = []
        lengths: list[int] = []
        for config, names in zip(self._configs, self._features, strict=True):
            bag = self.embedding_bags[config.name]
            for name in names:
                values = jagged[name]
                weights = values.weights() if self._is_weighted else None
                pooled.append(bag(values.values(), values.offsets(), weights))
                lengths.append(config.embedding_dim)
        make = self._keyed_tensor or _torchrec_keyed_tensor()
        return make(keys=self._keys, length_per_key=lengths, values=torch.cat(pooled, 1))

    def is_weighted(self) -> bool:
        """Return whether the weights of the features count."""
        return self._is_weighted

    def embedding_bag_configs(self) -> list[Any]:
        """Return the configs of the tables that were given."""
        return self._configs

    @property
    def device(self) -> torch.device:
        """The device of the table."""
        return next(self.table.parameters()).device


def _require_names(names: Sequence[str]) -> None:
    if not names:
        raise BenchError("HashedBagCollection: no table was given; give at least one config")
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise BenchError(
            f"HashedBagCollection: {count} tables are named {name!r}; give each a name of its own"
        )


def _mode(config: Any, is_weighted: bool) -> str:
    mode: str = config.pooling.name.lower()
    allowed = ["sum"] if is_weighted else ["sum", "mean"]
    if mode not in allowed:
        weighted = " with weights" if is_weighted else ""
        raise BenchError(
            f"HashedBagCollection: table {config.name!r} has pooling {mode.upper()}{weighted}; "
            f"give {' or '.join(name.upper() for name in allowed)}"
        )
    return mode


def _features_of(config: Any) -> list[str]:
    return list(config.feature_names) or [config.name]


def _keys(tables: Sequence[str], features: Sequence[Sequence[str]]) -> list[str]:
    """Return the key of each feature of each table."""
    count: Counter[str] = Counter()
    for names in features:
        count.update(names)
    keys = []
    for table, names in zip(tables, features, strict=True):
        keys += [name if count[name] == 1 else f"{name}@{table}" for name in names]
    return keys


def _torchrec_keyed_tensor() -> Callable[..., Any]:
    try:
        from torchrec.sparse.jagged_tensor import KeyedTensor
    except (ImportError, OSError) as error:  # OSError: it was built for another torch
        raise BenchError(
            f"HashedBagCollection: torchrec cannot be loaded ({error}); install the extra: "
            "pip install 'ue-bench[peers]', in a build that fits this torch"
        ) from error
    made: Callable[..., Any] = KeyedTensor
    return made
