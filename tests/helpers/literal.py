"""Straightforward programs that the fast code is held against: the article's layer and training, one element at a time."""

import torch
import xxhash
from torch import nn


def slot(value: str, seed: int, size: int) -> int:
    return xxhash.xxh32(value.encode(), seed).intdigest() % size


class LiteralLayer(nn.Module):
    """A Python loop over values and seeds, each slot written on its own."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(size, dim)

    def forward(self, values, seeds):
        slots = torch.zeros(len(values), len(seeds), dtype=torch.long)
        for row, value in enumerate(values):
            for lookup, seed in enumerate(seeds):
                slots[row, lookup] = slot(value, seed, self.embedding.num_embeddings)
        return self.embedding(slots).flatten(1)


class LiteralModel(nn.Module):
    """The layer, then Linear 64, ReLU, Linear 1. `seeds`: one tuple a column."""

    def __init__(self, size: int, dim: int, seeds: list[tuple[int, ...]]) -> None:
        super().__init__()
        self.seeds, self.layer = seeds, LiteralLayer(size, dim)
        self.hidden = nn.Linear(dim * sum(map(len, seeds)), 64)
        self.out = nn.Linear(64, 1)

    def forward(self, columns):
        vectors = [
            self.layer(column, seeds) for column, seeds in zip(columns, self.seeds, strict=True)
        ]
        return self.out(torch.relu(self.hidden(torch.cat(vectors, dim=1)))).squeeze(1)


def train_literally(model, train, validation, steps):
    """Full-batch Adam 1e-3 on (columns, ratings); the losses of each step, train before it and validation after it."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(train[0]), train[1])
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            losses.append(
                (loss.item(), nn.functional.mse_loss(model(validation[0]), validation[1]).item())
            )
    return losses
