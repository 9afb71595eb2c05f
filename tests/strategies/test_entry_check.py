"""An entry of a plug-in that can never run is refused in one line as it is added."""

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner

from ue_bench import plugins, strategies
from ue_bench.cli import main
from ue_bench.errors import BenchError
from ue_bench.strategies import STRATEGIES, Entry
from ue_bench.strategies.entry_check import check_entry, check_method
from ue_bench.strategies.registry import GROUP

pytestmark = pytest.mark.usefixtures("list_is_put_back")

FILE = """
import os
from ue_bench.config.ranges import Between, UpTo
from ue_bench.strategies import EmbeddingStrategy, Entry
from ue_bench.strategies.methods.hashing_trick import HashingTrick

class Mine(HashingTrick):
    knobs = {"depth": 1, "share": 0.5}

class NoEmbed(EmbeddingStrategy):
    def locate(self, feature, values):
        return None

class OddKnobs(HashingTrick):
    knobs = {"what": object()}

class ShortRepr:
    def __repr__(self):
        raise ValueError

IMPLEMENTATION, MORE = %s
STRATEGIES = {
    "mine": Entry(
        **({"implementation": IMPLEMENTATION, "regions": ("multiplexed",), "summary": "s", "source": "x"} | MORE)
    )
}
"""
WRONG = {  # the class and the other fields of an entry, and what the line says of them
    "a forgotten comma": (
        "Mine, {'regions': ('multiplexed')}",
        "regions 'multiplexed' was given; it must be a tuple of some of multiplexed, separate",
    ),
    "no regions": ("Mine, {'regions': ()}", "regions () was given"),
    "unknown regions": ("Mine, {'regions': ('nope',)}", "regions ('nope',) was given"),
    "regions twice": ("Mine, {'regions': ('exact', 'exact')}", "regions ('exact', 'exact') was"),
    "no text": ("Mine, {'summary': 5}", "summary 5 was given; it must be a text"),
    "no source": ("Mine, {'source': None}", "source None was given; it must be a text"),
    "why as a switch": ("Mine, {'float_only': True}", "float_only True was given; it must be a te"),
    "a switch as a text": ("Mine, {'grows': 'no'}", "grows 'no' was given; it must be True or"),
    "shapes": ("Mine, {'shapes': (2, 8)}", "shapes (2, 8) was given; it must be pairs"),
    "no shapes": ("Mine, {'shapes': ()}", "shapes () was given; it must be pairs"),
    "unknown bits": (
        "Mine, {'numbers': {'bits': 'int99'}}",
        "numbers['bits'] 'int99' was given; it must be one of float32, float16, int8",
    ),
    "unknown format": ("Mine, {'numbers': {'bit': 'int8'}}", "numbers has the field 'bit'; it may"),
    "warm-up": ("Mine, {'numbers': {'bits_warm_up': -1}}", "numbers['bits_warm_up'] -1 was given"),
    "numbers as a text": ("Mine, {'numbers': 'int8'}", "numbers 'int8' was given; it must be a d"),
    "none": ("None, {}", "implementation None was given; it must be a class or a path"),
    "a function": ("lambda spec: 5, {}", "it must be a class or a path"),
    "a value that raises": ("ShortRepr(), {}", "implementation a ShortRepr was given"),
    "another class": (
        "dict, {}",
        "<class 'dict'> was given; it must be a class derived from Embed",
    ),
    "no embed": ("NoEmbed, {}", "NoEmbed has no embed; write it"),
    "a function's path": ("'os:system', {}", "it must be a class derived from EmbeddingStrategy"),
    "no module": ("'nope.nope:X', {}", "implementation 'nope.nope:X' cannot be loaded (ModuleNotF"),
    "no such name": ("'os:nope', {}", "implementation 'os:nope' cannot be loaded (AttributeError"),
    "no path": ("'os.system', {}", "implementation 'os.system' was given; it must be a class or"),
    "odd knobs": ("OddKnobs, {}", "OddKnobs.knobs {'what': <object object at"),
    "an unknown fixed knob": (
        "Mine, {'fixed': {'zz': 1}}",
        "fixed has the knob 'zz'; the method has depth, share; take it out, or add it",
    ),
    "a fixed knob of another kind": (
        "Mine, {'fixed': {'depth': 'deep'}}",
        "fixed['depth'] 'deep' was given; it must be int, as the default 1 of the knob is",
    ),
    "a fixed object": ("Mine, {'fixed': {'depth': object()}}", "fixed['depth'] <object object at"),
    "a searched unknown knob": (
        "Mine, {'search': {'zz': (1, 2)}}",
        "search has the knob 'zz'; the",
    ),
    "a generator": (
        "Mine, {'search': {'depth': (x for x in (1, 2))}}",
        "search['depth'] <generator object <genexpr> at",
    ),
    "an empty search": ("Mine, {'search': {'depth': ()}}", "search['depth'] () was given; it must"),
    "no number": ("Mine, {'search': {'share': (float('nan'), 1.0)}}", "search['share'] (nan, 1.0)"),
    "another kind": (
        "Mine, {'search': {'depth': (1, 0.5)}}",
        "search['depth'] 0.5 was given; it m",
    ),
    "a range of whole numbers": (
        "Mine, {'search': {'depth': Between(1, 3)}}",
        "search['depth'] is a range and the default of the knob is 1; give values in a tuple",
    ),
    "an unknown limit": (
        "Mine, {'search': {'depth': UpTo('dime', (1, 2))}}",
        "the limit of search['depth'] 'dime' was given; it must be the name of a field",
    ),
    "a limit of no knob": (
        "Mine, {'search': {'depth': UpTo('options.zz', (1, 2))}}",
        "the limit of search['depth'] 'options.zz' was given",
    ),
    "searched and fixed": (
        "Mine, {'fixed': {'depth': 1}, 'search': {'depth': (1, 2)}}",
        "search has the knob depth, which fixed gives a value; take it out of one of them",
    ),
    "a long value": ("'x' * 10**6, {}", "xxx... was given; it must be a class or a path"),
}
RIGHT = {
    "lists": "Mine, {'regions': ['separate', 'multiplexed'], 'search': {'depth': [1, 2]}}",
    "ranges": "Mine, {'search': {'share': Between(0.1, 0.9), 'depth': UpTo('dim', (1, 2))}}",
    "a whole number for a float": "Mine, {'search': {'share': (0, 0.5)}, 'fixed': {'depth': 2}}",
    "numbers": "Mine, {'numbers': {'bits': 'int8', 'bits_step': 'row', 'bits_warm_up': 2}}",
    "a path": "'ue_bench.strategies.methods.hashing_trick:HashingTrick', {}",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_entry_is_one_line(tmp_path, what):
    content, said = WRONG[what]
    path = tmp_path / "mine.py"
    path.write_text(FILE % content)
    done = CliRunner().invoke(main, ["check-strategy", str(path)])
    assert done.exit_code == 2, done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: plugin {path}: mine: ")
    assert said in line
    assert len(line) < 500
    assert "mine" not in STRATEGIES


@pytest.mark.parametrize("what", RIGHT)
def test_a_right_entry_is_added(tmp_path, what):
    path = tmp_path / "mine.py"
    path.write_text(FILE % RIGHT[what])
    assert strategies.load_plugin(path).keys() == {"mine"}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_strategies_of_the_package_are_right(name):
    entry = STRATEGIES[name]
    check_entry(entry, name)
    check_method(entry, name)


def installed(monkeypatch, entry):
    point = EntryPoint("theirs", "package.module:ENTRY", GROUP)
    monkeypatch.setattr(plugins, "entry_points", lambda group: [point] if group == GROUP else [])
    monkeypatch.setattr(EntryPoint, "load", lambda self: entry)


def test_the_method_of_an_installed_package_is_checked_when_it_is_asked_for(monkeypatch):
    installed(monkeypatch, Entry("nope.nope:X", ("multiplexed",), "s", "x"))
    assert "theirs" in strategies.all_strategies()
    for _ in range(2):
        with pytest.raises(BenchError, match=r"entry point package.module:ENTRY: theirs: impl"):
            strategies.entry_of("theirs")


def test_an_entry_of_an_installed_package_is_checked_as_it_is_listed(monkeypatch):
    installed(monkeypatch, Entry("nope.nope:X", ("nope",), "s", "x"))
    with pytest.raises(BenchError, match=r"theirs: regions \('nope',\) was given"):
        strategies.all_strategies()


def test_a_list_with_an_installed_package_loads_no_torch():
    program = """
import sys
from importlib.metadata import EntryPoint
from ue_bench import plugins
from ue_bench.strategies import Entry, all_strategies
path = "ue_bench.strategies.methods.hashing_trick:HashingTrick"
plugins.entry_points = lambda group: [EntryPoint("theirs", "package.module:ENTRY", group)]
EntryPoint.load = lambda self: Entry(path, ("multiplexed",), "s", "x")
assert "theirs" in all_strategies()
print("torch" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
