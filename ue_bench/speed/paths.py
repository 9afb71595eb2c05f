"""A training step on the dense and on the sparse path, by the size of the table: `python -m ue_bench.speed.paths`.

A step is that of the harness, with the article's head, on 256 rows of 7 features with one lookup of 16 numbers each, under Adam.
Batches differ, as in training, and take turns between paths and sizes; a time is the median of the steps.
"""

from collections.abc import Sequence
from statistics import median
from time import perf_counter_ns

import pandas as pd
import torch

from ue_bench.feature import Feature
from ue_bench.model import RatingModel
from ue_bench.strategies import Spec, build
from ue_bench.train import Optimizers, Recipe, train_step

ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
PATHS = ("dense", "sparse")
BATCH, FEATURES, DIM, VALUES = 256, 7, 16, 200_000  # values of a feature: all together they reach a million rows
ROUNDS, STEPS, WARM = 10, 30, 4  # steps in a row, of which the first ones fetch the table of another turn from memory


def step_times(rows: Sequence[int] = ROWS, paths: Sequence[str] = PATHS, dense_up_to: int = 1_000_000) -> pd.DataFrame:
    """Microseconds of a step: columns path, rows, p50_us, and `growth` over the same path's smallest table.

    dense_up_to: rows from which a dense step, which takes a quarter of a second at 10 million, is left out.
    """
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    batches = [(torch.randint(VALUES, (BATCH, FEATURES), generator=generator), torch.rand(BATCH, generator=generator))
               for _ in range(ROUNDS * STEPS)]  # fmt: skip
    features = tuple(Feature(f"feature {i}", [str(value) for value in range(VALUES)], VALUES) for i in range(FEATURES))
    recipe = Recipe("adam", 4e-3, 0.0, BATCH, 1, None, 1, 0)
    arms = {}
    for path in paths:
        for count in rows:
            if path == "dense" and count > dense_up_to:
                continue
            spec = Spec("unified", features, (1,) * FEATURES, DIM, 4 * DIM * count, sparse=path == "sparse")
            model = RatingModel(build(spec), "mlp", 64, 0.2, 3.5)
            arms[path, count] = model, Optimizers(model, recipe)
    times: dict[tuple[str, int], list[int]] = {arm: [] for arm in arms}
    for turn in range(ROUNDS):
        for arm, (model, optimizers) in arms.items():
            for step in range(STEPS):
                codes, ratings = batches[turn * STEPS + step]
                start = perf_counter_ns()
                train_step(model, optimizers, codes, ratings)
                if step >= WARM:
                    times[arm].append(perf_counter_ns() - start)
    found = pd.DataFrame(
        [{"path": path, "rows": count, "p50_us": median(spent) / 1000} for (path, count), spent in times.items()]
    )
    found["growth"] = found["p50_us"] / found.groupby("path")["p50_us"].transform("first")
    return found


if __name__ == "__main__":
    print(step_times((*ROWS[:2], 30_000, 60_000, *ROWS[2:3], 200_000, *ROWS[3:])).to_string(index=False))
