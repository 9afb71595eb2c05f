"""Earlier verdicts against what records say now: which stood, flipped, or cannot be told."""

from pathlib import Path

import fake_records as fake
import pytest

from ue_bench.errors import BenchError
from ue_bench.report.evidence.comparison import Comparison
from ue_bench.report.evidence.earlier_verdicts import (
    FILE,
    FLIPPED,
    GAINED,
    GONE,
    LOST,
    STILL,
    STOOD,
    Earlier,
    Outcome,
    counts,
    fates,
    read,
)
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page import verdict_fates
from ue_bench.report.page.prose import refresh

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
SCOPE = Comparison(
    study="fake",
    dataset="ml-100k",
    features="base",
    split="random",
    head="mlp",
    phase="all",
    task="regression",
)


def earlier(verdict, budget=14_016, other="per_feature"):
    return Earlier(SCOPE, budget, "unified", other, 5, Outcome(-0.01, -0.02, -0.001, verdict))


def now(difference, noise=0.001, seeds=10, budget=14_016):
    """Records in which unified is so much better than separate tables."""
    records = []
    for seed in range(seeds):
        wobble = noise * (-1) ** seed
        for strategy, mse in (("unified", 0.9 + wobble), ("per_feature", 0.9 + difference)):
            config = fake.config(strategy, budget=budget, seed=seed, measure="quality")
            records.append(fake.make(config, mse=mse))
    return Evidence(records)


@pytest.mark.parametrize(
    ("verdict", "difference", "fate"),
    [
        ("better", 0.02, STOOD),
        ("better", -0.02, FLIPPED),
        ("worse", 0.02, FLIPPED),
        ("worse", -0.02, STOOD),
        ("better", 0.0001, LOST),
        ("cannot tell", 0.02, GAINED),
        ("cannot tell", 0.0001, STILL),
    ],
)
def test_what_becomes_of_a_verdict(verdict, difference, fate):
    (found,) = fates([earlier(verdict)], now(difference), "fake")
    assert found.fate == fate
    assert found.now.difference == pytest.approx(-difference, abs=1e-9)


def test_what_was_not_measured_again():
    evidence = now(0.02)
    verdicts = [earlier("better", budget=7_008), earlier("better", other="robe")]
    assert [fate.fate for fate in fates(verdicts, evidence, "fake")] == [GONE, GONE]
    elsewhere = replace_study(earlier("better"), "other")
    assert fates([elsewhere], evidence, "fake") == []
    assert [fate.fate for fate in fates([elsewhere], evidence, "other")] == [GONE]


def replace_study(verdict, study):
    return verdict._replace(comparison=verdict.comparison._replace(study=study))


def test_the_lines_count_fates_and_show_what_changed():
    found = fates([earlier("better"), earlier("better", budget=7_008)], now(-0.02), "fake")
    assert counts(found)[FLIPPED] == 1
    text, *table = verdict_fates.lines(found)
    assert "1 said better or worse and were measured again: 0 stood, 1 flipped" in text
    assert text.endswith("1 were not measured again.")
    assert table[-1].startswith("| base (ml-100k, random split) | 14 kB | unified against per_")
    assert table[-1].endswith("| flipped |")
    assert "better, -0.0100 [-0.0200, -0.0010]" in table[-1]
    assert "worse, +0.0200" in table[-1]
    stood = verdict_fates.lines(fates([earlier("better")], now(0.02), "fake"))
    assert len(stood) == 1
    assert verdict_fates.lines([]) == []


def test_they_are_a_block_of_a_document():
    block = "<!-- ue-bench: earlier fake -->\n<!-- end -->"
    made = refresh(block, now(0.02), earlier=[earlier("better")])
    assert "Of 1 earlier verdicts" in made
    with pytest.raises(BenchError, match="names what no record has"):
        refresh(block, now(0.02))


def test_the_published_file_is_read():
    verdicts = read(PUBLISHED)
    assert len(verdicts) == 336
    assert {verdict.outcome.verdict for verdict in verdicts} == {"better", "worse", "cannot tell"}
    assert len({verdict[:4] for verdict in verdicts}) == len(verdicts)
    assert {verdict.one for verdict in verdicts} == {"unified"}


@pytest.mark.parametrize(
    "spoil", [("better", "splendid"), ("budget", "bytes"), ("0.1", "much"), ("0.1", "9" * 200_000)]
)
def test_a_file_that_is_none(tmp_path, spoil):
    assert read(tmp_path) == ()
    text = (PUBLISHED / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace(*spoil))
    with pytest.raises(BenchError, match="not a file of earlier verdicts"):
        read(tmp_path)
