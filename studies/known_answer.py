"""Does the harness find the order that theory fixes, in worlds whose ratings were planted?

Command: ue-bench study known-answer --workers 2
Cost: 347 runs; with --quick 100 runs of two scenarios.
Expect: every scenario passes, with any --seed; where one does not, the exit code is 1.
The worlds, the formulas and why theory fixes each order: docs/known-answer.md.
"""

from dataclasses import replace

from ue_bench.config import RunConfig
from ue_bench.data.synthetic import WORLDS, lost_variance, rows_in_use
from ue_bench.study import Scenario, Study

RULES = ("proportional", "sqrt", "equal")
# The recipe of these worlds is their own: theory is about models that learn what they can hold, in
# tables as large as a rule says.
LINEAR = RunConfig(
    region_cap="none",
    value_dropout=0.0,
    head="linear",
    dropout=0.0,
    weight_decay=0.0,
    init="uniform",
    init_scale=0.05,
    lr=2e-2,
    batch_size=512,
    epochs=20,
    patience=3,
    stop_above=None,
    average_epochs=0.0,
    evals_per_epoch=1,
)

# The effects of five features add up. In tables of 4,096 rows, these seeds give every value a row
# of its own.
ADDITIVE = replace(
    LINEAR,
    dataset="planted-additive",
    features="gender,age,occupation,zip_code,genres",
    dim=4,
    budget=4_096 * 4 * 4,
    hash_seeds={"gender": [0], "age": [1], "occupation": [2], "zip_code": [58], "genres": [4]},
)
EXACT = replace(ADDITIVE, strategy="collisionless", budget=None, hash_seeds=None)
EXACT_BYTES = 105 * 4 * 4  # of its 100 values, and of a row for the unseen values of each feature
NOISE = WORLDS["planted-additive"].noise_variance
NEAR = 0.01 * NOISE

# One feature of many values carries all the variance.
USERS = WORLDS["planted-one-feature"].users
LOOKUPS = replace(
    LINEAR,
    dataset="planted-one-feature",
    features="user_id,movie_id,gender,age",
    dim=8,
    budget=USERS // 2 * 8 * 4,
)
ROWS = 900
SHARED = replace(LOOKUPS, features="user_id,release_year,genres", budget=ROWS * 8 * 4)
MARGIN = lost_variance(USERS, ROWS // 3) - lost_variance(USERS, ROWS)

# The same feature under another name has another row for each of its values, and nothing else.
NAMED_ANEW = replace(SHARED, features="user_id*gender,gender")
SEEN = MARGIN / 3  # a difference that the control would have shown

# Gender alone has an effect. Each row that a user reads costs what it learns of the noise, and
# early stopping would end that.
OVERFIT = replace(
    LINEAR,
    dataset="planted-one-small-feature",
    features="user_id,gender,age",
    dim=8,
    budget=3_600 * 8 * 4,
    lr=1e-2,
    batch_size=2_048,
    patience=None,
)
CROWD = WORLDS["planted-one-small-feature"]
COST = CROWD.noise_variance / (0.8 * CROWD.rows)  # of a row in use: over the training rows
PRICE = COST * (rows_in_use(CROWD.users, 3_600) - rows_in_use(CROWD.users, 1_200))

# Movies with one rating on average are rated lower, and a quarter of the test rows have one that
# training has not seen.
UNSEEN = replace(
    LINEAR,
    dataset="planted-rare-values",
    features="user_id,movie_id",
    dim=8,
    strategy="collisionless",
)

# The ratings have no signal, and the recipe is the default one.
HASHED = ("unified", "per_feature", "multi_hash_sum", "compositional", "hash_embedding")
PURE_NOISE = RunConfig(dataset="planted-noise", features="base", dim=8, budget=4_064, epochs=10)

# The effects of two features multiply. Three numbers a value can represent them; 79 rows of 16
# numbers, which take the same bytes, cannot.
LOW_RANK = replace(
    LINEAR,
    dataset="planted-low-rank",
    features="user_id,movie_id",
    head="dot",
    hidden=8,
    dim=16,
    budget=5_100,
    init_scale=0.3,
    epochs=40,
    patience=8,
)


def named(base: RunConfig, *strategies: str) -> dict[str, RunConfig]:
    """The run of each strategy, by its name."""
    return {name: replace(base, strategy=name) for name in strategies}


def separate_tables() -> dict[str, RunConfig]:
    """Separate tables under each rule that sizes them, in the world of additive effects."""
    base = replace(ADDITIVE, strategy="per_feature")
    return {f"per_feature, {rule}": replace(base, region_rule=rule) for rule in RULES}


def second_lookups() -> dict[str, RunConfig]:
    """One table for each feature that may have the second lookup."""
    names = ("user_id", "movie_id", "gender", "age")
    return {name: replace(LOOKUPS, lookups={name: 2}) for name in names}


SCENARIOS = (
    Scenario(
        name="no-collisions",
        expected=f"all within {NEAR:.4f} of the exact table, at the noise ({NOISE:.2f})",
        rule="equal",
        arms={
            "collisionless": EXACT,
            "low_dim_exact": replace(EXACT, strategy="low_dim_exact", budget=EXACT_BYTES),
            "unified": ADDITIVE,
            **separate_tables(),
        },
        limits=(NEAR, 0.9 * NOISE, 1.1 * NOISE),
    ),
    Scenario(
        name="second-lookup",
        expected="a second lookup is worth most to user_id",
        rule="first_wins",
        arms=second_lookups(),
    ),
    Scenario(
        name="shared-table",
        expected=f"unified ahead of equal tables by {MARGIN:.3f} +- 15 %",
        rule="margin",
        arms={
            "unified": SHARED,
            "per_feature, equal": replace(SHARED, strategy="per_feature", region_rule="equal"),
        },
        limits=(0.85 * MARGIN, 1.15 * MARGIN),
        rehash=True,
    ),
    Scenario(
        name="shared-table-loses",
        expected=f"equal tables ahead of unified by {PRICE:.3f} +- 40 %",
        rule="margin",
        arms={
            "per_feature, equal": replace(OVERFIT, strategy="per_feature", region_rule="equal"),
            "unified": OVERFIT,
        },
        limits=(0.6 * PRICE, 1.4 * PRICE),
    ),
    Scenario(
        name="equal-arms",
        expected=f"no difference; one of {SEEN:.3f} would have been seen",
        rule="no_difference",
        arms={
            "user_id": replace(SHARED, features="user_id,gender"),
            "user_id*gender": NAMED_ANEW,
        },
        limits=(SEEN,),
    ),
    Scenario(
        name="unseen-values",
        expected="a trained row for unseen values wins",
        rule="first_wins",
        arms={
            "trained": replace(UNSEEN, value_dropout=0.5),
            "untrained": UNSEEN,
            "unified": replace(UNSEEN, strategy="unified", budget=2_000 * 8 * 4),
        },
        seeds=15,
    ),
    Scenario(
        name="pure-noise",
        expected="no strategy beats the global mean",
        rule="mean_holds",
        arms={
            "collisionless": replace(PURE_NOISE, strategy="collisionless", budget=None),
            **named(PURE_NOISE, "low_dim_exact", *HASHED, "robe"),
        },
    ),
    Scenario(
        name="low-rank",
        expected="low_dim_exact ahead of all hashed tables of as many numbers",
        rule="first_wins",
        arms=named(LOW_RANK, "low_dim_exact", *HASHED),
    ),
)

QUICK = ("no-collisions", "second-lookup")  # scenarios of the short form

STUDY = Study(
    question="does the harness find the order that theory fixes, "
    "in worlds whose ratings were planted?",
    parts=tuple(grid for scenario in SCENARIOS for grid in scenario.grids),
    quick=tuple(grid for one in SCENARIOS if one.name in QUICK for grid in one.grids),
    latency=False,
    scenarios=SCENARIOS,
)
