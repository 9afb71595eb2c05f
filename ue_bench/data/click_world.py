"""Planted click logs: 26 features with the sizes and the skew of a real one, and a known best loss.

A log follows from its name alone, and may have any size: every number in it is a hash of its place.

    P(click of row n) = sigmoid(BIAS + sum over features of a(v) + sum over pairs of <b(v), c(w)>)

where v and w are the row's values, and a, b and c are standard normal but for a factor. Rows come
from entities (users, advertisements, pages), which are drawn by Zipf's law; a feature is a property
of its entity, so that features of an entity go together. The largest feature of an entity is the
entity itself.

Each day a share of the values of large features, the turnover, gives way to new ones. Effects turn
slowly: after `DRIFT` radians a day each is another one, as large as before.
`click-world-small@0.3` is `click-world-small` with a turnover of 0.3.

`click-world-100000` has 100,000 values of its three entities at a time, in the proportions of
Criteo's, and `ROWS_A_VALUE` rows for each: logs of any number of values with the same skew and the
same rows a value, whose order of methods may differ by their size alone.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from ue_bench.config.click_worlds import (
    NEW_A_DAY,
    turnover_of,
    values_of,
    without_turnover,
)
from ue_bench.data.coded import Coded, number_ids
from ue_bench.data.dataset import Dataset
from ue_bench.errors import unknown

DAY = 86_400  # seconds
DAYS = 20
DRIFT = 0.01  # radians a day
RANK = 4  # of the products of two features
BIAS = -1.3
OF_FEATURES = 1.0  # variance that the effects of single values add to the log odds
OF_PAIRS = 1.0  # and that of the products
ALONE = 0.1  # share of rows in which a feature is not that of its entity
FEW = 100  # features of at most so many values have them in every log
LARGE = 1_000  # features of more values have new ones each day


class Property(NamedTuple):
    """A feature. size: its values in Criteo's log. exponent: of Zipf's law."""

    name: str
    entity: str
    size: int
    exponent: float


# Sizes are those of the 26 categorical features of Criteo's display advertising challenge.
PROPERTIES = (
    Property("C1", "page", 1_460, 1.0),
    Property("C2", "page", 583, 1.0),
    Property("C3", "user", 10_131_227, 1.0),
    Property("C4", "ad", 2_202_608, 1.0),
    Property("C5", "page", 305, 1.2),
    Property("C6", "page", 24, 1.1),
    Property("C7", "ad", 12_517, 1.0),
    Property("C8", "ad", 633, 1.2),
    Property("C9", "page", 3, 1.0),
    Property("C10", "page", 93_145, 1.05),
    Property("C11", "ad", 5_683, 1.0),
    Property("C12", "page", 8_351_593, 1.0),
    Property("C13", "ad", 3_194, 1.0),
    Property("C14", "user", 27, 1.0),
    Property("C15", "ad", 14_992, 1.0),
    Property("C16", "user", 5_461_306, 1.0),
    Property("C17", "user", 10, 1.0),
    Property("C18", "ad", 5_652, 1.1),
    Property("C19", "user", 2_173, 1.1),
    Property("C20", "user", 4, 1.0),
    Property("C21", "ad", 7_046_547, 1.0),
    Property("C22", "user", 18, 1.2),
    Property("C23", "user", 15, 1.0),
    Property("C24", "page", 286_181, 1.05),
    Property("C25", "user", 105, 1.0),
    Property("C26", "page", 142_572, 1.05),
)
NAMES = tuple(of_feature.name for of_feature in PROPERTIES)
LARGEST = {"user": "C3", "ad": "C21", "page": "C12"}  # the feature that is the entity
PAIRS = (("C3", "C21"), ("C3", "C12"), ("C21", "C12"), ("C19", "C7"), ("C25", "C8"), ("C1", "C11"))


ROWS_A_VALUE = 12  # means over the values of the three entities, each of which is a feature


@dataclass(frozen=True)
class Preset:
    """rows: of the log. scale: values of a large feature, as a share of Criteo's."""

    rows: int
    scale: float


PRESETS = {
    "click-world-small": Preset(rows=200_000, scale=0.04),
    "click-world-medium": Preset(rows=2_000_000, scale=0.1),
    "click-world-large": Preset(rows=20_000_000, scale=0.5),
}


def is_click_world(name: str) -> bool:
    """Return whether a data set is a planted click log."""
    return preset_of(name) is not None


def preset_of(name: str) -> Preset | None:
    """Return the size of the click log of a name; None where no log has it."""
    values = values_of(name)
    if values is None:
        return PRESETS.get(without_turnover(name))
    in_criteo = sum(PROPERTIES[NAMES.index(largest)].size for largest in LARGEST.values())
    return Preset(rows=values * ROWS_A_VALUE // len(LARGEST), scale=values / in_criteo)


class ClickWorld(Dataset):
    """A planted click log.

    best: the probability of a click in each row, by the formula: float32 [N].
    """

    source = "planted"

    def __init__(self, name: str, preset: Preset | None = None) -> None:
        self.name = name
        preset = preset or preset_of(name)
        if preset is None:
            raise unknown("click log", name, PRESETS)
        self.preset = preset
        self.turnover = turnover_of(name)
        if self.turnover is None:
            self.turnover = NEW_A_DAY
        self._key = _key(without_turnover(name))
        self._rows = np.arange(self.preset.rows, dtype=np.uint64)
        self._day = (self._rows * DAYS // self.preset.rows).astype(np.uint8)
        self._entities: dict[str, np.ndarray] = {}
        self._values: dict[str, np.ndarray] = {}
        self._coded: dict[str, Coded] = {}

    # ---- the formula

    @cached_property
    def best(self) -> np.ndarray:
        odds = np.full(self.preset.rows, BIAS)
        scale = math.sqrt(OF_FEATURES / len(PROPERTIES))
        for name in NAMES:
            odds += scale * self._effects(name, "alone")
        scale = math.sqrt(OF_PAIRS / (RANK * len(PAIRS)))
        for left, right in PAIRS:
            for number in range(RANK):
                of_left = self._effects(left, f"{right} {number}")
                odds += scale * of_left * self._effects(right, f"{left} {number}")
        return (1 / (1 + np.exp(-odds))).astype(np.float32)

    @cached_property
    def target(self) -> np.ndarray:
        clicks = _uniform(self._rows, self._key_of("click")) < self.best
        target = clicks.astype(np.float32)
        target.flags.writeable = False
        return target

    def _effects(self, feature: str, kind: str) -> np.ndarray:
        """Return one standard normal number for the value of each row: float64 [N]."""
        values = self._ids(feature)
        angle = DRIFT * self._day
        first = _normal(values, self._key_of(f"{feature} {kind}"))
        later = _normal(values, self._key_of(f"{feature} {kind} later"))
        return np.cos(angle) * first + np.sin(angle) * later

    def _ids(self, feature: str) -> np.ndarray:
        """Return the value of each row as a number: uint32 [N]."""
        if feature not in self._values:
            drawn = self._draw(PROPERTIES[NAMES.index(feature)])
            self._values[feature] = drawn.astype(np.uint32)
        return self._values[feature]

    def _draw(self, of_feature: Property) -> np.ndarray:
        size = self.size(of_feature)
        name, exponent = of_feature.name, of_feature.exponent
        entity = self._entity(of_feature.entity)
        if LARGEST[of_feature.entity] == name:
            ranks = entity
        else:
            of_entity = _uniform(entity, self._key_of(f"{name} of entity"))
            alone = _uniform(self._rows, self._key_of(f"{name} alone"))
            drawn = np.where(
                _uniform(self._rows, self._key_of(f"{name} is alone")) < ALONE, alone, of_entity
            )
            ranks = _zipf(drawn, size, exponent)
        if size <= LARGE or not self.turnover:
            return ranks
        # each rank has its own moment of the day at which it is due
        phase = _uniform(ranks, self._key_of(f"{name} phase"))
        generation = np.floor(self._day * self.turnover + phase).astype(np.uint64)
        ranks = ranks.astype(np.uint64)
        return ranks + size * generation

    def _entity(self, entity: str) -> np.ndarray:
        """Return the user, advertisement or page of each row by its rank: uint32 [N]."""
        if entity not in self._entities:
            largest = PROPERTIES[NAMES.index(LARGEST[entity])]
            drawn = _uniform(self._rows, self._key_of(entity))
            ranks = _zipf(drawn, self.size(largest), largest.exponent)
            self._entities[entity] = ranks.astype(np.uint32)
        return self._entities[entity]

    def size(self, of_feature: Property) -> int:
        """Return how many values of a feature there are at a time."""
        if of_feature.size <= FEW:
            return of_feature.size
        return max(FEW, round(of_feature.size * self.preset.scale))

    def _key_of(self, what: str) -> np.uint64:
        return _key(f"{self._key} {what}")

    # ---- the data set

    @cached_property
    def checksum(self) -> str:  # type: ignore[override]
        digest = hashlib.sha256(self.name.encode())
        digest.update(self.target.tobytes())
        for name in LARGEST.values():
            digest.update(self._ids(name).tobytes())
        return f"sha256:{digest.hexdigest()}"

    @property
    def features(self) -> tuple[str, ...]:
        return NAMES

    @property
    def base(self) -> tuple[str, ...]:
        return NAMES

    @property
    def wide(self) -> tuple[str, ...]:
        return (*NAMES, *("*".join(pair) for pair in PAIRS[3:]))

    @property
    def entities(self) -> tuple[str, str]:
        return LARGEST["user"], LARGEST["ad"]

    @property
    def facts(self) -> Mapping[str, Any]:
        return {**super().facts, "turnover": self.turnover}

    @property
    def times(self) -> np.ndarray:
        return (self._rows * (DAYS * DAY) // self.preset.rows).astype(np.int64)

    def single(self, feature: str) -> Coded:
        if feature not in self._coded:
            self._coded[feature] = number_ids(pl.Series(self._ids(feature)))
        return self._coded[feature]

    def describe(self) -> dict[str, Any]:
        cardinalities = {name: len(self.coded(name).values) for name in self.features}
        return {
            "name": self.name,
            "rows": self.n_rows,
            "clicks": int(self.target.sum()),
            "turnover": self.turnover,
            "best_log_loss": self.best_log_loss,
            "features": cardinalities,
            "source": self.source,
            "checksum": self.checksum,
        }

    @property
    def best_log_loss(self) -> float:
        """The log loss of who knows the formula, nats."""
        of_row = np.where(self.target == 1, self.best, 1 - self.best)
        return float(-np.log(of_row.astype(np.float64)).mean())

    def summary(self, description: Mapping[str, Any]) -> str:
        share = description["clicks"] / description["rows"]
        n_values = sum(description["features"].values())
        return (
            f"{description['rows']:,} rows of {DAYS} days, {share:.1%} of "
            f"them clicks; {n_values:,} values, of which {description['turnover']:g} of those of "
            f"large features are new each day; best possible log loss "
            f"{description['best_log_loss']:.4f}"
        )


def _key(text: str) -> np.uint64:
    """Return 64 bits that follow from a text."""
    return np.uint64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little"))


def _hashed(numbers: np.ndarray, key: np.uint64) -> np.ndarray:
    """Return 64 random bits for each number: uint64 [n].

    They are the outputs of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    """
    with np.errstate(over="ignore"):  # the arithmetic is modulo 2^64
        bits = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + key
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return bits ^ (bits >> np.uint64(31))


def _uniform(numbers: np.ndarray, key: np.uint64) -> np.ndarray:
    """Return a number in [0, 1) for each number: float64 [n]."""
    return (_hashed(numbers, key) >> np.uint64(11)) * 2.0**-53


def _normal(numbers: np.ndarray, key: np.uint64) -> np.ndarray:
    """Return a number for each number, with mean 0 and variance 1: float64 [n].

    They are sums of four uniform numbers, which is as close to normal as effects need to be and
    takes no function that machines compute differently.
    """
    bits = _hashed(numbers, key)
    total = np.zeros(len(bits))
    for place in range(4):
        total += (bits >> np.uint64(16 * place)) & np.uint64(0xFFFF)
    return (total / 65_536 - 2) * math.sqrt(3)


def _zipf(uniform: np.ndarray, size: int, exponent: float) -> np.ndarray:
    """Return ranks below `size` with P(rank) as (rank + 1)^-exponent, nearly: uint64 [n].

    They are whole parts of the inverse of the continuous law.
    """
    if exponent == 1:
        ranks = np.exp(uniform * math.log(size + 1))
    else:
        power = 1 - exponent
        ranks = (1 + uniform * ((size + 1) ** power - 1)) ** (1 / power)
    return np.minimum(ranks - 1, size - 1).astype(np.uint64)
