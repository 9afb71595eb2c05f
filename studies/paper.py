"""What does the paper's own table look like here: one shared table against a hash per feature, at its three budgets?

Command: ue-bench study paper --workers 2
Cost: 65 runs, 8 minutes on 2 cores that other programs used too; with --quick ten runs in half a minute.
Expect: the shared table ahead of separate ones at every budget, by 0.01 to 0.03 of AUC on ML-100K, and ahead of both the exact
table, which alone has a higher AUC than the bias model there.
By itself it runs on ML-100K, whose numbers are not the paper's. On the paper's own data, which may not be redistributed:
ue-bench study paper --dataset ml-1m --data-dir PATH (a folder or the zip; ten times the rows, about ten times the cost).

The protocol is that of Coleman et al., NeurIPS 2023 (arXiv 2305.12102), for MovieLens: ratings of 1 and 2 are labelled 0, of 4
and 5 are 1, those of 3 are dropped; random 80/10/10; user, movie, gender, age, occupation and zip code; one lookup of 30 numbers;
DCN-V2 with one cross layer and 192 units; batches of 128, Adam at 2e-4, uniform +-0.05; features of few values are exact, and
their rows are paid for by the budget. On ML-1M the budgets are 13,653, 6,826 and 1,365 rows where the exact table has 13,215; on
another data set they are the same shares of its exact table. What is read of the paper does not tell how it sizes the separate
tables, its dropout and when it stops. Here separate tables stand with the best of three ways, chosen on validation. Dropout is
0.2: in a trial on ML-100K, one seed, 0 and 0.2 lay within 0.0005 of validation log loss of each other. Training stops after 3
epochs without a better one, evaluated twice an epoch: in that trial the exact table was best after 2 to 3 epochs, the shared
table after 8, the smallest separate ones after 20; 60 are the most.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

from ue_bench.studies.table_size import RULES

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(
    features="base",
    task="binary",
    negative_at_most=2,
    positive_at_least=4,
    strategy="collisionless",
    low_cardinality="exact",
    dim=30,
    head="dcn",
    hidden=192,
    dropout=0.2,
    batch_size=128,
    lr=2e-4,
    epochs=60,
    patience=3,
    evals_per_epoch=2,
)
EXACT_ROWS, ROWS = 13_215, (13_653, 6_826, 1_365)  # of ML-1M
COMPRESSIONS = tuple(Fraction(EXACT_ROWS, rows) for rows in ROWS)
FORMS: tuple[dict[str, Any], ...] = (
    {"strategy": "collisionless"},
    {"strategy": "unified"},
    *({"strategy": "per_feature", "region_rule": rule} for rule in RULES),
)


def arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table, the shared one, and separate ones under each rule."""
    return tuple(replace(base, **form) for form in FORMS)


STUDY = Study(
    question="what does the paper's own table look like here: one shared table against a hash per feature?",
    parts=(Grid(arms(BASE), COMPRESSIONS),),
    quick=(Grid(arms(replace(BASE, epochs=3)), COMPRESSIONS[-1:], seeds=2),),
    latency=False,
)
