"""Python processes that load the modules that their parent loads, and none of the current folder.

Python puts the current folder before all others for `python -c`, which is how `multiprocessing`
starts its processes, and for `python -m`. A file `random.py` beside the data would be run there,
and a folder `ue_bench` would take the place of the package.
"""

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ue_bench.errors import BenchError

PACKAGE = Path(__file__).resolve().parent


def environment() -> dict[str, str]:
    """Return the environment for a Python process that takes no module from the current folder.

    Installed packages and the folders of PYTHONPATH are found as before. A package that this
    process found ahead of the standard library, such as a checkout in the current folder with
    `python -m ue_bench`, is found there too.
    """
    variables = {**os.environ, "PYTHONSAFEPATH": "1"}
    if _is_ahead_of_the_library():
        folders = [str(PACKAGE.parent)]
        if variables.get("PYTHONPATH"):
            folders.append(variables["PYTHONPATH"])
        variables["PYTHONPATH"] = os.pathsep.join(folders)
    return variables


@contextmanager
def for_children() -> Iterator[None]:
    """Put `environment` in force for the processes that are started within the ``with`` block.

    Raises BenchError where Python was started with -E and would hand this option on: its processes
    would not read the environment.
    """
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        raise BenchError(
            "Python was started with -E, with which its processes load code from the current "
            "folder; start it with -I or with -P as well"
        )
    before = {name: os.environ.get(name) for name in ("PYTHONSAFEPATH", "PYTHONPATH")}
    os.environ.update(environment())
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _is_ahead_of_the_library() -> bool:
    """Return whether the path names the folder of the package before the standard library."""
    library = sysconfig.get_path("stdlib")
    for entry in sys.path:
        if entry == library:
            return False
        if Path(entry).resolve() == PACKAGE.parent:
            return True
    return False
