"""``python trained_together.py FILE`` is one of two processes that train every strategy together.

Each writes the validation errors, and the weights' sum, to FILE with its rank behind it.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch
from saved_models import ASKED, FEATURES, FORMS, TRAINED_ON, rows

from ue_bench.config import RunConfig
from ue_bench.errors import BudgetError
from ue_bench.strategies import entry_of
from ue_bench.training.assembly import make_model, make_recipe, make_spec, without_ignored_budget
from ue_bench.training.launched import place
from ue_bench.training.process_group import join
from ue_bench.training.process_ranks import ALONE, Ranks
from ue_bench.training.resolve import resolve
from ue_bench.training.train import fit

PATHS = "dense", "sparse"
# 96 rows in batches of 35: the parts of a batch are not equal, and its last one is smaller
RUN = replace(ASKED, dropout=0.0, value_dropout=0.0, batch_size=35, epochs=4, patience=None)


def configs() -> dict[str, RunConfig]:
    """Return a run of each strategy and form, on each path of its gradients."""
    found = {}
    for name, regions in FORMS:
        if entry_of(name).method.learns_from_batches:  # these are refused
            continue
        for path in PATHS:
            asked = replace(RUN, strategy=name, regions=regions, optimizer_path=path)
            found[f"{name} {regions} {path}"] = without_ignored_budget(resolve(asked))
    found["adagrad"] = resolve(replace(RUN, optimizer="adagrad"))
    found["sparse_adam"] = resolve(replace(RUN, optimizer="sparse_adam", optimizer_path="sparse"))
    found["tiny last batch"] = resolve(replace(RUN, batch_size=19, optimizer_path="sparse"))
    found["whole"] = resolve(replace(RUN, batch_size=None))
    found["few bits"] = resolve(replace(RUN, bits="int4", optimizer_path="sparse"))
    return found


def errors_of(config: RunConfig, ranks: Ranks = ALONE) -> list[float]:
    """Return the validation error after each epoch, and the sum of the weights' magnitudes."""
    spec = replace(make_spec(config, FEATURES), rows=TRAINED_ON)
    try:
        model = make_model(config, spec, 3.0)
    except BudgetError as error:
        return errors_of(replace(config, budget=error.works * 3 // 4), ranks)
    fitted = fit(model, rows(), rows(33), make_recipe(config), ranks=ranks)
    magnitude = sum(float(weight.detach().abs().sum()) for weight in model.parameters())
    return [entry["val_mse"] for entry in fitted.history] + [magnitude]


def main(path: str) -> None:
    torch.set_num_threads(1)
    ranks = join(place(), "cpu")
    found = {}
    for name, config in configs().items():
        found[name] = errors_of(config, ranks)
    Path(f"{path}.{ranks.rank}").write_text(json.dumps(found))
    ranks.end()


if __name__ == "__main__":
    main(sys.argv[1])
