"""Fills in what a configuration leaves to its strategy, so that one run has one id."""

from dataclasses import replace

from ue_bench import data
from ue_bench.config import CHOICES, RunConfig
from ue_bench.config.separators import parse_separators, separators_text
from ue_bench.errors import BenchError, unknown
from ue_bench.features import by_canonical_feature, canonical_feature
from ue_bench.strategies import digest_of, regions_of


def resolve(config: RunConfig) -> RunConfig:
    """Return the same run with every choice made explicit, and equal choices written alike.

    Raises BenchError for an unknown data set or strategy, for a table without a checksum, and for a
    strategy whose code is not what the configuration names.
    """
    table = None
    if config.table is not None:
        definition = data.Definition.from_dict(config.table)
        if definition.checksum is None:
            raise BenchError(
                f"{config.dataset}: the table has no checksum, and the id of a run depends on it; "
                "make it with data.define"
            )
        table = definition.to_dict()
    elif config.dataset not in data.DATASETS:
        raise unknown("data set", config.dataset, data.DATASETS)
    regions = regions_of(config.strategy, config.regions)
    region_rule = None
    region_cap = "none"
    if regions == "separate":
        region_cap = config.region_cap
        region_rule = config.region_rule or CHOICES["region_rule"][0]
    multi_valued = config.multi_valued
    if multi_valued is not None:
        multi_valued = separators_text(parse_separators(multi_valued))
    hash_seeds = config.hash_seeds
    if hash_seeds is not None:
        hash_seeds = by_canonical_feature(hash_seeds)
    return replace(
        config,
        features=",".join(canonical_feature(name.strip()) for name in config.features.split(",")),
        code=digest_of(config),
        regions=regions,
        region_rule=region_rule,
        region_cap=region_cap,
        lookups=_canonical_lookups(config.lookups),
        hash_seeds=hash_seeds,
        table=table,
        multi_valued=multi_valued,
    )


def _canonical_lookups(lookups: int | dict[str, int]) -> int | dict[str, int]:
    """Return lookups by feature sorted by name, without those of the default, 1."""
    if not isinstance(lookups, dict):
        return lookups
    changed = {}
    for name, count in sorted(by_canonical_feature(lookups).items()):
        if count != 1:
            changed[name] = count
    return changed or 1
