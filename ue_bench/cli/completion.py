"""`ue-bench completion`, and the values that a shell completes."""

from typing import TYPE_CHECKING

import click
from click.types import StringParamType

from ue_bench.cli.group import main
from ue_bench.config import CHOICES

if TYPE_CHECKING:  # every start of the program would pay for it
    from click.shell_completion import CompletionItem

PROGRAM, VARIABLE = (
    "ue-bench",
    "_UE_BENCH_COMPLETE",
)  # what the script sets when it asks for completions
ITSELF = {
    "strategy",
    "dataset",
    "features",
    *CHOICES,
}  # parameters whose name is the kind of their values
# The others, by command.
KINDS = {
    ("study", "name"): "study",
    ("worker", "name"): "study",
    ("report", "only"): "study",
    ("compare", "only"): "study",
    ("pull", "only"): "study",
    ("compare", "one"): "strategy",
    ("compare", "other"): "strategy",
    ("list", "what"): "listing",
    ("speed", "cases"): "case",
}
FILES = {("study", "name"), ("worker", "name")}  # a study may be a file, too


class Name(StringParamType):
    """A text of which the shell knows the usual values; any other is taken as well. kind: one of `choices.FOUND`."""

    def __init__(self, kind: str, files: bool) -> None:
        self.kind, self.files = kind, files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        from ue_bench.cli.choices import FOUND

        found = [CompletionItem(name) for name in FOUND[self.kind]() if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if self.files else [])


@main.command(epilog="Example: ue-bench completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and their values: strategies, studies, data sets and others.

    It goes where the shell reads it at its start: ~/.bashrc, ~/.zshrc, ~/.config/fish/completions/ue-bench.fish.
    """
    from click.shell_completion import get_completion_class

    made_by = get_completion_class(shell)
    assert made_by is not None  # nosec B101 # for the type checker: click has all three
    click.echo(made_by(main, {}, PROGRAM, VARIABLE).source())


def know_values() -> None:
    """Tell the shell the values of the parameters of all commands."""
    for command, declared in main.commands.items():
        for parameter in declared.params:
            name = str(parameter.name)
            kind = KINDS.get((command, name), name if name in ITSELF else None)
            if kind and isinstance(parameter.type, StringParamType):
                parameter.type = Name(kind, (command, name) in FILES)
