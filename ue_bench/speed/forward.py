"""The forward pass of the unified embedding from codes, beside the bare operations that it cannot do without."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.feature import Feature
from ue_bench.speed import peers
from ue_bench.speed.clock import in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.strategies import EmbeddingStrategy, Spec, build

TITLE = "Forward pass of `unified` from codes: 7 lookups, a table of 100,000 rows of 16 numbers, one thread"
ROWS, DIM, VALUES = 100_000, 16, 5_000
LIMIT = "slot gather and F.embedding, bare"
BATCHES = {1: 2.0, 256: 1.15, 4096: 1.15}  # times the limit that may be taken
LOOKUPS = {"7 features": (1,) * 7, "6 features, one with 2": (2, 1, 1, 1, 1, 1)}


@torch.no_grad()
def measure(quick: bool) -> Iterator[Line]:
    """A line a batch size and form of the seven lookups."""
    rivals, absent = peers.installed()
    for form, lookups in LOOKUPS.items():
        features = tuple(Feature(f"f{n}", [f"{n}-{value}" for value in range(VALUES)], VALUES) for n in range(len(lookups)))
        strategy = build(Spec("unified", features, lookups, DIM, ROWS * DIM * 4)).eval()
        for batch, most in BATCHES.items():
            codes = torch.randint(VALUES, (batch, len(features)), generator=torch.Generator().manual_seed(batch))
            slots = strategy.slots(codes)
            weight = next(strategy.parameters()).detach()
            assert torch.equal(strategy(codes), functional.embedding(slots, weight).flatten(1))
            calls: dict[str, Callable[[], Any]] = {"ours": partial(strategy, codes), LIMIT: bare(strategy, codes, weight)}
            calls |= {name: make(weight, slots) for name, make in rivals.items()}
            clocked = in_turns(calls, 1.0 if quick else 6.0)
            claims = [Claim(clocked.ratio("ours", LIMIT), "x the limit", f"<= {most:g}")]
            claims += [Claim(clocked.ratio("ours", name), f"x {name}", "< 1") for name in rivals]
            yield Line(f"{form}, batch {batch:,}", clocked.seconds("ours"), "s", clocked.beside("ours"), tuple(claims), absent)


def bare(strategy: EmbeddingStrategy, codes: Tensor, weight: Tensor) -> Callable[[], Tensor]:
    """The least that must be done: one gather of the slots, on codes that already count through all features' values, and one of
    the rows."""
    located = [strategy.locate(index, feature.values).t() for index, feature in enumerate(strategy.spec.features)]
    kept = torch.cat([slots.flatten() for slots in located]).unsqueeze(1)
    owner = [index for index, count in enumerate(strategy.spec.lookups) for _ in range(count)]
    ready = codes[:, owner] + VALUES * torch.arange(len(owner))
    width = len(owner) * weight.shape[1]
    return lambda: functional.embedding(functional.embedding(ready, kept), weight).view(-1, width)
