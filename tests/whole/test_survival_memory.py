"""The memory of a study of a thousand trials.

The processes of its runs do not grow, and the study grows by what it knows about a trial.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pid: int) -> int:
    """Return the bytes that belong to a process: resident and not shared with a file."""
    size, shared = (int(number) for number in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    return (size - shared) * PAGE


def slope(points: list[tuple[int, int]]) -> float:
    """Return the bytes for each trial, over all but the first tenth."""
    trials, sizes = np.array(points[len(points) // 10 :]).T
    return float(np.polyfit(trials, sizes, 1)[0])


@pytest.mark.slow
def test_a_thousand_trials_leave_nothing_behind_but_their_records(commands, quick_results, capsys):
    command = commands.start("thousand", quick_results)
    folder = quick_results / "thousand"
    parent: list[tuple[int, int]] = []
    runs: dict[int, tuple[int, int]] = {}  # the most of each process, by its id
    while (finished := len(list(folder.glob("*.json")))) < 1000:
        assert Path(f"/proc/{command.pid}/statm").read_text() != "0 0 0 0 0 0 0\n", (
            command.told()
        )  # it has ended
        parent.append((finished, resident(command.pid)))
        for pid in commands.runs():
            try:
                runs[pid] = finished, max(resident(pid), runs.get(pid, (0, 0))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended
        time.sleep(0.02)
    assert command.wait() == 0, command.told()
    slopes = {"study": slope(parent), "runs": slope(list(runs.values()))}
    with capsys.disabled():
        told = ", ".join(f"{name} {size:,.0f} bytes a trial" for name, size in slopes.items())
        print(f"\n{len(runs)} runs seen; {told}; study {parent[0][1]:,} to {parent[-1][1]:,} bytes")
    assert len(runs) > 500
    # Of the 24 kB that a trial takes, a record, which the report at the end needs, is 12.8 kB, and
    # the trial that the search knows 0.3 kB. The rest is Optuna's, which holds two trials for each:
    # its proposal, and what ran. A copy of the search's space for each would be 400 kB more.
    assert slopes["study"] < 30_000, slopes
    assert slopes["runs"] < 1_000, slopes
