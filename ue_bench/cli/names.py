"""Texts that the shell completes: names of strategies, data sets, studies and cases of speed."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.types import StringParamType

if TYPE_CHECKING:  # every start of the program would pay for it
    from click.shell_completion import CompletionItem


class Name(StringParamType):
    """A text that the shell completes; any other text is accepted too.

    kind: what the text names, one of `choices.LISTS`. values: the values, where they are few and
    fixed. files: the text may be the path of a file instead.
    """

    def __init__(
        self, kind: str | None = None, values: Iterable[str] = (), *, files: bool = False
    ) -> None:
        self.kind = kind
        self.values = tuple(values)
        self.files = files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        values = [value for value in self._usual_values() if value.startswith(incomplete)]
        if not values and self.files:
            return [CompletionItem(incomplete, type="file")]
        return [CompletionItem(value) for value in values]

    def _usual_values(self) -> Iterable[str]:
        if self.kind is None:
            return self.values
        from ue_bench.cli.choices import LISTS

        list_names: Callable[[], list[str]] = LISTS[self.kind]
        return list_names()
