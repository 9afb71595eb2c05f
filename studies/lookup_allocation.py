"""With the width of all lookups together held fixed, which features earn more lookups than one?

Command: ue-bench study lookup_allocation --workers 2
Cost: 188 runs (110 trials, 65 on fresh seeds, 13 timings), 3 minutes 51 seconds on 2 cores.
Expect: more than one lookup for the features of many values. On `base` the best few allocations beat two lookups everywhere, on
`wide` they cannot be told apart from them; one lookup everywhere is worse on both.
The width is fixed (96 numbers on `base`, 160 on `wide`), so that a further lookup makes all lookups narrower and the head
stays the same. The last part searches the budget too and looks for the Pareto front of MSE and bytes.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Search, Study

BASE = RunConfig(features="base", dim=None, width=96)
WIDE = RunConfig(features="wide", dim=None, width=160, evals_per_epoch=4, patience=2)
BASE_SPACE = {f"lookups.{name}": (1, 2, 3, 4) for name in ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")}
CROSSES = ("genres", "user_id*genres", "movie_id*occupation", "movie_id*gender")
WIDE_SPACE = {**BASE_SPACE, **{f"lookups.{name}": (1, 2, 3, 4) for name in CROSSES}}
BUDGETS = (7008, 14016, 28032, 56064)  # 1/32 to 1/4 of the exact table's bytes


def against(base: RunConfig) -> tuple[RunConfig, ...]:
    """One and two lookups everywhere."""
    return base, replace(base, lookups=2)


STUDY = Study(
    question="with the width held fixed, which features earn more lookups than one?",
    parts=(
        Search(BASE, BASE_SPACE, trials=40, compression=16, against=against(BASE)),
        Search(WIDE, WIDE_SPACE, trials=40, compression=128, against=against(WIDE)),
        Search(
            replace(BASE, budget=BUDGETS[0]),
            {**BASE_SPACE, "budget": BUDGETS},
            trials=30,
            objectives=("quality.val_mse", "cost.total_bytes"),
            seed=1,  # the first search's trials fit this wider space too
        ),
    ),
)
