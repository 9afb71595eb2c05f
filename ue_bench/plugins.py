"""A Python file of somebody's, run as a module: strategies of a plug-in, a study of one's own."""

import importlib.util
import os.path
import sys
from pathlib import Path
from types import ModuleType


def run(path: Path, kind: str) -> ModuleType | None:
    """The module that the file makes; None where there is no such Python file. What the file itself raises is its own.

    kind: what it is, so that files of one name and of two kinds are two modules.
    """
    name = f"ue_bench_{kind}_{path.stem.replace('-', '_')}"
    # not Path.is_file, to which a name that is too long is an error
    spec = (
        importlib.util.spec_from_file_location(name, path)
        if path.suffix == ".py" and os.path.isfile(path)
        else None
    )
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its classes can be found by name
    spec.loader.exec_module(module)
    return module
