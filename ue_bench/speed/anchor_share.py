"""What bias model and matrix factorisation take of a run: beside one epoch on the same rows."""

import time
from collections.abc import Callable
from dataclasses import replace

import torch
from threadpoolctl import threadpool_limits

from ue_bench.config import RunConfig
from ue_bench.speed.line import Claim, Line
from ue_bench.training.assembly import make_model, make_recipe
from ue_bench.training.baselines import trivial_anchors
from ue_bench.training.loss import Scale
from ue_bench.training.resolve import resolve
from ue_bench.training.run_data import encoded_of, rows_of, spec_of
from ue_bench.training.split_parts import PARTS
from ue_bench.training.train import fit

MOST_SHARE = 0.2


def anchor_share(config: RunConfig) -> Line:
    """Return the line of the CPU seconds that the trivial anchors of a configuration take.

    They are made once a split and kept; the run that makes them is the one that pays. Its share is
    that of a run with a single epoch, so that a longer run pays a smaller one.
    """
    config = resolve(replace(config, epochs=1))
    dataset, encoded = encoded_of(config)
    binary = config.task == "binary"
    stars = dataset.stars and not binary
    with threadpool_limits(1):
        anchors = _cpu_seconds(lambda: trivial_anchors(encoded, binary, stars))
    device = torch.device("cpu")
    train, validation = (rows_of(encoded, PARTS[name], device) for name in ("train", "val"))
    targets = train.ratings.numpy()
    mean, scale = float(targets.mean()), Scale.of(targets)
    model = make_model(config, spec_of(config, encoded), mean, scale)
    epoch = _cpu_seconds(lambda: fit(model, train, validation, make_recipe(config)))
    n_rows = len(encoded.ratings)
    return Line(
        what=f"{config.dataset}: bias and matrix factorisation on {n_rows:,} rows",
        value=anchors,
        unit="s",
        beside={"one epoch": epoch},
        claims=(
            Claim(
                anchors / (anchors + epoch),
                "of the time of a run of one epoch",
                f"<= {MOST_SHARE:g}",
            ),
        ),
        note="time of the processor",
    )


def _cpu_seconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call, of all threads together."""
    before = time.process_time()
    call()
    return time.process_time() - before
