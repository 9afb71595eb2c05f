"""From which turnover of values on does hashing overtake exact rows, or does it never?

Command: ue-bench study stream --workers 2
Cost: 1,460 runs and 146 timings, those of streams at their ends; with --quick 38 and 19.
Expect: at a turnover of 0 the order of the static split; the more values come and go, the less
exact rows are worth, which start anew with each value, and at a turnover of 1 the mean of a feature
is all that can be learned.

Rows come in batches of 128. Of 64 to 1,024 on seeds 1000 and 1001, 64 is best on baseball and
ratings, 256 and more on flights and clicks, and 128 is within 6 % of the best everywhere: two forms
in floats and `growing_exact`.

Each block is predicted before it is trained on. Click logs have a turnover of 0, 0.1, 0.3 and 1 of
the values of large features each day; flights, seasons of baseball and ratings come as they came.
All tables have a sixteenth of the bytes of the exact table of all values, but the one that grows.
The log with a turnover of 0 has a split by time, too: it is to rank the hashed tables alike.
"""

from dataclasses import replace
from itertools import chain
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.study import Grid, Study

BASE = RunConfig(split=STREAM, lookups=2, dim=8, batch_size=128, measure="quality")
CLICKS: tuple[dict[str, Any], ...] = tuple(
    {"dataset": f"click-world-small@{turnover}", "task": "binary"}
    for turnover in ("0", "0.1", "0.3", "1")
)
WORLDS: tuple[dict[str, Any], ...] = (
    {"dataset": "flights", "task": "binary", "positive_at_least": 15.0},
    {"dataset": "baseball"},
    {"dataset": "ml-100k"},
    *CLICKS,
)
BITS = ("float32", "int4")
COMPRESSION = 16
ONE: dict[str, Any] = {"lookups": 1, "dim": 16}
HASHED: tuple[dict[str, Any], ...] = (
    {"strategy": "unified"},
    {"strategy": "per_feature", "region_rule": "sqrt"},
    {"strategy": "hashed_net", "regions": "multiplexed"},
    {"strategy": "cafe", "regions": "multiplexed"},
    {"strategy": "frequency_threshold", "regions": "multiplexed"},
    {"strategy": "zero_collision", "regions": "multiplexed"},
)
EXACT: tuple[dict[str, Any], ...] = (
    {"strategy": "evicting_exact", **ONE},
    {"strategy": "evicting_exact", **ONE, "options": {"evict": "frequency"}},
    {"strategy": "growing_exact", **ONE},
)
# It has bits of its own, two.
NAMED: dict[str, Any] = {"strategy": "hashed_bits"}


def arms(base: RunConfig, forms: tuple[dict[str, Any], ...]) -> list[RunConfig]:
    """These forms in each of `BITS`, and the recommended strategy."""
    configs = []
    for bits in BITS:
        configs += [replace(base, **form, bits=bits) for form in forms]
    return [*configs, replace(base, **NAMED)]


STREAMS = [arms(replace(BASE, **world), HASHED + EXACT) for world in WORLDS]
# The same log, whose values stay, in one pass over the earlier rows.
SPLIT = replace(BASE, **CLICKS[0], split="global_temporal", epochs=1)


STUDY = Study(
    question="what is each strategy worth on a stream, and from which turnover of values on does "
    "hashing overtake exact rows?",
    parts=(
        Grid(tuple(chain.from_iterable(STREAMS)), (COMPRESSION,)),
        Grid(tuple(arms(SPLIT, HASHED)), (COMPRESSION,)),
    ),
    quick=(Grid(tuple(STREAMS[1]), (COMPRESSION,), seeds=2),),
)
