"""What a run is: a frozen dataclass, its strict dictionary form, and the id of a request."""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from operator import attrgetter
from typing import Any, TypedDict, get_type_hints

import msgspec

from ue_bench.config.fields import (
    AS_DEFAULT,
    is_of,
    names_of,
    setting,
    settings_of,
    type_text,
)
from ue_bench.config.json_value import LIMITS, is_json
from ue_bench.config.number_bits import BITS, parse_bits
from ue_bench.config.stream_split import BLOCKS, STREAM
from ue_bench.config.units import parse_bytes
from ue_bench.errors import BenchError, unknown

_SEEDS_BELOW = 2**32
_NUMBERS_BELOW = 2**31  # of a vector or a layer, and their product with lookups has 64 bits
_MOST_LOOKUPS = 65_536
# Fields of earlier versions, and what every run does now: the one value in published records.
GONE = {"vocabulary": "dictionary", "vocabulary_check": 8}


def _seed_setting(name: str) -> Any:
    """Declare one of the four seeds."""
    text = f"One of the four seeds, instead of --seed: {name}."
    return setting(0, group="seeds", at_least=0, below=_SEEDS_BELOW, help=text)


@dataclass(frozen=True, slots=True)  # a study keeps thousands: a dict in each would be most of it
class RunConfig:
    """Everything that decides the outcome of one run.

    A field is written once, here: its type, default, group, help, bounds and choices. A field that
    is added changes no id of a run that does what runs did before: those with its default, or where
    it declares one, with its `before`.
    Raises BenchError for a value outside its range.
    """

    dataset: str = setting(
        "ml-100k",
        group="data",
        names="dataset",
        help="Data set (see: ue-bench list datasets), or the path of a table or of its TOML file.",
    )
    features: str = setting(
        "base",
        group="data",
        names="features",
        help="base, wide (with crosses: a stress of rare values, no headline), or names separated "
        "by commas; a*b crosses two. "
        "Of a table without a TOML file: its columns.",
    )
    multi_valued: str | None = setting(
        None,
        group="data",
        help="Features whose text is several values, with | between or what is given: genres, or "
        "genres=;. Their vectors are averaged.",
    )
    split: str = setting(
        "random",
        group="data",
        choices=("random", "user_temporal", "global_temporal", "article", STREAM),
        help="How rows are divided: random, user_temporal, global_temporal, article; or stream: "
        "each row is predicted before it is trained on, in the order of time.",
    )
    blocks: int = setting(
        BLOCKS,
        group="data",
        at_least=4,
        below=100_000,
        help="Of a stream: blocks of as many rows each, in the order of time. A block is predicted "
        "as a whole, then trained on once.",
    )
    rows_fraction: float = setting(
        1.0,
        group="data",
        above=0,
        at_most=1,
        help="Part of the rows that is used, such as 0.25. The feature of most values is sampled "
        "by value, so that a value that stays keeps its rows; its most frequent values all stay, "
        "with this part of theirs. All seeds have the same rows.",
    )
    # files, target, features and more of a table (`data.Definition`); None: a data set by name
    table: dict[str, Any] | None = setting(None, group="data")
    task: str = setting(
        "regression",
        group="data",
        choices=("regression", "binary"),
        help="regression: squared error on the ratings; "
        "or binary: logistic loss on labels 0 and 1.",
    )
    negative_at_most: float | None = setting(
        None,
        group="data",
        help="Of the binary task: ratings up to this are 0. Alone: all others are 1.",
    )
    positive_at_least: float | None = setting(
        None,
        group="data",
        help="Of the binary task: ratings from this on are 1. Alone: all others are 0. "
        "With both: what lies between is dropped.",
    )

    strategy: str = setting(
        "unified",
        group="strategy",
        names="strategy",
        help="Embedding strategy; see: ue-bench list strategies.",
    )
    # the digest of an added strategy's code, filled in before the run; None: one of ue_bench
    code: str | None = setting(None, group="strategy")
    # None: the strategy's own regions, filled in before the run
    regions: str | None = setting(
        None,
        group="strategy",
        choices=("multiplexed", "separate", "exact"),
        help="multiplexed or separate, where the strategy leaves a choice.",
    )
    # None: proportional where regions are separate, else without a meaning
    region_rule: str | None = setting(
        None,
        group="strategy",
        choices=("proportional", "sqrt", "equal"),
        help="How separate regions are sized: proportional, sqrt, equal.",
    )
    # none where regions are not separate, filled in before the run
    region_cap: str = setting(
        "usable",
        group="strategy",
        choices=("usable", "none"),
        before="none",
        help="usable: a separate region has at most the rows that its feature can use "
        "(cardinality x lookups), and the others share what is over; or none.",
    )
    budget: int | None = setting(
        None,
        group="strategy",
        at_least=1,
        unit="bytes",
        help="Bytes of table and auxiliary together: 28032, 28kB, 1.5MiB.",
    )
    dim: int | None = setting(
        16, group="strategy", at_least=1, below=_NUMBERS_BELOW, help="Numbers per lookup."
    )
    # D is width // lookups of all features together
    width: int | None = setting(
        None,
        group="strategy",
        at_least=1,
        below=_NUMBERS_BELOW,
        help="Numbers of all lookups together, instead of --dim: more lookups are narrower.",
    )
    lookups: int | dict[str, int] = setting(
        1,
        group="strategy",
        unit="lookups",
        help="Lookups of every feature (2), or by feature "
        "(user_id=2,movie_id=2; the others have 1).",
    )
    bits: str = setting(
        "float32",
        group="strategy",
        choices=tuple(BITS),
        unit="bits",
        help="How the table's numbers are served: 32, 16, 8, 4, 3, 2 or 1 bits each (or float32, "
        "float16, int8, int4, int3, int2, int1). Training rounds them likewise.",
    )
    # The following mean something from 8 bits on down, and have their default elsewhere.
    bits_step: str = setting(
        "pool",
        group="strategy",
        choices=("pool", "region", "row"),
        help="Of few bits: what has a step of its own, the whole pool, each region or each row.",
    )
    bits_rule: str = setting(
        "learned",
        group="strategy",
        choices=("learned", "mean"),
        help="Of few bits: the step is learned with the table, or follows from its mean magnitude.",
    )
    bits_warm_up: int = setting(
        0,
        group="strategy",
        at_least=0,
        help="Of few bits: epochs that are trained before rounding begins; as many as --epochs "
        "round after training.",
    )
    bits_rounding: str = setting(
        "nearest",
        group="strategy",
        choices=("nearest", "stochastic"),
        help="Of few bits: training rounds to the nearest value, or to one of both neighbours at "
        "random (stochastic).",
    )
    low_cardinality: str = setting(
        "hashed",
        group="strategy",
        choices=("hashed", "exact"),
        help="Features of few values: hashed like the others, or exact.",
    )
    low_cardinality_max: int = setting(
        100, group="strategy", at_least=0, help="How many distinct values are few."
    )
    hash_salt: int = setting(
        0,
        group="strategy",
        at_least=0,
        below=_SEEDS_BELOW,
        help="Above 0: other hash functions with the same seeds, for one arm against itself.",
    )
    # the seed of each lookup of each feature; None: derived from names
    hash_seeds: dict[str, list[int]] | None = setting(None, group="strategy")
    options: dict[str, Any] = setting(factory=dict, group="strategy")  # the method's own knobs

    # Neither has an effect on strategies without a vocabulary. Of value dropouts of 0, 0.25, 0.5, 1
    # and 4, 0.5 was chosen on design seeds of the exact table of ML-100K: on random splits it is
    # within .001 of the best test MSE for `base` (.8465; .8505 without) and `wide` (.8803; .8798
    # without), and on global temporal splits those up to 1 are within .007, without an order.
    min_count: int = setting(
        1,
        group="recipe",
        at_least=1,
        help="Training rows that a value needs to be in a vocabulary; rarer values are unseen.",
    )
    value_dropout: float = setting(
        0.5,
        group="recipe",
        at_least=0,
        below=1e30,
        before=0.0,
        help="How often training reads a value as an unseen one, so that the row of unseen values "
        "is trained: with probability v / (v + c) a value of c training rows, by strategies with "
        "a vocabulary.",
    )

    head: str = setting(
        "mlp",
        group="recipe",
        choices=("mlp", "dcn", "dot", "linear"),
        help="mlp (hidden layer), dcn (one cross layer before it), "
        "dot (products of pairs of features) or linear.",
    )
    hidden: int = setting(
        64, group="recipe", at_least=1, below=_NUMBERS_BELOW, help="Units of the hidden layer."
    )
    dropout: float = setting(
        0.2,
        group="recipe",
        at_least=0,
        below=1,
        help="Share of hidden units dropped in training.",
    )
    init: str = setting(
        "uniform",
        group="recipe",
        choices=("uniform", "normal"),
        help="Initial numbers of the table: uniform or normal.",
    )
    init_scale: float = setting(
        0.05,
        group="recipe",
        above=0,
        below=1e30,  # a table holds numbers of 32 bits, which end at 3.4e38
        help="Half-width of the uniform, or standard deviation of the normal.",
    )
    # Of labels it has no effect, and is always raw.
    target_scale: str = setting(
        "standard",
        group="recipe",
        choices=("standard", "raw"),
        before="raw",
        help="The loss compares targets less their training mean, over their training deviation "
        "(standard), or as they are (raw). Predictions and errors are in units of the target "
        "either way; labels are never scaled.",
    )
    head_init: str = setting(
        "he",
        group="recipe",
        choices=("he", "default"),
        before="default",
        help="The hidden layer of mlp and dcn starts with the weights of He et al. for ReLU and "
        "with biases of 0 (he), or at torch's default.",
    )
    rating_bias: str = setting(
        "mean",
        group="recipe",
        choices=("mean", "default"),
        help="The last bias starts at the training mean (of labels: at its logit), "
        "or at torch's default.",
    )

    optimizer: str = setting(
        "adam",
        group="recipe",
        choices=("adam", "adamw", "sparse_adam", "adagrad"),
        help="adam, adamw, sparse_adam, adagrad; "
        "sparse_adam leaves the momentum of rows outside the batch alone.",
    )
    optimizer_path: str = setting(
        "auto",
        group="machine",
        choices=("auto", "dense", "sparse"),
        help="Gradients of the table: dense, sparse (the rows of the batch), "
        "or auto: sparse for large tables.",
    )
    slots: str = setting(
        "cached",
        group="machine",
        choices=("cached", "on-the-fly"),
        help="cached: the table's rows of every distinct value are computed once and kept; "
        "on-the-fly: those of a batch are computed in each step, by strategies that hash.",
    )
    lr: float = setting(
        6e-3, group="recipe", above=0, below=1e38, before=4e-3, help="Learning rate."
    )
    weight_decay: float = setting(0.0, group="recipe", at_least=0, help="Weight decay.")
    batch_size: int | None = setting(
        512, group="recipe", at_least=1, null="full", help="Rows a step, or full."
    )
    epochs: int = setting(
        100, group="recipe", at_least=1, before=40, help="Most passes over the training rows."
    )
    patience: int | None = setting(
        5,
        group="recipe",
        at_least=1,
        before=3,
        null="none",
        help="Epochs without a better validation loss before stopping, or none: never stop early.",
    )
    evals_per_epoch: int = setting(
        1, group="recipe", at_least=1, help="Evaluations on the validation rows in each epoch."
    )
    stop_above: float | None = setting(
        0.01,
        group="recipe",
        above=0,
        below=1e30,
        null="none",
        before=None,
        help="Training also stops where the validation loss is above its lowest by more than this "
        "share of it; none: only the patience ends it.",
    )
    give_up_epochs: int | None = setting(
        None,
        group="recipe",
        at_least=1,
        null="none",
        help="Training ends after so many epochs if the lowest validation MSE is above "
        "--give-up-above by then; none: it does not.",
    )
    give_up_above: float | None = setting(
        None,
        group="recipe",
        above=0,
        below=1e30,
        null="none",
        help="The validation MSE above which training ends after --give-up-epochs.",
    )
    average_epochs: float = setting(
        3.0,
        group="recipe",
        at_least=0,
        below=1e30,
        before=0.0,
        help="The weights that are evaluated and served are a running average, in which those of "
        "so many epochs ago weigh 1 / e as much as the last; 0: the last step's own.",
    )

    hash_seed: int = _seed_setting("hash seed")
    init_seed: int = _seed_setting("init seed")
    batch_seed: int = _seed_setting("batch seed")
    split_seed: int = _seed_setting("split seed")

    device: str = setting("cpu", group="machine", help="cpu or cuda.")
    threads: int = setting(
        1,
        group="machine",
        at_least=1,
        below=1025,  # more than a machine has; at some ten thousand OpenMP ends the process
        help="Threads of torch, in training and in timing.",
    )
    measure: str = setting(
        "all",
        group="machine",
        choices=("all", "quality", "latency"),
        help="What to measure: all, quality, latency.",
    )
    diagnose: bool = setting(
        False,
        group="machine",
        help="Also record collisions, load of the rows and angles between the features' "
        "read-out weights.",
    )

    def __post_init__(self) -> None:
        self._read_units()
        self._check_fields()
        if self.task == "binary":  # equal requests have one id
            object.__setattr__(self, "target_scale", "raw")
        if self.optimizer_path == "dense" and self.optimizer == "sparse_adam":
            raise BenchError(
                "optimizer_path: 'dense' was given with sparse_adam, which has no dense form; "
                "choose adam"
            )
        self._check_lookups()
        self._check_labels()
        if (self.dim is None) == (self.width is None):
            raise BenchError(
                "give either dim (numbers per lookup) or width (numbers of all lookups together), "
                "not both"
            )

    def _read_units(self) -> None:
        """Let a budget be written as "28kB", and bits as 4."""
        budget: Any = self.budget
        if isinstance(budget, str):
            object.__setattr__(self, "budget", parse_bytes(budget))
        bits: Any = self.bits
        if isinstance(bits, int) and not isinstance(bits, bool):
            object.__setattr__(self, "bits", parse_bits(bits))

    def _check_fields(self) -> None:
        """Raise BenchError for a value that its field does not allow, or that no record holds."""
        try:
            checked = msgspec.convert(self.by_name(), _allowed())
        # msgspec encodes a text that is none of the choices, and half a character has no bytes
        except (msgspec.ValidationError, UnicodeEncodeError):
            self._report_field()
            raise
        for name in _float_fields():  # 1 and 1.0 are the same request: one id
            object.__setattr__(self, name, checked[name])
        for name in _open_fields():
            if not is_json(getattr(self, name)):
                self._report_field()

    def _report_field(self) -> None:
        """Raise the BenchError of the first field whose value is not allowed."""
        for name, kind in get_type_hints(RunConfig).items():
            value = getattr(self, name)
            limits = "" if is_json(value) else f" {LIMITS}"
            if limits or not is_of(kind, value):
                SETTINGS[name].check(name, value)
                raise BenchError(
                    f"{name}: {value!r} was given; it must be {type_text(kind)}{limits}"
                )
            SETTINGS[name].check(name, value)

    def _check_lookups(self) -> None:
        for feature, seeds in (self.hash_seeds or {}).items():
            if any(not 0 <= seed < _SEEDS_BELOW for seed in seeds):
                raise BenchError(
                    f"hash_seeds: {seeds} were given for {feature}; "
                    "each must be from 0 to 2**32 - 1"
                )
        counts = self.lookups.values() if isinstance(self.lookups, dict) else [self.lookups]
        if any(count < 1 for count in counts):
            raise BenchError(f"lookups: {self.lookups} was given; every feature needs at least 1")
        if any(count > _MOST_LOOKUPS for count in counts):
            raise BenchError(
                f"lookups: {self.lookups} was given; a feature has at most {_MOST_LOOKUPS:,}"
            )

    def _check_labels(self) -> None:
        low, high = self.negative_at_most, self.positive_at_least
        for name, bound in (("negative_at_most", low), ("positive_at_least", high)):
            if bound is not None and self.task != "binary":
                raise BenchError(
                    f"{name}: {bound:g} was given with task {self.task!r}, which has no labels; "
                    "choose 'binary'"
                )
        if low is not None and high is not None and low >= high:
            raise BenchError(
                f"negative_at_most {low:g} must be below positive_at_least {high:g}: "
                "no rating may be both 0 and 1"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return every field, as JSON can hold it."""
        return asdict(self)

    def by_name(self) -> dict[str, Any]:
        """Return every field: the values themselves, which must not be changed."""
        return dict(zip(SETTINGS, _values_of(self), strict=True))

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "RunConfig":
        """Return the run that a user asks for: the strict inverse of `to_dict`.

        An unknown field or a wrong type raises BenchError; a missing field has its default.
        """
        if not isinstance(given, Mapping):
            raise BenchError(f"configuration: {given!r} was given; it must be fields by name")
        for name in given:
            if name not in SETTINGS:
                raise unknown("config field", name, SETTINGS)
        return cls(**given)

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "RunConfig":
        """Return the run of a record or of a saved model, of this version or an earlier one.

        A missing field did not exist when the run took place, and has what runs did then. Errors
        are those of `from_dict`, and of a field in `GONE` that has another value.
        """
        if not isinstance(stored, Mapping):
            return cls.from_dict(stored)
        fields = {**_before_fields(), **stored}
        for name, now in GONE.items():
            if fields.pop(name, now) != now:
                raise BenchError(
                    f"config field {name}: {stored[name]!r} was stored; the field is gone, and "
                    f"every run has {now!r} now"
                )
        return cls.from_dict(fields)

    @property
    def tested_on(self) -> str | None:
        """The names of a table's own test files; None where the split chooses the test rows."""
        names = (self.table or {}).get("test_files")
        if not names:
            return None
        return str(names) if isinstance(names, str) else ", ".join(map(str, names))

    def with_seed(self, seed: int) -> "RunConfig":
        """Return the same run with all four seeds set to `seed`."""
        seeds: dict[str, Any] = dict.fromkeys(SEEDS, seed)
        return replace(self, **seeds)

    def without_defaults(self) -> dict[str, Any]:
        """Return the fields that `from_stored` does not fill in: a new field leaves old ids alone.

        These are the fields that differ from their default, or from their `before` if they declare
        one.
        """
        return copy.deepcopy(self._beside_defaults())

    def _beside_defaults(self) -> dict[str, Any]:
        """Return `without_defaults` with the values themselves: a copy takes most of its time."""
        filled_in = _filled_in()
        return {name: value for name, value in self.by_name().items() if value != filled_in[name]}

    def __repr__(self) -> str:
        """Say what differs from the defaults, so that what is printed makes the same run."""
        default = _default()
        given = []
        for name, value in self.by_name().items():
            if value != getattr(default, name):
                given.append(f"{name}={value!r}")
        return f"RunConfig({', '.join(given)})"

    @property
    def run_id(self) -> str:
        """16 hex digits of the SHA-256 of `without_defaults`, written as canonical JSON."""
        text = json.dumps(self._beside_defaults(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


SETTINGS = settings_of(RunConfig)
_values_of = attrgetter(*SETTINGS)
CHOICES = {name: known.choices for name, known in SETTINGS.items() if known.choices}
SEEDS = names_of(SETTINGS, "seeds")
# Fields by which a search ends the first run of a trial that is hopeless.
GIVE_UP = ("give_up_epochs", "give_up_above")
# The arms of a comparison may differ in these. Every other field, one added later too, is recipe.
MAY_DIFFER = frozenset(names_of(SETTINGS, "strategy", "machine"))


@cache
def _allowed() -> Any:
    """The types and bounds of all fields, as msgspec checks them in one fast call.

    A report reads ten thousand runs.
    """
    kinds = get_type_hints(RunConfig)
    return TypedDict(  # type: ignore[operator]
        "_allowed", {name: SETTINGS[name].bounded(kind) for name, kind in kinds.items()}
    )


@cache
def _float_fields() -> tuple[str, ...]:
    kinds = get_type_hints(RunConfig)
    return tuple(name for name, kind in kinds.items() if kind in (float, float | None))


@cache
def _open_fields() -> tuple[str, ...]:
    """The fields that may hold any text, or dictionaries of anything."""
    closed = {int, float, bool, int | None, float | None}
    kinds = get_type_hints(RunConfig)
    return tuple(name for name, kind in kinds.items() if kind not in closed and name not in CHOICES)


@cache
def _before_fields() -> dict[str, Any]:
    """The fields whose default is not what runs did before them, with what they did."""
    fields = {}
    for name, known in SETTINGS.items():
        if known.before is not AS_DEFAULT:
            fields[name] = known.before
    return fields


@cache
def _default() -> RunConfig:
    return RunConfig()


@cache
def _filled_in() -> dict[str, Any]:
    return RunConfig.from_stored({}).to_dict()
