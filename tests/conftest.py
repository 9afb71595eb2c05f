"""What many tests share. ML-100K comes from the data cache, or is fetched into it as any user's first run does."""

import shutil
import tempfile
from pathlib import Path

import movielens_files as official
import pytest
import survival

from ue_bench.data import Dataset, load


@pytest.fixture(scope="session")
def movielens_100k() -> Dataset:
    return load("ml-100k")


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """Starts commands that are to be killed and hindered."""
    folder = tmp_path_factory.mktemp("commands")
    started = survival.Commands(folder, official.write_folder(folder, "ml-100k"))
    yield started
    started.close()


@pytest.fixture
def quick_results():
    """A results folder in memory, where there is such a place: nothing here waits for a disk."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield folder / "results"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def undisturbed(commands, tmp_path_factory):
    """What the study `tiny` is when nothing befalls it."""
    results = tmp_path_factory.mktemp("undisturbed")
    return survival.Undisturbed.of(commands, results)
