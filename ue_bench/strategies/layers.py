"""Layers for any torch model, built without a run: the article's unified embedding, and every
strategy of the list."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from ue_bench.categories import Rule, rules_by_name, texts_of
from ue_bench.config import CHOICES
from ue_bench.config.number_bits import parse_bits
from ue_bench.errors import BenchError, unknown
from ue_bench.features import (
    ColumnReader,
    Counts,
    Feature,
    Held,
    by_canonical_feature,
    column,
    needed,
)
from ue_bench.hashing import hash_rows
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.building import build
from ue_bench.strategies.few_bits import FewBits
from ue_bench.strategies.initial_values import draw
from ue_bench.strategies.located_rows import LocatedRows, require_rows
from ue_bench.strategies.number_format import NumberFormat
from ue_bench.strategies.registry import entry_of, regions_of
from ue_bench.strategies.spec import Spec
from ue_bench.strategies.training_rows import TrainingRows
from ue_bench.strategies.vocabulary import Vocabulary

# Initial values of a `UnifiedEmbedding`, with the scale of each where none is given.
SCALES = {"normal": 1.0, "uniform": 0.05}


class UnifiedEmbedding(nn.Module):
    """One embedding table that all features share, each with its own lookups.

    Coleman et al., NeurIPS 2023. The row of a value under a seed is
    ``xxh32(value, seed) % num_embeddings``; the vectors of all seeds are concatenated. Give every
    lookup of every feature its own seed. There is no vocabulary: every value, seen or unseen, has
    rows.

    num_embeddings: rows of the table. embedding_dim: numbers in a row.
    init: `normal`, the default, draws the table as `torch.nn.Embedding` does, which is the layer
        that the article's replaces. `uniform` draws it as the runs of this package and
        `ue_bench.embedding` do by default.
    init_scale: the deviation of the normal (None: 1), or half the width of the uniform around 0
        (None: 0.05). The numbers come from torch's global generator.
    bits: of a number as it is served: 32, 8, 4, 3, 2 or 1. Training rounds to what these can hold,
        with a step that it learns, and `pack` makes bytes of the table after training.

    Raises ValueError if `num_embeddings` or `embedding_dim` is less than 1, and BenchError for an
    unknown `init`, a scale that is no positive number, and bits that there are not.
    """

    index_map = 0  # it never changes

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        init: str = "normal",
        init_scale: float | None = None,
        bits: int | str = 32,
    ) -> None:
        super().__init__()
        self.numbers = NumberFormat(name=parse_bits(bits))
        if self.numbers.name == "float16":
            raise BenchError("bits: 16 was given; give 32, 8, 4, 3, 2 or 1, or call `half`")
        if num_embeddings < 1 or embedding_dim < 1:
            raise ValueError(
                f"a table of {num_embeddings} rows of {embedding_dim} was asked for; both must be "
                "at least 1"
            )
        if init not in SCALES:
            raise unknown("init", init, SCALES)
        if init_scale is None:
            init_scale = SCALES[init]
        _check_scale(init_scale)
        weight = torch.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
        draw(weight, init, init_scale)
        # a table that is given draws nothing, so that the generator is where a run's would be
        self.embedding = nn.Embedding(num_embeddings, embedding_dim, _weight=weight)
        self.few_bits: FewBits | None = None
        if self.numbers.is_code:
            spec = Spec(
                name="UnifiedEmbedding",
                features=(),
                lookups=(),
                dim=embedding_dim,
                numbers=self.numbers,
                init_scale=init_scale,
            )
            self.few_bits = FewBits(num_embeddings, embedding_dim, spec).to(device)
            self.few_bits.fit(weight)

    @property
    def layout(self) -> str:
        """What rows have to agree in to be of this layer."""
        return f"{self.embedding.num_embeddings} rows"

    def forward(self, values: Any, seeds: Sequence[int]) -> torch.Tensor:
        """Return the vectors of values: [len(values), len(seeds) * embedding_dim].

        `values` and errors as in `ue_bench.hashing.hash_rows`.
        """
        return self.from_rows(self.rows(values, seeds))

    def rows(self, values: Any, seeds: Sequence[int]) -> LocatedRows:
        """Hash values, once for all the times that `from_rows` looks them up.

        Arguments and errors as in `forward`.
        """
        slots = hash_rows(values, seeds, self.embedding.num_embeddings)
        return LocatedRows(slots, layout=self.layout)

    def from_rows(self, rows: LocatedRows) -> torch.Tensor:
        """Return the vectors of rows that `rows` located, which equal those of their values.

        Raises BenchError for anything else.
        """
        require_rows(rows, self)
        return self.embed(rows.slots)

    def embed(self, slots: torch.Tensor) -> torch.Tensor:
        """Return the vectors of slots: int [..., L] -> [..., L * embedding_dim].

        It is the part of a call behind the hash, which can be traced. Slots are those of located
        rows, on any device.
        """
        few_bits = self.few_bits
        if few_bits is None:
            slots = slots.to(self.embedding.weight.device)
            return self.embedding(slots).flatten(-2)
        slots = slots.to(few_bits.codes.device)
        if self.embedding.weight is None:
            return few_bits.read(slots).flatten(-2)
        return few_bits.round_rows(self.embedding(slots), slots, self.embedding.weight).flatten(-2)

    def pack(self) -> None:
        """Keep the codes of the trained table, and drop its floats: what is served.

        Vectors stay as they were in evaluation mode. A state of the packed layer loads into a layer
        that was built alike and packed, too.

        Raises BenchError if `bits` is 32, which leaves nothing to pack.
        """
        if self.few_bits is None:
            raise BenchError("pack: a table of 32 bits is served as it is; give fewer bits")
        if self.embedding.weight is not None:
            self.few_bits.keep(self.embedding.weight)
            self.embedding.weight = None  # type: ignore[assignment]
            self.few_bits.log_steps = None


def embedding(
    strategy: str,
    features: Mapping[str, Any],
    budget: int | None = None,
    dim: int = 16,
    *,
    lookups: int | Mapping[str, int] = 1,
    regions: str | None = None,
    region_rule: str | None = None,
    region_cap: str = "usable",
    bits: int | str = 32,
    bits_step: str = "pool",
    bits_rule: str = "learned",
    bits_warm_up: int = 0,
    bits_rounding: str = "nearest",
    exact_at_most: int = 0,
    min_count: int = 1,
    value_dropout: float = 0.0,
    seed: int = 0,
    hash_seeds: Mapping[str, Sequence[int]] | None = None,
    init: str = "uniform",
    init_scale: float = 0.05,
    rules: Mapping[str, Rule | str] | None = None,
    **options: Any,
) -> EmbeddingStrategy:
    """Build a layer that turns raw values into vectors.

    ``layer.from_values({"user": [...], "item": [...]})`` is float32 [B, W].

    strategy: a name of `ue-bench list strategies`.
    features: by name, either the number of distinct values or the values of the training rows,
    repeated as they are there. The number is enough for strategies that only hash; a strategy that
    holds a vocabulary needs the values, and counts them. One that learns from which values meet
    needs all features' values, in the order of the same rows. A name such as ``user*item`` is a
    cross, which a call makes from its parts.
    budget: bytes of table and auxiliary data. dim: numbers per lookup.
    lookups: of every feature, or by feature (the others: 1).
    regions, region_rule, region_cap: as in a run.
    bits: of a number as it is served: 32, 16, 8, 4, 3, 2 or 1.
    bits_step, bits_rule, bits_warm_up, bits_rounding: of few bits, as in a run.
    exact_at_most: features of no more values get exact rows.
    min_count: training rows that a value needs to be in a vocabulary; rarer values are unseen.
    value_dropout: how often training reads a value as an unseen one, which trains the row that
    unseen values have: with probability v / (v + c) a value of c training rows. It concerns calls
    with codes of a strategy with a vocabulary, and no raw values.
    seed: of the hashing. hash_seeds: explicit seeds of a feature's lookups.
    init, init_scale: of the table, as in a run: `uniform` within init_scale of 0, or `normal` with
    that deviation. The numbers come from torch's global generator, as those of any layer.
    rules: how raw values become categories, by column: the name of a kind (`text`, `date`,
    `whole`, `number`), or a `Rule` of `ue_bench.rules_of` or of another layer's ``reader.rules``,
    which may have more columns. The values of a column without a rule are text, bytes or whole
    numbers.
    options: the method's own knobs.

    A few strategies change during training, and few bits are packed after it. Call
    ``layer.finish_epoch(epoch)`` between epochs (True: make a new optimizer), and
    ``layer.finish_training()`` after the last one.

    Raises BenchError for an unknown name, a budget that does not work, and any other bad argument.
    """
    if not isinstance(features, Mapping) or not features:
        raise BenchError(
            f"features: {features!r} was given; give at least one by name, as a number of values "
            "or as the values"
        )
    features = by_canonical_feature(features)
    _check_numbers(dim, exact_at_most, seed, budget)
    _check_whole("min_count", min_count, least=1)
    _check_dropout(value_dropout)
    if init not in CHOICES["init"]:
        raise unknown("init", init, CHOICES["init"])
    if region_cap not in CHOICES["region_cap"]:
        raise unknown("region cap", region_cap, CHOICES["region_cap"])
    _check_scale(init_scale)
    if isinstance(lookups, Mapping):
        lookups_by_name = by_canonical_feature(lookups)
    else:
        lookups_by_name = dict.fromkeys(features, lookups)
    hash_seeds = by_canonical_feature(hash_seeds or {})
    _check_names("lookups for feature", lookups_by_name, features)
    _check_names("hash seeds for feature", hash_seeds, features)
    for name, count in lookups_by_name.items():
        if not _is_whole(count) or count < 1:
            raise BenchError(
                f"lookups: {count!r} was given for {name}; every feature needs at least 1"
            )
    if rules is None:
        rules = {}
    rules_by_column = rules_by_name(rules)
    kinds = [name for name, rule in rules.items() if not isinstance(rule, Rule)]
    _check_names("rule for column", kinds, dict.fromkeys([*needed([*features]), *features]))
    made = tuple(
        replace(_feature(name, values, rules_by_column.get(name)), min_count=min_count)
        for name, values in features.items()
    )
    rows = None
    if entry_of(strategy).needs_rows:
        rows = _training_rows(strategy, made, features, rules_by_column)
    spec = Spec(
        name=strategy,
        features=made,
        rows=rows,
        lookups=tuple(lookups_by_name.get(name, 1) for name in features),
        dim=dim,
        budget=budget,
        regions=regions_of(strategy, regions),
        numbers=_format(
            bits=parse_bits(bits),
            bits_step=bits_step,
            bits_rule=bits_rule,
            bits_warm_up=bits_warm_up,
            bits_rounding=bits_rounding,
        ),
        region_rule=region_rule,
        region_cap=region_cap,
        hash_seed=seed,
        hash_seeds=hash_seeds,
        value_dropout=value_dropout,
        init=init,
        init_scale=init_scale,
        options=options,
    )
    layer = build(spec, exact_at_most)
    layer.reader = ColumnReader(tuple(features), rules_by_column)
    return layer


def _format(**fields: Any) -> NumberFormat:
    for name in ("bits_step", "bits_rule", "bits_rounding"):
        if fields[name] not in CHOICES[name]:
            raise unknown(name.replace("_", " "), fields[name], CHOICES[name])
    _check_whole("bits_warm_up", fields["bits_warm_up"], least=0)
    return NumberFormat.of(fields)


def _check_numbers(dim: Any, exact_at_most: Any, seed: Any, budget: Any) -> None:
    _check_whole("dim", dim, least=1)
    _check_whole("exact_at_most", exact_at_most, least=0)
    _check_whole("seed", seed, least=0)
    if seed >= 2**32:
        raise BenchError(f"seed: {seed} was given; it must be below 2**32")
    if budget is not None and (not _is_whole(budget) or budget < 1):
        raise BenchError(
            f"budget: {budget!r} was given; it must be a whole number of bytes, at least 1"
        )


def _check_dropout(value_dropout: Any) -> None:
    is_number = isinstance(value_dropout, Real) and not isinstance(value_dropout, bool)
    if not is_number or not 0 <= value_dropout < math.inf:
        raise BenchError(f"value_dropout: {value_dropout!r} was given; it must be at least 0")


def _check_scale(init_scale: Any) -> None:
    is_number = isinstance(init_scale, Real) and not isinstance(init_scale, bool)
    if not is_number or not 0 < init_scale < math.inf:
        raise BenchError(f"init_scale: {init_scale!r} was given; it must be a positive number")


def _check_whole(name: str, number: Any, least: int) -> None:
    if not _is_whole(number) or number < least:
        raise BenchError(
            f"{name}: {number!r} was given; it must be a whole number, at least {least}"
        )


def _check_names(kind: str, names: Iterable[str], features: Mapping[str, Any]) -> None:
    for name in names:
        if name not in features:
            raise unknown(kind, name, features)


def _feature(name: str, values: Any, rule: Rule | None) -> Feature:
    """A feature of a number of values, or of the raw values themselves, which are counted."""
    if isinstance(values, bool) or (isinstance(values, Integral) and values < 1):
        raise BenchError(
            f"feature {name!r}: {values!r} was given; give at least 1 value, or how many there are"
        )
    if isinstance(values, Integral):
        size = int(values)
        return Feature(name, Held(name, (), size), n_seen=size)
    rows = _categories(name, values, rule).alias("value").to_frame()
    counted = rows.group_by("value", maintain_order=True).len("rows")
    if not len(counted):
        raise BenchError(
            f"feature {name!r}: no values were given; give at least 1, or how many there are"
        )
    return Feature(
        name=name,
        values=counted["value"],  # type: ignore[arg-type]
        n_seen=len(counted),
        counts=Counts(counted["rows"].to_numpy().astype(np.int64)),
    )


def _training_rows(
    strategy: str,
    made: Sequence[Feature],
    values_by_name: Mapping[str, Any],
    rules: Mapping[str, Rule],
) -> TrainingRows:
    """The training rows that the values of all features are the columns of.

    Raises BenchError for a feature of which only the number of values was given, and for columns
    of different lengths.
    """
    codes: list[torch.Tensor] = []
    for feature in made:
        values = values_by_name[feature.name]
        if isinstance(values, Integral):
            raise BenchError(
                f"feature {feature.name!r}: {values} was given, and {strategy} needs to know which "
                "values meet in training rows; give its value in each of these rows"
            )
        texts = _categories(feature.name, values, rules.get(feature.name))
        if codes and len(texts) != len(codes[0]):
            raise BenchError(
                f"feature {feature.name!r}: {len(texts)} values were given, and {made[0].name!r} "
                f"has {len(codes[0])}; {strategy} needs the value of each feature in every "
                "training row"
            )
        codes.append(torch.from_numpy(Vocabulary(replace(feature, min_count=1)).positions(texts)))
    return TrainingRows.of(made, torch.stack(codes, dim=1))


def _categories(name: str, values: Any, rule: Rule | None) -> pl.Series:
    if rule is None:
        return column(name, values)
    try:
        return texts_of(values, rule)
    except (TypeError, ValueError) as error:
        raise BenchError(f"column {name!r}: {error}") from error


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)
