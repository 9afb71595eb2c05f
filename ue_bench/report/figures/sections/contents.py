"""The sections of a report, in the order in which the page shows them."""

from ue_bench.report.figures.section import Section
from ue_bench.report.figures.sections.every_study import (
    latency,
    latency_mse,
    memory,
    pareto,
    rare_values,
    seeds_needed,
    table_size,
    training,
)
from ue_bench.report.figures.sections.one_study import (
    calibration,
    forms,
    hash_tails,
    heads,
    methods,
    paper,
    recipe,
    splits,
    variance,
    why,
)
from ue_bench.report.figures.sections.searches import (
    allocation,
    allocation_rule,
    hypervolume,
    importances,
    optimism,
    range_ends,
    second_lookup,
    shared_out,
)

SECTIONS: tuple[Section, ...] = (
    table_size.SECTION,
    pareto.SECTION,
    methods.SECTION,
    forms.SECTION,
    latency.SECTION,
    latency_mse.SECTION,
    memory.SECTION,
    allocation.SECTION,
    shared_out.SECTION,
    second_lookup.SECTION,
    importances.SECTION,
    allocation_rule.SECTION,
    hypervolume.SECTION,
    rare_values.SECTION,
    training.SECTION,
    optimism.SECTION,
    range_ends.SECTION,
    seeds_needed.SECTION,
    why.SECTION,
    heads.SECTION,
    recipe.SECTION,
    splits.SECTION,
    paper.SECTION,
    variance.SECTION,
    hash_tails.SECTION,
    calibration.SECTION,
)
