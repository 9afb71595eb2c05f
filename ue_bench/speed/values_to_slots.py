"""From raw values to slots: hashing a million strings, beside a Python loop and beside the hash function alone."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  (registers the `nchash` namespace of expressions)
import torch
import xxhash

from ue_bench.hashing import hash_rows
from ue_bench.speed.line import Claim, Line
from ue_bench.speed.turns import agree, in_turns

TITLE = "Raw values to slots: 1,000,000 MovieLens-like strings, one seed"
ROWS, SEED = 100_000, 7
ARTICLE, FASTEST, ALONE = "the article's loop", "the fastest loop", "polars-hash alone"


def measure(quick: bool) -> Iterator[Line]:
    """A line for a polars Series, a list of str and an array of integers."""
    n = 100_000 if quick else 1_000_000
    numbers = np.random.Generator(np.random.PCG64(0)).zipf(1.3, n) % 200_000
    column = pl.Series("v", numbers).cast(pl.String)
    texts = column.to_list()
    expression = pl.col("v").nchash.xxhash32(seed=SEED)  # type: ignore[attr-defined]
    frame = column.to_frame()

    def loop() -> torch.Tensor:  # as the article writes it; the table takes a tensor
        return torch.tensor(
            [xxhash.xxh32(text.encode(), seed=SEED).intdigest() % ROWS for text in texts]
        )

    def fastest_loop() -> torch.Tensor:
        return torch.tensor([xxhash.xxh32_intdigest(text.encode(), SEED) % ROWS for text in texts])

    agree(
        torch.equal(hash_rows(column, [SEED], ROWS)[:, 0], loop())
        and torch.equal(loop(), fastest_loop())
    )
    for what, given, bound in (
        ("polars Series", column, True),
        ("list of str", texts, False),
        ("numpy integers", numbers, False),
    ):
        calls: dict[str, Callable[[], Any]] = {
            "ours": partial(hash_rows, given, [SEED], ROWS),
            ARTICLE: loop,
            FASTEST: fastest_loop,
            ALONE: lambda: frame.select(expression).to_series(),
        }
        clocked = in_turns(calls, 2.0 if quick else 12.0, least=5)
        claims = (
            Claim(
                clocked.ratio(ARTICLE, "ours"),
                "x as fast as the article's loop over xxhash",
                ">= 20" if bound else "",
            ),
            Claim(clocked.ratio(FASTEST, "ours"), "x as fast as the fastest loop"),
            Claim(
                clocked.ratio("ours", ALONE),
                "x the time of polars-hash alone",
                "<= 1.5" if bound else "",
            ),
        )
        yield Line(
            what,
            n / clocked.seconds("ours"),
            "rows/s",
            {k: n / v for k, v in clocked.beside("ours").items()},
            claims,
        )
