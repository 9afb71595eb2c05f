"""Every generation of MovieLens as a folder and as a zip, and all faults of its files."""

import shutil
import zipfile
from pathlib import Path

import movielens_files as official
import polars as pl
import pytest

from ue_bench.data import DATASETS, load
from ue_bench.data.checksums import md5_of
from ue_bench.data.movielens.attributes import GENRES_100K, release_year
from ue_bench.errors import BenchError

SCHEMA = {"user_id": pl.UInt32, "movie_id": pl.UInt32, "rating": pl.Float32, "timestamp": pl.Int64}


@pytest.mark.parametrize(
    "name", sorted(name for name, info in DATASETS.items() if info.layout in official.WRITERS)
)
def test_folder_and_zip_give_the_rows_as_written(tmp_path, name):
    archive = official.write_zip(tmp_path, name)
    unpacked = tmp_path / "unpacked"
    wanted = official.ratings(half_stars=DATASETS[name].layout in ("10m", "csv"))
    seen = [
        load(name, place)
        for place in (archive, tmp_path, unpacked, unpacked / DATASETS[name].folder)
    ]
    for dataset in seen:
        assert dict(dataset.ratings.schema) == SCHEMA
        assert dataset.ratings.rows() == wanted
        assert dataset.items["release_year"].to_list() == [str(1990 + n % 6) for n in range(1, 21)]
        assert dataset.items["genres"].to_list() == [
            "|".join(official.movie(n)[2]) for n in range(1, 21)
        ]
    assert [d.source for d in seen] == ["zip", "zip", "folder", "folder"]
    assert seen[0].checksum == f"md5:{md5_of(archive)}"
    assert seen[2].checksum == seen[3].checksum
    assert seen[2].checksum.startswith("sha256:")


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m"])
def test_user_attributes_are_text_in_one_column_order(tmp_path, name):
    users = load(name, official.write_folder(tmp_path, name)).users
    assert users.columns == ["user_id", "gender", "age", "occupation", "zip_code"]
    assert set(users.dtypes) == {pl.String}
    for row in users.iter_rows():
        gender, age, job, code = official.user(int(row[0]))
        assert row[1:] == (gender, str(age), job, code)


@pytest.mark.parametrize("name", ["ml-10m", "ml-25m"])
def test_later_generations_have_no_users_frame(tmp_path, name):
    assert load(name, official.write_folder(tmp_path, name)).users is None


def test_the_checksum_of_a_folder_follows_its_content(tmp_path):
    folder = official.write_folder(tmp_path, "ml-1m")
    before = load("ml-1m", folder).checksum
    lines = (folder / "ratings.dat").read_text().splitlines(keepends=True)
    (folder / "ratings.dat").write_text("".join(lines[:-1]))
    assert load("ml-1m", folder).checksum != before


@pytest.mark.parametrize("ending", ["\r\n", "\n\n"])
def test_windows_line_ends_and_blank_lines_at_the_end_are_fine(tmp_path, ending):
    folder = official.write_folder(tmp_path, "ml-100k")
    before = load("ml-100k", folder)
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content.replace(b"\n", b"\r\n") if ending == "\r\n" else content + b"\n\n")
    after = load("ml-100k", folder)
    assert after.ratings.equals(before.ratings)
    assert after.users.equals(before.users)
    assert after.items.equals(before.items)


def test_a_zip_with_its_files_at_the_top_is_read(tmp_path):
    folder = official.write_folder(tmp_path, "ml-1m")
    with zipfile.ZipFile(tmp_path / "flat.zip", "w") as archive:
        for member in folder.iterdir():
            archive.write(member, member.name)
    assert load("ml-1m", tmp_path / "flat.zip").ratings.equals(load("ml-1m", folder).ratings)


@pytest.mark.parametrize(
    ("title", "date", "year"),
    [
        ("Toy Story (1995)", "", "1995"),
        ("Toy Story (1995) ", "", "1995"),
        ("Richard III (1995)", "22-Jan-1996", "1996"),
        ("2001: A Space Odyssey (1968)", "", "1968"),
        ("Land Before Time III (1995) (V)", "", "unknown"),
        ("unknown", "", "unknown"),
    ],
)
def test_release_year(title, date, year):
    assert release_year(title, date) == year


# ---- bad input: one line that names the place


def refused(name: str, place: Path) -> str:
    with pytest.raises(BenchError) as caught:
        load(name, place)
    message = str(caught.value)
    assert "\n" not in message
    return message


def edit(path: Path, line: int, new: str) -> None:
    lines = path.read_text("latin-1").split("\n")
    lines[line - 1] = new
    path.write_text("\n".join(lines), "latin-1")


def test_missing_and_empty_folders_are_named(tmp_path):
    assert f"{tmp_path}/nowhere does not exist" in refused("ml-1m", tmp_path / "nowhere")
    message = refused("ml-1m", tmp_path)
    assert "it is empty" in message
    assert "ratings.dat" in message


def test_a_folder_of_something_else_says_what_it_holds(tmp_path):
    (tmp_path / "letter.txt").write_text("hello")
    assert "it holds letter.txt" in refused("ml-100k", tmp_path)


def test_a_missing_member_is_named(tmp_path):
    folder = official.write_folder(tmp_path, "ml-100k")
    (folder / "u.user").unlink()
    assert "u.user missing" in refused("ml-100k", folder)
    assert "u.user missing" in refused("ml-100k", tmp_path)


def test_the_folder_of_another_generation_is_refused(tmp_path):
    folder = official.write_folder(tmp_path, "ml-25m")
    assert "is the folder of ml-25m, but ml-20m" in refused("ml-20m", folder)


def test_the_zip_of_another_generation_is_refused(tmp_path):
    archive = official.write_zip(tmp_path, "ml-1m")
    message = refused("ml-100k", archive)
    assert "not the archive of ml-100k" in message
    assert "it is ml-1m" in message


@pytest.mark.parametrize("share", [0.2, 0.5, 0.99])
def test_a_truncated_zip_is_refused(tmp_path, share):
    archive = official.write_zip(tmp_path, "ml-1m")
    content = archive.read_bytes()
    archive.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in refused("ml-1m", archive)


def test_a_zip_with_a_damaged_member_is_refused(tmp_path):
    archive = official.write_zip(tmp_path, "ml-1m")
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("ml-1m/ratings.dat").header_offset
    content = bytearray(archive.read_bytes())
    content[start + 100 : start + 140] = bytes(40)
    archive.write_bytes(content)
    assert "damaged" in refused("ml-1m", archive)


def test_what_is_not_a_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_text("<html>not found</html>")
    assert "not a zip file" in refused("ml-1m", tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes(b"")
    assert "the file is empty" in refused("ml-1m", tmp_path / "a.zip")


RATINGS = {
    "ml-100k": ("u.data", "\t"),
    "ml-1m": ("ratings.dat", "::"),
    "ml-10m": ("ratings.dat", "::"),
    "ml-32m": ("ratings.csv", ","),
}


@pytest.mark.parametrize("name", sorted(RATINGS))
@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (["1", "2", "3"], "3 fields"),
        (["1", "2", "3", "880000000", "7"], "5 fields"),
        (["1", "2", "x", "880000000"], "rating 'x' is not a number"),
        (["1", "2", "", "880000000"], "rating '' is not a number"),
        (["1", "2", "nan", "880000000"], "rating 'nan' is not a number"),
        (["1", "2", "3", "soon"], "timestamp 'soon' is not a whole number"),
        (["one", "2", "3", "880000000"], "user 'one' is not a whole number"),
        (["1", "-2", "3", "880000000"], "movie '-2' is not a whole number"),
        (["1", "2", "9", "880000000"], "rating 9 is off the scale"),
        (["1", "2", "0", "880000000"], "rating 0 is off the scale"),
        (["1", "999", "3", "880000000"], "movie 999 is not in"),
        ([""], "blank line"),
    ],
)
def test_a_bad_rating_is_named_by_file_and_line(tmp_path, name, fields, why):
    folder = official.write_folder(tmp_path, name)
    member, separator = RATINGS[name]
    edit(folder / member, 57, separator.join(fields))
    edit(folder / member, 90, separator.join(["a", "later", "fault"]))
    message = refused(name, folder)
    assert f"{folder / member}:57: " in message
    assert why in message


def test_a_bad_line_inside_a_zip_is_named_by_file_and_line(tmp_path):
    folder = official.write_folder(tmp_path, "ml-1m")
    edit(folder / "ratings.dat", 3, "1::2::3")
    shutil.make_archive(str(tmp_path / "ml-1m"), "zip", tmp_path, "ml-1m")
    assert "ml-1m.zip/ml-1m/ratings.dat:3: 3 fields" in refused("ml-1m", tmp_path / "ml-1m.zip")


@pytest.mark.parametrize("name", ["ml-100k", "ml-1m"])
def test_a_rating_of_an_unknown_user_is_named_by_file_and_line(tmp_path, name):
    folder = official.write_folder(tmp_path, name)
    member, separator = RATINGS[name]
    edit(folder / member, 5, separator.join(["77", "2", "3", "880000000"]))
    assert f"{folder / member}:5: user 77 is not in u" in refused(name, folder)


@pytest.mark.parametrize(("name", "member"), [("ml-100k", "u.user"), ("ml-1m", "users.dat")])
def test_a_users_file_cut_in_half_is_refused_wherever_the_cut_is(tmp_path, name, member):
    path = official.write_folder(tmp_path, name) / member
    whole = path.read_bytes()
    for end in range(len(whole) - 8):  # a cut inside the very last field leaves a legal file
        path.write_bytes(whole[:end])
        message = refused(name, path.parent)
        assert member in message, end
    assert "cut short" in message


@pytest.mark.parametrize("member", ["u.data", "u.user", "u.item"])
def test_an_empty_file_is_refused(tmp_path, member):
    folder = official.write_folder(tmp_path, "ml-100k")
    (folder / member).write_bytes(b"")
    assert str(folder / member) in refused("ml-100k", folder)


@pytest.mark.parametrize(
    ("name", "member", "line", "new", "why"),
    [
        ("ml-100k", "u.user", 4, "3|24|M|writer|00001", "user 3 occurs twice"),
        ("ml-100k", "u.user", 4, "4|old|M|writer|00001", "age 'old' is not a whole number"),
        ("ml-100k", "u.user", 4, "x|24|M|writer|00001", "user id 'x' is not a whole number"),
        ("ml-100k", "u.item", 2, "2|Heat (1995)|01-Jan-1995||u|0|1", "7 fields"),
        (
            "ml-100k",
            "u.item",
            2,
            "2|Heat (1995)|01-Jan-1995||u" + "|2" * len(GENRES_100K),
            "must be 0 or 1",
        ),
        ("ml-1m", "movies.dat", 2, "2::Heat (1995)", "3 fields"),
        ("ml-1m", "movies.dat", 2, "1::Heat (1995)::Crime", "movie 1 occurs twice"),
        ("ml-32m", "movies.csv", 2, "1,Heat (1995)", "3 fields"),
        ("ml-32m", "movies.csv", 1, "id,title,genres", "the header is"),
        ("ml-32m", "ratings.csv", 1, "user,item,rating,timestamp", "the header is"),
    ],
)
def test_a_bad_line_of_the_other_files_is_named(tmp_path, name, member, line, new, why):
    path = official.write_folder(tmp_path, name) / member
    edit(path, line, new)
    message = refused(name, path.parent)
    assert f"{path}:{line}: " in message
    assert why in message


def test_an_unknown_data_set_names_the_nearest():
    with pytest.raises(BenchError, match="did you mean 'ml-100k'"):
        load("ml100k")
