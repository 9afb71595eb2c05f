"""How long a run takes, judged before the first one: by a few steps on a few of the rows."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ue_bench.advise.question import Question
from ue_bench.advise.runs import OVERHEAD
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.training.assembly import make_model, make_recipe, make_spec
from ue_bench.training.timing import step_time
from ue_bench.training.train import EVALUATION_ROWS, outputs

EVALUATIONS = 3  # that are timed
STEP_SECONDS = 0.3  # the time in which steps are measured
# Runs with four evaluations an epoch and a patience of 2 end after so many epochs. On
# MovieLens-100K the mean over the candidates is 12 on `base`, and the median of the published
# studies 8 on `wide`.
USUAL_EPOCHS = 11.0
FEWEST_EPOCHS = 2.25
OTHERS = 1.4  # the mean time of a step over the candidates, as a part of that of the first one


@dataclass(frozen=True)
class Pace:
    """The seconds of a run, its start and the reading of its data among them.

    usual: the mean over the candidates. shortest: of a run that stops as early as it can.
    """

    usual: float
    shortest: float


Measure = Callable[[Question, Sizes, RunConfig, float], Pace]


def measure_pace(question: Question, sizes: Sizes, config: RunConfig, loading: float) -> Pace:
    """Judge the seconds of a run by those of a step and of an evaluation, which it measures.

    It takes about a second, whatever the size of the data.

    config: the candidate that is measured. loading: the seconds in which the data was read.
    """
    config = replace(config, measure="quality")
    recipe = make_recipe(config)
    rows = sizes.sample
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)  # as a run does
    with torch.random.fork_rng(devices=[]):
        spec = make_spec(config, sizes.seen)
        model = make_model(config, spec, mean_rating=0.5).to(rows.train.ratings.device)
        step = step_time(model, rows.train, recipe, STEP_SECONDS)["p50_ms"] / 1000
        evaluated = min(rows.n_val, EVALUATION_ROWS)
        seconds = []
        for _ in range(EVALUATIONS):
            started = time.perf_counter()
            outputs(model, rows.val)
            seconds.append(time.perf_counter() - started)
        evaluation = min(seconds)  # the first one fills the cache of the slots
    torch.set_num_threads(threads)
    batch = recipe.batch_size or rows.n_train
    epoch = step * math.ceil(rows.n_train / batch)
    epoch += recipe.evals_per_epoch * evaluation * rows.n_val / max(1, evaluated)
    start = OVERHEAD + loading
    return Pace(
        usual=start + OTHERS * epoch * min(USUAL_EPOCHS, recipe.epochs),
        shortest=start + epoch * min(FEWEST_EPOCHS, recipe.epochs),
    )
