"""The candidates: forms of strategies, the most promising first, each sized to the memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from ue_bench.advise.sizes import Sized, Sizes, Small
from ue_bench.config import RunConfig
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import BenchError
from ue_bench.strategies.registry import added_strategies
from ue_bench.training.resolve import resolve


class Form(NamedTuple):
    """A strategy with the lookups of every feature and the numbers in each lookup (D).

    regions: None for the first that the strategy has. bits: of a number, as it is served.
    """

    strategy: str
    lookups: int
    dim: int
    regions: str | None = None
    rule: str | None = None
    bits: str = "float32"


# Time is spent on them in this order: what led the published studies (docs/findings.md,
# docs/hashed-bits.md) at equal bytes with 16 numbers a feature, one of each kind first; then the
# strategies that a user has added; then other shapes of the package's own.
FORMS = (
    Form("hashed_bits", 4, 8),
    Form("unified", 2, 8),
    Form("collisionless", 1, 16),
    Form("hashed_net", 2, 8),
    Form("int8", 1, 16),
    Form("per_feature", 2, 8, rule="sqrt"),
    Form("low_dim_exact", 1, 16),
    Form("product_quantization", 2, 8),
    Form("unified", 1, 16),
    Form("per_feature", 2, 8, rule="equal"),
    Form("robe", 2, 8),
    Form("int4", 1, 16),
    Form("per_feature", 2, 8, rule="proportional"),
    Form("compositional", 2, 8),
    Form("multi_hash_sum", 2, 8),
    Form("collisionless", 1, 8),
    Form("unified", 4, 4),
    Form("mixed_dimension", 1, 16),
    Form("unified", 2, 16),
    Form("collisionless", 1, 32),
    Form("unified", 1, 8),
    Form("hashed_net", 1, 32),
    Form("int8", 1, 32),
    Form("low_dim_exact", 1, 32),
    Form("unified", 4, 8),
    Form("per_feature", 1, 16, rule="sqrt"),
    Form("per_feature", 1, 16, rule="equal"),
    Form("per_feature", 1, 16, rule="proportional"),
)
FIRST = 8  # forms, one of each kind
# The same where values arrive with a stream, whose tables cannot be built from them.
STREAM_FORMS = (
    Form("hashed_bits", 4, 8),
    Form("evicting_exact", 1, 16),
    Form("unified", 2, 8),
    Form("frequency_threshold", 1, 16),
    Form("evicting_exact", 1, 16, bits="int4"),
    Form("growing_exact", 1, 16),
    Form("zero_collision", 1, 16),
    Form("cafe", 1, 16),
    Form("hashed_net", 2, 8),
    Form("per_feature", 2, 8, rule="equal"),
    Form("robe", 2, 8),
    Form("unified", 1, 16),
    Form("unified", 4, 8),
)
EXACT = Form("collisionless", 1, 16)  # the table that an answer is compared with
STREAM_EXACT = Form("growing_exact", 1, 16)
SHARED = "unified"  # where this leads, its lookups are shared out among the features
SMALLER = (2, 4)  # the memory divided by that of the smaller tables


class Candidates(NamedTuple):
    """The forms at the full memory.

    fits: those that work with the memory, in the order in which they are tried.
    small: those that the memory is too small for.
    """

    fits: tuple[Sized, ...]
    small: tuple[Small, ...]


def config_of(form: Form, base: RunConfig) -> RunConfig:
    """Return the run of a form, without its budget."""
    config = replace(
        base,
        strategy=form.strategy,
        regions=form.regions,
        region_rule=form.rule,
        lookups=form.lookups,
        dim=form.dim,
        bits=form.bits,
    )
    return resolve(config)


def exact_form(base: RunConfig) -> Form:
    """Return the exact table that an answer is compared with."""
    return STREAM_EXACT if base.split == STREAM else EXACT


def all_forms(base: RunConfig) -> tuple[Form, ...]:
    """Return the list with the strategies of plug-ins and installed packages."""
    is_stream = base.split == STREAM
    forms = STREAM_FORMS if is_stream else FORMS
    return (*forms[:FIRST], *_added_forms(is_stream), *forms[FIRST:])


def _added_forms(is_stream: bool) -> list[Form]:
    forms = []
    for name, entry in sorted(added_strategies().items()):
        if entry.stream_fault(is_stream):
            continue
        for lookups, dim in entry.shapes:
            for regions in entry.regions:
                if regions == "exact" and lookups > 1:
                    continue  # more lookups of an exact row are the same row again
                forms.append(Form(name, lookups, dim, regions=regions))
    return forms


def find_candidates(sizes: Sizes, base: RunConfig) -> Candidates:
    """Size all forms to the full memory.

    Raises BenchError, with the smallest memory that works, where none fits.
    """
    fits = []
    small = []
    forms = all_forms(base)
    for form in forms:
        sized = sizes.fit(config_of(form, base))
        if isinstance(sized, Sized):
            fits.append(sized)
        else:
            small.append(sized)
    if not fits:
        smallest = min(small, key=lambda candidate: candidate.works)
        config = smallest.config
        raise BenchError(
            f"memory: {sizes.memory:,} bytes hold none of the {len(forms)} candidates; "
            f"the smallest that works is {smallest.works:,} "
            f"({config.strategy}, {config.lookups} lookup(s) of {config.dim})"
        )
    return Candidates(tuple(fits), tuple(small))


def smaller(sizes: Sizes, config: RunConfig) -> list[Sized]:
    """Return the same form in parts of its memory, as far as it works there."""
    if not config.budget:
        return []
    memory = config.budget + sizes.vocabulary_of(config)
    tables = []
    for part in SMALLER:
        sized = sizes.fit(replace(config, budget=None), memory // part)
        if isinstance(sized, Sized) and sized.config.budget != config.budget:
            tables.append(sized)
    return tables


def one_more(config: RunConfig, features: Sequence[str]) -> dict[str, RunConfig]:
    """Return, by feature, the same table with one more lookup of this feature."""
    counts = {}
    for name in features:
        if isinstance(config.lookups, dict):
            counts[name] = config.lookups.get(name, 1)
        else:
            counts[name] = config.lookups
    more = {}
    for name, count in counts.items():
        more[name] = resolve(replace(config, lookups={**counts, name: count + 1}))
    return more
