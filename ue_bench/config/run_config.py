"""What a run *is*: a frozen dataclass with a strict dictionary form and an id that depends only on what was asked."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from math import isfinite
from typing import Any, get_args, get_origin, get_type_hints

from ue_bench.errors import BenchError, unknown

CHOICES: dict[str, tuple[str, ...]] = {
    "task": ("regression", "binary"),
    "split": ("random", "user_temporal", "global_temporal", "article"),
    "regions": ("multiplexed", "separate", "exact"),
    "region_rule": ("proportional", "sqrt", "equal"),
    "low_cardinality": ("hashed", "exact"),
    "head": ("mlp", "dcn", "dot", "linear"),
    "init": ("uniform", "normal"),
    "rating_bias": ("mean", "default"),
    "optimizer": ("adam", "adamw", "sparse_adam", "adagrad"),
    "optimizer_path": ("auto", "dense", "sparse"),
    "measure": ("all", "quality", "latency"),
}
SEEDS = ("hash_seed", "init_seed", "batch_seed", "split_seed")
_LEAST = {  # smallest legal value of each number; None is checked by the type
    "budget": 1,
    "dim": 1,
    "width": 1,
    "hidden": 1,
    "low_cardinality_max": 0,
    "init_scale": 0,
    "dropout": 0,
    "lr": 0,
    "weight_decay": 0,
    "batch_size": 1,
    "epochs": 1,
    "patience": 1,
    "evals_per_epoch": 1,
    "threads": 1,
    **dict.fromkeys(SEEDS, 0),
}
_NOT_ZERO = ("lr", "init_scale")
_MOST = 2**63 - 1  # of a whole number: what a machine holds
_DEEPEST = 20  # lists in lists of the method's own knobs
_LIMITS = f" that a record can hold: finite numbers, whole ones below 2**63, text of whole characters, at most {_DEEPEST} deep"


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides the outcome of one run. Raises BenchError for a value outside its range."""

    # data
    dataset: str = "ml-100k"
    features: str = "base"  # a named set, or names and crosses separated by commas
    multi_valued: str | None = (
        None  # names of features separated by commas: their text is split at |, the vectors averaged
    )
    split: str = "random"
    table: dict[str, Any] | None = (
        None  # files, target, features, ... of a table (`data.Definition`); None: a data set by name
    )
    task: str = "regression"  # squared error on the ratings; or logistic loss on labels 0 and 1
    negative_at_most: float | None = None  # of the binary task: ratings up to this are labelled 0
    positive_at_least: float | None = None  # and from this on 1; what lies between is dropped
    # strategy
    strategy: str = "unified"
    regions: str | None = None  # None: the strategy's own; filled in before the run
    region_rule: str | None = (
        None  # how separate regions are sized; None: proportional, or meaningless
    )
    budget: int | None = None  # bytes of table and auxiliary together
    dim: int | None = 16  # numbers per lookup (D); None where `width` is given
    width: int | None = (
        None  # fixed output width (W): D = width // lookups of all features together
    )
    lookups: int | dict[str, int] = 1  # for every feature, or by feature (the others: 1)
    low_cardinality: str = "hashed"  # what features of few values get in every strategy
    low_cardinality_max: int = 100  # how many distinct values are few
    hash_seeds: dict[str, list[int]] | None = (
        None  # explicit seed for each lookup of each feature; None: derived
    )
    options: dict[str, Any] = field(default_factory=dict)  # the method's own knobs
    # model
    head: str = "mlp"
    hidden: int = 64
    dropout: float = 0.2
    init: str = "uniform"
    init_scale: float = (
        0.05  # half-width of the uniform, or standard deviation of the normal distribution
    )
    rating_bias: str = "mean"  # the last bias starts at the training mean, or at torch's default
    # recipe
    optimizer: str = "adam"
    optimizer_path: str = "auto"  # gradients of the pools; auto: sparse for large ones, where the optimizer has both forms
    lr: float = 4e-3
    weight_decay: float = 0.0
    batch_size: int | None = 512  # rows; None: full batch
    epochs: int = 40
    patience: int | None = 3  # epochs without a better validation loss; None: no early stopping
    evals_per_epoch: int = 1
    # seeds
    hash_seed: int = 0
    init_seed: int = 0
    batch_seed: int = 0
    split_seed: int = 0
    # machine
    device: str = "cpu"
    threads: int = 1
    measure: str = "all"
    diagnose: bool = (
        False  # also record collisions, load of the rows and angles between read-out weights
    )

    def __post_init__(self) -> None:
        for name, kind in _kinds(RunConfig).items():
            _check_type(name, getattr(self, name), kind)
            if (
                kind in (float, float | None) and getattr(self, name) is not None
            ):  # 1 and 1.0 are the same request: one id
                object.__setattr__(self, name, float(getattr(self, name)))
        for name, allowed in CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise unknown(name.replace("_", " "), value, allowed)
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and (
                value < least or (value == 0 and name in _NOT_ZERO) or value == float("inf")
            ):
                at_least = "a number above 0" if name in _NOT_ZERO else f"at least {least}"
                raise BenchError(f"{name}: {value} was given; it must be {at_least}")
        if self.optimizer_path == "dense" and self.optimizer == "sparse_adam":
            raise BenchError(
                "optimizer_path: 'dense' was given with sparse_adam, which has no dense form; choose adam"
            )
        if self.dropout >= 1:
            raise BenchError(f"dropout: {self.dropout} was given; it must be below 1")
        if any(getattr(self, name) >= 2**32 for name in SEEDS):
            raise BenchError("seeds must be below 2**32 = 4294967296")
        for name, seeds in (self.hash_seeds or {}).items():
            if any(not 0 <= seed < 2**32 for seed in seeds):
                raise BenchError(
                    f"hash_seeds: {seeds} were given for {name}; each must be from 0 to 2**32 - 1"
                )
        counts = self.lookups.values() if isinstance(self.lookups, dict) else [self.lookups]
        if any(count < 1 for count in counts):
            raise BenchError(f"lookups: {self.lookups} was given; every feature needs at least 1")
        if (self.dim is None) == (self.width is None):
            raise BenchError(
                "give either dim (numbers per lookup) or width (numbers of all lookups together), not both"
            )
        self._check_labels()

    def _check_labels(self) -> None:
        low, high = self.negative_at_most, self.positive_at_least
        for name, bound in (("negative_at_most", low), ("positive_at_least", high)):
            if bound is not None and not isfinite(bound):
                raise BenchError(f"{name}: {bound} was given; it must be a finite number")
            if bound is not None and self.task != "binary":
                raise BenchError(
                    f"{name}: {bound:g} was given with task {self.task!r}, which has no labels; choose 'binary'"
                )
        if low is not None and high is not None and low >= high:
            raise BenchError(
                f"negative_at_most {low:g} must be below positive_at_least {high:g}: no rating may be both 0 and 1"
            )

    def to_dict(self) -> dict[str, Any]:
        """Every field, as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "RunConfig":
        """Strict inverse of `to_dict`: an unknown field or a wrong type raises BenchError; a missing field is its default."""
        if not isinstance(given, Mapping):
            raise BenchError(f"configuration: {given!r} was given; it must be fields by name")
        names = {f.name for f in fields(cls)}
        for name in given:
            if name not in names:
                raise unknown("config field", name, names)
        return cls(**given)

    def with_seed(self, seed: int) -> "RunConfig":
        """The same run with all four seeds set to `seed`."""
        return replace(self, hash_seed=seed, init_seed=seed, batch_seed=seed, split_seed=seed)

    def without_defaults(self) -> dict[str, Any]:
        """The fields that differ from their default: a field added later leaves old ids alone."""
        base = RunConfig().to_dict()
        return {name: value for name, value in self.to_dict().items() if value != base[name]}

    @property
    def run_id(self) -> str:
        """16 hex digits of the SHA-256 of `without_defaults`, written as canonical JSON."""
        text = json.dumps(self.without_defaults(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_kinds = cache(get_type_hints)


def _check_type(name: str, value: Any, kind: Any) -> None:
    options = get_args(kind) if get_origin(kind) not in (dict, list) and get_args(kind) else (kind,)
    if not any(_is_a(value, option) for option in options):
        wanted = " or ".join(
            getattr(o, "__name__", str(o)) if get_origin(o) is None else str(o) for o in options
        )
        limits = "" if _is_json(value) else _LIMITS
        raise BenchError(
            f"{name}: {value!r} was given; it must be {wanted.replace('NoneType', 'null')}{limits}"
        )


def _is_a(value: Any, kind: Any) -> bool:
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(
            _is_a(k, str) and _is_a(v, get_args(kind)[1]) for k, v in value.items()
        )
    if get_origin(kind) is list:
        return isinstance(value, list) and all(_is_a(v, get_args(kind)[0]) for v in value)
    if kind is Any:
        return _is_json(value)
    if isinstance(value, str):
        return kind is str and _is_text(value)
    if kind is float:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and value == value
            and not _too_large(value)
        )
    return (
        isinstance(value, kind)
        and not (kind is int and isinstance(value, bool))
        and not _too_large(value)
    )


def _too_large(value: Any) -> bool:
    return isinstance(value, int) and abs(value) > _MOST


def _is_text(value: str) -> bool:
    """Whether a file can hold it: half a surrogate pair, as of a command line that is no UTF-8, has no bytes."""
    return not any("\ud800" <= char <= "\udfff" for char in value)


def _is_json(value: Any, depth: int = 0) -> bool:
    """Whether a record can hold it, and gives it back as it was."""
    if isinstance(value, dict):
        return depth < _DEEPEST and all(
            isinstance(k, str) and _is_text(k) and _is_json(v, depth + 1) for k, v in value.items()
        )
    if isinstance(value, list):
        return depth < _DEEPEST and all(_is_json(v, depth + 1) for v in value)
    if isinstance(value, str):
        return _is_text(value)
    return value is None or (
        isinstance(value, (int, float)) and not _too_large(value) and isfinite(value)
    )
