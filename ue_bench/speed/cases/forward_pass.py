"""The forward pass of the unified embedding from codes, beside the bare operations that it needs.

Everybody starts from the codes of a batch. The limit and the peers gather the slots of the lookups
from ready tables of slots, in the fastest known way, and then look them up.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ue_bench.speed import peers
from ue_bench.speed.interleaved_timing import require_agreement, time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import made_up_features
from ue_bench.strategies import EmbeddingStrategy, Spec, build

TITLE = (
    "Forward pass of `unified` from codes: 7 lookups, a table of 100,000 rows of 16 numbers, "
    "one thread"
)
ROWS = 100_000
DIM = 16
VALUES = 5_000
LIMIT = "slot gather and F.embedding, bare"
# Batch size, and how many times the limit its forward pass may take.
BATCHES = {1: 2.0, 256: 1.15, 4096: 1.15}
LOOKUPS = {"7 features": (1,) * 7, "6 features, one with 2": (2, 1, 1, 1, 1, 1)}


@torch.no_grad()
def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for each form of the seven lookups and each batch size."""
    rivals, note = peers.installed()
    seconds = 6.0
    if quick:
        seconds = 1.0
    for form, lookups in LOOKUPS.items():
        spec = Spec(
            name="unified",
            features=made_up_features(len(lookups), VALUES),
            lookups=lookups,
            dim=DIM,
            budget=ROWS * DIM * 4,
        )
        strategy = build(spec).eval()
        for batch, bound in BATCHES.items():
            times = time_in_turns(_calls(strategy, batch, rivals), seconds)
            claims = [Claim(times.ratio("ours", LIMIT), "x the limit", f"<= {bound:g}")]
            for name in rivals:
                claims.append(Claim(times.ratio("ours", name), f"x {name}", "< 1"))
            yield Line(
                what=f"{form}, batch {batch:,}",
                value=times.seconds("ours"),
                unit="s",
                beside=times.others("ours"),
                claims=tuple(claims),
                note=note,
            )


def _calls(
    strategy: EmbeddingStrategy, batch: int, rivals: dict[str, peers.Maker]
) -> dict[str, Callable[[], Any]]:
    """Return the forward passes of one batch, by name."""
    generator = torch.Generator().manual_seed(batch)
    codes = torch.randint(VALUES, (batch, len(strategy.spec.features)), generator=generator)
    weight = next(strategy.parameters()).detach()
    slots = strategy.slots(codes)
    gather = fastest_gather(strategy, codes)
    calls: dict[str, Callable[[], Any]] = {
        "ours": partial(strategy, codes),
        LIMIT: partial(bare_lookup, gather, weight),
    }
    require_agreement(torch.equal(gather(), slots.long()))
    require_agreement(torch.equal(calls["ours"](), calls[LIMIT]()))
    for name, make in rivals.items():
        calls[name] = partial(peer_lookup, gather, make(weight, slots.long()))
    return calls


def fastest_gather(strategy: EmbeddingStrategy, codes: Tensor) -> Callable[[], Tensor]:
    """Return a call that gathers the slots of a batch, int64 [B, L], by bare operations.

    It reads a table with a column for each lookup, or one with all lookups below each other,
    whichever is faster for this batch.
    """
    columns: list[Tensor] = []
    owners: list[int] = []  # the feature of each lookup
    for index, feature in enumerate(strategy.spec.features):
        feature_columns = strategy.locate(index, feature.values).t()
        columns.extend(feature_columns)
        owners.extend([index] * len(feature_columns))
    side_by_side = torch.stack(columns, 1)
    stacked = torch.cat(columns)
    start = VALUES * torch.arange(len(columns))
    owners_of_rows = torch.tensor(owners).expand(len(codes), -1)
    one_lookup_each = len(owners) == codes.shape[1]

    def codes_by_lookup() -> Tensor:
        return codes if one_lookup_each else codes.gather(1, owners_of_rows)

    def from_columns() -> Tensor:
        return side_by_side.gather(0, codes_by_lookup())

    def from_stacked() -> Tensor:
        positions = (codes_by_lookup() + start).flatten()
        return stacked.index_select(0, positions).view(len(codes), -1)

    times = time_in_turns({"columns": from_columns, "stacked": from_stacked}, 0.2)
    if times.ratio("columns", "stacked") < 1:
        return from_columns
    return from_stacked


def bare_lookup(gather: Callable[[], Tensor], weight: Tensor) -> Tensor:
    """Return the vectors of the gathered slots, [B, W]."""
    slots = gather()
    return functional.embedding(slots, weight).view(len(slots), -1)


def peer_lookup(gather: Callable[[], Tensor], peer: peers.Forward) -> Any:
    """Return what a peer looks up for the gathered slots."""
    return peer(gather())
