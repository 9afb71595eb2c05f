"""A field of a run is written once: what the program knows of it follows from its declaration."""

import subprocess
import sys

import pytest

from ue_bench.config import MAY_DIFFER, SEEDS, SETTINGS, RunConfig
from ue_bench.config.fields import AS_DEFAULT

# Run in a process of its own: three fields are added to a copy of RunConfig before all else is loaded.
ADDED = """
import importlib.util
import sys
from pathlib import Path

spec = importlib.util.find_spec("ue_bench")
place = Path(spec.submodule_search_locations[0]) / "config" / "run_config.py"
before = "\\n    def __post_init__(self) -> None:\\n"
fields = '''
    softness: float = setting(
        0.5, group="recipe", at_least=0, below=1, help="How soft the targets are."
    )
    colour: str = setting(
        "red", group="strategy", choices=("red", "green"), help="Colour of the rows."
    )
    warmth: int = setting(2, group="recipe", before=0, help="How warm the training starts.")
'''
source = place.read_text()
copy = source.replace(before, fields + before, 1)
assert copy != source


class Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        return compile(copy, self.path, "exec")


class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "ue_bench.config.run_config":
            loader = Loader(name, str(place))
            return importlib.util.spec_from_file_location(name, place, loader=loader)
        return None


sys.meta_path.insert(0, Finder())
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.cli.options import make_config
from ue_bench.config import MAY_DIFFER, RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import failure, parse_run

# flag, help and default
text = " ".join(CliRunner().invoke(main, ["run", "--help"]).output.split())
assert "--softness FLOAT How soft the targets are. [default: 0.5]" in text, text
assert "--colour TEXT Colour of the rows. [default: red]" in text, text
# what the options ask for
assert make_config(0, (), {"softness": 0.25, "colour": "green"}).softness == 0.25
# type, bounds and choices
for bad, words in (
    ({"softness": 1.0}, "at least 0 and below 1"),
    ({"softness": "x"}, "must be float"),
    ({"colour": "blue"}, "green, red"),
):
    try:
        RunConfig(**bad)
    except BenchError as error:
        assert words in str(error), error
    else:
        raise AssertionError(bad)
# completion
found = ShellComplete(main, {}, "ue-bench", "").get_completions(["run", "--colour"], "")
assert [item.value for item in found] == ["red", "green"], found
# id: at its default the field changes no id
assert RunConfig.from_stored({}).run_id == "44136fa355b3678a"
assert RunConfig(softness=0.25).run_id != RunConfig().run_id
# before: what is stored without the field has it, and that value changes no id
assert (RunConfig().warmth, RunConfig.from_stored({}).warmth) == (2, 0)
before = RunConfig.from_stored({}).to_dict()
assert RunConfig.from_dict(before).run_id == "44136fa355b3678a"
assert RunConfig.from_dict({**before, "warmth": 2}).without_defaults() == {"warmth": 2}
# schema: a record holds the field
config = RunConfig(softness=0.25)
record = failure(config, study="s", phase="grid", cause="input", error="no")
assert parse_run(record.to_json().encode(), "a file") == record
# group: arms may differ in a field of the strategy, and not in one of the recipe
assert "colour" in MAY_DIFFER
assert "softness" not in MAY_DIFFER
print("all found")
"""


def test_a_new_field_is_known_everywhere():
    done = subprocess.run([sys.executable, "-c", ADDED], capture_output=True, text=True)
    assert done.stdout == "all found\n", done.stderr


def test_every_field_has_a_setting():
    assert set(SETTINGS) == set(RunConfig.__dataclass_fields__)
    assert SEEDS == ("hash_seed", "init_seed", "batch_seed", "split_seed")
    assert {"strategy", "budget", "low_cardinality", "device"} < MAY_DIFFER
    assert not {"lr", "head", "split", *SEEDS} & MAY_DIFFER


def test_what_runs_did_before_a_field_is_a_value_of_the_field():
    declared = {name: k.before for name, k in SETTINGS.items() if k.before is not AS_DEFAULT}
    assert declared == {
        "region_cap": "none",
        "head_init": "default",
        "target_scale": "raw",
        "value_dropout": 0.0,
        "lr": 4e-3,
        "epochs": 40,
        "patience": 3,
        "stop_above": None,
        "average_epochs": 0.0,
    }
    for name, before in declared.items():
        assert getattr(RunConfig.from_stored({}), name) == before
        assert getattr(RunConfig(), name) != before, "a default needs no `before`"


@pytest.mark.parametrize("name", [name for name, known in SETTINGS.items() if known.help])
def test_help_is_a_sentence_that_names_the_choices(name):
    known = SETTINGS[name]
    assert known.help.endswith(".")
    if name == "regions":  # a strategy may leave no choice
        return
    assert all(choice in known.help for choice in known.choices)
