"""The program that one would write first, as the unit of our training speed.

It has an `nn.Embedding` a feature, concatenated; a linear layer, ReLU, `nn.Dropout` and a linear
layer; a shuffling `DataLoader` over a `TensorDataset`; `torch.optim.Adam` and the mean squared
error. It has the batch, learning rate, dropout, hidden units, initial numbers of the table and
patience of the harness. It averages no weights, starts the hidden layer as torch does, and reads no
value as an unseen one. Speed is the number of rows trained on a second, with evaluations included
for both programs.
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
from ue_bench.training.assembly import make_model, make_recipe, make_spec
from ue_bench.training.loss import Scale
from ue_bench.training.resolve import resolve
from ue_bench.training.split_parts import PARTS
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
        tables = [nn.Embedding(count, dim) for count in cardinalities]
        last = nn.Linear(config.hidden, 1)
        for table in tables:
            nn.init.uniform_(table.weight, -config.init_scale, config.init_scale)
        nn.init.constant_(last.bias, mean_rating)
        self.tables = nn.ModuleList(tables)
        first = nn.Linear(dim * len(tables), config.hidden)
        self.head = nn.Sequential(first, nn.ReLU(), nn.Dropout(config.dropout), last)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B]."""
        vectors = [table(codes[:, i]) for i, table in enumerate(self.tables)]
        return self.head(torch.cat(vectors, dim=1)).squeeze(1)


def train_straightforward(
    train: Rows, validation: Rows, cardinalities: list[int], config: RunConfig
) -> Trained:
    """Train the program until the validation error has not fallen for `patience` epochs."""
    torch.manual_seed(config.init_seed)
    model = Straightforward(cardinalities, config, float(train.ratings.mean()))
    rows = TensorDataset(train.codes, train.ratings)
    loader = DataLoader(rows, batch_size=config.batch_size, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    loss = nn.MSELoss()
    history: list[float] = []
    best_state = model.state_dict()
    start = perf_counter()
    for _ in range(config.epochs):
        model.train()
        for codes, ratings in loader:
            optimizer.zero_grad()
            loss(model(codes), ratings).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            history.append(loss(model(validation.codes), validation.ratings).item())
        best = min(history)
        if history[-1] == best:
            best_state = copy.deepcopy(model.state_dict())
        waited = len(history) - 1 - history.index(best)
        if config.patience and waited >= config.patience:
            break
    model.load_state_dict(best_state)
    n_rows = len(history) * len(train)
    return Trained(n_rows / (perf_counter() - start), min(history), len(history))


def train_ours(
    train: Rows, validation: Rows, config: RunConfig, features: tuple[Feature, ...]
) -> Trained:
    """Train with the harness on the same rows."""
    config = resolve(config)
    mean = float(train.ratings.mean())
    scale = Scale.of(train.ratings.numpy())
    model = make_model(config, make_spec(config, features), mean, scale)
    fitted = fit(model, train, validation, make_recipe(config))
    n_rows = fitted.epochs_run * len(train)
    best = min(entry["val_mse"] for entry in fitted.history)
    return Trained(n_rows / fitted.seconds, best, fitted.epochs_run)


def compare(seeds: int = 5, dataset: str = "ml-100k") -> list[dict[str, float]]:
    """Train both programs in turn on the rows of each seed's split: one entry a seed.

    Ours has the exact table of `base` and the default recipe.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    loaded = data.load(dataset)
    names = loaded.feature_names("base")
    entries = []
    for seed in range(seeds):
        config = RunConfig(dataset=dataset, strategy="collisionless").with_seed(seed)
        encoded = data.encode(loaded, names, data.split(loaded, "random", seed))
        codes = torch.from_numpy(encoded.codes)
        ratings = torch.from_numpy(encoded.ratings.copy())
        rows = {}
        for name, part in PARTS.items():
            mask = torch.from_numpy(encoded.parts == part)
            rows[name] = Rows(codes[mask], ratings[mask])
        cardinalities = [feature.cardinality for feature in encoded.features]
        theirs = train_straightforward(rows["train"], rows["val"], cardinalities, config)
        ours = train_ours(rows["train"], rows["val"], config, encoded.features)
        entries.append(
            {
                "seed": seed,
                "straightforward_rows_a_second": theirs.rows_a_second,
                "rows_a_second": ours.rows_a_second,
                "times_as_fast": ours.rows_a_second / theirs.rows_a_second,
                "straightforward_val_mse": theirs.val_mse,
                "val_mse": ours.val_mse,
            }
        )
    return entries
