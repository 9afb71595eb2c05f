"""A ratings file read in pieces gives the same rows wherever the pieces end.

The made-up files on which the speed of coding is measured are tested too.
"""

import zipfile
from pathlib import Path

import movielens_files as official
import numpy as np
import polars as pl
import pytest

from ue_bench.data import coded as numbering
from ue_bench.data import encode, load, split
from ue_bench.data.checksums import content_checksum, folder_checksum
from ue_bench.data.movielens import ratings
from ue_bench.data.movielens.movielens import MovieLens
from ue_bench.data.movielens.ratings import LONGEST
from ue_bench.errors import BenchError
from ue_bench.speed.made_ratings import LEAST_A_USER, write_official
from ue_bench.speed.pandas_coding import FEATURES, encode_with_pandas

MEMBERS = {
    "ml-100k": "u.data",
    "ml-1m": "ratings.dat",
    "ml-10m": "ratings.dat",
    "ml-25m": "ratings.csv",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("25m")
    write_official(folder, 30_000, seed=1)
    return folder


# ---- pieces


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize("ending", [b"", b"\n", b"\n\n", b"\r\n\r\n", b"\n" * 30])
def test_pieces_of_any_size_give_the_same_rows(tmp_path, monkeypatch, name, ending):
    folder = official.write_folder(tmp_path, name)
    whole = load(name, folder).ratings
    path = folder / MEMBERS[name]
    path.write_bytes(path.read_bytes().rstrip() + ending)
    for size in (7, 16, 40, 1_000):
        monkeypatch.setattr(ratings, "BLOCK", size)
        assert load(name, folder).ratings.equals(whole)


@pytest.mark.parametrize("name", sorted(MEMBERS))
@pytest.mark.parametrize(
    "new", ["", "1;2;3", "1;2;9;880000000", "1;999;3;880000000", "1;2;3;880000000;7", "1;2;3;;\r"]
)
def test_a_fault_is_told_alike_wherever_the_pieces_end(tmp_path, monkeypatch, name, new):
    folder = official.write_folder(tmp_path, name)
    path = folder / MEMBERS[name]
    lines = path.read_text().split("\n")
    for number in (58, 141):
        lines[number] = new.replace(";", {"ml-100k": "\t", "ml-25m": ","}.get(name, "::"))
    path.write_text("\n".join(lines))

    def message() -> str:
        with pytest.raises(BenchError) as caught:
            load(name, folder)
        return str(caught.value)

    whole = message()
    assert f"{path}:59: " in whole
    for size in (7, 16, 40, 1_000):
        monkeypatch.setattr(ratings, "BLOCK", size)
        assert message() == whole


def test_a_file_of_blank_lines_holds_no_ratings(tmp_path):
    folder = official.write_folder(tmp_path, "ml-25m")
    for text in ("userId,movieId,rating,timestamp", "userId,movieId,rating,timestamp\n\n\n"):
        (folder / "ratings.csv").write_text(text)
        with pytest.raises(BenchError, match=r"ratings.csv: the file holds no ratings"):
            load("ml-25m", folder)


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m"])
def test_a_byte_order_mark_alone_is_no_rating(name, tmp_path):
    folder = official.write_folder(tmp_path, name)
    (folder / MEMBERS[name]).write_bytes(b"\xef\xbb\xbf")
    with pytest.raises(BenchError, match="the file holds no ratings"):
        load(name, folder)


def test_a_line_without_an_end_is_not_read_as_a_whole(tmp_path):
    folder = official.write_folder(tmp_path, "ml-25m")
    with (folder / "ratings.csv").open("ab") as file:
        file.write(b"1" * (ratings.BLOCK + 2 * LONGEST))
    with pytest.raises(BenchError, match=r"ratings.csv:202: a line of more than 1,048,576 bytes"):
        load("ml-25m", folder)


def test_the_checksum_of_files_is_that_of_their_contents(tmp_path):
    folder = official.write_folder(tmp_path, "ml-1m")
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert (
        folder_checksum(folder, contents)
        == content_checksum(contents)
        == load("ml-1m", folder).checksum
    )


# ---- numbers


def rows(users: list[int]) -> MovieLens:
    items = pl.DataFrame({"movie_id": ["7"], "release_year": ["1990"], "genres": ["A"]})
    ids = {
        "user_id": pl.Series(users, dtype=pl.UInt32),
        "movie_id": pl.Series([7] * len(users), dtype=pl.UInt32),
    }
    stars = {
        "rating": pl.Series([3.0] * len(users), dtype=pl.Float32),
        "timestamp": list(range(len(users))),
    }
    return MovieLens("made-up", pl.DataFrame(ids | stars), None, items, "synthetic", "sha256:0")


@pytest.mark.parametrize("largest", [numbering.SMALL - 1, numbering.SMALL, 999_999_999])
def test_ids_of_any_size_are_numbered_alike(largest):
    users = [5, largest, 3, largest, 5, 40, 3]
    parts = np.array([1, 0, 0, 0, 2, 3, 2], np.uint8)
    encoded = encode(rows(users), ("user_id",), parts)
    assert encoded.features[0].values.to_list() == [str(largest), "3", "5"]
    assert (encoded.features[0].n_seen, encoded.features[0].counts) == (2, [2, 1])
    assert encoded.codes[:, 0].tolist() == [2, 0, 1, 0, 2, 1]


@pytest.mark.parametrize("id_", [ratings.DENSE - 1, ratings.DENSE, 999_999_999])
def test_a_large_id_of_a_movie_is_known_or_is_told(tmp_path, id_):
    folder = official.write_folder(tmp_path, "ml-25m")
    with (folder / "movies.csv").open("a") as file:
        file.write(f"{id_},Heat (1995),Crime\n")
    with (folder / "ratings.csv").open("a") as file:
        file.write(f"1,{id_},3.5,880000000\n")
    assert load("ml-25m", folder).ratings["movie_id"][-1] == id_
    with (folder / "ratings.csv").open("a") as file:
        file.write(f"1,{id_ - 1},3.5,880000000\n")
    with pytest.raises(BenchError, match=rf"ratings.csv:203: movie {id_ - 1} is not in movies.csv"):
        load("ml-25m", folder)


def test_the_random_split_is_the_permutation_that_it_says(made):
    dataset = load("ml-25m", made)
    n = len(dataset.ratings)
    order = np.random.Generator(np.random.PCG64(5)).permutation(n)
    wanted = np.zeros(n, np.uint8)
    wanted[order[n * 8 // 10 : n * 9 // 10]] = 1
    wanted[order[n * 9 // 10 :]] = 2
    assert np.array_equal(split(dataset, "random", 5), wanted)


def test_what_users_and_movies_have_is_encoded_as_their_columns(made):
    dataset = load("ml-25m", made)
    encoded = encode(dataset, dataset.feature_names("base"), split(dataset, "random", 0))
    assert encoded.user.base is encoded.codes
    assert encoded.item.base is encoded.codes
    assert encoded.codes.flags.f_contiguous
    assert {encoded.codes.dtype, encoded.user.dtype, encoded.item.dtype} == {np.dtype(np.int32)}


# ---- the yardstick, and what it is measured on


def test_pandas_gives_the_same_codes(made):
    dataset = load("ml-25m", made)
    assert dataset.feature_names("base") == FEATURES
    ours = encode(dataset, FEATURES, split(dataset, "random", 3))
    theirs = encode_with_pandas(made, 3)
    assert np.array_equal(ours.codes, theirs.codes)
    assert [list(feature.values) for feature in ours.features] == theirs.values
    assert [feature.n_seen for feature in ours.features] == theirs.n_seen
    assert [list(feature.counts) for feature in ours.features] == theirs.counts
    for name in ("ratings", "parts", "user_seen", "item_seen"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name))


def test_made_up_files_have_the_form_and_the_skew_of_the_real_ones(made, tmp_path):
    frame = load("ml-25m", made).ratings
    assert len(frame) == 30_000
    assert frame.select("user_id", "movie_id").is_duplicated().sum() == 0
    assert frame.select("user_id", "movie_id").equals(
        frame.select("user_id", "movie_id").sort("user_id", "movie_id")
    )
    assert set(frame["rating"].to_list()) == {half / 2 for half in range(1, 11)}
    a_user, a_movie = (frame[name].value_counts()["count"] for name in ("user_id", "movie_id"))
    assert a_user.min() >= LEAST_A_USER
    assert a_user.max() > 3 * a_user.median()
    assert a_movie.max() > 5 * a_movie.median()
    assert len(a_user) == 195  # 162,541 of 25,000,095
    write_official(tmp_path, 30_000, seed=1)
    assert folder_checksum(tmp_path, ["ratings.csv", "movies.csv"]) == folder_checksum(
        made, ["ratings.csv", "movies.csv"]
    )


@pytest.mark.parametrize("n", [20, 21, 170, 4_000])
def test_made_up_files_of_any_size_are_whole(tmp_path, n):
    write_official(tmp_path, n)
    dataset = load("ml-25m", tmp_path)
    assert len(dataset.ratings) == n
    assert encode(dataset, FEATURES, split(dataset, "random", 0)).codes.shape == (n, 4)


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(BenchError, match="must be at least 20"):
        write_official(tmp_path, 19)


def test_a_zip_is_read_in_pieces_too(made, tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "ml-25m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("ratings.csv", "movies.csv"):
            archive.write(made / name, f"ml-25m/{name}")
    monkeypatch.setattr(ratings, "BLOCK", 5_000)
    assert load("ml-25m", tmp_path).ratings.equals(load("ml-25m", made).ratings)
