"""TOML files, which somebody else may have written: bounded in size and in depth."""

import re
import tomllib
from pathlib import Path
from typing import Any

from ue_bench.errors import BenchError
from ue_bench.whole_file import read_regular

MOST_BYTES = 2**20
# A key of n parts, `a.b.c`, takes tomllib n**2 words: gigabytes for a file of 100 kB.
_TOO_DEEP = re.compile(r"(?<![\w.-])(?:[\w-]++\s*+\.\s*+){100}")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a TOML file. Raises BenchError for one that cannot be read."""
    try:
        text = read_regular(path, MOST_BYTES).decode()
        if _TOO_DEEP.search(text.replace('"', "").replace("'", "")):
            raise ValueError("a key has more than 100 parts")
        return tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise BenchError(f"{path} cannot be read: {why}; give a TOML file") from error
