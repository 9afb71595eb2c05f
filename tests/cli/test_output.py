"""Where a command prints: an output that is full, closed or of few letters, and a folder that is gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).parent / "ue-bench"


def program(*words, **options):
    return subprocess.run([SCRIPT, *words], stderr=subprocess.PIPE, text=True, **options)


@pytest.mark.parametrize("words", [("list", "strategies"), ("list", "datasets", "--json")], ids=str)
def test_an_output_that_is_full_is_one_line(words):
    with open("/dev/full", "w") as full:
        done = program(*words, stdout=full)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: standard output cannot be written (No space left on device); what was finished is "
        "kept, and the same command prints it again\n"
    )


def test_a_closed_output_is_no_error():
    done = subprocess.run(
        ["sh", "-c", f'"{SCRIPT}" list strategies >&-'], stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_letters_that_an_output_lacks_are_escapes(tmp_path):
    (tmp_path / "table.csv").write_text("\u540d,y\n" + "".join(f"{n % 7},{n}\n" for n in range(40)))
    settings = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    words = ("data", "--dataset", "table.csv", "--target", "y", "--features", "\u540d")
    done = program(*words, stdout=subprocess.PIPE, env=settings, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "\\u540d" in done.stdout


def test_a_folder_that_is_gone_is_one_line(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    done = program("list", "strategies", cwd=gone, preexec_fn=gone.rmdir)
    assert done.returncode == 2
    assert done.stderr == (
        "Error: the current folder cannot be used (No such file or directory); change to one that "
        "exists\n"
    )
