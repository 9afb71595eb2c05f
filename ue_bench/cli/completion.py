"""`ue-bench completion`."""

import click

from ue_bench.cli.group import main

PROGRAM = "ue-bench"
VARIABLE = "_UE_BENCH_COMPLETE"  # what the script sets when it asks for completions


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
