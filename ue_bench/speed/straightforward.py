"""The program that one would write first, as the unit of our training speed.

An `nn.Embedding` a feature, concatenated; a linear layer, ReLU, `nn.Dropout`, a linear layer; a shuffling `DataLoader` over a
`TensorDataset`; `torch.optim.Adam` and the mean squared error. The recipe is that of the harness: batch, learning rate, dropout,
hidden units, initial numbers, patience. Its speed is that of rows trained on, evaluations included, as for ours.
"""

import copy
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from ue_bench import data
from ue_bench.config import RunConfig
from ue_bench.features import Feature
from ue_bench.strategies.allocator import keep_freed_memory
from ue_bench.training.run_once import PARTS, make_model, make_recipe, make_spec, resolve
from ue_bench.training.train import Rows, fit


@dataclass(frozen=True)
class Trained:
    """What a program reached, and how fast: rows trained on a second."""

    rows_a_second: float
    val_mse: float
    epochs: int


class Straightforward(nn.Module):
    """An exact table of its own for every feature, and the article's head."""

    def __init__(self, cardinalities: list[int], config: RunConfig, mean_rating: float) -> None:
        super().__init__()
        dim = config.dim or 16
        tables, last = (
            [nn.Embedding(count, dim) for count in cardinalities],
            nn.Linear(config.hidden, 1),
        )
        for table in tables:
            nn.init.uniform_(table.weight, -config.init_scale, config.init_scale)
        nn.init.constant_(last.bias, mean_rating)
        self.tables = nn.ModuleList(tables)
        self.head = nn.Sequential(
            nn.Linear(dim * len(tables), config.hidden), nn.ReLU(), nn.Dropout(config.dropout), last
        )

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B]."""
        return self.head(
            torch.cat([table(codes[:, i]) for i, table in enumerate(self.tables)], dim=1)
        ).squeeze(1)


def straightforward(
    train: Rows, validation: Rows, cardinalities: list[int], config: RunConfig
) -> Trained:
    """Train it until the validation error has not fallen for `patience` epochs."""
    torch.manual_seed(config.init_seed)
    model = Straightforward(cardinalities, config, float(train.ratings.mean()))
    loader = DataLoader(
        TensorDataset(train.codes, train.ratings), batch_size=config.batch_size, shuffle=True
    )
    optimizer, loss = torch.optim.Adam(model.parameters(), lr=config.lr), nn.MSELoss()
    history: list[float] = []
    best_state, start = model.state_dict(), perf_counter()
    for _ in range(config.epochs):
        model.train()
        for codes, ratings in loader:
            optimizer.zero_grad()
            loss(model(codes), ratings).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            history.append(loss(model(validation.codes), validation.ratings).item())
        if history[-1] == min(history):
            best_state = copy.deepcopy(model.state_dict())
        if config.patience and len(history) - 1 - history.index(min(history)) >= config.patience:
            break
    model.load_state_dict(best_state)
    return Trained(len(history) * len(train) / (perf_counter() - start), min(history), len(history))


def ours(
    train: Rows, validation: Rows, config: RunConfig, features: tuple[Feature, ...]
) -> Trained:
    """The trainer of the harness on the same rows."""
    config = resolve(config)
    model = make_model(config, make_spec(config, features), float(train.ratings.mean()))
    found = fit(model, train, validation, make_recipe(config))
    best = min(entry["val_mse"] for entry in found.history)
    return Trained(found.epochs_run * len(train) / found.seconds, best, found.epochs_run)


def beside(seeds: int = 5, dataset: str = "ml-100k") -> list[dict[str, float]]:
    """Both programs in turn, once a seed, on the rows of that seed's split: the exact table of `base`, the default recipe."""
    torch.set_num_threads(1)
    keep_freed_memory()
    loaded, found = data.load(dataset), []
    for seed in range(seeds):
        config = RunConfig(dataset=dataset, strategy="collisionless").with_seed(seed)
        encoded = data.encode(
            loaded, loaded.feature_names("base"), data.split(loaded, "random", seed)
        )
        codes, ratings = torch.from_numpy(encoded.codes), torch.from_numpy(encoded.ratings.copy())
        chosen = {name: torch.from_numpy(encoded.parts == part) for name, part in PARTS.items()}
        rows = {name: Rows(codes[mask], ratings[mask]) for name, mask in chosen.items()}
        theirs = straightforward(
            rows["train"], rows["val"], [f.cardinality for f in encoded.features], config
        )
        mine = ours(rows["train"], rows["val"], config, encoded.features)
        found.append(
            {
                "seed": seed,
                "straightforward_rows_a_second": theirs.rows_a_second,
                "rows_a_second": mine.rows_a_second,
                "times_as_fast": mine.rows_a_second / theirs.rows_a_second,
                "straightforward_val_mse": theirs.val_mse,
                "val_mse": mine.val_mse,
            }
        )
    return found
