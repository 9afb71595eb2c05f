"""Published arms have enough seeds, and a noise that is known."""

from dataclasses import replace

import fake_records as fake
import pytest

from ue_bench.cli import seed_laws
from ue_bench.cli.check import check
from ue_bench.report.evidence.arms import collect


def arms(seeds, split="random", keep=True, study="s", features="base"):
    made = []
    for strategy, mse in (("unified", 0.9), ("per_feature", 0.95)):
        scores = [mse + 0.001 * seed for seed in range(seeds)]
        for record in fake.arm(scores, strategy, split=split, features=features):
            record = replace(record, study=study)
            made.append(fake.with_groups(record) if keep else record)
    return made


def faults(records, quoted=()):
    return list(seed_laws.faults(collect(records).kept, quoted, records))


def test_ten_seeds_are_enough_and_nine_are_not():
    assert faults(arms(10)) == []
    (fault,) = faults(arms(9))
    assert fault == (
        "base (ml-100k, random split), study s: 2 of 2 arms have fewer than 10 seeds, such as "
        "per_feature 1×16 (proportional) with 9"
    )


def test_where_a_seed_varies_alone_all_runs_count():
    def varied(count):
        runs = []
        for record in arms(3):
            for number in range(count):
                config = replace(record.config, hash_seed=7 + number)
                runs.append(replace(record, config=config, run_id=config.run_id))
        return runs

    kept = collect(arms(3)).kept
    assert list(seed_laws.faults(kept, (), arms(3) + varied(3))) == []
    (fault,) = seed_laws.faults(kept, (), arms(3) + varied(1))
    assert "2 of 2 arms have fewer than 10 seeds" in fault


def test_a_headline_needs_twenty():
    (fault,) = faults(arms(19), quoted={"s"})
    assert "2 of 2 arms have fewer than 20 seeds" in fault
    assert faults(arms(20), quoted={"s"}) == []
    assert faults(arms(19), quoted={"other"}) == []
    assert faults(arms(19, features="wide"), quoted={"s"}) == [], "a stress carries no headline"


def test_one_run_alone_and_records_of_earlier_versions_are_not_judged():
    assert faults(arms(1)) == []
    assert faults(arms(3, keep=False)) == []


def test_arms_on_other_rows_are_named():
    first, *others = arms(10, split="user_temporal")
    groups = {**first.quality["groups"]["test"], "rows": "ff"}
    first = replace(first, quality=first.quality | {"groups": {"test": groups}})
    (fault,) = faults([first, *others])
    assert fault.endswith(
        "study s: its differences have no interval: the arms are scored on other rows"
    )
    assert faults(arms(10, split="user_temporal")) == []


@pytest.mark.parametrize(("name", "is_quoted"), [("README.md", True), ("page.md", False)])
def test_what_a_readme_quotes_is_a_headline(tmp_path, name, is_quoted):
    fake.write_all(tmp_path / "results", iter(arms(12, study="table_size")))
    (tmp_path / name).write_text("<!-- ue-bench: table table_size -->\n<!-- end -->\n")
    found = check(tmp_path / "results", [tmp_path / name])
    assert any("fewer than 20 seeds" in fault for fault in found) == is_quoted
