"""Which code an added strategy is: a digest that changes with its file or its package.

A run of such a strategy has the digest in its id, so that runs of two versions are never taken for
one another.
"""

import hashlib
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from ue_bench.strategies.entry import Entry

DIGITS = 16  # of a digest


@dataclass(frozen=True)
class Code:
    """The code of an added strategy.

    digest: 16 hex digits. origin: the file or the package that it came from, for a message.
    """

    digest: str
    origin: str


@dataclass(frozen=True)
class Home:
    """Where an entry of the list was loaded from.

    file: a plug-in, or the module that an entry point names; None: there is no file.
    sha256: of the content of a plug-in as it was run; None: of what the file contains when asked.
    package: name and version of an installed package.
    """

    entry: Entry
    file: Path | None = None
    sha256: str | None = None
    package: str | None = None

    @classmethod
    def of_plugin(cls, entry: Entry, file: Path, source: bytes) -> "Home":
        return cls(entry, file=file, sha256=hashlib.sha256(source).hexdigest())

    @classmethod
    def of_package(cls, entry: Entry, point: EntryPoint) -> "Home":
        package = None
        if point.dist is not None:
            package = f"{point.dist.name} {point.dist.version}"
        return cls(entry, file=_file_of(point.module), package=package)

    def code(self) -> Code | None:
        """Return the code as it is now; None where it is in no file, as a class of a notebook is.

        The digest covers the file that the entry is in, those of the method's class and of the
        classes that this inherits from and that are not of ue_bench, and the package's name and
        version. That of a plug-in of one file is the start of the file's SHA-256.
        """
        files = self.files()
        if not files:
            return None
        parts = []
        for file in files:
            known = self.sha256 if file == self.file else None
            parts.append(known or _sha256(file))
        origin = str(files[0])
        if self.package is not None:
            parts.insert(0, self.package)
            origin = f"{self.package} ({origin})"
        if len(parts) == 1:
            return Code(parts[0][:DIGITS], origin)
        text = "\n".join(parts)
        return Code(hashlib.sha256(text.encode()).hexdigest()[:DIGITS], origin)

    def files(self) -> list[Path]:
        """Return the files that the digest of `code` covers."""
        files = []
        if self.file is not None:
            files.append(self.file)
        for module in self._modules():
            file = _file_of(module)
            if file is not None and file not in files:
                files.append(file)
        return files

    def _modules(self) -> list[str]:
        """Return the modules of the method's class and its bases, but for those of ue_bench.

        What a class of ue_bench inherits from is not covered either.
        """
        from ue_bench.strategies.base import EmbeddingStrategy

        modules = []
        for cls in self.entry.method.__mro__:
            top = cls.__module__.partition(".")[0]
            if top != "ue_bench" and cls not in EmbeddingStrategy.__mro__:
                modules.append(cls.__module__)
        return modules


def _file_of(module: str) -> Path | None:
    """Return the file of a loaded module, None where it has none."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or not Path(file).is_file():
        return None
    return Path(file).resolve()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
