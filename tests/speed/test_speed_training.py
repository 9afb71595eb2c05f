"""What training is compared with really trains: the straightforward program."""

import torch

from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.speed.straightforward_program import train_ours, train_straightforward
from ue_bench.training.train import Rows

FEATURES = (
    Feature("a", [str(i) for i in range(40)], 40),
    Feature("b", [str(i) for i in range(30)], 30),
)


def rows(n, seed):
    generator = torch.Generator().manual_seed(seed)
    codes = torch.stack(
        [torch.randint(f.cardinality, (n,), generator=generator) for f in FEATURES], dim=1
    )
    return Rows(
        codes,
        3
        + codes[:, 0].float().sin()
        + codes[:, 1].float().cos()
        + 0.3 * torch.randn(n, generator=generator),
    )


def test_both_programs_learn_the_same():
    config = RunConfig(strategy="collisionless", epochs=8, patience=2, batch_size=64)
    train, validation = rows(1500, 1), rows(500, 2)
    theirs = train_straightforward(train, validation, [f.cardinality for f in FEATURES], config)
    ours = train_ours(train, validation, config, FEATURES)
    untrained = float((validation.ratings - train.ratings.mean()).square().mean())
    assert 0.09 < theirs.val_mse < untrained / 4
    assert abs(theirs.val_mse - ours.val_mse) < 0.05 * untrained
    assert theirs.rows_a_second > 0
    assert 1 <= theirs.epochs <= 8
