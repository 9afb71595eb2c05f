"""Small tables for tests."""

import polars as pl

from ue_bench import data
from ue_bench.data import Definition


def table(folder, frame, name="t.parquet", target="y", features=None, **more):
    """The data set of a frame. more: further values of the definition.

    features: the columns to embed; None: all but the target and the time.
    """
    frame = pl.DataFrame(frame)
    if name.endswith(".csv"):
        frame.write_csv(folder / name)
    else:
        frame.write_parquet(folder / name)
    if features is None:
        others = (target, more.get("time"))
        features = tuple(column for column in frame.columns if column not in others)
    definition = data.define(Definition(name, target, features, **more), folder)
    return data.load(name, folder, definition)


def texts(folder, values, name="t.parquet", **more):
    """What the values of a feature become, row by row."""
    frame = {"y": [float(n) for n in range(len(values))], "x": values}
    return table(folder, frame, name, **more).column("x").to_list()


def movielens_as_table(folder, movielens, features):
    """MovieLens's rows written as a table, and read again."""
    frame = pl.DataFrame({name: movielens.column(name) for name in features})
    frame = frame.with_columns(
        rating=movielens.ratings["rating"], timestamp=movielens.ratings["timestamp"]
    )
    return table(folder, frame, "ml.parquet", "rating", features, time="timestamp")
