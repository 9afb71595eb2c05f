"""What does the article's own program find, and what do its validation losses say?

Command: ue-bench study article --results results/local
Cost: a second on one core; --quick trains 20 epochs of the 100.
Expect: on ML-100K with seed 0, losses 14.642431 (train) and 14.733799 (validation) at step 1,
1.489697 and 3.806754 at step 100. A model that predicts the training mean has 1.286 there: most
validation rows have users never seen in training, so that this split ranks noise.
ML-1M: --dataset ml-1m --data-dir PATH.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

ARTICLE = RunConfig(
    features="user_id,movie_id,age,occupation,zip_code",
    split="article",
    budget=1000 * 10 * 4,  # 1,000 rows of 10 float32 numbers
    dim=10,
    lookups={"user_id": 2, "movie_id": 2},
    hash_seeds={
        "user_id": [0, 1],
        "movie_id": [2, 3],
        "age": [4],
        "occupation": [5],
        "zip_code": [6],
    },
    init="normal",
    init_scale=1.0,
    target_scale="raw",
    head_init="default",
    rating_bias="default",
    dropout=0.0,
    lr=1e-3,
    batch_size=None,
    epochs=100,
    patience=None,
    average_epochs=0.0,
)
STUDY = Study(
    question="what does the article's own program find?",
    parts=(Grid((ARTICLE,), seeds=1),),
    quick=(Grid((replace(ARTICLE, epochs=20),), seeds=1),),
    latency=False,
)
