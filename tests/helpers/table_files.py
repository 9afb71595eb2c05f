"""Small tables for tests."""

import polars as pl

from ue_bench import data
from ue_bench.data import Definition


def table(folder, frame, name="t.parquet", target="y", features=None, **more):
    """The data set of a frame, whose column `y` is the target unless told."""
    frame = pl.DataFrame(frame)
    frame.write_csv(folder / name) if name.endswith(".csv") else frame.write_parquet(folder / name)
    features = (
        tuple(c for c in frame.columns if c not in (target, more.get("time")))
        if features is None
        else features
    )
    return data.load(name, folder, data.define(Definition(name, target, features, **more), folder))


def texts(folder, values, name="t.parquet", **more):
    """What the values of a feature become, row by row."""
    frame = {"y": [float(n) for n in range(len(values))], "x": values}
    return table(folder, frame, name, **more).column("x").to_list()
