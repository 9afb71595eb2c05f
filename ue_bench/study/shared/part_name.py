"""The names of ue-bench's Optuna studies in a storage: one for each part of a study."""

import re
from typing import NamedTuple

_NAME = re.compile(
    r"ue-bench (?P<study>[\w-]+) seed (?P<seed>\d+) as (?P<digest>[0-9a-f]{8})"
    r"( with (?P<code>[0-9a-f]{16}))?: (?P<part>.+)",
    re.ASCII,
)


class PartName(NamedTuple):
    """What the name of an Optuna study says.

    digest: of the study's declaration and of the version of ue-bench that runs it.
    code: of the code of the strategies that plug-ins and installed packages add; None: without any.
    """

    study: str
    seed: int
    digest: str
    part: str
    code: str | None = None

    def __str__(self) -> str:
        name = f"ue-bench {self.study} seed {self.seed} as {self.digest}"
        if self.code is not None:
            name += f" with {self.code}"
        return f"{name}: {self.part}"

    @classmethod
    def read(cls, name: str) -> "PartName | None":
        """Return what a name says; None if the Optuna study is not one of ue-bench."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        return cls(
            study=match["study"],
            seed=int(match["seed"]),
            digest=match["digest"],
            part=match["part"],
            code=match["code"],
        )
