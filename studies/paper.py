"""What does the paper's own table look like here: one shared table against a hash per feature?

Command: ue-bench study paper --workers 2
Cost: 180 runs; with --quick 20.
Expect: the shared table ahead of separate ones at every budget, by 0.01 to 0.03 of AUC on ML-100K.
The exact table is ahead of both, and it alone has a higher AUC than the bias model there.

The command runs on ML-100K, whose numbers are not the paper's. On the paper's own data, which may
not be redistributed: ue-bench study paper --dataset ml-1m --data-dir PATH (a folder or the zip; ten
times the rows, about ten times the cost).

The protocol is that of Coleman et al., NeurIPS 2023 (arXiv 2305.12102), for MovieLens:

* ratings of 1 and 2 are labelled 0, those of 4 and 5 are labelled 1, those of 3 are dropped;
* a random split of 80/10/10; user, movie, gender, age, occupation and zip code;
* one lookup of 30 numbers; DCN-V2 with one cross layer and 192 units;
* batches of 128, Adam at 2e-4, initial values uniform within +-0.05;
* features of few values are exact, and their rows are paid for by the budget;
* on ML-1M the budgets are 13,653, 6,826 and 1,365 rows, where the exact table has 13,215; on
  another data set they are the same shares of its exact table.

We did not find in the paper how it sizes the separate tables, its dropout, and when it stops.

* Separate tables are sized in the best of three ways, chosen on validation.
* Dropout is 0.2: in a trial on ML-100K with one seed, the validation log losses of 0 and 0.2 were
  within 0.0005 of each other.
* Training stops after 3 epochs without a better one, evaluated twice an epoch, and after 60 at
  most. In that trial the exact table was best after 2 to 3 epochs, the shared table after 8, and
  the smallest separate tables after 20.
"""

from dataclasses import replace
from fractions import Fraction

from ue_bench.studies.table_size import RULES

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study, anchor_arms

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
    head_init="default",
    batch_size=128,
    lr=2e-4,
    epochs=60,
    patience=3,
    evals_per_epoch=2,
    stop_above=None,
    average_epochs=0.0,
)
EXACT_ROWS = 13_215  # of ML-1M
ROWS = (13_653, 6_826, 1_365)
COMPRESSIONS = tuple(Fraction(EXACT_ROWS, rows) for rows in ROWS)


def arms(base: RunConfig) -> tuple[RunConfig, ...]:
    """The exact table, the shared one, separate ones under each rule, and the anchors."""
    separate = replace(base, strategy="per_feature")
    return (
        replace(base, strategy="collisionless"),
        replace(base, strategy="unified"),
        *[replace(separate, region_rule=rule) for rule in RULES],
        *anchor_arms(base),
    )


QUICK = replace(BASE, epochs=3)
STUDY = Study(
    question="what does the paper's own table look like here: "
    "one shared table against a hash per feature?",
    parts=(Grid(arms(BASE), COMPRESSIONS),),
    quick=(Grid(arms(QUICK), COMPRESSIONS[-1:], seeds=2),),
    latency=False,
)
