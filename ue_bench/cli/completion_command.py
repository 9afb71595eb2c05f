"""`ue-bench completion`."""

from typing import cast

import click

from ue_bench.cli.group import main

PROGRAM = "ue-bench"
VARIABLE = "_UE_BENCH_COMPLETE"  # what the script sets when it asks for completions


@main.command("completion", epilog="Example: ue-bench completion bash")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the script that completes commands, options and their values in a shell.

    Add it to a file that the shell reads when it starts: ~/.bashrc, ~/.zshrc,
    ~/.config/fish/completions/ue-bench.fish.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    shell_class = cast(type[ShellComplete], get_completion_class(shell))  # click has all three
    click.echo(shell_class(main, {}, PROGRAM, VARIABLE).source())
