"""What published records must show of the recipe: no plateau, no cap, no lost accuracy.

The laws are about the default recipe. Runs with another one, as those of a study that compares
recipes, of a search and of earlier versions, are left out.
"""

from collections.abc import Iterable, Iterator, Sequence

from ue_bench.config import RunConfig
from ue_bench.config.run_config import SETTINGS
from ue_bench.report.evidence.arms import Arm
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.second_mode import second_modes
from ue_bench.report.evidence.summary import by_seed

MOST_IN_SECOND_MODE = 0.01  # share of all runs
MOST_AT_CAP = 0.05  # share of an arm's runs
EXACT_WITHIN = 0.003  # MSE of the exact table above that of the best matrix factorisation
EXACT = "collisionless"
EXACT_BITS = "float32"
FACTORISATION = "matrix_factorisation"
# The recipe without what is no matter of training: the head, the scale of labels, and exact rows
# for features of few values.
_BESIDE_TRAINING = {"head", "hidden", "target_scale", "low_cardinality", "low_cardinality_max"}
_TRAINING = tuple(
    name
    for name, declared in SETTINGS.items()
    if declared.group == "recipe" and name not in _BESIDE_TRAINING
)


def faults(arms: Iterable[Arm]) -> Iterator[str]:
    """Yield one line for each law that the arms break."""
    usual = [arm for arm in arms if arm.runs and _has_default_recipe(arm)]
    yield from _second_mode(usual)
    yield from _at_the_cap(usual)
    yield from _exact_table(usual)


def _has_default_recipe(arm: Arm) -> bool:
    """Return whether an arm was trained by the default recipe, and not to try another setting."""
    if arm.comparison.setting:
        return False
    default = RunConfig()
    return all(arm.config[name] == getattr(default, name) for name in _TRAINING)


def _second_mode(arms: Sequence[Arm]) -> Iterator[str]:
    frame = second_modes(arms)
    n = int(frame["n"].sum())
    second = int(frame["second"].sum())
    if not n or second / n < MOST_IN_SECOND_MODE:
        return
    worst = max(rows(frame), key=lambda row: row.second / row.n)
    yield (
        f"{second} of {n:,} runs lie in a second mode of their arm, {second / n:.1%}, and less "
        f"than {MOST_IN_SECOND_MODE:.0%} may; the most are of {worst.label}, {worst.title}, study "
        f"{worst.study}: {worst.second} of {worst.n}"
    )


def _at_the_cap(arms: Sequence[Arm]) -> Iterator[str]:
    for arm in arms:
        config = RunConfig.from_stored(arm.config)
        if config.patience is None:  # every run ends at the cap, as was asked for
            continue
        ended = 0
        for run in arm.runs:
            epochs = run.quality.get("epochs_run")
            ended += epochs is not None and epochs >= config.epochs
        if ended / len(arm.runs) > MOST_AT_CAP:
            yield (
                f"{arm.comparison.full_title}: {ended} of {len(arm.runs)} runs of {arm.label} "
                f"ended at the cap of {config.epochs} epochs, and at most {MOST_AT_CAP:.0%} may"
            )


def _exact_table(arms: Sequence[Arm]) -> Iterator[str]:
    """Compare the exact table of `base` with matrix factorisation of its best rank.

    In few bits its error is a result, and says nothing of the recipe.
    """
    for exact in arms:
        comparison = exact.comparison
        if exact.config["strategy"] != EXACT or comparison.features != "base":
            continue
        if exact.config["bits"] != EXACT_BITS:
            continue
        if comparison.split != "random" or comparison.phase == "confirm":
            continue
        rivals = []
        for arm in arms:
            if arm.comparison == comparison and arm.config["strategy"] == FACTORISATION:
                rivals.append(arm)
        if not rivals:
            continue
        best = min(rivals, key=lambda arm: _mean(arm, "validation"))
        excess = _mean(exact, "test") - _mean(best, "test")
        if excess > EXACT_WITHIN:
            yield (
                f"{comparison.full_title}: the test MSE of {exact.label} is {excess:.4f} above "
                f"that of {best.label}, and at most {EXACT_WITHIN} may be"
            )


def _mean(arm: Arm, part: str) -> float:
    scores = by_seed(arm, part)
    return sum(scores.values()) / len(scores)
