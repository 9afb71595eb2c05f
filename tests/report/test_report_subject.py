"""What figures are about is named and drawn on top, however it ranks: the default, and plug-ins."""

import fake_records as fake
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.summary import score, summarise
from ue_bench.report.figures import chosen_lines, style

METHODS = ("hashed_net", "robe", "compositional", "multi_hash_sum")
FAMILIES = [("unified", "multi_hash_sum"), ("hashed_net", "robe", "compositional")]


@pytest.fixture(scope="module")
def arms():
    records = []
    for place, method in enumerate((*METHODS, "mine", "unified")):
        scores = [0.8 + 0.02 * place + 0.001 * seed for seed in range(3)]
        records += fake.arm(scores, method, 7_008)
    return collect(records).kept


def test_it_is_named_though_it_is_last(arms):
    scored = score(summarise(arms))
    with style.families(FAMILIES):
        named = chosen_lines.named(scored, 2, by="group")
    assert {name.partition(" ")[0] for name in named} == {"hashed_net", "robe", "unified", "mine"}
    assert chosen_lines.named(scored, 2, by="group") < named, "nothing is known of families here"


def test_it_is_drawn_over_the_others():
    with style.families(FAMILIES):
        looks = style.looks([(name, name) for name in (*METHODS, "mine", "unified")])
    assert {name for name, look in looks.items() if look.on_top} == {"mine", "unified"}
    axes = Figure().subplots()
    line = pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0], "hollow": False})
    heights = {}
    for name in ("hashed_net", "mine", "unified"):
        n_before = len(axes.lines)
        style.points(axes, line, "x", "y", looks[name])
        heights[name] = [drawn.get_zorder() for drawn in axes.lines[n_before:]]
    assert min(heights["mine"]) > max(heights["hashed_net"])
    assert heights["mine"] == heights["unified"]


def test_features_and_sizes_are_no_subject():
    with style.families(FAMILIES):
        looks = style.looks([("age", "age"), ("unified", "unified")], of_strategies=False)
    assert not any(look.on_top for look in looks.values())
