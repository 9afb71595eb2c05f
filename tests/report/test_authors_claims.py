"""What authors say of a method stands beside its distance from exact rows."""

import fake_records as fake
import pytest

from ue_bench.errors import BenchError
from ue_bench.report.evidence.against_exact import against_exact
from ue_bench.report.evidence.compare import scored_arms
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.prose import refresh
from ue_bench.strategies import STRATEGIES
from ue_bench.strategies.claims import CLAIMS, claims

PAGE = "<!-- ue-bench: authors fake -->\n<!-- end -->\n"
BASES = [0.90, 0.92, 0.89, 0.91, 0.90, 0.88, 0.93, 0.90, 0.91, 0.89]
SAID = {"unified": "the same with a tenth (their data)", "robe": "with a hundredth (other data)"}


@pytest.fixture(scope="module")
def records():
    found = fake.arm(BASES, "collisionless", None)
    for budget, above in {7_008: 0.05, 28_032: 0.0}.items():
        own = [base + above + 0.0005 * ((-1) ** seed) for seed, base in enumerate(BASES)]
        found += fake.arm(own, "unified", budget)
    found += fake.arm([base + 0.1 for base in BASES], "per_feature", 28_032)
    return found


def test_each_strategy_is_compared_with_the_exact_rows(records):
    frame = against_exact(scored_arms(records))
    found = {(row.strategy, row.budget): row for row in frame.itertuples()}
    assert set(found) == {("unified", 7_008), ("unified", 28_032), ("per_feature", 28_032)}
    assert found["unified", 7_008].difference == pytest.approx(0.05)
    assert found["unified", 7_008].told_apart
    assert found["unified", 28_032].difference == pytest.approx(0.0, abs=1e-3)
    assert not found["unified", 28_032].told_apart
    assert set(frame["tests"]) == {3}


def test_a_page_has_the_claim_beside_the_difference(records):
    lines = refresh(PAGE, Evidence(records), claims=SAID).splitlines()
    assert "Told apart from exact rows: 1 of 1 at 7.0 kB (1/32), 0 of 1 at 28 kB (1/8)." in lines
    row = next(line for line in lines if line.startswith("| unified "))
    claim, low, high = row.strip("| ").split(" | ")[1:]
    assert claim == SAID["unified"]
    assert low.startswith("+0.0500 [")
    assert not low.endswith("=")
    assert high.endswith(" =")
    assert not any("per_feature" in line or "robe" in line for line in lines)
    assert any("Holm's correction is over 3 tests" in line for line in lines)


def test_without_exact_rows_or_claims_there_is_nothing_to_say(records):
    budgeted = [record for record in records if record.config.budget is not None]
    for some, said in ((budgeted, SAID), (records, {})):
        with pytest.raises(BenchError, match="names what no record has"):
            refresh(PAGE, Evidence(some), claims=said)


def test_each_claim_is_of_a_source_of_the_list():
    assert CLAIMS.keys() <= {entry.source for entry in STRATEGIES.values()}
    assert claims()["unified"] == CLAIMS[STRATEGIES["unified"].source]
    assert "hashed_bits" not in claims()  # a strategy of this package has no authors but us
