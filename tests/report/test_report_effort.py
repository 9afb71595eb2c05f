"""Equal effort is proved from the records of trials; an arm that was not searched like the others is refused."""

from dataclasses import replace
from functools import partial

import fake_searches as fake
import pytest
from study_data import study_of

from ue_bench.config.ranges import Between, UpTo, from_json, to_json
from ue_bench.errors import BenchError
from ue_bench.record import parse
from ue_bench.report.evidence.arms import collect
from ue_bench.report.evidence.edges import edges
from ue_bench.report.evidence.effort import efforts_of, faults_of
from ue_bench.report.evidence.summary import summarise
from ue_bench.report.evidence.trials import trials_of
from ue_bench.report.evidence.verdict import verdicts
from ue_bench.report.figures.sections.one_study import forms
from ue_bench.report.figures.sections.searches import optimism, range_ends
from ue_bench.report.page.conclusion import sentences
from ue_bench.study import Search


@pytest.fixture(scope="module")
def alike():
    """Both forms, separate tables under each rule, searched alike."""
    return fake.study(*fake.searches())


def labels(arms):
    return {arm.label.split(" [")[0] for arm in arms.kept}


def test_forms_that_were_searched_alike_are_compared(alike):
    arms = collect(alike)
    assert (arms.refused, arms.uneven) == ((), ())
    assert {arm.config["region_rule"] for arm in arms.kept} == {
        None,
        "proportional",
        "sqrt",
        "equal",
    }
    assert len(arms.kept) == 2 * 4  # the winner and the default of each


def test_the_runs_of_a_trial_are_one_trial(alike):
    search = [record for record in alike if record.phase == "search"]
    trials = trials_of(search)
    assert len(search) == 4 * 24 * 3
    assert len(trials) == 4 * 24
    assert len({trial.search for trial in trials}) == 4
    first = min(trials, key=lambda trial: trial.number)
    scores = [run.quality["val_mse"] for run in first.records]
    assert first.val_mse == pytest.approx(sum(scores) / 3)
    assert [run.config.init_seed for run in first.records] == [1000, 1001, 1002]
    without_one = [record for record in search if record is not first.records[1]]
    assert len(trials_of(without_one)) == 4 * 24 - 1


def test_a_trial_with_its_first_run_alone_is_held_against_the_best_on_the_same_seed(alike):
    """In a search with a margin. Elsewhere a trial with a missing run is none."""
    search = [record for record in alike if record.phase == "search"]

    def with_margin(record):
        facts = record.found["trial"] | {"margin": 0.02}
        return replace(record, found=record.found | {"trial": facts})

    search = [with_margin(record) for record in search]
    trials = trials_of(search)
    last = max(trials, key=lambda trial: trial.val_mse)
    short = [record for record in search if record not in last.records[1:]]
    found = {trial.run_id: trial for trial in trials_of(short)}
    best = min((one for one in trials if one.search == last.search), key=lambda one: one.val_mse)
    worse = last.records[0].quality["val_mse"] - best.records[0].quality["val_mse"]
    assert found[last.run_id].val_mse == pytest.approx(best.val_mse + worse)
    assert [one for one in found if one != last.run_id] == [
        trial.run_id for trial in trials if trial is not last
    ]


UNIFIED, *SEPARATE = fake.searches()
DIM = fake.SPACE["dim"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"trials": 12}, "its search has 12 trials, the others have 24"),
        (
            {"trial_seeds": 1},
            "its search has the seeds of a trial [1000], the others have [1000, 1001, 1002]",
        ),
        ({"startup": 20}, "its search has the trials at random 20, the others have 8"),
        (
            {"space": {**fake.SPACE, "dim": (4, 8, 16)}},
            "its search has the dim [4, 8, 16], the others have [",
        ),
    ],
)
def test_an_arm_that_was_not_searched_like_the_others_is_refused(change, reason):
    arms = collect(fake.study(replace(UNIFIED, **change), *SEPARATE))
    assert {arm.config["strategy"] for arm in arms.kept} == {"per_feature"}
    assert arms.refused
    for line in arms.refused:
        assert line.startswith("base (ml-100k, random split), after the search, on fresh seeds, ")
        assert f"at 14016 bytes: {reason}" in line


def test_an_arm_that_an_earlier_version_searched_at_random_is_refused(alike):
    records = []
    for record in alike:
        if record.config.strategy == "unified" and "trial" in record.found:
            trial = record.found["trial"] | {"sampler": "random"}
            record = replace(record, found=record.found | {"trial": trial})
        records.append(record)
    arms = collect(records)
    assert {arm.config["strategy"] for arm in arms.kept} == {"per_feature"}
    assert 'its search has the sampler "random", the others have "tpe"' in arms.refused[0]


def test_a_rule_that_was_searched_with_less_effort_is_refused_alone():
    less = replace(SEPARATE[0], trials=5)
    arms = collect(fake.study(UNIFIED, less, *SEPARATE[1:]))
    assert {arm.config["region_rule"] for arm in arms.kept} == {None, "sqrt", "equal"}
    assert all("(proportional) at 14016 bytes: its search has 5 trials" in r for r in arms.refused)


def test_a_search_without_the_default_is_refused(alike):
    default = [
        record
        for record in alike
        if record.config.strategy == "unified" and record.found.get("trial", {}).get("number") == 0
    ]
    assert len(default) == 3
    arms = collect([record for record in alike if record not in default])
    assert {arm.config["strategy"] for arm in arms.kept} == {"per_feature"}
    assert "its search did not begin with the default configuration" in arms.refused[0]


def test_a_size_at_which_a_form_was_not_searched_is_refused():
    small = [replace(s, base=replace(s.base, budget=7_008), against=()) for s in SEPARATE]
    records = fake.study(UNIFIED, *SEPARATE, *small)
    winner = next(r for r in records if r.phase == "confirm" and r.config.strategy == "unified")
    for seed in (100, 101, 102):
        config = replace(winner.config.with_seed(seed), budget=7_008)
        records.append(fake.fake.make(config, fake.NAME, "confirm", mse=0.9))
    (reason,) = collect(records).refused
    assert reason.endswith("at 7008 bytes: its form was searched at other sizes only")


def test_trials_that_cannot_work_are_tried_too():
    """A form of which few configurations work is given as many trials that do, or as many that do not."""

    for most in (8, 1):
        arms = collect(fake.study(UNIFIED, *SEPARATE, score=partial(narrow, most)))
        assert arms.refused == ()
    assert labels(arms) == {"unified 2×8", "unified 2×16"}  # of the others nothing works


def narrow(most, config):
    if config.strategy == "per_feature" and config.dim > most:
        return None
    return fake.score(config)


def test_a_space_that_is_used_up_has_no_more_trials():
    space = {"dim": (4, 8, 16)}
    records = fake.study(
        replace(UNIFIED, space=space), *(replace(s, space=space) for s in SEPARATE)
    )
    assert {effort.ended_well for effort in efforts_of(records)} == {3}
    assert collect(records).refused == ()


@pytest.mark.slow
def test_a_lookup_of_two_numbers_needs_no_dim_of_one():
    usual = {**fake.SPACE, "dim": (1, 2, 4, 8, 16)}
    *hashed, other = [
        replace(search, space=usual)
        for search in fake.searches(["unified", "per_feature", "hashed_net"])[:5]
    ]
    without_one = replace(other, space={**fake.SPACE, "dim": (2, 4, 8, 16)})
    assert collect(fake.study(*hashed, without_one)).refused == ()
    for dims in ((4, 8, 16), (1, 2, 4, 8), (1, 8, 16)):
        wrong = replace(other, space={**fake.SPACE, "dim": dims})
        assert f"the dim {list(dims)}, the" in collect(fake.study(*hashed, wrong)).refused[0]


def test_a_search_that_gives_up_as_no_other_does_is_refused():
    alike = [replace(search, margin=0.004, give_up=(8, 0.12)) for search in fake.searches()]
    assert collect(fake.study(*alike)).refused == ()
    first, *others = alike
    reason, *_ = collect(fake.study(replace(first, give_up=(2, 0.004)), *others)).refused
    assert "its search has the rule of giving up [2, 0.004], the others have [8, 0.12]" in reason


@pytest.fixture(scope="module")
def with_bits():
    """Searches of both forms that choose the bits, too, and whose trials may give up."""
    space = {**fake.SPACE, "bits": ("int2", "float32", "int4")}
    found = []
    for search in fake.searches():
        base = replace(search.base, bits="int2")
        terms = {"margin": 0.004, "give_up": (8, 0.12)}
        found.append(replace(search, base=base, space=space, against=(), **terms))

    def score(config):
        worse = {"int2": 0.01, "float32": 0.02, "int4": 0.03 * (config.strategy == "unified")}
        return fake.score(config) + worse[config.bits]

    return fake.study(*found, score=score)


def test_bits_that_a_search_chose_are_in_no_name_of_a_form(with_bits):
    """Forms are one line over all sizes, and are compared in the bits that suit each."""
    arms = collect(with_bits)
    assert {arm.config["bits"] for arm in arms.kept} == {"int2", "int4"}
    assert {arm.group for arm in arms.kept} == {"unified", "per_feature"}
    assert any(" int4 " in arm.label for arm in arms.kept)
    frame = forms.tidy(study_of(arms.kept))
    assert list(frame["strategy"]) == ["per_feature / unified"]


def test_a_sentence_names_the_form_of_a_winner_and_its_bits(with_bits):
    """Where it stands for its form alone; two arms of one form are told by their labels."""
    kept = collect(with_bits).kept
    summary = summarise(kept)
    said = "\n".join(sentences(summary, verdicts(kept, summary)))
    assert "names **unified int2**" in said
    (winner,) = [arm for arm in kept if arm.group == "unified"]
    assert winner.label not in said
    other = replace(winner, label="another", config=winner.config | {"dim": 1})
    summary = summarise([*kept, other])
    said = "\n".join(sentences(summary, verdicts([*kept, other], summary)))
    assert "names **another**" in said
    assert "Pareto front of MSE and total bytes (vocabulary: dictionary): another" in said


def test_a_winner_whose_first_run_could_have_given_up_is_found_by_its_search(with_bits):
    trials = [run for run in with_bits if run.phase == "search"]
    assert any(run.config.give_up_epochs for run in trials)
    arms = collect(with_bits)
    assert all(arm.found_by is not None for arm in arms.kept)
    assert any(arm.search_variance("val_mse") > 0 for arm in arms.kept)
    told = optimism.tidy(study_of(arms.kept, arms.search))
    assert set(told["strategy"]) >= {"unified"}


@pytest.mark.slow
def test_exact_rows_need_no_lookups_in_their_space():
    lookups = {**fake.SPACE, "lookups.gender": (1, 2), "lookups.age": (1, 2)}
    hashed = [
        replace(s, space=lookups, base=replace(s.base, lookups=1), against=())
        for s in fake.searches()
    ]
    (exact,) = fake.searches(["mixed_dimension"])
    arms = collect(fake.study(*hashed, exact))
    assert arms.refused == ()
    assert "mixed_dimension" in {arm.config["strategy"] for arm in arms.kept}
    (other,) = fake.searches(["hashed_net"])[:1]
    (reason, *_) = collect(fake.study(*hashed, other)).refused
    assert "hashed_net" in reason
    assert 'its search has the lookups {}, the others have {"lookups.age"' in reason


def test_a_search_of_exact_rows_of_which_nothing_came_is_not_told_to_need_lookups():
    lookups = {**fake.SPACE, "lookups.gender": (1, 2), "lookups.age": (1, 2)}
    hashed = [replace(s, space=lookups, base=replace(s.base, lookups=1)) for s in fake.searches()]
    (exact,) = fake.searches(["int4"])
    efforts = efforts_of(
        fake.study(
            *hashed,
            exact,
            score=lambda config: None if config.strategy == "int4" else fake.score(config),
        )
    )
    (nothing,) = [effort for effort in efforts if effort.form[0] == "int4"]
    assert nothing.ended_well == 0
    assert set(faults_of(efforts)) == {None}


def test_trials_of_earlier_versions_are_not_judged(alike):
    """Their records have neither the seeds of a trial nor its default."""

    def earlier(record):
        facts = record.found.get("trial")
        if facts is None:
            return record
        kept = {name: facts[name] for name in facts if name not in ("seeds", "default", "startup")}
        return replace(record, found=record.found | {"trial": kept})

    few = [
        r
        for r in alike
        if r.config.strategy != "unified" or r.found.get("trial", {}).get("number", 0) < 9
    ]
    records = [earlier(record) for record in few]
    assert efforts_of(records) == []
    assert collect(records).refused == ()


# --- what the report tells of searches


def test_the_optimism_of_each_search_has_its_winner_and_the_gain_over_the_default(alike):
    arms = collect(alike)
    frame = optimism.tidy(study_of(arms.kept, arms.search)).set_index("strategy")
    assert set(frame.index) == {
        "unified",
        "per_feature (proportional)",
        "per_feature (sqrt)",
        "per_feature (equal)",
    }
    assert set(zip(frame["trials"], frame["trial_seeds"], frame["n"], strict=True)) == {(24, 3, 3)}
    row = frame.loc["unified"]
    # The seeds of a trial are 1000 to 1002, of which 7 leaves 6, 0, 1; those of confirmation 100 to 102: 2, 3, 4.
    assert row["test"] == pytest.approx((6 + 0 + 1) / 3000 - (2 + 3 + 4) / 3000)
    assert row["optimism"] == pytest.approx(row["test"])
    winner = min(fake.score(replace(fake.BASE, dim=dim, dropout=0.3)) for dim in DIM)
    assert row["gain"] == pytest.approx(fake.score(fake.BASE) - winner)
    lines = optimism.table(frame.reset_index())
    assert "Mean optimism over 4 searches" in lines[0]
    assert "and better in 4 of 4." in lines[0]
    assert "24 × 3" in lines[-3]


def test_the_two_forms_are_compared_where_a_grid_stands_beside_the_searches(alike):
    arms = collect(alike)
    frame = forms.tidy(study_of(arms.kept))
    (row,) = frame.to_dict("records")
    assert (row["panel"], row["multiplexing"]) == (
        "base (ml-100k, random split), after the search, on fresh seeds",
        "better",
    )
    assert "(equal)" in row["separate_label"]  # the best rule on validation
    assert forms.table(frame)[0] == (
        "- base (ml-100k, random split), after the search, on fresh seeds, each form in its variant that "
        f"is best on validation: multiplexing is better at {row['title']} (Holm-corrected over 1 comparisons)."
    )


def test_winners_on_an_end_of_a_range_are_counted(alike):
    frame = edges(efforts_of(alike)).set_index("knob")
    assert list(frame.index) == ["dim", "dropout"]
    assert tuple(frame.loc["dim", ["winners", "on_low", "on_high", "share"]]) == (4, 0, 0, 0.0)
    assert frame.loc["dim", "by_chance"] == pytest.approx(2 / 5)
    assert frame.loc["dropout", "by_chance"] == pytest.approx(1 / 6)  # nothing lies below 0
    lowest = fake.study(UNIFIED, score=lambda config: 0.9 + config.dropout + config.dim / 100)
    frame = edges(efforts_of(lowest)).set_index("knob")
    assert tuple(frame["on_low"]) == (1, 0)
    assert tuple(frame["share"]) == (1.0, 0.0)
    space = {"dropout": Between(0.29, 0.9), "lr": Between(1e-3, 1e-2, log=True)}
    pinned = fake.study(
        replace(UNIFIED, space=space, trials=40), score=lambda c: 0.9 + abs(c.dropout - 0.2)
    )
    frame = edges(efforts_of(pinned)).set_index("knob")
    assert tuple(frame.loc["dropout", ["low", "high", "on_low", "on_high"]]) == (0.29, 0.9, 1, 0)
    assert frame.loc["dropout", "kind"] == "recipe"
    table = range_ends.table(range_ends.tidy(study_of(search=pinned)))
    assert table[0].startswith("Of 2 choices of recipe and numbers of a lookup that won a search, ")
    assert any(line.startswith("| dropout | 0.29 to 0.9 | 1 | 1 | 0 | 100% |") for line in table)


def test_a_knob_of_a_method_and_lookups_have_kinds_of_their_own():
    base = replace(fake.BASE, strategy="robe", lookups=1)
    space = {"options.block": UpTo("dim", (2, 4, 8)), "lookups.age": (1, 2, 3), "dim": (8, 16)}
    search = Search(base, space, trials=6, best=1, seeds=1)
    frame = edges(efforts_of(fake.run(search))).set_index("knob")
    assert dict(frame["kind"]) == {"dim": "recipe", "lookups": "lookups", "robe: block": "own knob"}


@pytest.mark.parametrize(
    "allowed",
    [(1, 2, 4), (None, "a"), Between(0.1, 2.0), Between(1e-3, 1.0, log=True), UpTo("dim", (1, 2))],
)
def test_what_a_knob_may_be_is_read_as_it_was_written(allowed):
    assert from_json(to_json(allowed)) == allowed


@pytest.mark.parametrize(
    "content",
    [
        {"low": 1},
        {"limit": "dim"},
        3,
        {"low": 2, "high": 1, "log": False},
        {"low": "a", "high": 1, "log": False},
    ],
)
def test_what_no_search_wrote_is_one_line(content):
    with pytest.raises(
        BenchError, match=r"the space of a search has|the first must be the smaller"
    ):
        from_json(content)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"default": None}, "found.trial.default is missing"),
        ({"space": "digest"}, "found.trial.space: fields by name are expected"),
        ({"space": {"dim": {"limit": "lr", "values": ["a"]}}}, "values up to lr: 'a' was given"),
        ({"seeds": []}, "found.trial.seeds"),
    ],
)
def test_a_record_of_a_trial_that_no_search_can_have_is_none(alike, change, told):
    trial = next(record for record in alike if record.phase == "search")
    facts = trial.found["trial"] | change
    facts = {name: value for name, value in facts.items() if value is not None or name == "total"}
    spoiled = replace(trial, found=trial.found | {"trial": facts})
    assert parse(trial.to_json().encode(), "here") == trial
    with pytest.raises(BenchError, match=told):
        parse(spoiled.to_json().encode(), "here")
