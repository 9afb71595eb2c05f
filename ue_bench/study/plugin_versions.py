"""The code of the strategies that plug-ins add to a study, and records that other code made."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from ue_bench.config import RunConfig
from ue_bench.errors import one_line
from ue_bench.record import Record
from ue_bench.strategies import Code, code_of
from ue_bench.study.grid_and_search import Grid, Search

UNKNOWN = "unknown"  # the digest of what a version of ue_bench without digests has made


def codes_of(parts: Iterable[Grid | Search]) -> dict[str, Code]:
    """Return the code of each added strategy that parts of a study name, by name."""
    names: set[str] = set()
    for part in parts:
        names.update(strategies_of(part))
    return codes_of_names(names)


def codes_of_names(names: Iterable[str]) -> dict[str, Code]:
    """Return the code of each of these strategies that is an added one, by name."""
    codes = {}
    for name in sorted(names):
        code = code_of(name)
        if code is not None:
            codes[name] = code
    return codes


def made_by_other_code(config: RunConfig, codes: Mapping[str, Code]) -> bool:
    """Return whether a run is of other code than its strategy has now. codes: by strategy."""
    code = codes.get(config.strategy)
    return code is not None and config.code != code.digest


def left_alone(records: Iterable[Record], codes: Mapping[str, Code], folder: Path) -> list[str]:
    """Return one line for each other version of a strategy's code that made some of the records.

    codes: by strategy. folder: of the records.
    """
    counts: Counter[tuple[str, str]] = Counter()
    for record in records:
        config = record.config
        if made_by_other_code(config, codes):
            counts[config.strategy, config.code or UNKNOWN] += 1
    lines = []
    for (strategy, digest), count in sorted(counts.items()):
        code = codes[strategy]
        lines.append(
            one_line(
                f"{strategy}: {count} records in {folder} were made by another version of "
                f"{code.origin} (digest {digest}, now {code.digest}); they are left alone and do "
                "not count"
            )
        )
    return lines


def strategies_of(part: Grid | Search) -> Iterable[str]:
    """Return the strategy of each arm of a part."""
    if isinstance(part, Grid):
        return [arm.strategy for arm in part.arms]
    return [part.base.strategy, *part.strategies, *(arm.strategy for arm in part.against)]
