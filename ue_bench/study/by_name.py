"""The studies that exist: those of the package, and the Python files of users."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path

from ue_bench import plugins
from ue_bench.errors import BenchError, unknown
from ue_bench.strategies.entry import Entry
from ue_bench.strategies.registry import STRATEGIES
from ue_bench.study.declarations import Study

TAKEN = ("run", "report", "speed")  # folders of a results folder that belong to no study
# Files whose study has another name in commands and in the folder of its records.
DASHED = {"known_answer": "known-answer"}
_made: dict[str, tuple[dict[str, Entry], Study]] = {}  # with the strategies that there were
_NAME = re.compile(r"(?!.*-quick$)[\w-]+", re.ASCII)


def names() -> list[str]:
    """Return the names of the package's studies."""
    package = importlib.import_module("ue_bench.studies")
    files = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(DASHED.get(file, file) for file in files)


def canonical(name: str) -> str:
    """Return the name of a study as `names` spells it, and an unknown one unchanged.

    A dash and an underscore are equal. The study of a Python file has the file's name.
    """
    if name.endswith(".py"):
        name = Path(name).stem
    for known in names():
        if known.replace("-", "_") == name.replace("-", "_"):
            return known
    return name


def find(name: str) -> Study:
    """Return the study of a name, or of the path of a Python file that has a `STUDY`.

    Raises BenchError for an unknown name, and for a file that does not exist, has no study, or has
    the name of another folder of records. An error that the file itself raises is not caught.
    """
    if name.endswith(".py"):
        return _load(Path(name))
    if canonical(name) not in names():
        raise unknown("study", name, names())
    return _study_of(name.replace("-", "_"))


def _study_of(name: str) -> Study:
    """Return the study of a module, made anew where there are other strategies than before."""
    strategies = dict(STRATEGIES)
    if name in _made and _made[name][0] == strategies:
        return _made[name][1]
    path = f"ue_bench.studies.{name}"
    loaded = sys.modules.get(path)
    module = importlib.import_module(path) if loaded is None else importlib.reload(loaded)
    study: Study = module.STUDY
    _made[name] = strategies, study
    return study


def _load(path: Path) -> Study:
    name = path.stem
    if canonical(name) in names() or name in TAKEN or not _NAME.fullmatch(name):
        raise BenchError(
            f"study {path}: records are kept under the name of the file; choose one of letters, "
            f"digits, - and _ that is none of {', '.join((*names(), *TAKEN))} and does not end in "
            "-quick"
        )
    module = plugins.run(path, "study", content="STUDY = Study(...)")
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise BenchError(f"study {path} has no study; it needs STUDY = ue_bench.study.Study(...)")
    return study
