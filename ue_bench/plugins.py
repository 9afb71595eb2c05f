"""Code from outside the package: a Python file, and the entry points of installed packages."""

import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple, cast

from ue_bench.errors import BenchError, first_line

# The content of each file as this process ran it last, or began to.
_ran: dict[Path, bytes] = {}


class _Loader(SourceFileLoader):
    """Runs the content of a file that was read before.

    Bytecode that Python has cached is not used: it is taken for that of the present file if this
    has the size and the second of the earlier one.
    """

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        try:
            code: CodeType = self.source_to_code(self.source, self.path)
        except (SyntaxError, ValueError) as error:  # ValueError: a NUL, in some releases of Python
            raise BenchError(f"{self.path} is no Python ({error}); mend the file") from error
        return code


def module_name(kind: str, path: Path) -> str:
    """The name of the module that a file of this kind becomes. Files of one stem share it."""
    return f"ue_bench_{kind}_{path.stem.replace('-', '_')}"


def run(path: Path, kind: str, content: str, source: bytes | None = None) -> ModuleType:
    """Run a Python file as a module and return the module.

    kind: what the file is, such as "study"; two kinds of files may have the same name.
    content: what the file must contain, for the error message.
    source: what to run in place of what the file contains now.
    Raises BenchError for a file that is not there, cannot be read, does not parse, ends the program
    or raises what is no Exception, and the exceptions that the file itself raises.
    """
    # Path.is_file raises an error for a name that is too long
    if path.suffix != ".py" or not (source is not None or os.path.isfile(path)):
        raise BenchError(
            f"{kind} {path} is no Python file; give the path of one that has {content}"
        )
    if source is None:
        try:
            source = path.read_bytes()
        except OSError as error:
            raise BenchError(f"{kind} {path} cannot be read ({error.strerror or error})") from error
    name = module_name(kind, path)
    loader = _Loader(name, str(path), source)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    module = importlib.util.module_from_spec(cast(ModuleSpec, spec))  # there is a loader
    sys.modules[name] = module  # so that its classes can be found by name
    _ran[path.resolve()] = source
    try:
        loader.exec_module(module)
    except SystemExit as error:  # with code 0 a command would seem to have ended well
        raise BenchError(
            f"{kind} {path} ends the program when it is loaded (SystemExit); "
            "leave only definitions in it"
        ) from error
    except (Exception, KeyboardInterrupt):  # a Ctrl-C may arrive at any line of the file
        raise
    except BaseException as error:  # a caller that catches every Exception would not see it
        raised = raised_in(error, [path])
        if raised is None:
            raise
        raise BenchError(f"{kind} {path} cannot be loaded: {raised}; mend the file") from error
    return module


def sources(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Return the content of those of the files that this process has run, as it ran them."""
    contents = {}
    for path in paths:
        if path.resolve() in _ran:
            contents[path] = _ran[path.resolve()]
    return contents


def installed(group: str) -> EntryPoints:
    """The entry points of a group that installed packages offer. Loads none of them."""
    return entry_points(group=group)


def send_prints_to_stderr() -> None:
    """Send what is printed in this process to standard error from here on, by whatever prints."""
    if sys.stderr is None:  # it is closed, and file 2 may be anything
        return
    os.dup2(2, 1)
    sys.stdout = sys.stderr


class Raised(NamedTuple):
    """An error that code from outside the package raised. place: `mine.py, line 12, in embed`.

    kind: the class of the error. message: its `first_line`, which may be empty.
    """

    place: str
    kind: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, self))


def raised_in(error: BaseException, paths: Iterable[Path] | None = None) -> Raised | None:
    """Return an error with the last line of these files that had a part in it.

    paths: the files; None: all that this process has run. Returns None where none of them had a
    part in it: then it is a fault of this package.
    """
    files = {path.resolve() for path in (_ran if paths is None else paths)}
    found = None
    for frame in traceback.extract_tb(error.__traceback__):
        file = Path(frame.filename)
        if file.resolve() in files:
            place = f"{file.name}, line {frame.lineno}, in {frame.name}"
            found = Raised(place, type(error).__name__, first_line(error))
    return found
