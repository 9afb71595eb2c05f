"""What a request costs, counted: queries of polars, and texts that are made and hashed."""

import resource
from pathlib import Path

import polars as pl
import pytest
import torch

from ue_bench import categories, hashing
from ue_bench.speed.cases import serving
from ue_bench.strategies.vocabulary import Vocabulary

pytestmark = pytest.mark.usefixtures("one_thread")
ROWS = 2_000


@pytest.fixture(scope="module", params=serving.BUDGETS)
def model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    serving.made_table(ROWS).write_parquet(Path(folder, serving.TABLE))
    config = serving.made_config(
        folder, serving.made_table(ROWS), request.param, serving.BUDGETS[request.param]
    )
    return serving.saved_model(folder, config)


@pytest.fixture
def queries(monkeypatch):
    """The queries of polars that are run: every one of a Series or a frame begins with `lazy`."""
    run = []
    lazy = pl.DataFrame.lazy

    def counted(frame):
        run.append(frame.columns)
        return lazy(frame)

    monkeypatch.setattr(pl.DataFrame, "lazy", counted)
    pl.Series([1]).fill_null(0)
    assert len(run) == 1, "they are counted"
    run.clear()
    return run


def requests_of_a_row(frame):
    row = frame.row(3, named=True)
    return {
        "values": row,
        "lists": {name: [value] for name, value in row.items()},
        "rows": [row],
        "polars": frame[3:4],
        "arrow": frame[3:4].to_arrow(),
        "pandas": frame[3:4].to_pandas(date_as_object=True),
    }


def test_a_request_of_one_row_runs_no_query(model, queries):
    frame = serving.made_table(ROWS).select(model.columns)
    expected = model.predict(frame)[3:4]
    queries.clear()
    for kind, request in requests_of_a_row(frame).items():
        queries.clear()
        predicted = model.predict(request)
        assert queries == [], kind
        assert torch.allclose(predicted, expected, atol=1e-6), kind


def test_a_request_of_many_rows_runs_queries_for_columns_of_text_alone(model, queries):
    """One finds the missing values of a column, and one hashes it."""
    frame = serving.made_table(ROWS).select(model.columns)
    with_gaps = [column.name for column in frame.select(pl.col(pl.String)) if column.null_count()]
    queries.clear()
    model.model.strategy.reader.read_distinct(frame)
    assert len(queries) == len(with_gaps) == 1
    hashed = frame.select(pl.col(pl.String)).columns if "unified" in model.config.strategy else []
    queries.clear()
    model.predict(frame)
    assert len(queries) == len(with_gaps) + len(hashed)


def test_a_request_of_many_rows_waits_for_no_thread(model):
    """A thread of polars that has to be woken takes longer than a column, and more on a busy
    machine."""
    frame = serving.made_table(ROWS).select(model.columns)
    model.predict(frame)
    own = resource.RUSAGE_THREAD
    waits = resource.getrusage(own).ru_nvcsw
    for _ in range(20):
        model.predict(frame)
    assert resource.getrusage(own).ru_nvcsw - waits < 20


def test_a_text_is_made_and_located_once_for_each_distinct_number(model, monkeypatch):
    frame = serving.made_table(ROWS).select(model.columns)
    located = {}
    locate = type(model.model.strategy).locate

    def counted(strategy, feature, values):
        located[strategy.spec.features[feature].name] = len(values)
        return locate(strategy, feature, values)

    monkeypatch.setattr(type(model.model.strategy), "locate", counted)
    model.predict(frame)
    for name in ("age", "member", "day", "depth", "shop"):
        assert located[name] <= frame[name].n_unique() + 1, name
    assert located["price"] < 300
    assert located["user"] == ROWS


def test_few_texts_become_no_bytes(monkeypatch):
    """A vocabulary looks a text up as it is."""
    feature = serving_feature()
    vocabulary = Vocabulary(feature)
    monkeypatch.setattr("ue_bench.strategies.vocabulary.to_bytes", None)
    assert vocabulary.positions(["b", "a", "z"]).tolist() == [1, 0, 2]


def serving_feature():
    from ue_bench.features import Feature

    return Feature("f", ("a", "b"), 2)


def test_seeds_of_lookups_are_hashed_once(model):
    frame = serving.made_table(ROWS).select(model.columns)
    model.predict(frame)
    before = hashing.lookup_seed.cache_info().misses
    model.predict(frame)
    assert hashing.lookup_seed.cache_info().misses == before


@pytest.mark.parametrize("n", [1, 7, 500])
def test_repeated_texts_are_the_texts(n):
    """The short form and the texts of all rows are those of each value alone."""
    columns = {
        "whole": pl.Series([(5 * i) % 11 - 3 for i in range(n)], dtype=pl.Int8),
        "spread": pl.Series([i * 10**15 for i in range(n)]),
        "most": pl.Series([2**64 - 1 - i % 5 for i in range(n)], dtype=pl.UInt64),
        "gaps": pl.Series([None if i % 3 else i for i in range(n)]),
        "absent": pl.Series([None] * n, dtype=pl.Int64),
        "truth": pl.Series([None if i % 5 == 4 else i % 2 == 0 for i in range(n)]),
        "days": pl.Series(range(-n, 0)).cast(pl.Date),
        "floats": pl.Series([float(i % 9) for i in range(n)]),
        "fractions": pl.Series([i / 7 for i in range(n)]),
    }
    for name, column in columns.items():
        for kind in categories.KINDS:
            for absent in ((), ("-1", "3")):
                rule = categories.Rule(kind, absent)
                wanted = [categories.text_of(value, rule) for value in column]
                assert categories.texts_of(column, rule).to_list() == wanted, (name, rule)
                values = column.to_list()
                assert categories.texts_of(values, rule).to_list() == wanted, (name, rule)
