"""An arm of a measurement in a process of its own, so that its peak memory is its own."""

import json
import subprocess
import sys
from typing import Any

from ue_bench import safe_path
from ue_bench.errors import BenchError


def measured_in_a_process(module: str, case: str, arm: str, *words: str) -> dict[str, Any]:
    """Return what `python -m module arm words...` prints as JSON.

    case: the name of the measurement, for the message. Raises BenchError when the arm ends without
    an answer, as it does when it runs out of memory.
    """
    # The words of the command are fixed, and there is no shell.
    finished = subprocess.run(  # nosec B603
        [sys.executable, "-m", module, arm, *words],
        capture_output=True,
        text=True,
        check=False,
        env=safe_path.environment(),
    )
    if finished.returncode:
        reason = f"exit code {finished.returncode}"
        if finished.stderr.strip():
            reason = finished.stderr.strip().splitlines()[-1]
        raise BenchError(
            f"{case}: {arm} gave no answer ({reason}); give fewer rows, or more memory"
        )
    return dict(json.loads(finished.stdout))
