"""A digest of the code that codes rows: what other code has kept is never used."""

import hashlib
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

ROOMS = ("categories", "data", "features")  # whose code decides what is kept
LIBRARIES = ("numpy", "polars", "pyarrow")


@cache
def code_digest() -> str:
    """Return 64 hex digits that follow from the code and the versions of the libraries it uses."""
    digest = hashlib.sha256()
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    root = Path(str(files("ue_bench")))
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
