"""The forward pass of the unified embedding from codes, beside the bare operations that it cannot do without.

Everybody starts from the codes of a batch: the limit and the peers gather the slots of the lookups in the fastest way known here,
from tables of slots that are ready, and then look them up.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.features import Feature
from ue_bench.speed import peers
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.turns import agree, in_turns
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
        features = tuple(
            Feature(f"f{n}", [f"{n}-{value}" for value in range(VALUES)], VALUES)
            for n in range(len(lookups))
        )
        strategy = build(Spec("unified", features, lookups, DIM, ROWS * DIM * 4)).eval()
        weight = next(strategy.parameters()).detach()
        for batch, most in BATCHES.items():
            codes = torch.randint(
                VALUES, (batch, len(features)), generator=torch.Generator().manual_seed(batch)
            )
            slots = strategy.slots(codes)
            gather = fastest_gather(strategy, codes)
            calls: dict[str, Callable[[], Any]] = {
                "ours": partial(strategy, codes),
                LIMIT: partial(bare, gather, weight),
            }
            agree(
                torch.equal(gather(), slots.long()) and torch.equal(calls["ours"](), calls[LIMIT]())
            )
            calls |= {
                name: partial(after, gather, make(weight, slots.long()))
                for name, make in rivals.items()
            }
            clocked = in_turns(calls, 1.0 if quick else 6.0)
            claims = [Claim(clocked.ratio("ours", LIMIT), "x the limit", f"<= {most:g}")]
            claims += [Claim(clocked.ratio("ours", name), f"x {name}", "< 1") for name in rivals]
            yield Line(
                f"{form}, batch {batch:,}",
                clocked.seconds("ours"),
                "s",
                clocked.beside("ours"),
                tuple(claims),
                absent,
            )


def fastest_gather(strategy: EmbeddingStrategy, codes: Tensor) -> Callable[[], Tensor]:
    """The slots of a batch, int64 [B, L], gathered bare: from columns that lie beside each other, or one below the other."""
    columns = [
        column
        for index, feature in enumerate(strategy.spec.features)
        for column in strategy.locate(index, feature.values).t()
    ]
    beside, below, start = (
        torch.stack(columns, 1),
        torch.cat(columns),
        VALUES * torch.arange(len(columns)),
    )
    again = [index for index, count in enumerate(strategy.spec.lookups) for _ in range(count)]
    owners = torch.tensor(again).expand(len(codes), -1)
    same = len(again) == codes.shape[1]

    def few() -> Tensor:
        return beside.gather(0, codes if same else codes.gather(1, owners))

    def many() -> Tensor:
        return below.index_select(
            0, ((codes if same else codes.gather(1, owners)) + start).flatten()
        ).view(len(codes), -1)

    clocked = in_turns({"few": few, "many": many}, 0.2)
    return few if clocked.ratio("few", "many") < 1 else many


def bare(gather: Callable[[], Tensor], weight: Tensor) -> Tensor:
    """Vectors [B, W]."""
    slots = gather()
    return functional.embedding(slots, weight).view(len(slots), -1)


def after(gather: Callable[[], Tensor], peer: peers.Forward) -> Any:
    """A peer's lookup of the rows that are gathered."""
    return peer(gather())
