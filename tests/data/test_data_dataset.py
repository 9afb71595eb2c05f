"""Features, splits and encoding on small data, against plain transcriptions of their rules."""

import movielens_files as official
import numpy as np
import polars as pl
import pytest

from ue_bench.data import encode, load, split
from ue_bench.data.movielens.movielens import MovieLens
from ue_bench.data.splitting import SPLITS
from ue_bench.errors import BenchError
from ue_bench.features import CROSS


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """A small data set in the form of ML-25M: no user attributes."""
    return load("ml-25m", official.write_folder(tmp_path_factory.mktemp("25m"), "ml-25m"))


def made_up(users: list[int], times: list[int]) -> MovieLens:
    rows = {
        "user_id": users,
        "movie_id": [i % 3 for i in range(len(users))],
        "rating": [3.0] * len(users),
        "timestamp": times,
    }
    ratings = pl.DataFrame(rows).cast(
        {"user_id": pl.UInt32, "movie_id": pl.UInt32, "rating": pl.Float32}
    )
    items = pl.DataFrame(
        {"movie_id": ["0", "1", "2"], "release_year": ["1990"] * 3, "genres": ["A", "B", "A"]}
    )
    return MovieLens("made-up", ratings, None, items, "synthetic", "sha256:0")


# ---- features


def test_a_column_has_the_value_of_each_row(hundred):
    gender = hundred.column("gender")
    genres = hundred.column("genres")
    cross = hundred.column("user_id*genres")
    for row, (user, movie) in enumerate(hundred.ratings.select("user_id", "movie_id").iter_rows()):
        assert gender[row] == official.user(int(user))[0]
        assert genres[row] == "|".join(official.movie(int(movie))[2])
        assert cross[row] == f"{user}{CROSS}{genres[row]}"
    assert cross.dtype == pl.String
    assert len(cross) == official.N_RATINGS


def test_a_cross_of_three(hundred):
    joined = zip(*(hundred.column(name) for name in ("age", "genres", "gender")), strict=True)
    assert hundred.column("age*genres*gender").to_list() == [
        CROSS.join(values) for values in joined
    ]


def test_named_feature_sets(hundred, later):
    base = ("user_id", "movie_id", "gender", "age", "occupation", "zip_code")
    assert hundred.feature_names("base") == base
    assert hundred.feature_names("wide") == (
        *base,
        "genres",
        "user_id*genres",
        "movie_id*occupation",
        "movie_id*gender",
    )
    base = ("user_id", "movie_id", "release_year", "genres")
    assert later.feature_names("base") == base
    assert later.feature_names("wide") == (*base, "user_id*genres", "user_id*release_year")
    assert later.feature_names(" genres, user_id*genres") == ("genres", "user_id*genres")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ("", "none given"),
        (" , ", "none given"),
        ("user_id,", "unknown feature ''"),
        ("user_id,gendre", "did you mean 'gen"),
        ("user_id*nothing", "unknown feature 'nothing'"),
        ("age,user_id,age", "'age' is given twice"),
        ("age*gender,gender*age", "'gender\\*age' is given twice"),
        ("age*age", "crosses a feature with itself"),
    ],
)
def test_a_bad_list_of_features_is_refused(hundred, spec, why):
    with pytest.raises(BenchError, match=why):
        hundred.feature_names(spec)


def test_a_feature_that_this_data_set_lacks_lists_what_it_has(later):
    with pytest.raises(BenchError, match=r"choose from: genres, movie_id, release_year, user_id$"):
        later.column("gender")


def test_describe(hundred, later):
    described = hundred.describe()
    rows = official.ratings()
    assert described["ratings"] == 200
    assert described["users"] == len({user for user, *_ in rows})
    assert described["items"] == len({movie for _, movie, *_ in rows})
    assert described["features"]["gender"] == 2
    assert described["rating_scale"] == [1.0, 5.0]
    assert described["time_span"] == ["1997-11-20", "1997-11-28"]
    assert described["name"] == "ml-100k"
    assert described["source"] == "folder"
    assert described["checksum"] == hundred.checksum
    assert later.describe()["rating_scale"] == [0.5, 5.0]
    assert set(later.describe()["features"]) == {"user_id", "movie_id", "release_year", "genres"}


# ---- splits


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_a_split_is_one_part_a_row_and_the_same_each_time(hundred, name):
    parts = split(hundred, name, 3)
    assert (parts.dtype, parts.shape) == (np.uint8, (200,))
    assert np.array_equal(parts, split(hundred, name, 3))
    assert np.array_equal(parts, split(hundred, name, 4)) == (name != "random")


def test_random_is_80_10_10_of_the_permutation(hundred):
    parts = split(hundred, "random", 7)
    assert np.bincount(parts).tolist() == [160, 20, 20]
    order = np.random.Generator(np.random.PCG64(7)).permutation(200)
    assert set(order[160:180]) == set(np.flatnonzero(parts == 1))
    assert set(order[180:]) == set(np.flatnonzero(parts == 2))


def test_global_temporal_lets_nothing_of_the_future_into_training(hundred):
    parts = split(hundred, "global_temporal", 0)
    times = hundred.ratings["timestamp"].to_numpy()
    assert np.bincount(parts).tolist() == [160, 20, 20]
    assert times[parts == 0].max() < times[parts == 1].min()
    assert times[parts == 1].max() < times[parts == 2].min()


def test_user_temporal_lets_nothing_of_a_users_future_into_training(hundred):
    frame = hundred.ratings.with_columns(part=split(hundred, "user_temporal", 0))
    assert frame["user_id"].n_unique() == official.N_USERS
    for _, rows in frame.group_by("user_id"):
        by_time = rows.sort("timestamp")["part"].to_list()
        share = max(1, int(len(rows) * 0.1 + 0.5))
        assert by_time == [0] * (len(rows) - 2 * share) + [1] * share + [2] * share


def test_equal_times_stay_in_file_order():
    assert split(made_up([1] * 10, [5] * 10), "user_temporal", 0).tolist() == [0] * 8 + [1, 2]
    assert split(made_up([1] * 10, [5] * 10), "global_temporal", 0).tolist() == [0] * 8 + [1, 2]


def test_users_of_one_or_two_ratings_only_train():
    parts = split(made_up([1, 2, 2, 3, 3, 3], [9, 8, 7, 3, 1, 2]), "user_temporal", 0)
    assert parts.tolist() == [0, 0, 0, 2, 0, 1]


def test_article_takes_users_below_100_and_their_median_time():
    parts = split(made_up([1, 99, 100, 7, 250, 7], [10, 20, 1, 30, 99, 40]), "article", 0)
    assert parts.tolist() == [0, 0, 3, 1, 3, 1]


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_a_split_without_validation_rows_is_refused(name):
    with pytest.raises(
        BenchError, match=rf"split '{name}' leaves no (training|validation) rows in made-up"
    ):
        split(made_up([100, 200, 300], [1, 2, 3]), name, 0)


def test_an_unknown_split_names_those_that_exist(hundred):
    with pytest.raises(
        BenchError, match="choose from: article, global_temporal, random, stream, user_temporal"
    ):
        split(hundred, "radom", 0)


# ---- encoding


def in_order_of_appearance(values) -> list[str]:
    return pl.Series(values).unique(maintain_order=True).to_list()


@pytest.mark.parametrize("name", sorted(SPLITS))
def test_codes_decode_to_the_values_with_those_seen_in_training_first(hundred, name):
    parts = split(hundred, name, 0)
    names = hundred.feature_names("wide")
    encoded = encode(hundred, names, parts)
    kept = parts != 3
    assert [f.name for f in encoded.features] == list(names)
    assert encoded.codes.dtype == np.int32
    assert encoded.codes.shape == (kept.sum(), len(names))
    assert np.array_equal(encoded.parts, parts[kept])
    assert np.array_equal(encoded.ratings, hundred.ratings["rating"].to_numpy()[kept])
    for column, feature in enumerate(encoded.features):
        values = hundred.column(feature.name).to_numpy()[kept]
        seen = in_order_of_appearance(values[encoded.parts == 0])
        assert list(feature.values[: feature.n_seen]) == seen
        unseen = [value for value in in_order_of_appearance(values) if value not in seen]
        assert list(feature.values[feature.n_seen :]) == unseen
        decoded = [feature.values[code] for code in encoded.codes[:, column].tolist()]
        assert decoded == values.tolist()


def test_unseen_users_and_items_are_marked_whichever_features_are_used(hundred):
    parts = split(hundred, "global_temporal", 0)
    parts[hundred.ratings["user_id"].to_numpy() == 5] = 2
    parts[hundred.ratings["movie_id"].to_numpy() == 9] = 3
    encoded = encode(hundred, ("gender",), parts)
    kept = hundred.ratings.filter(parts != 3)
    for column, seen in (("user_id", encoded.user_seen), ("movie_id", encoded.item_seen)):
        trained = set(hundred.ratings.filter(parts == 0)[column])
        assert seen.tolist() == [value in trained for value in kept[column]]
    assert not encoded.user_seen.all()
    assert encoded.item.max() == kept["movie_id"].n_unique() - 1


def test_encoding_refuses_no_features_and_parts_of_other_rows(hundred):
    parts = split(hundred, "random", 0)
    with pytest.raises(BenchError, match="none given"):
        encode(hundred, (), parts)
    with pytest.raises(BenchError, match="200 ratings"):
        encode(hundred, ("gender",), parts[:10])
