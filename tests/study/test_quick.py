"""Every study has a short form, which is smaller; a stranger's study that has none says what to do."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from ue_bench.cli import main
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study import Grid, Study, find, names
from ue_bench.study.plan import Plan

MOST_RUNS = 200  # of a short form: minutes on two cores


def epochs_of(part):
    """The runs of a part, and all their epochs at the most."""
    if isinstance(part, Grid):
        n_runs = len(part.arms) * max(1, len(part.compressions)) * part.seeds
        return n_runs, sum(arm.epochs for arm in part.arms) * n_runs // len(part.arms)
    n_runs = part.trials * part.trial_seeds + (part.best + len(part.against)) * part.seeds
    return n_runs, n_runs * part.base.epochs


def total(parts):
    runs = epochs = 0
    for part in parts:
        own_runs, own_epochs = epochs_of(part)
        runs += own_runs
        epochs += own_epochs
    return runs, epochs


@pytest.mark.parametrize("name", names())
def test_every_study_has_a_short_form_that_is_smaller(name):
    study = find(name)
    runs, epochs = total(study.asked(quick=True))
    all_runs, all_epochs = total(study.parts)
    assert runs <= min(all_runs, MOST_RUNS)
    assert 0 < epochs <= all_epochs / 2
    assert Plan(name, study, quick=True).name == f"{name}-quick"


STRANGER = """
from ue_bench.config import RunConfig
from ue_bench.study import Grid, Study

STUDY = Study("how?", (Grid((RunConfig(budget=1000),)),))
"""


def test_a_study_without_a_short_form_says_what_to_declare(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(STRANGER)
    line = ["study", str(path), "--quick", "--results", str(tmp_path / "results")]
    done = CliRunner().invoke(main, line)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[1:] == [
        "Error: --quick: this study declares no short form; run it without --quick, or declare one: "
        "Study(..., quick=(Grid(...),))"
    ]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["default", "lookup_allocation"])
def test_a_short_form_follows_the_features_of_another_data_set(name):
    base = {"country": 9, "hour": 24}
    wide = base | {"country*hour": 200}
    quick = find(name).on(base, wide).quick
    searched = {feature for part in quick for feature in getattr(part, "features", ())}
    assert searched
    assert searched <= set(wide)


def test_a_study_that_declares_its_short_form_by_features_has_it():
    def of_features(base, wide):
        return (Grid(tuple(RunConfig(lookups={name: 2}, budget=1000) for name in base)),)

    study = Study("?", (Grid((RunConfig(budget=1000),)),), quick_of_features=of_features)
    (grid,) = study.on({"a": 2, "b": 3}, {}).asked(quick=True)
    assert len(grid.arms) == 2


def test_only_claims_that_the_short_form_can_answer_are_judged():
    study = find("known-answer")
    plan = Plan("known-answer", study, quick=True)
    assert [one.name for one in plan.scenarios] == ["no-collisions", "second-lookup"]
    assert len(Plan("known-answer", study).scenarios) == len(study.scenarios) == 8


def test_rivals_are_searched_alike_in_a_short_form_too():
    (first, second, *_) = find("methods").quick
    with pytest.raises(BenchError, match="are not alike"):
        Study("?", (Grid((RunConfig(),)),), quick=(first, replace(second, trials=9)))
