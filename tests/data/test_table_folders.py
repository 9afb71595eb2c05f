"""Where the files of a table are: folders, patterns, lists, and folders that hold a column."""

import os

import polars as pl
import pytest
from click.testing import CliRunner

from ue_bench import data
from ue_bench.cli import main
from ue_bench.cli.dataset_options import ask
from ue_bench.data import Definition
from ue_bench.data.table import table_paths
from ue_bench.data.table.definition import FILES
from ue_bench.data.table.table_files import find
from ue_bench.data.table.table_paths import partitions_of, place_of
from ue_bench.errors import BenchError

OPTIONS = {"target": "y"}


def write(path, *values, target=1.0, **more):
    """Write one row for each value of `x`. more: further columns of one value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame({"y": [target] * len(values), "x": values})
    frame = frame.with_columns(pl.lit(value).alias(name) for name, value in more.items())
    if path.suffix == ".parquet":
        frame.write_parquet(path)
    else:
        frame.write_csv(path)


def asked(dataset, features="x", **options):
    """The data set of a path, as the command line asks for it."""
    choice = ask(str(dataset), None, features, OPTIONS | options)
    return data.load(choice.fields["dataset"], choice.data_dir, choice.fields["table"])


def files_of(dataset, **options):
    return ask(str(dataset), None, "x", OPTIONS | options).fields["table"]["files"]


def values(dataset, name="x"):
    return dataset.column(name).to_list()


# ---- folders that hold a column


@pytest.fixture
def hive(tmp_path):
    for year, month, value in ((2024, "1", "a"), (2024, "10", "b"), (2023, "2", "c")):
        for part in (0, 1):
            folder = tmp_path / "clicks" / f"year={year}" / f"month={month}"
            write(folder / f"part-{part}.parquet", *[f"{value}{part}"] * (part + 2))
    (tmp_path / "clicks" / "_SUCCESS").touch()
    (tmp_path / "clicks" / "README.md").write_text("what this is")
    (tmp_path / "clicks" / ".checkpoints").mkdir()
    write(tmp_path / "clicks" / ".checkpoints" / "old.parquet", "old")
    return tmp_path / "clicks"


@pytest.mark.parametrize("form", ["", "**/*.parquet", "*/*/part-?.parquet", "**", "year=*"])
def test_a_folder_and_patterns_have_the_columns_of_their_folders(hive, form):
    found = asked(hive / form if form else hive, "x,year,month")
    assert values(found) == [f"{letter}{n}" for letter in "cab" for n in (0, 0, 1, 1, 1)]
    assert values(found, "year") == ["2023"] * 5 + ["2024"] * 10
    assert values(found, "month") == ["2"] * 5 + ["1"] * 5 + ["10"] * 5


def test_the_columns_of_folders_may_be_time_target_and_all_that_is_read(hive):
    found = asked(hive, "x", time="month")
    assert found.times.tolist() == [2] * 5 + [1] * 5 + [10] * 5
    choice = ask(str(hive), None, "month", {"target": "year", "numeric": "month"})
    found = data.load("clicks", choice.data_dir, choice.fields["table"])
    assert found.target.tolist() == [2023] * 5 + [2024] * 10
    assert values(found, "month") == ["2"] * 5 + ["1"] * 5 + ["10"] * 5
    with pytest.raises(
        BenchError, match=r"unknown column of .* 'day' .*; choose from: month, x, y, year"
    ):
        asked(hive, "x,day")


@pytest.mark.parametrize("end", ["csv", "parquet"])
def test_the_text_of_a_folder_is_decoded_and_may_be_missing(tmp_path, end):
    names = {
        "city=New%20York%2FNY": "New York/NY",
        "city=007": "007",
        "city=__HIVE_DEFAULT_PARTITION__": "",
        "city=1.0": "1.0",
        "city=": "",
    }
    for name in names:
        write(tmp_path / name / f"t.{end}", "v")
    found = asked(tmp_path, "x,city")
    if end == "parquet":
        assert values(found, "city") == [names[name] for name in sorted(names)]
    assert found.missing["city"] >= 1
    assert partitions_of("a%20b=1/c=__HIVE_DEFAULT_PARTITION__/d/e=f.csv") == {
        "a b": "1",
        "c": None,
    }


def test_a_column_of_the_file_wins_over_that_of_its_folder(tmp_path):
    for year in (2023, 2024):
        write(tmp_path / f"year={year}" / "t.parquet", "v", year=year)
    assert values(asked(tmp_path, "x,year"), "year") == ["2023", "2024"]


def test_folders_of_other_columns_are_refused(tmp_path):
    write(tmp_path / "year=2023" / "t.parquet", "v")
    write(tmp_path / "month=1" / "t.parquet", "v")
    with pytest.raises(BenchError, match=r"not the columns in the folders of .* \(month, year\)"):
        asked(tmp_path)
    with pytest.raises(BenchError, match="two of its folders hold the column 'a'"):
        partitions_of("a=1/a=2/t.csv")


# ---- which files


def test_the_files_of_a_folder_follow_each_other_by_their_path(tmp_path):
    for name in ("b/1.csv", "a/2.csv", "a.csv", "a/10.csv"):
        write(tmp_path / "t" / name, name)
    assert values(asked(tmp_path / "t")) == ["a.csv", "a/10.csv", "a/2.csv", "b/1.csv"]
    assert values(asked(tmp_path / "t" / "?" / "*.csv")) == ["a/10.csv", "a/2.csv", "b/1.csv"]
    write(tmp_path / "t" / "odd.parquet", "p")
    with pytest.raises(BenchError, match=r"odd.parquet: not the form of t/a.csv"):
        asked(tmp_path / "t")


def test_the_folder_where_one_is_is_a_table(tmp_path, monkeypatch):
    write(tmp_path / "t" / "a.csv", "a")
    monkeypatch.chdir(tmp_path / "t")
    assert files_of(".") == files_of("../t") == "t"
    monkeypatch.chdir(tmp_path)
    assert files_of("t") == files_of("./t/") == "t"
    assert values(asked("t")) == ["a"]


def test_a_list_of_files(tmp_path):
    write(tmp_path / "2024" / "a.csv", "a")
    write(tmp_path / "2025" / "b.csv", "b")
    write(tmp_path / "c,d.csv", "comma")
    listed = f"{tmp_path}/2025/b.csv,{tmp_path}/2024/a.csv"
    assert files_of(listed) == ["2024/a.csv", "2025/b.csv"]
    assert values(asked(listed)) == ["a", "b"]
    assert values(asked(f"{tmp_path}/2024,{tmp_path}/2025/*.csv")) == ["a", "b"]
    assert values(asked(f"{tmp_path}/2024/*.csv,{tmp_path}/2024/a.csv")) == ["a"]  # read once
    # a name with a comma is one file where there is one
    assert values(asked(tmp_path / "c,d.csv")) == ["comma"]
    assert values(asked(tmp_path / "c,*.csv")) == ["comma"]
    for text, message in (
        (f"{listed},", "no path between two commas"),
        (f"{listed},{tmp_path}/gone.csv", r"gone.csv does not exist"),
        (f"{tmp_path}/2024/a.csv,{tmp_path}/2024/a.csv", "given twice"),
    ):
        with pytest.raises(BenchError, match=message):
            asked(text)
    choice = ask(listed, None, "x", OPTIONS)
    assert choice.fields["dataset"] == "b.csv and 1 more"


def test_files_of_a_list_in_partitions_keep_the_column(tmp_path):
    for year in (2023, 2024):
        write(tmp_path / f"year={year}" / "t.csv", "v")
    write(tmp_path / "year=2024" / "u.csv", "w")
    listed = f"{tmp_path}/year=2024/t.csv,{tmp_path}/year=2024/u.csv"
    assert values(asked(listed, "x,year"), "year") == ["2024", "2024"]
    assert files_of(tmp_path / "year=2024" / "t.csv") == "t.csv"  # a single file, as it always was


def test_the_place_of_files():
    from pathlib import Path

    def place(*paths):
        return place_of([Path(path) for path in paths])[:2]

    assert place("/a/b.csv") == (Path("/a"), ("b.csv",))
    assert place("b.csv") == (Path(), ("b.csv",))
    assert place("/a/*.csv") == (Path("/a"), ("*.csv",))
    assert place("/a/*/p-*.csv") == (Path("/a"), ("*/p-*.csv",))
    assert place("**/p.csv") == (Path(), ("**/p.csv",))
    assert place("/a/year=1/*/p.csv") == (Path("/a"), ("year=1/*/p.csv",))
    assert place("/a/b/c.csv", "/a/d/*.csv") == (Path("/a"), ("b/c.csv", "d/*.csv"))


def test_names_with_the_marks_of_a_pattern_are_files_where_there_are_such(tmp_path):
    write(tmp_path / "part[1].csv", "a")
    write(tmp_path / "[x]" / "t.csv", "b")
    assert values(asked(tmp_path / "part[1].csv")) == ["a"]
    assert values(asked(tmp_path / "[x]" / "t.csv")) == ["b"]


def test_the_checksum_follows_names_and_content(tmp_path):
    write(tmp_path / "t" / "a" / "1.csv", "a")
    write(tmp_path / "t" / "b" / "1.csv", "b")

    def checksum():
        return ask(f"{tmp_path}/t", None, "x", OPTIONS).fields["table"]["checksum"]

    first = checksum()
    (tmp_path / "t" / "b").rename(tmp_path / "t" / "c")
    renamed = checksum()
    write(tmp_path / "t" / "c" / "1.csv", "c")
    assert len({first, renamed, checksum()}) == 3


def test_a_single_file_and_a_pattern_keep_their_checksums(tmp_path):
    """Those that records of version 1 have: over the names in one folder, and the contents."""
    (tmp_path / "b.csv").write_bytes(b"y,x\n1,b\n")
    (tmp_path / "a.csv").write_bytes(b"y,x\n1,a\n")
    single = data.define(Definition("a.csv", "y", ("x",)), tmp_path)
    both = data.define(Definition("?.csv", "y", ("x",)), tmp_path)
    assert single["checksum"] == SINGLE
    assert both["checksum"] == BOTH
    assert single == {"files": "a.csv", "target": "y", "features": ["x"], "checksum": SINGLE}


SINGLE = "sha256:255c65089466fde8affd1b250daac910f1a612faf00e92fa106ca3a6829ae94f"
BOTH = "sha256:af2861f0dd7ffcc5fbe073f157d986aefc0005c81b9f29d291928fe5080e9691"


# ---- inside the folder


@pytest.fixture
def outside(tmp_path):
    write(tmp_path / "secret.csv", "secret")
    write(tmp_path / "secrets" / "a.csv", "secret")
    folder = tmp_path / "t"
    write(folder / "in.csv", "in")
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    (folder / "inner.csv").symlink_to("in.csv")
    (folder / "links").symlink_to(tmp_path / "secrets")
    return folder


def toml(folder, files, key="files"):
    others = {name: "in.csv" for name in FILES[:1] if name != key}
    lines = [f'{name} = "{value}"' for name, value in others.items()]
    lines += [f"{key} = {files}", 'target = "y"', 'features = ["x"]']
    path = folder / "t.toml"
    path.write_text("\n".join(lines) + "\n")
    return ask(str(path), None, None, {})


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ('"../secret.csv"', r"files has '../secret.csv', which is not in the folder of the TOML"),
        ('"/etc/hosts.csv"', "which is not in the folder"),
        ('"~/secret.csv"', "which is not in the folder"),
        ('["in.csv", "x/../../secret.csv"]', "which is not in the folder"),
        ('"link.csv"', r"link.csv: a link leads out of .*secret.csv"),
        ('"l*.csv"', "a link leads out of"),
        ('"links/a.csv"', "a link leads out of"),
        ('["links/a.csv", "in.csv"]', "a link leads out of"),
        ('["links/a.csv", "links/*.csv"]', "a link leads out of"),
        ('"links"', "a link leads out of"),
        ("[]", "must be the path of a table"),
        ("[3]", "must be the path of a table"),
    ],
)
def test_a_toml_file_does_not_leave_its_folder(outside, files, message):
    for key in FILES:
        with pytest.raises(BenchError, match=message.replace("files has", f"{key} has")) as caught:
            toml(outside, files, key)
        assert "\n" not in str(caught.value)


def test_a_toml_file_may_have_links_lists_and_folders_within_its_own(outside):
    for files, wanted in (
        ('"inner.csv"', "inner.csv"),
        ('["in.csv", "inner.csv"]', ["in.csv", "inner.csv"]),
        ('["inner.csv"]', "inner.csv"),
    ):
        assert toml(outside, files).fields["table"]["files"] == wanted
    write(outside / "sub" / "a" / "1.csv", "a")
    assert toml(outside, '"sub"').fields["table"]["files"] == "sub"
    choice = toml(outside, '"sub/*/1.csv"')
    assert choice.fields["table"]["files"] == "*/1.csv"
    assert values(data.load("t", choice.data_dir, choice.fields["table"])) == ["a"]


def test_a_path_of_ones_own_may_be_a_link(outside):
    assert values(asked(outside / "link.csv")) == ["secret"]
    assert values(asked(outside / "links")) == ["secret"]
    with pytest.raises(BenchError, match="a link leads out of"):
        data.define(Definition("link.csv", "y", ("x",)), outside)
    assert data.define(Definition("link.csv", "y", ("x",)), outside, inside=outside.parent)


def test_links_that_lead_nowhere_or_around_are_refused(tmp_path):
    write(tmp_path / "t" / "a.csv", "a")
    (tmp_path / "t" / "b.csv").symlink_to("gone.csv")
    for name in ("t", "t/*.csv", "t/b.csv"):
        with pytest.raises(BenchError, match="is a link to a file that does not exist"):
            asked(tmp_path / name)
    (tmp_path / "t" / "b.csv").unlink()
    (tmp_path / "t" / "loop").symlink_to(tmp_path / "t")
    with pytest.raises(BenchError, match="is a link to a folder around it"):
        asked(tmp_path / "t")


def test_a_pattern_that_leads_around_is_refused_before_it_is_walked(tmp_path):
    """Two links to where they are: a pattern of 40 stars would have 2^40 matches."""
    write(tmp_path / "t" / "a" / "1.csv", "a")
    for name in ("one", "two"):
        (tmp_path / "t" / name).symlink_to(tmp_path / "t")
    for pattern in ("/".join(["*"] * 40) + ".csv", "*/*", "*"):
        with pytest.raises(BenchError, match=r"(one|two) is a link to a folder around it; remove"):
            asked(tmp_path / "t" / pattern)
    # stars of any depth follow no link, and a link that is named is followed
    assert values(asked(tmp_path / "t" / "**" / "*.csv")) == ["a"]
    assert values(asked(tmp_path / "t" / "one" / "a" / "*.csv")) == ["a"]
    (tmp_path / "u" / "loop").parent.mkdir()
    (tmp_path / "u" / "loop").symlink_to("loop")
    write(tmp_path / "u" / "a" / "1.csv", "a")
    assert values(asked(tmp_path / "u" / "*" / "*.csv")) == ["a"]


def test_more_files_or_names_than_a_table_has_are_refused_while_they_are_counted(
    tmp_path, monkeypatch
):
    for number in range(12):
        write(tmp_path / "t" / f"{number % 3}" / f"{number}.csv", "a")
    looked_at = []
    scandir = os.scandir

    class Counting:
        def __init__(self, folder):
            self.entries = scandir(folder)

        def __enter__(self):
            return (looked_at.append(entry.name) or entry for entry in self.entries)

        def __exit__(self, *_):
            self.entries.close()

    monkeypatch.setattr(table_paths.os, "scandir", Counting)
    forms = ("t", "t/*/*.csv", "t/**/*.csv", "t/**", "t/*")
    monkeypatch.setattr(table_paths, "MOST_FILES", 12)
    n_all = {}
    for form in forms:
        looked_at.clear()
        find(tmp_path, form)
        n_all[form] = len(looked_at)
        assert n_all[form] >= 15
        assert values(asked(tmp_path / form)) == ["a"] * 12
    monkeypatch.setattr(table_paths, "MOST_FILES", 5)
    for form in forms:
        looked_at.clear()
        with pytest.raises(BenchError, match=r"more than 5 files, and a table has at most so many"):
            asked(tmp_path / form)
        assert len(looked_at) < n_all[form]
    with pytest.raises(BenchError, match=r"more than 5 files"):
        asked(f"{tmp_path}/t/0,{tmp_path}/t/1")
    monkeypatch.setattr(table_paths, "MOST_NAMES", 7)
    monkeypatch.setattr(table_paths, "MOST_FILES", 12)
    for form in (*forms, "t/**/no*.csv"):
        looked_at.clear()
        with pytest.raises(BenchError, match=r"more than 7 names in its folders") as caught:
            asked(tmp_path / form)
        assert "\n" not in str(caught.value)
        assert len(looked_at) == 8


@pytest.mark.parametrize(
    "pattern", ["/proc/**/*.csv", "/proc/*/fd/*", "/proc/self/**", "/**/*.csv"]
)
def test_a_pattern_into_the_system_ends_in_one_line(pattern, monkeypatch):
    monkeypatch.setattr(table_paths, "MOST_NAMES", 300)
    done = CliRunner().invoke(
        main, ["data", "--dataset", pattern, "--target", "y", "--features", "x"]
    )
    assert done.exit_code == 2, done.exception
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_a_table_and_a_data_set_that_is_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("empty")
    for line, message in (
        ("data --dataset empty --target y --features x", "is a folder without a table"),
        ("data --dataset empty", "no target was given"),
        ("data --dataset emty", "unknown data set 'emty'"),
        ("data --dataset criteo --data-dir empty", "is a folder; give a file"),
    ):
        done = CliRunner().invoke(main, line.split())
        assert done.exit_code == 2
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "path",
    [
        "a" * 5000 + ".csv",
        "a" * 300 + "," + "b" * 5000,
        "a\0b.csv",
        "**b.csv",
        "~nobody-of-this-name/x.csv",
        ",",
        "/",
        "..",
        "loop",
        "loop/x.csv",
        "/dev/null",
        "in.csv/b.csv",
    ],
)
def test_a_path_that_is_none_is_one_line(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.csv", "in")
    (tmp_path / "loop").symlink_to("loop")
    for options in (["--dataset", path], ["--dataset", "in.csv", "--test-files", path]):
        line = ["data", "--target", "y", "--features", "x", *options]
        done = CliRunner().invoke(main, line)
        assert done.exit_code == 2, done.exception
        assert len(done.stderr.splitlines()) == 1
