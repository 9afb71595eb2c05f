"""Layers for any torch model, built without a run: the article's unified embedding, and every other strategy."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import torch
from torch import nn

from ue_bench.errors import BenchError, unknown
from ue_bench.features import Feature, Held, column
from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import EmbeddingStrategy, Spec
from ue_bench.strategies.registry import build, regions_of


class UnifiedEmbedding(nn.Module):
    """One embedding table shared by all features, each with lookups of its own (Coleman et al., NeurIPS 2023).

    The row of a value under a seed is ``xxh32(value, seed) % num_embeddings``; the vectors of the seeds are concatenated. Give
    every lookup of every feature its own seed. There is no vocabulary: any value, seen or unseen, has its rows.

    num_embeddings: rows of the table. embedding_dim: numbers in a row. Both at least 1, or ValueError.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if num_embeddings < 1 or embedding_dim < 1:
            raise ValueError(
                f"a table of {num_embeddings} rows of {embedding_dim} was asked for; both must be at least 1"
            )
        self.embedding = nn.Embedding(num_embeddings, embedding_dim, device=device, dtype=dtype)

    def forward(self, values: Any, seeds: Sequence[int]) -> torch.Tensor:
        """Vectors [len(values), len(seeds) * embedding_dim]. `values` and errors as in `ue_bench.hashing.hash_rows`."""
        rows = hash_rows(values, seeds, self.embedding.num_embeddings)
        return self.embedding(rows.to(self.embedding.weight.device)).flatten(1)


INITS = ("uniform", "normal")


def embedding(
    strategy: str,
    features: Mapping[str, Any],
    budget: int | None = None,
    dim: int = 16,
    *,
    lookups: int | Mapping[str, int] = 1,
    regions: str | None = None,
    region_rule: str | None = None,
    exact_at_most: int = 0,
    seed: int = 0,
    hash_seeds: Mapping[str, Sequence[int]] | None = None,
    init: str = "uniform",
    init_scale: float = 0.05,
    **options: Any,
) -> EmbeddingStrategy:
    """A layer that turns raw values into vectors: ``layer.from_values({"user": [...], "item": [...]})`` is float32 [B, W].

    strategy: a name of `ue-bench list strategies`. features: by name, either how many distinct values there are, which is enough
    for strategies that only hash, or the values of the training rows, repeated as they are there; these are counted, and a
    strategy that holds a vocabulary needs them. A name such as ``user*item`` is a cross, made of its parts in a call.
    budget: bytes of table and auxiliary. dim: numbers per lookup. lookups: of every feature, or by feature (the others: 1).
    regions, region_rule: as in a run. exact_at_most: features of no more values get exact rows. seed: of the hashing.
    hash_seeds: explicit seeds of a feature's lookups. init, init_scale: of the table; its numbers come from torch's global
    generator, as those of any layer. options: the method's own knobs.

    Between the epochs of a training call ``layer.end_epoch(epoch)`` (True: make a new optimizer), and ``layer.end_training()``
    after the last: a few strategies change then. Raises BenchError for an unknown name, a budget that does not work, and anything
    else that is no strategy.
    """
    if not isinstance(features, Mapping) or not features:
        raise BenchError(
            f"features: {features!r} was given; give at least one by name, as a number of values or as the values"
        )
    for what, number, least in (
        ("dim", dim, 1),
        ("exact_at_most", exact_at_most, 0),
        ("seed", seed, 0),
    ):
        if not _is_whole(number) or number < least:
            raise BenchError(
                f"{what}: {number!r} was given; it must be a whole number, at least {least}"
            )
    if seed >= 2**32:
        raise BenchError(f"seed: {seed} was given; it must be below 2**32")
    if budget is not None and (not _is_whole(budget) or budget < 1):
        raise BenchError(
            f"budget: {budget!r} was given; it must be a whole number of bytes, at least 1"
        )
    if init not in INITS:
        raise unknown("init", init, INITS)
    by_name = dict(lookups) if isinstance(lookups, Mapping) else dict.fromkeys(features, lookups)
    for kind, given in (
        ("lookups for feature", by_name),
        ("hash seeds for feature", hash_seeds or {}),
    ):
        for name in given:
            if name not in features:
                raise unknown(kind, name, features)
    for name, count in by_name.items():
        if not _is_whole(count) or count < 1:
            raise BenchError(
                f"lookups: {count!r} was given for {name}; every feature needs at least 1"
            )
    spec = Spec(
        strategy,
        tuple(_feature(name, values) for name, values in features.items()),
        tuple(by_name.get(name, 1) for name in features),
        dim,
        budget,
        regions_of(strategy, regions),
        region_rule,
        seed,
        hash_seeds or {},
        init,
        init_scale,
        options=options,
    )
    return build(spec, exact_at_most)


def _feature(name: str, values: Any) -> Feature:
    if isinstance(values, bool) or (isinstance(values, Integral) and values < 1):
        raise BenchError(
            f"feature {name!r}: {values!r} was given; give at least 1 value, or how many there are"
        )
    if isinstance(values, Integral):
        return Feature(name, Held(name, (), int(values)), int(values))
    counted = (
        column(name, values)
        .alias("value")
        .to_frame()
        .group_by("value", maintain_order=True)
        .len("rows")
    )
    if not len(counted):
        raise BenchError(
            f"feature {name!r}: no values were given; give at least 1, or how many there are"
        )
    return Feature(name, counted["value"], len(counted), counted["rows"].to_list())  # type: ignore[arg-type]


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
