"""Fills in what a configuration leaves to its strategy, so that one run has one id."""

from dataclasses import replace
from typing import Any

from ue_bench import data
from ue_bench.config import CHOICES, SETTINGS, RunConfig
from ue_bench.config.fields import names_of
from ue_bench.config.separators import parse_separators, separators_text
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import BenchError, unknown
from ue_bench.features import by_canonical_feature, canonical_feature
from ue_bench.strategies import digest_of, entry_of, is_anchor, numbers_of, rank_of, regions_of

_DEFAULT = RunConfig()


def resolve(config: RunConfig) -> RunConfig:
    """Return the same run with every choice made explicit, and equal choices written alike.

    Raises BenchError for an unknown data set or strategy, for a table without a checksum, for a
    strategy whose code is not what the configuration names, and for an anchor with a wrong rank.
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
    elif data.info_of(config.dataset) is None:
        raise unknown("data set", config.dataset, data.DATASETS)
    if (config.give_up_epochs is None) != (config.give_up_above is None):
        raise BenchError(
            f"give_up_epochs: {config.give_up_epochs} was given with give_up_above "
            f"{config.give_up_above}; give both, or none"
        )
    has_epochs = config.split != STREAM and not is_anchor(config.strategy)
    if config.give_up_epochs is not None and not has_epochs:
        raise BenchError(
            f"give_up_epochs: {config.give_up_epochs} was given, and neither a stream nor an "
            "anchor has epochs; leave it and give_up_above out"
        )
    multi_valued = config.multi_valued
    if multi_valued is not None:
        multi_valued = separators_text(parse_separators(multi_valued))
    own_fields = _of_strategy
    if is_anchor(config.strategy):
        own_fields = _of_anchor
    return replace(
        config,
        features=",".join(canonical_feature(name.strip()) for name in config.features.split(",")),
        table=table,
        multi_valued=multi_valued,
        **own_fields(config),
    )


def _of_strategy(config: RunConfig) -> dict[str, Any]:
    """Return the fields that depend on the strategy."""
    regions = regions_of(config.strategy, config.regions)
    region_rule = None
    region_cap = "none"
    if regions == "separate":
        region_cap = config.region_cap
        region_rule = config.region_rule or CHOICES["region_rule"][0]
    hash_seeds = config.hash_seeds
    if hash_seeds is not None:
        hash_seeds = by_canonical_feature(hash_seeds)
    return {
        "code": digest_of(config),
        "regions": regions,
        "region_rule": region_rule,
        "region_cap": region_cap,
        "lookups": _canonical_lookups(config.lookups),
        "hash_seeds": hash_seeds,
        **_canonical_numbers(config),
    }


def _canonical_numbers(config: RunConfig) -> dict[str, Any]:
    """Return the format of the numbers; its default where it is part of the strategy."""
    numbers = numbers_of(config.strategy, config.by_name())
    if entry_of(config.strategy).numbers:
        return {name: getattr(_DEFAULT, name) for name in numbers}
    return numbers


def _of_anchor(config: RunConfig) -> dict[str, Any]:
    """Return the default of all fields of a table, which an anchor does not have.

    Only its budget stays as it is, so that a run can refuse it.
    """
    if config.regions is not None:
        raise BenchError(
            f"{config.strategy}: regions {config.regions!r} were given; an anchor has no table, so "
            "leave them out"
        )
    rank_of(config.strategy, config.options)
    own = ("strategy", "options", "budget")
    fields = {}
    for name in names_of(SETTINGS, "strategy"):
        if name not in own:
            fields[name] = getattr(_DEFAULT, name)
    return {**fields, "region_cap": "none"}


def _canonical_lookups(lookups: int | dict[str, int]) -> int | dict[str, int]:
    """Return lookups by feature sorted by name, without those of the default, 1."""
    if not isinstance(lookups, dict):
        return lookups
    changed = {}
    for name, count in sorted(by_canonical_feature(lookups).items()):
        if count != 1:
            changed[name] = count
    return changed or 1
