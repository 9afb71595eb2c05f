"""`ue-bench completion`, and the values that a shell completes."""

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete
from click.types import StringParamType

from ue_bench.choices import FOUND
from ue_bench.cli.group import main

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
PROGRAM, VARIABLE = "ue-bench", "_UE_BENCH_COMPLETE"  # what the script sets when it asks for completions
# Parameters whose name does not say what they are, by command. A study may be a file, too.
KINDS = {
    ("study", "name"): "study", ("worker", "name"): "study", ("report", "only"): "study", ("compare", "only"): "study",
    ("pull", "only"): "study", ("compare", "one"): "strategy", ("compare", "other"): "strategy", ("list", "what"): "listing",
    ("speed", "cases"): "case",
}  # fmt: skip
FILES = {("study", "name"), ("worker", "name")}


class Name(StringParamType):
    """A text of which the shell knows the usual values; any other is taken as well."""

    def __init__(self, kind: str, files: bool) -> None:
        self.kind, self.files = kind, files

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in FOUND[self.kind]() if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if self.files else [])


@main.command(epilog="Example: ue-bench completion bash")
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that completes commands, options and their values: strategies, studies, data sets and others.

    It goes where the shell reads it at its start: ~/.bashrc, ~/.zshrc, ~/.config/fish/completions/ue-bench.fish.
    """
    click.echo(SHELLS[shell](main, {}, PROGRAM, VARIABLE).source())


def know_values() -> None:
    """Tell the shell the values of the parameters of all commands."""
    for name, command in main.commands.items():
        for parameter in command.params:
            place = (name, str(parameter.name))
            kind = KINDS.get(place, str(parameter.name))
            if kind in FOUND and isinstance(parameter.type, StringParamType):
                parameter.type = Name(kind, place in FILES)
