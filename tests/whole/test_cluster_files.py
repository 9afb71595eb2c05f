"""The files of docs/cluster: the array job runs as plain bash, the indexed job names its shards."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ue_bench import record

CLUSTER = Path(__file__).resolve().parents[2] / "docs" / "cluster"
STUDY = '''"""A look.

Cost: 3 runs.
"""

from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

BASE = RunConfig(strategy="unified", budget=14_016, epochs=1)
STUDY = Study(question="?", parts=(Grid((BASE,), seeds=3),), latency=False)
'''


def run_task(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the array job's script as plain bash, with the variables that SLURM sets."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", CLUSTER / "study.sbatch"],
        cwd=folder,
        env=os.environ | {"PATH": path} | settings,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_the_array_job_is_a_plain_script_whose_tasks_make_the_study(tmp_path):
    (tmp_path / "look.py").write_text(STUDY)
    asked = {"STUDY": "look.py", "RESULTS": "shared", "SLURM_ARRAY_TASK_COUNT": "2"}
    for task, expected in (("1", "2 runs made"), ("2", "1 runs made")):
        done = run_task(tmp_path, SLURM_ARRAY_TASK_ID=task, **asked)
        assert done.returncode == 0, done.stderr
        assert f"look: shard {task}/2: {expected}" in done.stdout
    records, _ = record.load_runs(tmp_path / "shared")
    assert sorted(run.config.init_seed for run in records) == [0, 1, 2]


@pytest.mark.parametrize("missing", ["SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"])
def test_the_array_job_needs_its_array(tmp_path, missing):
    settings = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2"}
    settings.pop(missing)
    done = run_task(tmp_path, **settings)
    assert done.returncode != 0
    assert missing in done.stderr


def test_the_indexed_job_gives_up_on_what_cannot_work():
    job = (CLUSTER / "job.yaml").read_text()
    assert "completionMode: Indexed" in job
    policy = " ".join(job.partition("rules:")[2].partition("template:")[0].split())
    assert policy == "- action: FailIndex onExitCodes: operator: In values: [2]"
    count = re.search(r"^  completions: (\d+)$", job, re.MULTILINE)[1]
    assert f"--shard $((JOB_COMPLETION_INDEX + 1))/{count} " in job
