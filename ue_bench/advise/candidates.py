"""What is tried: a fixed list of forms, the most promising first, each at the size that the memory pays for."""

from dataclasses import replace
from typing import NamedTuple

from ue_bench.advise.sizes import Sized, Sizes, Small
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.training.resolve import resolve


class Form(NamedTuple):
    """A strategy with its lookups of every feature, and the numbers in each (D)."""

    strategy: str
    lookups: int
    dim: int
    regions: str | None = None  # None: the strategy's first
    rule: str | None = None


# In the order in which time is spent on them: what led the published studies (docs/findings.md, docs/methods.md) at equal bytes
# with 16 numbers a feature, one of each kind first; then other shapes of the same.
FORMS = (
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
EXACT = Form("collisionless", 1, 16)  # what an answer is measured against
SHARED = "unified"  # whose lookups are shared out among features where it leads
SMALLER = (2, 4)  # the memory over that of the smaller tables


def config_of(form: Form, base: RunConfig) -> RunConfig:
    """The run of a form, without its budget."""
    return resolve(
        replace(
            base,
            strategy=form.strategy,
            regions=form.regions,
            region_rule=form.rule,
            lookups=form.lookups,
            dim=form.dim,
        )
    )


class Candidates(NamedTuple):
    """fits: in the order in which they are tried. small: what the memory is too small for."""

    fits: tuple[Sized, ...]
    small: tuple[Small, ...]


def candidates(sizes: Sizes, base: RunConfig) -> Candidates:
    """All forms at the full memory. Raises BenchError, with the smallest memory that works, where none fits."""
    found = [sizes.fit(config_of(form, base)) for form in FORMS]
    fits = tuple(one for one in found if isinstance(one, Sized))
    small = tuple(one for one in found if isinstance(one, Small))
    if not fits:
        best = min(small, key=lambda one: one.works)
        raise BenchError(
            f"memory: {sizes.memory:,} bytes hold none of the {len(FORMS)} candidates; the smallest that works is "
            f"{best.works:,} ({best.config.strategy}, {best.config.lookups} lookup(s) of {best.config.dim})"
        )
    return Candidates(fits, small)


def smaller(sizes: Sizes, config: RunConfig) -> list[Sized]:
    """The same form in parts of its memory, as far as it works there."""
    taken = config.budget if config.budget is not None else 0
    asked = replace(config, budget=None)
    found = (
        [sizes.fit(asked, (taken + sizes.vocabulary_of(config)) // part) for part in SMALLER]
        if taken
        else []
    )
    return [one for one in found if isinstance(one, Sized) and one.config.budget != config.budget]


def one_more(config: RunConfig, features: tuple[str, ...]) -> dict[str, RunConfig]:
    """By feature: the same table with one lookup more of this feature."""
    counts = (
        config.lookups
        if isinstance(config.lookups, dict)
        else dict.fromkeys(features, config.lookups)
    )
    every = {name: counts.get(name, 1) for name in features}
    return {
        name: resolve(replace(config, lookups={**every, name: every[name] + 1}))
        for name in features
    }
