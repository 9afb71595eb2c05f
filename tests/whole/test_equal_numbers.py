"""Equal seeds give equal numbers, whatever the process, the folder, the language or the threads.

What may differ, between machines and releases of torch, is told in docs/measurement.md. So is what
follows the order of features and of rows, and here is what does not.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from ue_bench import RunConfig, data, run_once
from ue_bench.data import Definition
from ue_bench.record import read
from ue_bench.strategies import build
from ue_bench.training.assembly import make_spec
from ue_bench.training.baselines import trivial_anchors
from ue_bench.training.run_data import encoded_of, spec_of

ASKED = {"dataset": "planted-small", "budget": 2_000, "lookups": 2, "dim": 4, "epochs": 2}
STRATEGIES = ("unified", "hashed_bits", "product_quantization")
CODE = """
import json, locale, sys
print(json.dumps([locale.setlocale(locale.LC_ALL, ""), locale.localeconv()["decimal_point"]]))
from ue_bench import RunConfig, run_once
for strategy in sys.argv[2:]:
    asked = json.loads(sys.argv[1])
    record = run_once(RunConfig(strategy=strategy, measure="quality", **asked))
    print(json.dumps([record.run_id, record.quality], default=float))
"""
TURKISH = {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"}
SURROUNDINGS = {
    "another order of sets": {"PYTHONHASHSEED": "1"},
    "yet another order of sets": {"PYTHONHASHSEED": "4242"},
    "a language without letters beyond ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "Turkish, whose i is another letter": TURKISH,
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "more threads of OpenMP": {"OMP_NUM_THREADS": "3"},
    "more threads of MKL": {"MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"},
}


@pytest.fixture(scope="module")
def locales(tmp_path_factory):
    """A folder with the Turkish locale, which few machines have installed."""
    if shutil.which("localedef") is None:
        pytest.skip("localedef, which makes the Turkish locale, is not installed")
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "tr_TR", "-f", "UTF-8", str(folder / "tr_TR.UTF-8")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"localedef cannot make the Turkish locale: {done.stderr.strip()}")
    return folder


def numbers_in(
    folder: Path, surroundings: dict[str, str], *strategies: str, locales: Path | None = None
) -> list[list]:
    """What runs in a process of their own give: the run's id and its quality.

    locales: where the locale of the surroundings is. In it a number has a comma, for the process
    and all of its libraries.
    """
    environment = {**os.environ, **surroundings}
    if locales is not None:
        environment["LOCPATH"] = str(locales)
    command = [sys.executable, "-c", CODE, json.dumps(ASKED), *strategies]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    active, *numbers = [json.loads(line) for line in done.stdout.splitlines()]
    if "LC_ALL" in surroundings:
        wanted = surroundings["LC_ALL"]
        assert active == [wanted, "," if wanted == TURKISH["LC_ALL"] else "."]
    return numbers


def numbers_here(strategy: str) -> list:
    record = run_once(RunConfig(strategy=strategy, measure="quality", **ASKED))
    return json.loads(json.dumps([record.run_id, record.quality], default=float))


def test_numbers_are_equal_in_any_surroundings(tmp_path, locales):
    """All of them at once, in another folder; each by itself is a slow test."""
    changed: dict[str, str] = {}
    for surroundings in SURROUNDINGS.values():
        changed |= surroundings
    assert changed["LC_ALL"] == TURKISH["LC_ALL"]
    found = numbers_in(tmp_path, changed, *STRATEGIES, locales=locales)
    assert found == [numbers_here(strategy) for strategy in STRATEGIES]
    # The test sees a difference where there is one.
    assert found[0] != numbers_here(STRATEGIES[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_numbers_are_equal_in(name, tmp_path, request):
    surroundings = SURROUNDINGS[name]
    locales = request.getfixturevalue("locales") if surroundings is TURKISH else None
    found = numbers_in(tmp_path, surroundings, STRATEGIES[0], locales=locales)
    assert found == [numbers_here(STRATEGIES[0])]


def test_numbers_do_not_depend_on_what_the_process_did_before():
    before = numbers_here("unified")
    numbers_here("hashed_bits")
    assert numbers_here("unified") == before


@pytest.mark.slow
def test_one_and_two_workers_make_equal_records(tmp_path):
    study = tmp_path / "three.py"
    study.write_text(
        '"""Three arms."""\n'
        "from ue_bench import RunConfig\n"
        "from ue_bench.study import Grid, Study\n"
        f"ASKED = {ASKED!r}\n"
        'ARMS = tuple(RunConfig(strategy=s, measure="quality", **ASKED)\n'
        f"             for s in {STRATEGIES!r})\n"
        'STUDY = Study(question="?", parts=(Grid(ARMS, seeds=2),), quick=(), latency=False)\n'
    )
    found = []
    for workers in ("1", "2"):
        results = tmp_path / workers
        command = [sys.executable, "-m", "ue_bench", "study", str(study), "--workers", workers]
        done = subprocess.run(
            [*command, "--results", str(results)], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        records = [read(path) for path in sorted(results.rglob("*.json"))]
        found.append({record.run_id: (record.config, record.quality) for record in records})
    assert len(found[0]) == len(STRATEGIES) * 2
    assert found[0] == found[1]


# ---- another order of features and of rows

NAMES = ("user", "item", "country")


def table(folder: Path, order: np.ndarray) -> Path:
    """A table of 300 rows in this order, whose times are all different."""
    n = len(order)
    rows = np.arange(n)
    frame = pl.DataFrame(
        {
            "user": rows * 7919 % 23,
            "item": rows * 104729 % 17,
            "country": np.array(["de", "fr", "tr"])[rows % 3],
            "stars": 1.0 + rows * 31 % 5,
            "time": rows,
        }
    )
    folder.mkdir()
    frame[order].write_csv(folder / "t.csv")
    return folder


def asked_of(names: tuple[str, ...], strategy: str) -> RunConfig:
    definition = Definition("t.csv", "stars", names, time="time", entities=("user", "item"))
    return RunConfig(
        dataset="t.csv",
        table=definition.to_dict(),
        split="global_temporal",
        strategy=strategy,
        budget=None if strategy == "collisionless" else 2_000,
        lookups=2 if strategy == "unified" else 1,
        dim=4,
        epochs=1,
        measure="quality",
    )


def found_by(folder: Path, names: tuple[str, ...], strategy: str) -> dict:
    """What a run finds before it trains."""
    config = asked_of(names, strategy)
    dataset, encoded = encoded_of(config, folder)
    parts = data.split(dataset, config.split, config.split_seed)
    built = build(spec_of(config, encoded))
    located = {}
    seen = {}
    for number, feature in enumerate(encoded.features):
        values = sorted(feature.values)
        rows = built.locate(number, values).tolist()
        located[feature.name] = dict(zip(values, rows, strict=True))
        seen[feature.name] = set(feature.values[: feature.n_seen])
    return {
        "parts": dict(zip(dataset.times.tolist(), parts.tolist(), strict=True)),
        "located": located,
        "seen": seen,
        "bytes": built.footprint().total,
        "exact table": make_spec(config, encoded.features).exact_table_bytes,
        "anchors": trivial_anchors(encoded, binary=False, stars=True),
    }


@pytest.mark.parametrize("strategy", ["unified", "hash_embedding", "collisionless"])
def test_what_does_not_follow_the_order_of_features(tmp_path, strategy):
    """All but what is drawn: rows by names, splits, sizes and the predictors without embeddings."""
    folder = table(tmp_path / "t", np.arange(300))
    found = found_by(folder, NAMES, strategy)
    other = found_by(folder, NAMES[::-1], strategy)
    if strategy == "collisionless":  # its tables follow each other in the order of the features
        for one in (found, other):
            one["located"] = {name: rows.keys() for name, rows in one["located"].items()}
    assert found == other
    assert asked_of(NAMES, strategy).run_id != asked_of(NAMES[::-1], strategy).run_id


def test_what_does_not_follow_the_order_of_rows(tmp_path):
    """Where the split goes by time: rows by values, splits, sizes, predictors but for rounding."""
    folder = table(tmp_path / "t", np.arange(300))
    mixed = table(tmp_path / "mixed", np.random.default_rng(0).permutation(300))
    found, other = (found_by(place, NAMES, "unified") for place in (folder, mixed))
    anchors, others = found.pop("anchors"), other.pop("anchors")
    assert found == other
    assert anchors.keys() == others.keys()
    for name, scores in anchors.items():
        for one in (scores, others[name]):
            one.pop("groups", None)  # sums by user, in the order in which users appear
        assert others[name] == pytest.approx(scores, rel=1e-6), name
