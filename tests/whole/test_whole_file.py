"""What is written whole stays what it was: link, mode and owner; only regular files are replaced."""

import os
import stat

import fake_records as fake
import matplotlib.pyplot as plt
import pytest
from click.testing import CliRunner

from ue_bench import record as records_room
from ue_bench.cli import main
from ue_bench.data.catalog import DATASETS
from ue_bench.data.movielens import download as downloading
from ue_bench.errors import BenchError
from ue_bench.record import write
from ue_bench.report.figures import picture
from ue_bench.training import model_folder
from ue_bench.whole_file import write_whole

is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_of_any_new_file(tmp_path):
    path = write_whole(tmp_path / "a" / "b.txt", "é\n")
    (tmp_path / "plain").write_text("")
    assert path.read_bytes() == "é\n".encode()
    assert mode(path) == mode(tmp_path / "plain")
    assert os.listdir(path.parent) == ["b.txt"]


@pytest.mark.parametrize("before", [0o600, 0o640, 0o755, 0o444])
def test_a_file_keeps_its_mode(tmp_path, before):
    path = tmp_path / "a.txt"
    path.write_text("old")
    path.chmod(before)
    write_whole(path, "new")
    assert (path.read_text(), mode(path)) == ("new", before)


@is_root
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    os.chown(path, 12345, 54321)
    write_whole(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_a_file_whose_owner_cannot_be_kept_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")
    real = os.stat

    def of_another(asked, *args, **more):
        answer = real(asked, *args, **more)
        if os.fspath(asked) != str(path):
            return answer
        return os.stat_result((*answer[:4], answer.st_uid + 1, *answer[5:]))

    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "stat", of_another)
    monkeypatch.setattr(os, "chown", refuse)
    with pytest.raises(BenchError, match=r"it belongs to user .* delete it or name another file"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_a_link_and_its_file_is_replaced_where_it_is(tmp_path):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "a.txt"
    target.write_text("old")
    target.chmod(0o600)
    middle, link = tmp_path / "middle", tmp_path / "link"
    middle.symlink_to("far/a.txt")
    link.symlink_to(middle)
    before = target.stat().st_ino
    write_whole(link, "new")
    assert link.is_symlink()
    assert middle.is_symlink()
    assert (target.read_text(), mode(target)) == ("new", 0o600)
    assert target.stat().st_ino != before  # in one step, not over the old content
    assert os.listdir(tmp_path / "far") == ["a.txt"]


def test_a_link_to_nothing_makes_its_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "new.txt")
    write_whole(tmp_path / "link", "new")
    assert (tmp_path / "new.txt").read_text() == "new"
    (tmp_path / "lost").symlink_to(tmp_path / "no folder" / "new.txt")
    with pytest.raises(BenchError, match=r"cannot write .*lost: No such file"):
        write_whole(tmp_path / "lost", "new")


def odd_ones(folder):
    """What is no regular file, with the words for it."""
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "device").symlink_to("/dev/null")
    (folder / "loop").symlink_to(folder / "loop")
    return {
        "folder": "a folder",
        "pipe": "a named pipe",
        "device": "a device",
        "loop": "a link that leads back to itself",
    }


def test_what_is_no_regular_file_is_refused(tmp_path):
    for name, words in odd_ones(tmp_path).items():
        before = os.lstat(tmp_path / name)
        with pytest.raises(BenchError, match=f"{name}: it is {words}, and only a regular file"):
            write_whole(tmp_path / name, "new")
        assert os.lstat(tmp_path / name).st_ino == before.st_ino
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_failure_leaves_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchError, match=r"a.txt: No space left on device; choose another folder"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for record in [*fake.arm([0.8, 0.81]), *fake.arm([0.9, 0.91], "per_feature")]:
        write(record, folder)
    return folder


def report(results, out, *more):
    command = ["report", "--results", str(results), "--out", str(out), *map(str, more)]
    return CliRunner().invoke(main, command)


def test_report_update_writes_through_a_link(results, tmp_path):
    target = tmp_path / "doc.md"
    target.write_text("text\n")
    target.chmod(0o600)
    link = tmp_path / "link.md"
    link.symlink_to(target)
    done = report(results, tmp_path / "out", "--update", link)
    assert done.exit_code == 0, done.output
    assert link.is_symlink()
    assert (target.read_text(), mode(target)) == ("text\n", 0o600)


@pytest.mark.parametrize("name", ["pipe", "device"])
def test_report_update_refuses_what_is_no_document_at_once(results, tmp_path, name):
    words = odd_ones(tmp_path)[name]
    done = report(results, tmp_path / "out", "--update", tmp_path / name)
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert f"it is {words}, and only a regular file is replaced" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_page_tables_and_figures_of_a_report_keep_what_they_were(results, tmp_path):
    out = tmp_path / "out"
    assert report(results, out).exit_code == 0
    figure = next((out / "figures").glob("*.png"))
    kept = [out / "report.html", out / "tables" / "summary.csv", figure]
    for path in kept:
        path.chmod(0o600)
        elsewhere = tmp_path / path.name
        path.rename(elsewhere)
        path.symlink_to(elsewhere)
    assert report(results, out).exit_code == 0
    for path in kept:
        assert path.is_symlink()
        assert mode(path) == 0o600
    figure.unlink()
    figure.symlink_to("/dev/null")
    done = report(results, out)
    assert done.exit_code == 2
    assert "it is a device, and only a regular file is replaced" in done.stderr


def test_a_figure_is_written_whole(tmp_path, monkeypatch):
    figure, axes = plt.subplots()
    axes.plot([0, 1])
    picture.save(figure, tmp_path, "f")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BenchError, match="No space left"):
        picture.save(figure, tmp_path, "f")
    plt.close(figure)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_record_is_written_through_a_link(tmp_path):
    (made,) = fake.arm([0.8])
    path = records_room.path_of(tmp_path, made.study, made.run_id)
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.json")
    write(made, tmp_path)
    assert path.is_symlink()
    assert records_room.read(path) == made


def save_model(folder, content: bytes) -> None:
    with model_folder.replacing(folder) as temporary:
        for name in (model_folder.NUMBERS, model_folder.CONFIG):
            (temporary / name).write_bytes(content)


def test_a_saved_model_is_written_through_links(tmp_path):
    folder, far = tmp_path / "model", tmp_path / "far"
    folder.mkdir()
    far.mkdir()
    save_model(folder, b"old")
    config, numbers = folder / model_folder.CONFIG, folder / model_folder.NUMBERS
    config.chmod(0o600)
    numbers.rename(far / "numbers")
    numbers.symlink_to(far / "numbers")
    save_model(folder, b"new")
    assert numbers.is_symlink()
    assert (far / "numbers").read_bytes() == config.read_bytes() == b"new"
    assert mode(config) == 0o600
    assert sorted(os.listdir(folder)) == sorted([model_folder.CONFIG, model_folder.NUMBERS])
    config.unlink()
    config.symlink_to("/dev/null")
    with pytest.raises(BenchError, match="it is a device"):
        save_model(folder, b"newer")
    assert numbers.read_bytes() == b"new"  # neither of the two


def test_a_download_is_written_through_a_link(tmp_path, monkeypatch):
    content = b"zip"
    target = tmp_path / "far.zip"
    link = tmp_path / "ml-100k.zip"
    link.symlink_to(target)
    monkeypatch.setattr(downloading, "_chunks", lambda *_: iter([content]))
    monkeypatch.setattr(downloading, "md5_of", lambda path: DATASETS["ml-100k"].md5)
    downloading.download(DATASETS["ml-100k"], link)
    assert link.is_symlink()
    assert target.read_bytes() == content
