"""Rows of few bits, read beside the float32 rows of a table of the same shape, and beside the
lookups of few bits that torch and FBGEMM have. Everybody starts from the slots.

The peers quantise the rows by themselves and store a scale and a bias with each, so that their
work is the same and their numbers are not.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ue_bench.speed.interleaved_timing import require_agreement, time_in_turns
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.model_calls import made_up_features
from ue_bench.speed.peers import few_bits_installed
from ue_bench.strategies import Pool, Spec, build
from ue_bench.strategies.number_format import NumberFormat

TITLE = (
    "Lookups of few bits from slots: 7 lookups of a row, a pool of 100,000 rows of 16 numbers, "
    "one thread"
)
ROWS = 100_000
DIM = 16
LOOKUPS = 7
BATCHES = (256, 4096)
# Bits, and how many times the float32 lookup one of them may take.
BITS = {"int8": 1.5, "int4": 1.5, "int2": 2.0, "int1": None, "int3": None}
HASHED_NET = 2.5  # times the forward pass of `unified`


@torch.no_grad()
def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for each number of bits and each batch size, and one for signed numbers."""
    seconds = 1.0 if quick else 6.0
    rivals, note = few_bits_installed()
    floats = _pool("float32")
    for name, bound in BITS.items():
        packed = _pool(name)
        packed.keep_served()
        expected = packed.eval()(torch.arange(100))
        packed.weight = None  # type: ignore[assignment]
        require_agreement(torch.allclose(packed(torch.arange(100)), expected, atol=1e-6))
        for batch in BATCHES:
            generator = torch.Generator().manual_seed(batch)
            slots = torch.randint(ROWS, (batch, LOOKUPS), generator=generator)
            calls: dict[str, Callable[[], Any]] = {
                "ours": partial(packed, slots),
                "float32": partial(floats, slots),
            }
            for rival, make in rivals.get(name, {}).items():
                calls[rival] = partial(make(floats.weight.detach()), slots)
            times = time_in_turns(calls, seconds)
            must = "" if bound is None else f"<= {bound:g}"
            claims = [Claim(times.ratio("ours", "float32"), "x float32", must)]
            for rival in rivals.get(name, {}):
                claims.append(Claim(times.ratio("ours", rival), f"x {rival}", "< 1"))
            yield Line(
                what=f"{name}, batch {batch:,}",
                value=times.seconds("ours"),
                unit="s",
                beside=times.others("ours"),
                claims=tuple(claims),
                note=note,
            )
    yield from _signed_numbers(seconds)


def _pool(name: str) -> Pool:
    spec = Spec(name="unified", features=(), lookups=(), dim=DIM, numbers=NumberFormat(name=name))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Pool(ROWS, spec)


def _signed_numbers(seconds: float) -> Iterator[Line]:
    """Yield a line for HashedNets, whose numbers are read one by one with a sign each."""
    strategies = {}
    for name in ("unified", "hashed_net"):
        spec = Spec(
            name=name,
            features=made_up_features(LOOKUPS, 5_000),
            lookups=(1,) * LOOKUPS,
            dim=DIM,
            budget=ROWS * DIM * 4,
        )
        strategies[name] = build(spec).eval()
    for batch in BATCHES:
        codes = _codes(batch)
        calls = {name: partial(strategy, codes) for name, strategy in strategies.items()}
        times = time_in_turns(calls, seconds)
        ratio = times.ratio("hashed_net", "unified")
        yield Line(
            what=f"forward pass of hashed_net, batch {batch:,}",
            value=times.seconds("hashed_net"),
            unit="s",
            beside=times.others("hashed_net"),
            claims=(Claim(ratio, "x unified", f"<= {HASHED_NET:g}"),),
        )


def _codes(batch: int) -> Tensor:
    return torch.randint(5_000, (batch, LOOKUPS), generator=torch.Generator().manual_seed(batch))
