"""The type of each value of a record that a reader computes with or walks through.

A record whose checksum is right may still hold a word where a number belongs, when another program
or another version wrote it. That is found here, when the record is read, and not by whatever uses
the value first. Fields that nothing relies on may be anything, and are not named here.
"""

import re
from typing import Annotated, Any, Literal, NotRequired, Required, TypedDict

import msgspec
from msgspec import Meta

LARGEST = 1e100  # of a measurement: its square must be a number too
WORD = 2**63  # of a count: a frame holds it in 64 bits

MOST_GROUPS = 1_000  # of users whose errors a record keeps; more users share groups

Real = Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
Error = Annotated[float, Meta(ge=0, le=LARGEST)]  # a mean of squares, of logarithms below 1
Count = Annotated[int, Meta(ge=0, le=WORD - 1)]

# numbers packed as `group_errors` describes; few enough for a record of ordinary size
Packed = Annotated[str, Meta(max_length=16 * MOST_GROUPS, pattern="^[A-Za-z0-9+/]*={0,2}$")]


class Collisions(TypedDict, total=False):
    free: Required[list[Real]]
    formula: Required[Real | None]
    free_any_weighted: Required[Real]
    own_weighted: Real


class FeatureCollisions(TypedDict):
    intra: Collisions
    inter: Collisions | None


class LoadValues(TypedDict):
    mean: Real
    max: Real


class Load(TypedDict):
    values: LoadValues


class FoundDiagnostics(TypedDict):
    features: dict[str, FeatureCollisions]
    load: Load | None


class Trial(TypedDict):
    """What a run of a search's trial says of it."""

    number: Count
    sampler: str
    total: Count | None
    varies: list[str]
    objectives: list[str]
    batch: NotRequired[Count]
    # the choices by knob, as `config.ranges` writes them; a digest in records of earlier versions
    space: NotRequired[str | dict[str, list[Any] | dict[str, Any]]]
    # Records of this version have all of these, and those of earlier versions none.
    seeds: NotRequired[Annotated[list[Count], Meta(min_length=1)]]  # of the runs of the trial
    default: NotRequired[str]  # the id of the default configuration
    startup: NotRequired[Count]
    margin: NotRequired[Real]


class World(TypedDict, total=False):
    """What the data of a run is like, in a compact record (see `world_facts`)."""

    rows: Real
    features: Real
    values: Real
    rows_a_value: Real
    unseen: Real
    rare: Real


class Thinned(TypedDict):
    """Which part of the rows a run used: `rows` of `of`, chosen by the values of a feature."""

    by: str
    rows: Count
    of: Count


class Found(TypedDict, total=False):
    """What a run met."""

    cardinalities: Required[dict[str, Count]]
    lookups: Required[dict[str, Count]]
    dim: Required[Count]
    exact_table_bytes: Required[Count]
    n_rows: dict[str, Count]
    n_seen: dict[str, Count]
    kind: str
    rank: Count
    width: Count
    method: str
    diagnostics: FoundDiagnostics
    trial: Trial
    setting: str
    world: World
    thinned: Thinned
    entities: list[str]
    entities_chosen: list[str]
    warnings: list[str]


class Logistic(TypedDict, total=False):
    """The scores of the binary task alone."""

    train_auc: Real | None
    val_auc: Real | None
    test_auc: Real | None
    train_log_loss: Error | None
    val_log_loss: Error | None
    test_log_loss: Error | None


class Scores(Logistic, total=False):
    """The scores of one predictor beside the model, and what was chosen for it on validation."""

    train_mse: Error | None
    val_mse: Error | None
    test_mse: Error | None
    groups: Packed
    penalty: Real
    trees: Count
    rows: Count


class Evaluation(TypedDict, total=False):
    epoch: Required[Real]
    train_mse: Required[Error]
    val_mse: Required[Error]
    train_log_loss: Error
    val_log_loss: Error


class Slice(TypedDict, total=False):
    n: Count
    mse: Error | None


class SliceScores(Slice, total=False):
    mae: Error | None
    auc: Real | None
    log_loss: Error | None


class Deciles(SliceScores):
    """Rows that are as rare: deciles `first` to `last`, of `least` to `most` training rows."""

    first: Annotated[int, Meta(ge=1, le=10)]
    last: Annotated[int, Meta(ge=1, le=10)]
    least: Count
    most: Count


class Rarity(TypedDict, total=False):
    """Scores by how rare the values of a row are in training."""

    of: Literal["test", "val"]
    unseen: dict[Literal["0", "1", "2+"], SliceScores]
    deciles: list[Deciles]


class ReliabilityDecile(TypedDict):
    n: Count
    predicted: Real
    observed: Real


class Reliability(TypedDict, total=False):
    """Means of predictions and targets, by tenths of the predictions."""

    of: Literal["test", "val"]
    ece: Real | None
    deciles: list[ReliabilityDecile]


class Ranking(TypedDict, total=False):
    """How well the rows of each user are ranked."""

    of: Literal["test", "val"]
    at: Count
    users: Count
    ndcg: Real | None


class StreamBlock(Slice, total=False):
    """A block of a stream: its errors before it was trained on, and the bytes after it."""

    block: Required[Count]
    log_loss: Error | None
    warm: SliceScores
    new: SliceScores
    returned: SliceScores
    table_bytes: Count
    auxiliary_bytes: Count
    vocabulary_bytes: Count
    optimizer_bytes: Count
    live_rows: Count
    idle_share: Real
    shared_share: Real


class Stream(TypedDict, total=False):
    """What becomes of errors and bytes over a stream."""

    away: Count
    blocks: Required[list[StreamBlock]]


class Angle(TypedDict):
    epoch: Real
    angle: Real


class Groups(TypedDict, total=False):
    """Errors by user or block (see `group_errors`)."""

    by: Required[Literal["user", "block"]]
    count: Required[Annotated[int, Meta(ge=0, le=MOST_GROUPS)]]
    rows: Required[str]
    n: Required[Packed]
    mse: Required[Packed]
    log_loss: Packed


class QualityDiagnostics(TypedDict, total=False):
    angles: list[Angle] | None


class Quality(Logistic, total=False):
    """What a trained model reached."""

    train_mse: Error | None
    val_mse: Required[Error]
    test_mse: Required[Error | None]
    best_epoch: Required[Real]
    anchors: Required[dict[str, Scores]]
    history: Required[list[Evaluation]]
    slices: dict[str, str | Slice]
    rarity: Rarity
    reliability: Reliability
    ranking: Ranking
    stream: Stream
    groups: dict[Literal["test", "val"], Groups]
    diagnostics: QualityDiagnostics


class Timing(TypedDict, total=False):
    """Repeated calls of one batch; records of earlier versions have one caller."""

    source: Required[str]
    batch: Required[Count]
    callers: Count
    rows_per_second: Count
    p50_us: Required[Real]
    p90_us: Required[Real]
    p99_us: Required[Real]
    n: Required[Count]
    unstable: bool


class Cost(TypedDict, total=False):
    """What a run took."""

    table_bytes: Required[Count]
    auxiliary_bytes: Required[Count]
    vocabulary_bytes: Required[Count]
    total_bytes: Required[Count]
    vocabulary_floor_bytes: Count
    total_floor_bytes: Count
    head_bytes: Count
    slot_cache_bytes: Count
    training_table_bytes: Count
    optimizer_bytes: Count
    peak_training_bytes: Count | None
    train_seconds: Real
    latency: list[Timing]


class Env(TypedDict, total=False):
    """Where a run took place."""

    ue_bench: str
    versions: dict[str, str]
    platform: str | None
    cpu: str | None
    cores: Count | None
    gpu: str | None
    threads: Count | None
    time: str
    git_sha: str | None
    git_dirty: bool | None


class SpeedVersions(TypedDict):
    torch: str


class SpeedEnv(TypedDict):
    """Where a speed was measured."""

    versions: SpeedVersions
    cpu: str | None
    cores: Count | None
    time: str


class Anything(TypedDict):
    """Fields by name, whatever they are."""


class Names(TypedDict):
    run_id: str
    study: str
    phase: str
    error: str | None


class Trained(Names):
    """A run that ended well."""

    found: Found
    quality: Quality
    cost: Cost
    env: Env


class Timed(Names):
    """A run that measured latency alone."""

    found: Found
    cost: Cost
    env: Env


class FoundBefore(TypedDict, total=False):
    """What a run met before it failed."""

    trial: Trial


class NotDone(Names):
    """A run that failed, or whose budget does not work."""

    found: FoundBefore
    quality: Anything
    cost: Anything
    env: Env


class Claim(TypedDict):
    ratio: Real
    of: str
    must: str
    reached: bool | None


class Line(TypedDict):
    what: str
    value: Real | None
    unit: str
    beside: dict[str, Real]
    claims: list[Claim]
    note: str


class SpeedAsked(TypedDict):
    case: str
    quick: bool


class SpeedFound(TypedDict):
    title: str


class SpeedCost(TypedDict):
    lines: list[Line]


class Speed(Names):
    """A measurement of `ue-bench speed`, which holds no run."""

    config: SpeedAsked
    found: SpeedFound
    cost: SpeedCost
    env: SpeedEnv


def fault(content: dict[str, Any], shape: Any) -> str | None:
    """Return what is wrong with the content of a record in plain words, or None."""
    try:
        msgspec.convert(content, shape)
    except msgspec.ValidationError as error:
        return _plain(str(error))
    return None


_WORDS = {
    "array": "a list",
    "object": "fields by name",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
}


def _plain(message: str) -> str:
    """Turn "Expected `str`, got `int` - at `$.a[0]`" into "a[0]: text is expected, not int"."""
    what, _, place = message.partition(" - at ")
    path = place.strip("`").removeprefix("$").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", what)
    if missing:
        name = f"{path}.{missing[1]}" if path else missing[1]
        return f"{name} is missing"
    wrong = re.fullmatch(r"Expected `(.*?)`, got `(.*)`", what)
    if wrong:
        allowed = " or ".join(_WORDS.get(word, word) for word in wrong[1].split(" | "))
        what = f"{allowed} is expected, not {wrong[2]}"
    return f"{path}: {what}"
