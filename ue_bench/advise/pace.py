"""How long a run takes, judged before the first one: by a few steps on a few of the rows."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from ue_bench.advise.question import Question
from ue_bench.advise.runs import OVERHEAD
from ue_bench.advise.sizes import Sizes
from ue_bench.config import RunConfig
from ue_bench.training.assembly import make_model, make_recipe, make_spec
from ue_bench.training.train import Optimizers, outputs, train_step

STEP_SECONDS = 0.5  # for which steps are timed
EVALUATION_SECONDS = 0.2
FEWEST_CALLS = 3
# Runs of the default recipe end after so many epochs: the mean of `epochs_run` over 17 strategies
# is 25.5 on `base` of MovieLens-100K. Each was run, less the options that a strategy does not take,
# by `ue-bench run --strategy NAME --budget 28032 --lookups 2 --dim 8 --seed 1000 --json`.
USUAL_EPOCHS = 25.0
FEWEST_EPOCHS = 2.0  # where the second evaluation is clearly worse than the first
OTHERS = 1.4  # the mean time of a step over the candidates, as a part of that of the first one


@dataclass(frozen=True)
class Pace:
    """The seconds of a run, its start and the reading of its data among them.

    usual: the mean over the candidates. shortest: of a run that stops as early as it can.
    start: what either takes before it trains.
    """

    usual: float
    shortest: float
    start: float = 0.0

    def times(self, rows: float) -> "Pace":
        """Return the pace with so many times the rows, to which training is proportional."""
        return Pace(
            usual=self.start + rows * (self.usual - self.start),
            shortest=self.start + rows * (self.shortest - self.start),
            start=self.start,
        )


Measure = Callable[[Question, Sizes, RunConfig, float], Pace]


def measure_pace(
    question: Question,
    sizes: Sizes,
    config: RunConfig,
    loading: float,
    now: Callable[[], float] = time.perf_counter,
) -> Pace:
    """Judge the seconds of a run by those of a step and of an evaluation, which it measures.

    It takes about a second, whatever the size of the data.

    config: the candidate that is measured. loading: the seconds in which the data was read.
    now: a clock that only goes forward.
    """
    recipe = make_recipe(config)
    train, val, n_train, n_val = sizes.sample
    threads = torch.get_num_threads()
    torch.set_num_threads(config.threads)  # as a run does
    with torch.random.fork_rng(devices=[]):
        spec = make_spec(config, sizes.seen)
        model = make_model(config, spec, mean_rating=0.5).to(train.ratings.device)
        optimizers = Optimizers(model, recipe)
        one_step = partial(train_step, model, optimizers, train.codes, train.ratings)
        step = mean_seconds(one_step, STEP_SECONDS, now)
        evaluation = mean_seconds(partial(outputs, model, val), EVALUATION_SECONDS, now)
    torch.set_num_threads(threads)
    epoch = step * math.ceil(n_train / len(train))
    epoch += recipe.evals_per_epoch * evaluation * n_val / max(1, len(val))
    start = OVERHEAD + loading
    return Pace(
        usual=start + OTHERS * epoch * min(USUAL_EPOCHS, recipe.epochs),
        shortest=start + epoch * min(FEWEST_EPOCHS, recipe.epochs),
        start=start,
    )


def mean_seconds(call: Callable[[], object], seconds: float, now: Callable[[], float]) -> float:
    """Return the mean time of calls in a row, after one that fills the caches.

    The mean counts the moments in which a busy machine does something else; a run has them too.

    seconds: for which it is called, three times at least.
    """
    call()
    started = now()
    calls = 0
    while calls < FEWEST_CALLS or now() - started < seconds:
        call()
        calls += 1
    return (now() - started) / calls
