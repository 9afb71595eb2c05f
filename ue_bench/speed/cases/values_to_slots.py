"""From raw values to slots: hashing a million strings, beside a Python loop and beside the hash
function alone."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import polars_hash  # noqa: F401  (registers the `nchash` namespace of expressions)
import torch
import xxhash

from ue_bench.hashing import hash_rows
from ue_bench.speed.interleaved_timing import require_agreement, time_in_turns
from ue_bench.speed.line import Claim, Line

TITLE = "Raw values to slots: 1,000,000 MovieLens-like strings, one seed"
ROWS = 100_000
SEED = 7
ARTICLE = "the article's loop"
FASTEST = "the fastest loop"
ALONE = "polars-hash alone"
# What the ratios to the article's loop and to polars-hash alone must reach.
MUST = {"polars Series": (">= 20", "<= 1.5")}


def measure(quick: bool) -> Iterator[Line]:
    """Yield a line for a polars Series, a list of str and an array of integers."""
    n = 1_000_000
    seconds = 12.0
    if quick:
        n = 100_000
        seconds = 2.0
    numbers = np.random.Generator(np.random.PCG64(0)).zipf(1.3, n) % 200_000
    column = pl.Series("v", numbers).cast(pl.String)
    texts = column.to_list()
    expression = pl.col("v").nchash.xxhash32(seed=SEED)  # type: ignore[attr-defined]
    frame = column.to_frame()

    def article_loop() -> torch.Tensor:  # as the article writes it; the table takes a tensor
        slots = [xxhash.xxh32(text.encode(), seed=SEED).intdigest() % ROWS for text in texts]
        return torch.tensor(slots)

    def fastest_loop() -> torch.Tensor:
        slots = [xxhash.xxh32_intdigest(text.encode(), SEED) % ROWS for text in texts]
        return torch.tensor(slots)

    expected = article_loop()
    require_agreement(torch.equal(hash_rows(column, [SEED], ROWS)[:, 0], expected))
    require_agreement(torch.equal(fastest_loop(), expected))
    inputs = {"polars Series": column, "list of str": texts, "numpy integers": numbers}
    for what, values in inputs.items():
        calls: dict[str, Callable[[], Any]] = {
            "ours": partial(hash_rows, values, [SEED], ROWS),
            ARTICLE: article_loop,
            FASTEST: fastest_loop,
            ALONE: lambda: frame.select(expression).to_series(),
        }
        times = time_in_turns(calls, seconds, least=5)
        must_of_article, must_of_alone = MUST.get(what, ("", ""))
        article = times.ratio(ARTICLE, "ours")
        alone = times.ratio("ours", ALONE)
        claims = (
            Claim(article, "x as fast as the article's loop over xxhash", must_of_article),
            Claim(times.ratio(FASTEST, "ours"), "x as fast as the fastest loop"),
            Claim(alone, "x the time of polars-hash alone", must_of_alone),
        )
        yield Line(
            what=what,
            value=n / times.seconds("ours"),
            unit="rows/s",
            beside={name: n / spent for name, spent in times.others("ours").items()},
            claims=claims,
        )
