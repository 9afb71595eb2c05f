"""What a shell completes: every name that the program takes, without loading what is heavy."""

import os
import shutil
import subprocess
import sys

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner
from test_cli import HEAVY

from ue_bench.cli import choices, main
from ue_bench.config import CHOICES
from ue_bench.data import DATASETS
from ue_bench.speed.cases import CASES
from ue_bench.strategies import ANCHORS, all_strategies
from ue_bench.study import names


def completed(*words: str) -> set[str]:
    """What completes the last word."""
    return {
        item.value
        for item in ShellComplete(main, {}, "ue-bench", "").get_completions(
            list(words[:-1]), words[-1]
        )
    }


def test_the_names_are_those_that_the_program_goes_by():
    assert set(choices.LISTS["strategy"]()) == {*all_strategies(), *ANCHORS}
    assert set(choices.datasets()) == set(DATASETS)
    assert set(choices.cases()) == set(CASES)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("run", "--strategy", "unif"), {"unified"}),
        (("run", "--strategy", ""), {*all_strategies(), *ANCHORS}),
        (("run", "--dataset", "ml-1"), {"ml-100k", "ml-1m", "ml-10m"}),
        (("data", "--dataset", ""), set(DATASETS)),
        (("study", ""), set(names())),
        (("study", "table_size", "--dataset", "ml-2"), {"ml-20m", "ml-25m"}),
        (("report", "--study", "wh"), {"why"}),
        (("compare", "unified", "per_"), {"per_feature"}),
        (("list", ""), {"datasets", "strategies", "studies"}),
        (("speed", "hash"), {"hashing"}),
        (("completion", ""), {"bash", "zsh", "fish"}),
        (("run", "--features", "w"), {"wide"}),
        *(
            (("run", f"--{name.replace('_', '-')}", ""), set(allowed))
            for name, allowed in CHOICES.items()
        ),
    ],
)
def test_values(words, found):
    assert completed(*words) == found


def test_commands_and_options():
    assert completed("comp") == {"compare", "completion"}
    assert "--region-rule" in completed("run", "--re")


def test_a_study_may_be_a_file():
    (item,) = ShellComplete(main, {}, "ue-bench", "").get_completions(["study"], "my_st")
    assert (item.type, item.value) == ("file", "my_st")


def test_another_value_is_taken_all_the_same():
    told = CliRunner().invoke(main, ["run", "--strategy", "mine"])
    assert "unknown strategy 'mine'" in told.stderr


def asked(words: str, number: int, *code: str) -> subprocess.CompletedProcess[str]:
    """The program, asked for completions as the script of bash does."""
    settings = {
        **os.environ,
        "_UE_BENCH_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(number),
    }
    return subprocess.run([sys.executable, *code], env=settings, capture_output=True, text=True)


def test_nothing_heavy_is_loaded():
    code = (
        "import sys, atexit; sys.argv[0] = 'ue-bench'; from ue_bench.cli import main\n"
        f"atexit.register(lambda: print(sorted(set(sys.modules) & set({HEAVY}))))\n"
        "main()"
    )
    done = asked("ue-bench run --strategy unif", 3, "-c", code)
    assert done.stdout.splitlines() == ["plain,unified", "[]"], done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(shell, tmp_path):
    script = CliRunner().invoke(main, ["completion", shell], catch_exceptions=False).stdout
    assert f"_UE_BENCH_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True)


def test_bash_completes_with_it(tmp_path):
    program = tmp_path / "ue-bench"
    program.write_text(f"#!{sys.executable}\nfrom ue_bench.cli import main\nmain()\n")
    program.chmod(0o755)
    script = CliRunner().invoke(main, ["completion", "bash"], catch_exceptions=False).stdout
    ask = f'{script}\nCOMP_WORDS=(ue-bench study var); COMP_CWORD=2; _ue_bench_completion "{program}"; echo "${{COMPREPLY[@]}}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True)
    assert done.stdout.split() == ["variance"], done.stderr
