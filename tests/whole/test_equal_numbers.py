"""Equal seeds give equal numbers, whatever the process, the folder, the language or the threads.

What may differ, between machines and releases of torch, is told in docs/measurement.md.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ue_bench import RunConfig, run_once
from ue_bench.record import read

ASKED = {"dataset": "planted-small", "budget": 2_000, "lookups": 2, "dim": 4, "epochs": 2}
STRATEGIES = ("unified", "hashed_bits", "product_quantization")
CODE = """
import json, sys
from ue_bench import RunConfig, run_once
for strategy in sys.argv[2:]:
    asked = json.loads(sys.argv[1])
    record = run_once(RunConfig(strategy=strategy, measure="quality", **asked))
    print(json.dumps([record.run_id, record.quality], default=float))
"""
SURROUNDINGS = {
    "another order of sets": {"PYTHONHASHSEED": "1"},
    "yet another order of sets": {"PYTHONHASHSEED": "4242"},
    "Turkish, whose i is another letter": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    "a language without letters beyond ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0"},
    "another time zone": {"TZ": "Asia/Kathmandu"},
    "more threads of OpenMP": {"OMP_NUM_THREADS": "3"},
    "more threads of MKL": {"MKL_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3"},
}


def numbers_in(folder: Path, surroundings: dict[str, str], *strategies: str) -> list[list]:
    """What runs in a process of their own give: the run's id and its quality."""
    environment = {**os.environ, **surroundings}
    command = [sys.executable, "-c", CODE, json.dumps(ASKED), *strategies]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def numbers_here(strategy: str) -> list:
    record = run_once(RunConfig(strategy=strategy, measure="quality", **ASKED))
    return json.loads(json.dumps([record.run_id, record.quality], default=float))


def test_numbers_are_equal_in_any_surroundings(tmp_path):
    """All of them at once, in another folder; each by itself is a slow test."""
    changed: dict[str, str] = {}
    for surroundings in SURROUNDINGS.values():
        changed |= surroundings
    found = numbers_in(tmp_path, changed, *STRATEGIES)
    assert found == [numbers_here(strategy) for strategy in STRATEGIES]
    # The test sees a difference where there is one.
    assert found[0] != numbers_here(STRATEGIES[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_numbers_are_equal_in(name, tmp_path):
    found = numbers_in(tmp_path, SURROUNDINGS[name], STRATEGIES[0])
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
