"""What many tests share. ML-100K comes from the data cache, or is fetched into it as any user's first run does."""

import pytest

from ue_bench.data import Dataset, load


@pytest.fixture(scope="session")
def movielens_100k() -> Dataset:
    return load("ml-100k")
