"""What many tests share. ML-100K comes from the data cache, or is fetched into it as any user's first run does."""

import fcntl
import gc
import os
import shutil
import tempfile
from pathlib import Path

# Test processes, and the programs that they start, share the cores. Torch reads this when it is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a thread that waits spins otherwise

import movielens_files as official
import pytest
import survival
import torch
from hypothesis import HealthCheck, settings

from ue_bench.data import Dataset, load
from ue_bench.strategies import STRATEGIES

# A machine that is busy with something else fails no test: drawn cases may take any time.
settings.register_profile(
    "without a clock", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("without a clock")

# Thousands of small files are written, synchronised and removed: in memory where there is room for
# them. Pytest reads this when it makes its first folder.
MEMORY = Path("/dev/shm")
if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 4e9:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection_modifyitems(items):
    """Begin with the tests of the whole, whose files take longest: no worker is left alone with one at the end."""
    items.sort(key=lambda item: "whole" not in item.path.parts)


def pytest_collection_finish():
    """Leave the thousands of collected tests out of every garbage collection, which otherwise walks over them each time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test marked `alone`, which compares times, runs while no other process of the test run has a test under way."""
    if not hasattr(item.config, "workerinput"):  # there is one process
        return (yield)
    folder = item.config.rootpath / ".pytest_cache"
    folder.mkdir(exist_ok=True)
    with open(folder / "gate.lock", "w") as gate, open(folder / "road.lock", "w") as road:
        fcntl.flock(
            gate, fcntl.LOCK_EX
        )  # who waits for the road holds it, so that none can pass him for ever
        fcntl.flock(road, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        return (yield)


@pytest.fixture
def one_thread():
    """As many threads of torch as a run has."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def movielens_100k() -> Dataset:
    return load("ml-100k")


@pytest.fixture(scope="session")
def hundred(tmp_path_factory) -> Dataset:
    """A small data set in the form of ML-100K."""
    return load("ml-100k", official.write_folder(tmp_path_factory.mktemp("100k"), "ml-100k"))


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
    folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    yield folder / "results"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def undisturbed(commands, tmp_path_factory):
    """What the study `tiny` is when nothing befalls it."""
    results = tmp_path_factory.mktemp("undisturbed")
    return survival.Undisturbed.of(commands, results)


@pytest.fixture
def list_is_put_back():
    """Leave the list of strategies as it was before a test added some."""
    before = dict(STRATEGIES)
    yield
    STRATEGIES.clear()
    STRATEGIES.update(before)
