"""Strategies broken on purpose, as a plugin file: each makes one scenario of the study `known-answer` fail."""

from dataclasses import replace

import torch

from ue_bench.data import load
from ue_bench.strategies import Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick


class LosesAFeature(HashingTrick):
    """All values of the last feature have one row."""

    def locate(self, feature, values):
        slots = super().locate(feature, values)
        return slots if feature < len(self.spec.features) - 1 else torch.zeros_like(slots)


class IgnoresItsSeed(HashingTrick):
    """Its rows are those of hash seed 0, whatever the seed."""

    def __init__(self, spec):
        super().__init__(replace(spec, hash_seed=0))


class Peeks(HashingTrick):
    """The rating of a user and a movie, looked up in the whole data set, test rows too, stands among a row's numbers."""

    def __init__(self, spec):
        super().__init__(spec)
        ratings = load("planted-noise").ratings
        self.names = [feature.name for feature in spec.features]
        users, movies = (ratings[name].cast(int).to_list() for name in ("user_id", "movie_id"))
        known = torch.zeros(1 + max(users), 1 + max(movies))
        known[users, movies] = torch.tensor(ratings["rating"].to_list())
        self.register_buffer("known", known, persistent=False)

    def locate(self, feature, values):
        # a value that no data have is as good as user or movie 0
        ids = torch.tensor([int(value) if value.isdecimal() else 0 for value in values])
        ids = ids.unsqueeze(1)
        return torch.cat([super().locate(feature, values), ids], 1)

    def embed(self, slots):
        user, movie = (slots[:, 2 * self.names.index(name) + 1] for name in ("user_id", "movie_id"))
        return torch.cat(
            [super().embed(slots[:, ::2])[:, 1:], self.known[user, movie].unsqueeze(1)], 1
        )


STRATEGIES = {
    name: Entry(method, ("multiplexed",), "broken on purpose", "a test")
    for name, method in (
        ("loses_a_feature", LosesAFeature),
        ("ignores_its_seed", IgnoresItsSeed),
        ("peeks", Peeks),
    )
}
