"""The one list of strategies. A strategy is a method and the regions it may use; adding one is a file and a line here."""

from dataclasses import replace
from pathlib import Path

from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.base import EmbeddingStrategy, Spec, check_budget
from ue_bench.strategies.elsewhere import load_file, load_installed
from ue_bench.strategies.entry import BOTH, Entry
from ue_bench.strategies.low_cardinality import ExactLowCardinality
from ue_bench.strategies.methods.cce import CCE
from ue_bench.strategies.methods.collisionless import Collisionless
from ue_bench.strategies.methods.compositional import Compositional
from ue_bench.strategies.methods.deep_hash import DeepHash
from ue_bench.strategies.methods.frequency_double_hash import FrequencyDoubleHash
from ue_bench.strategies.methods.hash_embedding import HashEmbedding
from ue_bench.strategies.methods.hashed_net import HashedNet
from ue_bench.strategies.methods.hashing_trick import HashingTrick
from ue_bench.strategies.methods.int4 import Int4
from ue_bench.strategies.methods.int8 import Int8
from ue_bench.strategies.methods.low_dim_exact import LowDimExact
from ue_bench.strategies.methods.magnitude_pruning import MagnitudePruning
from ue_bench.strategies.methods.masked_pruning import MaskedPruning
from ue_bench.strategies.methods.memcom import MEmCom
from ue_bench.strategies.methods.mixed_dimension import MixedDimension
from ue_bench.strategies.methods.multi_hash import MultiHash
from ue_bench.strategies.methods.pep import PEP
from ue_bench.strategies.methods.product_quantization import ProductQuantization
from ue_bench.strategies.methods.quotient_remainder import QuotientRemainder
from ue_bench.strategies.methods.robe import Robe
from ue_bench.strategies.methods.tt_rec import TTRec

STRATEGIES: dict[str, Entry] = {
    "unified": Entry(
        HashingTrick,
        ("multiplexed",),
        "one hashed table shared by all features, any number of lookups each",
        "Coleman et al., NeurIPS 2023, arXiv 2305.12102",
    ),
    "per_feature": Entry(
        HashingTrick,
        ("separate",),
        "one hashed table per feature, sized by a named rule",
        "Weinberger et al., ICML 2009, arXiv 0902.2206",
    ),
    "collisionless": Entry(
        Collisionless,
        ("exact",),
        "an exact row for every training value, none shared; ignores the budget",
        "the uncompressed reference",
        needs_vocabulary=True,
        has_budget=False,
    ),
    "multi_hash_sum": Entry(
        MultiHash,
        BOTH,
        "the sum of the rows of several hashes of a value",
        "Serrà and Karatzoglou, RecSys 2017, arXiv 1706.03993",
        fixed={"combine": "sum"},
        search={"hashes": (2, 3, 4)},
    ),
    "multi_hash_mean": Entry(
        MultiHash,
        BOTH,
        "the mean of the rows of several hashes of a value",
        "Serrà and Karatzoglou, RecSys 2017, arXiv 1706.03993",
        fixed={"combine": "mean"},
        search={"hashes": (2, 3, 4)},
    ),
    "compositional": Entry(
        Compositional,
        BOTH,
        "narrow rows of several hashed tables, side by side",
        "Shi et al., KDD 2020, arXiv 1909.02107",
        search={"parts": (2, 4)},
    ),
    "qr_multiply": Entry(
        QuotientRemainder,
        BOTH,
        "a quotient row times a remainder row; every dense id has a pair of its own",
        "Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "multiply"},
    ),
    "qr_add": Entry(
        QuotientRemainder,
        BOTH,
        "a quotient row plus a remainder row; every dense id has a pair of its own",
        "Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "add"},
    ),
    "qr_concat": Entry(
        QuotientRemainder,
        BOTH,
        "a quotient row beside a remainder row; every dense id has a pair of its own",
        "Shi et al., KDD 2020, arXiv 1909.02107",
        needs_vocabulary=True,
        fixed={"combine": "concat"},
    ),
    "hash_embedding": Entry(
        HashEmbedding,
        BOTH,
        "a sum of hashed rows with learned, hashed weights",
        "Svenstrup et al., NeurIPS 2017, arXiv 1709.03933",
        search={"hashes": (2, 3)},
    ),
    "hashed_net": Entry(
        HashedNet,
        BOTH,
        "every number of a vector hashed into one pool of numbers, with a hashed sign",
        "Chen et al., ICML 2015, arXiv 1504.04788",
    ),
    "robe": Entry(
        Robe,
        BOTH,
        "blocks of a vector cut at hashed places from one array of numbers",
        "Desai et al., MLSys 2022, arXiv 2108.02191",
        search={"block": (4, 8, 16)},
    ),
    "dhe": Entry(
        DeepHash,
        BOTH,
        "a network that turns many hashes of a value into its vector; no table",
        "Kang et al., KDD 2021, arXiv 2010.10784",
        search={"hashes": (16, 32, 64)},
    ),
    "frequency_double_hash": Entry(
        FrequencyDoubleHash,
        BOTH,
        "frequent values own a row, all others add up two hashed rows",
        "Zhang et al., RecSys 2020, arXiv 2007.14523",
        needs_vocabulary=True,
        search={"frequent_share": (0.25, 0.5, 0.75)},
    ),
    "memcom": Entry(
        MEmCom,
        BOTH,
        "a hashed row times a number that each training value has for itself",
        "Pansare et al., MLSys 2022, arXiv 2203.10135",
        needs_vocabulary=True,
        search={"bias": (False, True)},
    ),
    "low_dim_exact": Entry(
        LowDimExact,
        BOTH,
        "exact rows of few numbers, and a linear map to the width",
        "a linear bottleneck, the baseline to beat",
        needs_vocabulary=True,
    ),
    "mixed_dimension": Entry(
        MixedDimension,
        ("exact",),
        "exact rows, shorter where a feature has more values, and a linear map to the width",
        "Ginart et al., ISIT 2021, arXiv 1909.11810",
        needs_vocabulary=True,
        search={"alpha": (0.1, 0.3, 0.5)},
    ),
    "tt_rec": Entry(
        TTRec,
        BOTH,
        "exact rows as products of three small cores (tensor train)",
        "Yin et al., MLSys 2021, arXiv 2101.11714",
        needs_vocabulary=True,
    ),
    "cce": Entry(
        CCE,
        BOTH,
        "a learned cluster plus a hash for each column, clustered anew between epochs",
        "Tsang and Ahle, NeurIPS 2023, arXiv 2210.05974",
        needs_vocabulary=True,
        search={"columns": (1, 2, 4)},
    ),
    "magnitude_pruning": Entry(
        MagnitudePruning,
        ("exact",),
        "the exact table, all but its largest numbers dropped after training",
        "Han et al., NeurIPS 2015, arXiv 1506.02626",
        needs_vocabulary=True,
    ),
    "masked_pruning": Entry(
        MaskedPruning,
        ("exact",),
        "the exact table, all but its largest numbers dropped early, the others trained on",
        "Han et al., NeurIPS 2015, arXiv 1506.02626",
        needs_vocabulary=True,
        search={"prune_epoch": (1, 2, 4)},
    ),
    "pep": Entry(
        PEP,
        ("exact",),
        "the exact table under learned soft thresholds, cut at the budget",
        "Liu et al., ICLR 2021, arXiv 2101.07577",
        needs_vocabulary=True,
        search={"threshold": (0.1, 0.5, 0.9)},
    ),
    "int8": Entry(
        Int8,
        ("exact",),
        "exact rows of 8-bit integers with a scale each",
        "Khudia et al., arXiv 2101.05615",
        needs_vocabulary=True,
        search={"quantisation_aware": (False, True)},
    ),
    "int4": Entry(
        Int4,
        ("exact",),
        "exact rows of 4-bit integers with a scale each",
        "Guan et al., arXiv 1911.02079",
        needs_vocabulary=True,
    ),
    "product_quantization": Entry(
        ProductQuantization,
        BOTH,
        "the exact table, its parts replaced by the nearest of a few centroids after training",
        "Jégou et al., TPAMI 2011",
        needs_vocabulary=True,
    ),
}


def entry_of(name: str) -> Entry:
    """The entry of a name: of the list above, of a plugin that was loaded, or of an installed package."""
    if name not in STRATEGIES:
        load_installed(STRATEGIES)
    if name not in STRATEGIES:
        raise unknown("strategy", name, STRATEGIES)
    return STRATEGIES[name]


def all_strategies() -> dict[str, Entry]:
    """The list above with what plugins and installed packages added."""
    load_installed(STRATEGIES)
    return STRATEGIES


def load_plugin(path: Path) -> dict[str, Entry]:
    """Add the strategies of a file to the list, and return them."""
    return load_file(path, STRATEGIES)


def method_of(name: str) -> str:
    """The method of a strategy, with the knobs that make it this one: `unified` and `per_feature` have the same."""
    entry = entry_of(name)
    return " ".join(
        [entry.method.__name__, *(f"{knob}={value}" for knob, value in entry.fixed.items())]
    )


def regions_of(name: str, asked: str | None) -> str:
    """The regions a strategy uses, given what was asked (None: its default). Raises BenchError where it cannot."""
    allowed = entry_of(name).regions
    if asked is not None and asked not in allowed:
        raise BenchError(f"{name}: regions {asked!r} were asked for; it has {' or '.join(allowed)}")
    return asked or allowed[0]


def build(spec: Spec, exact_at_most: int = 0) -> EmbeddingStrategy:
    """The strategy ``spec.name``, its budget checked.

    exact_at_most: features with no more values than this get exact rows in every strategy. Initial values come from torch's
    global generator. Raises BenchError for an unknown name, a budget that does not work or a bad knob.
    """
    entry = entry_of(spec.name)
    for knob in entry.fixed:
        if knob in spec.options:
            raise BenchError(
                f"{spec.name}: knob {knob} was given; it is {entry.fixed[knob]!r} in this strategy"
            )
    spec = replace(spec, options={**entry.fixed, **spec.options})
    if not entry.has_budget:
        return entry.method(spec)
    low = any(feature.cardinality <= exact_at_most for feature in spec.features)
    strategy = ExactLowCardinality(spec, entry.method, exact_at_most) if low else entry.method(spec)
    check_budget(strategy)
    return strategy
