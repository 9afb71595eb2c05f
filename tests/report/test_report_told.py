"""A comparison in one sentence: which sizes, which verdict, how large."""

import fake_records as fake
import pytest

from ue_bench.report.evidence.compare import compare, told
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.prose import refresh

BASES = [0.90, 0.92, 0.89, 0.91, 0.90, 0.88, 0.93, 0.90, 0.91, 0.89]
ABOVE = {7_008: 0.05, 14_016: 0.03, 28_032: 0.0}  # what per_feature is worse


@pytest.fixture(scope="module")
def records():
    found = []
    for number, (budget, above) in enumerate(ABOVE.items()):
        own = [base + 0.0005 * ((-1) ** (seed // (1 + number))) for seed, base in enumerate(BASES)]
        found += fake.arm(own, "unified", budget)
        found += fake.arm([base + above for base in BASES], "per_feature", budget)
    return found


def test_the_sizes_of_a_verdict_stand_together_with_the_range_of_the_difference(records):
    rows = compare(records, "unified", "per_feature")
    sentence = told(rows, "unified", "per_feature")
    assert sentence.startswith(
        "On base (ml-100k, random split), unified is better than per_feature at 7.0 kB, 14 kB (-0.05"
    )
    assert "it cannot be told from per_feature at 28 kB (" in sentence
    assert sentence.endswith(".")


def test_the_other_way_round_it_is_worse(records):
    rows = compare(records, "per_feature", "unified")
    assert "per_feature is worse than unified at 7.0 kB, 14 kB" in told(
        rows, "per_feature", "unified"
    )


def test_a_page_has_the_sentence(records):
    page = "<!-- ue-bench: told fake unified per_feature -->\n<!-- end -->\n"
    made = refresh(page, Evidence(records))
    assert told(compare(records, "unified", "per_feature"), "unified", "per_feature") in made
