"""Code from outside the package: a Python file, and the entry points of installed packages."""

import importlib.util
import os.path
import sys
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType

from ue_bench.errors import BenchError


def run(path: Path, kind: str, content: str) -> ModuleType:
    """Run a Python file as a module and return the module.

    kind: what the file is, such as "study"; two kinds of files may have the same name.
    content: what the file must contain, for the error message.
    Raises BenchError if there is no such Python file, and whatever the file itself raises.
    """
    # Path.is_file raises an error for a name that is too long
    exists = path.suffix == ".py" and os.path.isfile(path)
    name = f"ue_bench_{kind}_{path.stem.replace('-', '_')}"
    spec = importlib.util.spec_from_file_location(name, path) if exists else None
    if spec is None or spec.loader is None:
        raise BenchError(
            f"{kind} {path} is no Python file; give the path of one that has {content}"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that its classes can be found by name
    spec.loader.exec_module(module)
    return module


def installed(group: str) -> EntryPoints:
    """The entry points of a group that installed packages offer. Loads none of them."""
    return entry_points(group=group)
