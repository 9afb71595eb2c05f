"""The studies that exist: those of the package, and a Python file of the user's."""

import importlib
import pkgutil
import re
from pathlib import Path

from ue_bench import plugins
from ue_bench.errors import BenchError, unknown
from ue_bench.study.declarations import Study

TAKEN = ("run", "report", "speed")  # folders of a results folder that are no study's
_NAME = re.compile(r"(?!.*-quick$)[\w-]+", re.ASCII)
DASHED = {
    "known_answer": "known-answer"
}  # files whose study is spelled otherwise, in commands and in the folder of its records


def names() -> list[str]:
    """Studies that exist, by the names of their files."""
    package = importlib.import_module("ue_bench.studies")
    return sorted(
        DASHED.get(module.name, module.name) for module in pkgutil.iter_modules(package.__path__)
    )


def canonical(name: str) -> str:
    """The name as `names` has it: a dash and an underscore are the same. One that is unknown stays as it is.

    The study of a Python file has the file's name.
    """
    name = Path(name).stem if name.endswith(".py") else name
    return next(
        (known for known in names() if known.replace("-", "_") == name.replace("-", "_")), name
    )


def find(name: str) -> Study:
    """The study of a name, or of the path of a Python file that has a `STUDY`.

    Raises BenchError for an unknown name, and for a file that is not there, has no study or has the name of another folder of
    records. What the file itself raises is its own.
    """
    if name.endswith(".py"):
        return _load(Path(name))
    if canonical(name) not in names():
        raise unknown("study", name, names())
    return importlib.import_module(f"ue_bench.studies.{name.replace('-', '_')}").STUDY


def _load(path: Path) -> Study:
    name = path.stem
    if canonical(name) in names() or name in TAKEN or not _NAME.fullmatch(name):
        raise BenchError(
            f"study {path}: records are kept under the name of the file; choose one of letters, digits, - and _ that is none of "
            f"{', '.join((*names(), *TAKEN))} and does not end in -quick"
        )
    module = plugins.run(path, "study", content="STUDY = Study(...)")
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise BenchError(f"study {path} has no study; it needs STUDY = ue_bench.study.Study(...)")
    return study
