"""Prints the lower bounds of pyproject.toml as constraints for pip: `make test-oldest` tests with these versions."""

import re
import tomllib
from pathlib import Path
from typing import Any

BOUND = re.compile(r"(?P<name>[\w-]+)(\[\w+\])?>=(?P<version>[\d.]+)")


def constraints(project: dict[str, Any]) -> list[str]:
    """`name==version` for each dependency. Raises ValueError for one without a lower bound."""
    found = []
    for requirement in project["dependencies"]:
        bound = BOUND.fullmatch(requirement)
        if bound is None:
            raise ValueError(
                f"pyproject.toml: {requirement!r} has no lower bound alone; write name>=version"
            )
        found.append(f"{bound['name']}=={bound['version']}")
    return found


if __name__ == "__main__":
    text = Path(__file__).resolve().parents[2].joinpath("pyproject.toml").read_text()
    print("\n".join(constraints(tomllib.loads(text)["project"])))
