"""What a budget in bytes pays for, and the errors for a budget that does not work."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from ue_bench.errors import BudgetError
from ue_bench.strategies.base import EmbeddingStrategy
from ue_bench.strategies.spec import Spec

# A strategy that leaves more than a tenth of its budget unused is not compared at that budget.
LEAST_USED = 0.9

Form = TypeVar("Form")
Cost = Callable[[Sequence[int]], int]  # bytes of everything, given one count for each part


def well_used(used: int, budget: int) -> bool:
    """Whether bytes keep within a budget and use enough of it."""
    return LEAST_USED * budget <= used <= budget


def too_large(spec: Spec, used: int, works: int) -> BudgetError:
    """The error for a budget of which too little can be used.

    used: bytes that can be used. works: the nearest budget that works.
    """
    why = f"is given and only {used:,} of them can be used (at least 90 % must be)"
    return BudgetError(spec.name, spec.require_budget(), why, works)


def check_budget(strategy: EmbeddingStrategy) -> None:
    """Raise BudgetError unless the table and auxiliary bytes are 90 % to 100 % of the budget.

    Without a budget any size is accepted.
    """
    spec = strategy.spec
    if spec.budget is None:
        return
    footprint = strategy.footprint()
    used = footprint.table + footprint.auxiliary
    if used > spec.budget:
        raise BudgetError(spec.name, spec.budget, "is too small", used)
    if not well_used(used, spec.budget):
        one_row_more = used + spec.row_bytes
        works = one_row_more if one_row_more > spec.budget else used
        raise too_large(spec, used, works)


def rows_that_fit(
    spec: Spec,
    numbers: int,
    needed: int,
    usable: int | None = None,
    beside: int = 0,
    thing: str = "row",
    tables: int = 1,
    beside_row: int = 0,
) -> int:
    """Return how many rows of `numbers` numbers the budget pays for, in the spec's format.

    needed: the fewest rows that work. usable: the most rows that can be used. beside: bytes of
    the budget that something else takes. thing: what a row is called in the error. tables: how
    many tables a row is cut into, each of which has its own regions. beside_row: bytes that
    something else takes for each row.
    Raises BudgetError, with the nearest budget that works, if the budget pays for fewer rows than
    are needed or if too much of it would be unused.
    """
    budget = spec.require_budget()
    shape = {"numbers": numbers // tables, "n_regions": tables * spec.n_regions}

    def used_by(rows: int) -> int:
        return beside + beside_row * rows + spec.numbers.pool_bytes(tables * rows, **shape)

    rows = spec.numbers.rows_within(budget - beside, **shape, beside_row=beside_row) // tables
    if rows < needed:
        rows_needed = f"{counted(needed, thing)} of {counted(numbers, 'number')} needed"
        why = f"pays for {rows} of the {rows_needed}"
        if needed == spec.n_regions > 1:
            why += " (one a feature)"
        if beside:
            why += f", beside {beside:,} bytes of other numbers"
        raise BudgetError(spec.name, budget, why, used_by(needed))
    if usable is not None:
        rows = min(rows, usable)
    used = used_by(rows)
    if well_used(used, budget):
        return rows
    if rows == usable:
        why = (
            f"pays for more than the {counted(rows, thing)} of {counted(numbers, 'number')} that "
            f"its features can use; only {used:,} bytes of it can be used (at least 90 % must be)"
        )
        raise BudgetError(spec.name, budget, why, used)
    raise too_large(spec, used, used_by(rows + 1))


def fill(
    budget: int,
    limits: Sequence[int],
    shares: Sequence[float],
    sizes: Sequence[int],
    cost: Cost,
    least: int = 1,
) -> list[int] | None:
    """Return counts, one for each part, that the budget pays for, as proportional to `shares` as
    whole numbers can be.

    Every part starts at `least` (or at its limit, if that is lower). The next unit always goes to
    the part with the smallest (count + 1) / share (d'Hondt's rule) among the parts that are below
    their limit and still fit, and to the larger one of equals. So equal shares give counts that
    differ by one until only small parts fit, which then take the rest.
    Returns None if the budget does not pay for the start.
    """
    counts = [min(least, limit) for limit in limits]
    if cost(counts) > budget:
        return None
    while True:
        growing = [part for part, limit in enumerate(limits) if counts[part] < limit]
        growing.sort(key=lambda part: ((counts[part] + 1) / shares[part], -sizes[part]))
        for part in growing:
            counts[part] += 1
            if cost(counts) <= budget:
                break
            counts[part] -= 1
        else:
            return counts


def largest_form(
    spec: Spec,
    form_at: Callable[[int], Form | None],
    used_by: Callable[[Form], int],
    smallest: int,
    largest: int,
) -> Form:
    """Return the form of a table that the budget of `spec` pays for.

    form_at: the largest form within a number of bytes, None if there is none. used_by: bytes of a
    form. smallest, largest: bytes of the smallest and of the largest form.
    Raises BudgetError if the form leaves too much unused. The error names a budget that works,
    which is searched for in steps of 1 %.
    """

    def used_at(limit: int) -> int:
        form = form_at(limit)
        return 0 if form is None else used_by(form)

    budget = spec.require_budget()
    form = form_at(budget)
    if form is not None and well_used(used_by(form), budget):
        return form
    if budget > largest:
        raise too_large(spec, largest, works=largest)
    works = max(smallest, budget + 1)
    used = used_at(works)
    while not well_used(used, works) and works < largest:
        works += max(1, works // 100)
        used = used_at(works)
    if used > budget and well_used(used_at(used), used):
        works = used
    why = "is too small" if budget < smallest else "fits no form of its table"
    raise BudgetError(spec.name, budget, why, works)


def counted(count: int, thing: str) -> str:
    """A number of things in words: "1 row", "2 rows"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
