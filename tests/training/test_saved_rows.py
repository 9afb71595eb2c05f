"""A served row depends on its own values alone, whatever else is in the request, and in whatever
form the request comes."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import saved_models as made
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ue_bench
from ue_bench import RunConfig, data
from ue_bench.categories import KINDS, text_of
from ue_bench.data import Definition
from ue_bench.errors import BenchError
from ue_bench.training.model_folder import CONFIG
from ue_bench.training.saved import save

N = 240
PAGE = Path(__file__).resolve().parents[2] / "docs" / "serving.md"


def raw_rows():
    """A column of each kind that a table can hold."""
    draw = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "town": [None if i % 11 == 0 else f"t{i % 23}é" for i in range(N)],
            "numeral": [("1", "1.0", "01", "1e0", "NaN", "")[i % 6] for i in range(N)],
            "whole": draw.integers(-5, 40, N),
            "id": [None if i % 17 == 0 else float(i % 40) for i in range(N)],
            "price": draw.lognormal(0, 1, N),
            "rounded": draw.integers(1, 900, N),
            "flag": [None if i % 13 == 0 else i % 3 == 0 for i in range(N)],
            "day": [date(2024, 1, 1 + i % 28) for i in range(N)],
            "at": [datetime(2024, 1, 1, i % 24, tzinfo=UTC) for i in range(N)],
            "kind": pl.Series([f"k{i % 5}" for i in range(N)], dtype=pl.Categorical),
            "cost": pl.Series([Decimal(i % 90) / 4 for i in range(N)], dtype=pl.Decimal(9, 2)),
            "tags": [[f"g{j}" for j in range(i % 4)] for i in range(N)],
        }
    )


def save_model(folder, raw, wide):
    """Train a model of a table, whose vectors differ wherever a value does, and save it."""
    names = tuple(raw.columns)
    target = pl.Series(np.random.default_rng(1).normal(size=N))
    raw.with_columns(y=target).write_parquet(folder / "t.parquet")
    definition = Definition("t.parquet", "y", names, numeric=("rounded",), wide=wide)
    config = RunConfig(
        dataset="t.parquet",
        table=data.define(definition, folder),
        features="wide",
        strategy="unified",
        budget=400_000,
        dim=4,
        hidden=4,
        epochs=1,
        measure="quality",
    )
    trained = []
    ue_bench.run_once(
        config, data_dir=folder, on_trained=lambda model, dataset: trained.append(model)
    )
    save(folder / "model", trained[0], config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    save_model(folder, raw_rows(), wide=("town*price", "whole*tags"))
    return folder / "model"


@pytest.fixture(scope="module")
def loaded(folder):
    return ue_bench.load(folder)


def require_rows_alone_as_together(loaded, rows):
    """rows: dictionaries."""
    together = loaded.embed(rows)
    alone = torch.cat([loaded.embed(row) for row in rows])
    assert torch.equal(alone, together)
    as_columns = {name: [row[name] for row in rows] for name in rows[0]}
    assert torch.equal(loaded.embed(as_columns), together)
    many = loaded.embed({name: values * 130 for name, values in as_columns.items()})
    assert torch.equal(many, together.repeat(130, 1))
    predictions = torch.cat([loaded.predict(row) for row in rows])
    torch.testing.assert_close(loaded.predict(rows), predictions)


def test_a_fraction_in_another_row_changes_nothing(loaded):
    """The same in a column of pandas, which makes floats of whole numbers beside a missing one."""
    rows = raw_rows()[:5].rows(named=True)
    for name in loaded.columns:
        if name == "tags":
            continue
        column = [1, 2.5, "abc", None, True]
        changed = [row | {name: value} for row, value in zip(rows, column, strict=True)]
        require_rows_alone_as_together(loaded, changed)
    whole = raw_rows()[:4].to_pandas()
    with_fraction = whole.assign(
        whole=[1, 2, 0.5, 3], id=[7, 8.5, None, 9], rounded=[450, 1, 2.5, 3]
    )
    alone = [loaded.embed(with_fraction.iloc[row : row + 1]) for row in range(4)]
    assert torch.equal(loaded.embed(with_fraction), torch.cat(alone))
    whole = whole.assign(whole=[1, 2, None, 3], id=[7, None, None, 9], rounded=[450, 1, None, 3])
    assert whole["whole"].dtype == float
    as_ints = whole.astype({"whole": "Int64", "id": "Int64", "rounded": "Int64"})
    assert torch.equal(loaded.embed(whole), loaded.embed(as_ints))


def test_a_date_of_pandas_is_the_date_of_the_table(loaded):
    frame = raw_rows()[:40].to_pandas()
    assert frame["day"].dtype.kind == "M"
    assert torch.equal(loaded.embed(frame), loaded.embed(raw_rows()[:40]))


NUMERALS = st.sampled_from(["1", "1.0", "01", "1e0", "2.50", "-1", "inf", "NaN", "", "true"])
VALUES = (
    NUMERALS
    | st.text(st.characters(codec="utf-8"), max_size=3)
    | st.integers(-3, 45)
    | st.floats()
    | st.floats(width=32).map(np.float32)
    | st.decimals(-99, 99, places=2)
    | st.booleans()
    | st.dates(date(2024, 1, 1), date(2024, 1, 28))
    | st.datetimes(timezones=st.just(UTC))
    | st.sampled_from([None, float("nan"), pd.NA, pd.NaT, "t3é", "k1", pd.Timestamp("2024-01-02")])
)
ROW = st.fixed_dictionaries(
    {
        name: VALUES | VALUES.filter(lambda value: value is not None)
        for name in raw_rows().columns
        if name != "tags"
    }
    | {"tags": st.lists(st.sampled_from(["g0", "g1", "g9", "", None, 7]), max_size=4)}
)


@settings(max_examples=60)
@given(st.lists(ROW, min_size=1, max_size=5))
def test_any_rows_together_are_these_rows_one_by_one(loaded, rows):
    require_rows_alone_as_together(loaded, rows)


def test_a_frame_of_any_kind_is_its_rows(loaded):
    raw = raw_rows().with_columns(other=1, target=pl.lit("x"))
    expected = loaded.embed(raw.rows(named=True))
    dates = pd.Series(raw["day"].to_list(), dtype=object)
    for frame in (
        raw,
        raw.lazy(),
        raw.to_arrow(),
        raw.to_arrow().to_batches()[0],
        raw.to_pandas().assign(day=dates),
        raw.to_pandas().assign(day=dates).convert_dtypes(),
        raw.to_pandas(use_pyarrow_extension_array=True),
        raw.to_dict(as_series=False),
        raw.to_dict(),
        {name: raw[name].to_arrow() for name in raw.columns},
        tuple(raw.rows(named=True)),
    ):
        assert torch.equal(loaded.embed(frame), expected), type(frame)
    one_by_one = [loaded.embed(row) for row in raw.rows(named=True)]
    assert torch.equal(torch.cat(one_by_one), expected)
    assert loaded.predict(raw.rows(named=True)[0]).shape == (1,)
    assert loaded.predict([]).shape == (0,)
    assert loaded.predict(raw.clear()).shape == (0,)
    assert loaded.predict(raw.to_arrow().slice(0, 0)).shape == (0,)


def test_a_layer_of_a_run_reads_what_its_model_reads(loaded, folder):
    layer = ue_bench.embedding_of(loaded.config, folder.parent)
    row = raw_rows().rows(named=True)[3]
    changed = row | {"price": "7.77", "flag": pd.NA, "id": 4}
    for rows in (row, [row, changed], raw_rows()):
        assert torch.equal(
            layer.from_values(rows), layer.from_values(loaded.model.strategy.reader.read(rows))
        )
    assert layer.reader == loaded.model.strategy.reader


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"town": b"a"}, "column 'town': b'a' is a bytes; a value is text, a number"),
        ({"whole": {"a": 1}}, "column 'whole': {'a': 1} is a dict"),
        ({"price": 1j}, "column 'price': 1j is a complex"),
        ({"town": "\ud800"}, "column 'town': 'utf-8' codec can't encode"),
        ({"town": ["a", "b"]}, "column 'town' holds lists, and the feature has one value a row"),
        ({"tags": [["a"]]}, "column 'tags': ['a'] is a list"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_one_line(loaded, change, message):
    row = raw_rows().rows(named=True)[0] | change
    for rows in (row, [row], [row] * 200):
        with pytest.raises(BenchError) as error:
            loaded.predict(rows)
        assert str(error.value).startswith(message)
        assert "\n" not in str(error.value)


def test_a_frame_that_cannot_be_read_is_one_line(loaded, tmp_path):
    raw = raw_rows()
    with pytest.raises(
        BenchError, match=r"column 'town' is missing; .*unknown column 'twon' .*'town'"
    ):
        loaded.predict(raw.rename({"town": "twon"}).lazy())
    wide = raw.drop("town").with_columns(**{f"x{i}": pl.lit(0) for i in range(30)})
    with pytest.raises(BenchError, match="'x8' and 21 others was given"):
        loaded.predict(wide.to_arrow())
    with pytest.raises(BenchError, match="the frame cannot be read"):
        loaded.predict(raw.lazy().with_columns(town=pl.col("nothing")))
    (tmp_path / "t.csv").write_text("a\n")
    with pytest.raises(BenchError, match="the frame cannot be read"):
        loaded.predict(pl.scan_parquet(tmp_path / "t.csv"))
    with pytest.raises(BenchError, match="column 'day': values are Duration"):
        loaded.predict(raw.to_arrow().set_column(7, "day", pa.array([1] * N, pa.duration("s"))))
    with pytest.raises(BenchError, match="column 'whole' has 2 values and column 'town' has 1"):
        loaded.predict(raw[:1].to_dict(as_series=False) | {"whole": [1, 2]})


def test_a_model_of_the_first_format_is_read(loaded, folder, tmp_path):
    """It named the kind of a column, and had one list of texts for a missing value."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    rules = json.loads((folder / CONFIG).read_bytes())["rules"]
    assert rules["price"] == {"kind": "number", "absent": ["", "NaN"]}
    kinds = {name: rule["kind"].replace("number", "bucket") for name, rule in rules.items()}
    kinds["day"] = "text"  # the format had no rule for dates
    changes = {"format_version": 1, "kinds": kinds, "absent": ["", "NaN"]}
    made.rewrite(tmp_path, **changes)
    old = ue_bench.load(tmp_path)
    reader = loaded.model.strategy.reader
    old_rules = {**reader.rules, "day": ue_bench.Rule("text")}
    assert old.model.strategy.reader == replace(reader, rules=old_rules)
    assert torch.equal(old.predict(raw_rows()), loaded.predict(raw_rows()))
    made.rewrite(tmp_path, kinds=kinds | {"town": "csv"})
    read = ue_bench.load(tmp_path).model.strategy.reader.rules["town"]
    assert read == ue_bench.Rule("text", ("", "NaN"))
    made.rewrite(tmp_path, kinds=kinds | {"town": "verse"})
    with pytest.raises(BenchError, match="is no saved model"):
        ue_bench.load(tmp_path)


def test_a_rule_that_no_version_has_is_an_error(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    for rules in ({"town": {"kind": "verse", "absent": []}}, {"town": {"kind": "text"}}, ["town"]):
        made.rewrite(tmp_path, rules=rules)
        with pytest.raises(BenchError, match="is no saved model"):
            ue_bench.load(tmp_path)


@given(
    NUMERALS | st.text(max_size=3) | st.integers() | st.floats() | st.booleans() | st.none(),
    st.sampled_from(KINDS),
    st.sampled_from([(), ("", "NaN", "-1")]),
)
def test_the_rules_of_the_page(program, value, kind, absent):
    rule = ue_bench.Rule(kind, absent)
    assert program["text_of"](value, {"kind": kind, "absent": list(absent)}) == text_of(value, rule)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The last block of the page, for a model of a table without lists."""
    folder = tmp_path_factory.mktemp("page")
    save_model(folder, raw_rows().drop("tags"), wide=("town*price",))
    block = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[-1]
    program = {"folder": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(block, program)
    return program


def test_another_program_serves_a_table(program):
    """From rows of JSON, where dates and decimal numbers are texts."""
    loaded = ue_bench.load(program["folder"] / "model")
    rows = raw_rows().drop("tags").with_columns(pl.col("day").cast(pl.String)).rows(named=True)[:40]
    rows = [
        row | {"at": row["at"].strftime("%Y-%m-%dT%H:%M:%SZ"), "cost": str(row["cost"])}
        for row in rows
    ]
    rows = json.loads(json.dumps(rows))
    predictions = [program["predict"](row) for row in rows]
    np.testing.assert_allclose(predictions, loaded.predict(rows).numpy(), rtol=1e-4)
    dates = raw_rows().drop("tags")[:40]
    assert torch.equal(loaded.predict(dates), loaded.predict(rows))
