"""The list of strategies. A strategy is a method and the regions that it may use.

To add one, write a file in `methods` and add an entry here. Methods are listed by import path, so
that the list itself loads neither torch nor polars.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ue_bench import plugins
from ue_bench.config import RunConfig
from ue_bench.config.number_bits import BITS
from ue_bench.config.ranges import Between, UpTo
from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.added_code import Code, Home
from ue_bench.strategies.anchor_entries import ANCHORS, is_anchor, require_strategy
from ue_bench.strategies.entry import BOTH, FORMAT_FIELDS, Entry
from ue_bench.strategies.entry_check import check_entry, check_method

GROUP = "ue_bench.strategies"  # of the entry points through which packages offer strategies

STRATEGIES: dict[str, Entry] = {
    "unified": Entry(
        "ue_bench.strategies.methods.hashing_trick:HashingTrick",
        regions=("multiplexed",),
        summary="one hashed table shared by all features, any number of lookups each",
        source="Coleman et al., NeurIPS 2023, arXiv 2305.12102",
        plain_rows=True,
    ),
    "per_feature": Entry(
        "ue_bench.strategies.methods.hashing_trick:HashingTrick",
        regions=("separate",),
        summary="one hashed table per feature, sized by a named rule",
        source="Weinberger et al., ICML 2009, arXiv 0902.2206",
        plain_rows=True,
    ),
    "collisionless": Entry(
        "ue_bench.strategies.methods.collisionless:Collisionless",
        regions=("exact",),
        summary="an exact row for every training value, none shared; it keeps no budget",
        source="the uncompressed reference",
        needs_vocabulary=True,
        has_lookups=False,
        has_budget=False,
        plain_rows=True,
    ),
    "growing_exact": Entry(
        "ue_bench.strategies.methods.growing_exact:GrowingExact",
        regions=("exact",),
        summary="an exact row for every value of a stream once it has arrived; it keeps no budget",
        source="usual practice",
        needs_vocabulary=True,
        grows=True,
        stream_only=True,
        has_lookups=False,
        has_budget=False,
        plain_rows=True,
        fixed={"evict": "never"},
    ),
    "evicting_exact": Entry(
        "ue_bench.strategies.methods.growing_exact:GrowingExact",
        regions=("exact",),
        summary="exact rows for values of a stream, of which old or rare ones give way to new ones",
        source="usual practice",
        needs_vocabulary=True,
        grows=True,
        stream_only=True,
        has_lookups=False,
        plain_rows=True,
    ),
    "multi_hash_sum": Entry(
        "ue_bench.strategies.methods.multi_hash:MultiHash",
        regions=BOTH,
        summary="the sum of the rows of several hashes of a value",
        source="Serrà and Karatzoglou, RecSys 2017, arXiv 1706.03993",
        fixed={"combine": "sum"},
        search={"hashes": (2, 3, 4, 6)},
    ),
    "multi_hash_mean": Entry(
        "ue_bench.strategies.methods.multi_hash:MultiHash",
        regions=BOTH,
        summary="the mean of the rows of several hashes of a value",
        source="Serrà and Karatzoglou, RecSys 2017, arXiv 1706.03993",
        fixed={"combine": "mean"},
        search={"hashes": (2, 3, 4, 6)},
    ),
    "compositional": Entry(
        "ue_bench.strategies.methods.compositional:Compositional",
        regions=BOTH,
        summary="narrow rows of several hashed tables, side by side",
        source="Shi et al., KDD 2020, arXiv 1909.02107",
        search={"parts": UpTo("dim", (1, 2, 4, 8))},
    ),
    "qr_multiply": Entry(
        "ue_bench.strategies.methods.quotient_remainder:QuotientRemainder",
        regions=BOTH,
        summary="a quotient row times a remainder row; every dense id has a pair of its own",
        source="Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "multiply"},
    ),
    "qr_add": Entry(
        "ue_bench.strategies.methods.quotient_remainder:QuotientRemainder",
        regions=BOTH,
        summary="a quotient row plus a remainder row; every dense id has a pair of its own",
        source="Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "add"},
    ),
    "qr_concat": Entry(
        "ue_bench.strategies.methods.quotient_remainder:QuotientRemainder",
        regions=BOTH,
        summary="a quotient row beside a remainder row; every dense id has a pair of its own",
        source="Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "concat"},
        takes_two_numbers=True,
    ),
    "hash_embedding": Entry(
        "ue_bench.strategies.methods.hash_embedding:HashEmbedding",
        regions=BOTH,
        summary="a sum of hashed rows with learned, hashed weights",
        source="Svenstrup et al., NeurIPS 2017, arXiv 1709.03933",
        search={"hashes": (2, 3, 4, 6)},
    ),
    "hashed_net": Entry(
        "ue_bench.strategies.methods.hashed_net:HashedNet",
        regions=BOTH,
        summary="every number of a vector hashed into one pool of numbers, with a hashed sign",
        source="Chen et al., ICML 2015, arXiv 1504.04788",
    ),
    "hashed_bits": Entry(
        "ue_bench.strategies.methods.hashed_net:HashedNet",
        regions=("multiplexed",),
        summary="the hashed numbers of hashed_net in two bits each, in one pool of all features",
        source="of this package, docs/hashed-bits.md; Chen et al., ICML 2015, arXiv 1504.04788",
        numbers={"bits": "int2"},
    ),
    "robe": Entry(
        "ue_bench.strategies.methods.robe:Robe",
        regions=BOTH,
        summary="blocks of a vector cut at hashed places from one array of numbers",
        source="Desai et al., MLSys 2022, arXiv 2108.02191",
        search={"block": UpTo("dim", (1, 2, 4, 8, 16))},
    ),
    "dhe": Entry(
        "ue_bench.strategies.methods.deep_hash:DeepHash",
        regions=BOTH,
        summary="a network that turns many hashes of a value into its vector; no table",
        source="Kang et al., KDD 2021, arXiv 2010.10784",
        search={"hashes": (8, 16, 32, 64, 128)},
        float_only="it has no table, whose numbers would be rounded",
    ),
    "frequency_double_hash": Entry(
        "ue_bench.strategies.methods.frequent_rows:FrequentRows",
        regions=BOTH,
        grows=True,
        summary="frequent values own a row, all others add up two hashed rows",
        source="Zhang et al., RecSys 2020, arXiv 2007.14523",
        needs_vocabulary=True,
        fixed={"hashes": 2},
        search={"frequent_share": Between(0.02, 0.98)},
    ),
    "frequency_threshold": Entry(
        "ue_bench.strategies.methods.frequent_rows:FrequentRows",
        regions=BOTH,
        grows=True,
        summary="frequent values own a row, all others share hashed rows",
        source="the usual practice: a vocabulary of limited size, and buckets",
        needs_vocabulary=True,
        fixed={"hashes": 1},
        plain_rows=True,
        search={"frequent_share": Between(0.02, 0.98)},
    ),
    "zero_collision": Entry(
        "ue_bench.strategies.methods.zero_collision:ZeroCollision",
        regions=BOTH,
        grows=True,
        summary="values look for a row of their own near the one that they hash to",
        source="arXiv 2602.17050",
        needs_values=True,
        plain_rows=True,
        search={"probes": (1, 4, 16, 64)},
    ),
    "cafe": Entry(
        "ue_bench.strategies.methods.cafe:CAFE",
        regions=BOTH,
        summary="values that training moves most own rows, found by a sketch; others are hashed",
        source="Zhang et al., SIGMOD 2024, arXiv 2312.03256",
        search={"hot_share": Between(0.05, 0.9)},
    ),
    "memcom": Entry(
        "ue_bench.strategies.methods.memcom:MEmCom",
        regions=BOTH,
        summary="a hashed row times a number that each training value has for itself",
        source="Pansare et al., MLSys 2022, arXiv 2203.10135",
        needs_vocabulary=True,
        search={"bias": (False, True)},
    ),
    "low_dim_exact": Entry(
        "ue_bench.strategies.methods.low_dim_exact:LowDimExact",
        regions=BOTH,
        summary="exact rows of few numbers, and a linear map to the width",
        source="a linear bottleneck, the baseline to beat",
        needs_vocabulary=True,
        has_lookups=False,
    ),
    "mixed_dimension": Entry(
        "ue_bench.strategies.methods.mixed_dimension:MixedDimension",
        regions=("exact",),
        summary=(
            "exact rows, shorter where a feature has more values, and a linear map to the width"
        ),
        source="Ginart et al., ISIT 2021, arXiv 1909.11810",
        needs_vocabulary=True,
        has_lookups=False,
        search={"alpha": Between(0.0, 1.0)},
    ),
    "tt_rec": Entry(
        "ue_bench.strategies.methods.tt_rec:TTRec",
        regions=BOTH,
        summary="exact rows as products of three small cores (tensor train)",
        source="Yin et al., MLSys 2021, arXiv 2101.11714",
        needs_vocabulary=True,
        has_lookups=False,
    ),
    "cce": Entry(
        "ue_bench.strategies.methods.cce:CCE",
        regions=BOTH,
        summary="a learned cluster plus a hash for each column, clustered anew between epochs",
        source="Tsang and Ahle, NeurIPS 2023, arXiv 2210.05974",
        needs_vocabulary=True,
        search={"columns": UpTo("dim", (1, 2, 4, 8)), "cluster_epochs": (1, 2, 4, 8)},
    ),
    "graph_hash": Entry(
        "ue_bench.strategies.methods.graph_hash:GraphHash",
        regions=BOTH,
        summary="values that often meet in training rows share a row",
        source="Wu et al., WWW 2025, arXiv 2412.17245",
        needs_vocabulary=True,
        needs_rows=True,
        fixed={"double": False},
        plain_rows=True,
    ),
    "double_graph_hash": Entry(
        "ue_bench.strategies.methods.graph_hash:GraphHash",
        regions=BOTH,
        summary="the row of values that often meet plus a hashed row",
        source="Wu et al., WWW 2025, arXiv 2412.17245",
        needs_vocabulary=True,
        needs_rows=True,
        fixed={"double": True},
    ),
    "magnitude_pruning": Entry(
        "ue_bench.strategies.methods.magnitude_pruning:MagnitudePruning",
        regions=("exact",),
        summary="the exact table, all but its largest numbers dropped after training",
        source="Han et al., NeurIPS 2015, arXiv 1506.02626",
        needs_vocabulary=True,
        has_lookups=False,
        float_only="the numbers that it keeps are float32 beside their places",
    ),
    "masked_pruning": Entry(
        "ue_bench.strategies.methods.masked_pruning:MaskedPruning",
        regions=("exact",),
        summary="the exact table, all but its largest numbers dropped early, the others trained on",
        source="Han et al., NeurIPS 2015, arXiv 1506.02626",
        needs_vocabulary=True,
        has_lookups=False,
        search={"prune_epoch": (1, 2, 4, 8, 16)},
        float_only="the numbers that it keeps are float32 beside their places",
    ),
    "pep": Entry(
        "ue_bench.strategies.methods.pep:PEP",
        regions=("exact",),
        summary="the exact table, pruned by learned soft thresholds and then trained anew",
        source="Liu et al., ICLR 2021, arXiv 2101.07577",
        needs_vocabulary=True,
        has_lookups=False,
        search={"threshold": Between(0.02, 0.98), "search_epochs": (1, 2, 4, 8)},
        float_only="the numbers that it keeps are float32 beside their places",
    ),
    "int8": Entry(
        "ue_bench.strategies.methods.low_dim_exact:LowDimExact",
        regions=("exact",),
        summary="exact rows of 8-bit numbers with a step each",
        source="Khudia et al., arXiv 2101.05615",
        needs_vocabulary=True,
        has_lookups=False,
        numbers={"bits": "int8", "bits_step": "row", "bits_rule": "mean"},
    ),
    "int4": Entry(
        "ue_bench.strategies.methods.low_dim_exact:LowDimExact",
        regions=("exact",),
        summary="exact rows of 4-bit numbers with a step each",
        source="Guan et al., arXiv 1911.02079",
        needs_vocabulary=True,
        has_lookups=False,
        numbers={"bits": "int4", "bits_step": "row", "bits_rule": "mean"},
    ),
    "mixed_precision": Entry(
        "ue_bench.strategies.methods.mixed_precision:MixedPrecision",
        regions=("exact",),
        summary="exact rows, whose numbers have the more bits, the more frequent their value is",
        source="Li et al., arXiv 2409.20305",
        needs_vocabulary=True,
        has_lookups=False,
        float_only="its numbers have bits of their own",
        search={"alpha": Between(0.0, 1.5)},
    ),
    "product_quantization": Entry(
        "ue_bench.strategies.methods.product_quantization:ProductQuantization",
        regions=BOTH,
        summary=(
            "the exact table, its parts replaced by the nearest of a few centroids after training"
        ),
        source="Jégou et al., TPAMI 2011",
        needs_vocabulary=True,
        has_lookups=False,
        float_only="its codes are what few bits are",
        search={"by_frequency": (False, True)},
    ),
    "residual_quantization": Entry(
        "ue_bench.strategies.methods.residual_quantization:ResidualQuantization",
        regions=BOTH,
        summary="the exact table, each row replaced by a sum of centroids after training",
        source="Chen, Guan and Wang, Sensors 2010",
        needs_vocabulary=True,
        has_lookups=False,
        float_only="its codes are what few bits are",
        search={"by_frequency": (False, True)},
    ),
}

_DEFAULT = RunConfig()
_BUILT_IN = dict(STRATEGIES)
_homes: dict[str, Home] = {}  # of the strategies that plug-ins and installed packages have added
_codes: dict[str, tuple[Entry, Code | None]] = {}  # what `code_of` found first of an entry
# Where installed strategies come from whose methods are checked when one is asked for: a list of
# them must not load torch.
_unchecked: dict[str, str] = {}


def entry_of(name: str) -> Entry:
    """The entry of a name, also of a plug-in that was loaded or of an installed package.

    Raises BenchError for a name that no strategy has, that of an anchor too, and for the method of
    an installed package that is none.
    """
    if name not in STRATEGIES:
        require_strategy(name)
        _load_installed()
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES.keys() | ANCHORS.keys())
    if name in _unchecked:
        check_method(STRATEGIES[name], _unchecked[name])
        del _unchecked[name]
    return STRATEGIES[name]


def all_strategies() -> dict[str, Entry]:
    """The list with what plug-ins and installed packages have added. Loads these packages."""
    _load_installed()
    return STRATEGIES


def static_strategies() -> list[str]:
    """The names of the list that are not for streams alone."""
    return [name for name, entry in STRATEGIES.items() if not entry.stream_only]


def added_static_strategies() -> list[str]:
    """The names of `static_strategies` that plug-ins added. Loads no package."""
    return [name for name in static_strategies() if name not in _BUILT_IN]


def added_strategies() -> dict[str, Entry]:
    """The strategies of plug-ins and installed packages. Loads these packages."""
    return {name: entry for name, entry in all_strategies().items() if name not in _BUILT_IN}


def strategy_names() -> list[str]:
    """The names of `all_strategies`, sorted. Loads no package."""
    return sorted(STRATEGIES.keys() | plugins.installed(GROUP).names)


def code_of(name: str) -> Code | None:
    """The code of an added strategy; None for one of ue_bench, and for code that is in no file.

    A plug-in has the code that was run. Other files have what they contained when they were first
    asked for, soon after they were loaded.
    """
    if is_anchor(name):
        return None
    entry = entry_of(name)
    known_entry, code = _codes.get(name, (None, None))
    if known_entry is not entry:
        code = _code_now(name)
        _codes[name] = entry, code
    return code


def require_same_code(config: RunConfig) -> None:
    """Raise BenchError if the files of the strategy no longer contain what this process runs.

    A process that is started now would run them as they are.
    """
    if config.code is None:
        return
    code = _code_now(config.strategy)
    if code is None or code.digest != config.code:
        raise BenchError(_other_code(config.strategy, config.code, code))


def digest_of(config: RunConfig) -> str | None:
    """The digest of the code that a run of this process would run: `RunConfig.code`.

    Raises BenchError where the configuration names other code.
    """
    code = code_of(config.strategy)
    digest = None
    if code is not None:
        digest = code.digest
    if config.code not in (None, digest):
        raise BenchError(_other_code(config.strategy, config.code, code))
    return digest


def is_added(name: str) -> bool:
    """Whether the strategy of a name is none of ue_bench."""
    return _BUILT_IN.get(name) is not entry_of(name)


def files_of(name: str) -> list[Path]:
    """The files with the code of an added strategy."""
    return _home_of(name).files()


def _code_now(name: str) -> Code | None:
    return _home_of(name).code() if is_added(name) else None


def _home_of(name: str) -> Home:
    entry = entry_of(name)
    home = _homes.get(name)
    if home is None or home.entry is not entry:  # an entry that somebody's program put there
        home = Home(entry)
    return home


def _other_code(name: str, digest: str | None, here: Code | None) -> str:
    found = "it has no digest here"
    if here is not None:
        found = f"{here.origin} has {here.digest} here"
    return (
        f"{name}: the run is of the code with digest {digest}, and {found}; give back the file or "
        "package that it began with, or ask for a new run"
    )


def load_plugins(paths: Iterable[Path]) -> dict[str, Entry]:
    """Load the plug-ins of one command, as `load_plugin` does each, and return all strategies.

    Raises BenchError if two different files have one name, since the later one would replace the
    strategies of the earlier one, and as `load_plugin` does.
    """
    entries: dict[str, Entry] = {}
    by_module: dict[str, Path] = {}
    for path in paths:
        other = by_module.setdefault(plugins.module_name("plugin", path), path)
        if other.resolve() != path.resolve():
            raise BenchError(
                f"plugins {other} and {path} have one name, so that the second would replace the "
                "first; rename one of the files"
            )
        entries.update(load_plugin(path))
    return entries


def load_plugin(path: Path, source: bytes | None = None) -> dict[str, Entry]:
    """Run a Python file, add its `STRATEGIES` (name -> Entry) to the list and return them.

    source: what to run in place of what the file contains now.

    Raises BenchError if there is no such file, if it has no strategies, if a name is taken and for
    an entry that can never run.
    """
    path = path.resolve()
    module = plugins.run(path, "plugin", "STRATEGIES = {name: Entry(...)}", source)
    entries = getattr(module, "STRATEGIES", None)
    if not isinstance(entries, dict) or not entries:
        raise BenchError(
            f"plugin {path} has no strategies; it needs STRATEGIES = {{name: Entry(...)}}"
        )
    for name, entry in entries.items():
        _add(name, entry, source=f"plugin {path}")
        _homes[name] = Home.of_plugin(entry, path, plugins.sources([path])[path])
    return entries


def _load_installed() -> None:
    """Add the strategies of installed packages: each entry point names one Entry."""
    for point in plugins.installed(GROUP):
        if point.name not in STRATEGIES:
            entry = point.load()
            _add(point.name, entry, source=f"entry point {point.value}", is_listed=True)
            _homes[point.name] = Home.of_package(entry, point)


def _add(name: object, entry: object, source: str, *, is_listed: bool = False) -> None:
    """Add an entry to the list. Raises BenchError for one that is wrong.

    source: where it comes from, for the message. is_listed: whether it may only be listed, so that
    a method that is named by its path is not loaded yet.
    """
    if not isinstance(entry, Entry):
        raise BenchError(
            f"{source}: {name} is a {type(entry).__name__}; it must be an ue_bench.strategies.Entry"
        )
    if not isinstance(name, str) or not name or not name.isprintable():
        raise BenchError(
            f"{source}: a strategy is named {name!r}; its name must be a text of visible characters"
        )
    where = f"{source}: {name}"
    check_entry(entry, where)
    # a file that is loaded again replaces its own strategies
    is_taken = name in STRATEGIES and STRATEGIES[name].module != entry.module
    if is_taken or is_anchor(name):
        raise BenchError(f"{source}: the name {name!r} is taken; choose another")
    _unchecked.pop(name, None)
    if is_listed and isinstance(entry.implementation, str):
        _unchecked[name] = where
    else:
        check_method(entry, where)
    STRATEGIES[name] = entry


def summaries() -> dict[str, tuple[str, str]]:
    """Return one line and the source of every strategy and anchor, by name."""
    found = {name: (anchor.summary, anchor.source) for name, anchor in ANCHORS.items()}
    for name, entry in all_strategies().items():
        found[name] = entry.summary, entry.source
    return found


def method_of(name: str) -> str:
    """The method of a strategy in words: its class, and the knobs that make it this strategy.

    `unified` and `per_feature` have the same method.
    """
    entry = entry_of(name)
    words = [entry.class_name]
    for knob, value in entry.fixed.items():
        words.append(f"{knob}={value}")
    return " ".join(words)


def numbers_of(name: str, requested: Mapping[str, Any]) -> dict[str, Any]:
    """The format of a strategy's numbers by field of a run, with every choice made.

    requested: `FORMAT_FIELDS` of a run, among others. What has no meaning in a format
    has its default, so that equal requests are alike.

    Raises BenchError if the strategy has another format than was requested.
    """
    defaults = {field: getattr(_DEFAULT, field) for field in FORMAT_FIELDS}
    fields = {field: requested[field] for field in FORMAT_FIELDS}
    for field, value in entry_of(name).numbers.items():
        if fields[field] not in (defaults[field], value):
            raise BenchError(
                f"{name}: {field} {fields[field]!r} was given; it is {value!r} in this strategy"
            )
        fields[field] = value
    if BITS[fields["bits"]] > 8:
        return {**defaults, "bits": fields["bits"]}
    return fields


def regions_of(name: str, requested: str | None) -> str:
    """The regions that a strategy uses: those that were requested, or its default (None).

    Raises BenchError if the strategy has no such form.
    """
    allowed = entry_of(name).regions
    if requested is None:
        return allowed[0]
    if requested not in allowed:
        raise BenchError(
            f"{name}: regions {requested!r} were asked for; it has {' or '.join(allowed)}"
        )
    return requested
