"""What comparing the runs of a study needs of a whole record, with what records share held once."""

from dataclasses import replace
from typing import Any

from ue_bench.config import RunConfig
from ue_bench.record import Record
from ue_bench.record.compact import compact
from ue_bench.study.search_records import held_once

_REDRAWN = "random"  # the split of which no interval is drawn from groups of rows
_COSTS = ("table_bytes", "auxiliary_bytes", "vocabulary_bytes", "total_bytes")
_NOWHERE: dict[str, Any] = {}  # the environment of all of these records


def compared(record: Record, config: RunConfig) -> Record:
    """Return a record as comparisons of scores need it: of `record.compact`, without latencies.

    config: equal to that of the record, and in memory already. Errors by group stay where an
    interval may be drawn from them: where all seeds score the same rows.
    """
    small = compact(record)
    quality: dict[str, Any] = {}
    for name, value in small.quality.items():
        if not isinstance(value, (dict, list)):
            quality[name] = value
    anchors: dict[str, Any] = dict(small.quality.get("anchors", {}))
    if config.split != _REDRAWN or config.tested_on is not None:
        whole = record.quality
        if "groups" in whole:
            quality["groups"] = whole["groups"]
        for name in anchors:
            if "groups" in whole["anchors"][name]:
                anchors[name] = anchors[name] | {"groups": whole["anchors"][name]["groups"]}
    if anchors:
        quality["anchors"] = held_once(anchors)
    found = {name: held_once(value) for name, value in small.found.items()}
    cost = held_once({name: small.cost[name] for name in _COSTS if name in small.cost})
    return replace(record, config=config, found=found, quality=quality, cost=cost, env=_NOWHERE)
