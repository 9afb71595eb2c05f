"""What the report leaves out, with the reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from ue_bench.record import Record
from ue_bench.report.evidence.arms import Arms
from ue_bench.report.evidence.frames import rows
from ue_bench.report.evidence.summary import panel
from ue_bench.report.format import bytes_text, plain

MOST = 50  # lines below one title
NONE = ["none"]


def lines(arms: Arms, summary: pd.DataFrame, skipped: Sequence[str]) -> list[str]:
    """Markdown bullets."""
    infeasible = []
    n_infeasible_trials = 0
    errors: Counter[str] = Counter()
    for record in arms.failed:
        if record.status == "failed":
            errors[f"{record.study} / {_single_line(record.error)}"] += 1
        elif record.phase == "search":
            n_infeasible_trials += 1
        else:
            infeasible.append(record)

    refused = (
        "Refused arms (other rows, recipe or seeds than the rest, or more bytes than their "
        f"budget): {len(arms.refused)}"
    )
    bullets = _bullets(refused, arms.refused)
    title = "Cannot work at this budget, which is an answer and not a failure"
    bullets += _bullets(title, _by_budget(infeasible) or NONE)
    failures = [f"{text} ({n}x)" for text, n in errors.most_common()]
    bullets += _bullets(f"Failed runs: {errors.total()}", failures)
    bullets += _bullets("Arms with fewer seeds than the others", list(_few_seeds(summary)) or NONE)
    if arms.search:
        title = "Compared although they were searched differently from the rest"
        bullets += _bullets(title, arms.uneven or NONE)
    trials = f"- Runs of search trials, which choose and are never quoted: {len(arms.search)}"
    if n_infeasible_trials:
        trials += f"; {n_infeasible_trials} more had an option that cannot work at their budget"
    bullets.append(trials)
    if arms.held:
        bullets.append(
            "- Runs that share some of their seeds, which are no replicates and in no mean: "
            f"{len(arms.held)}"
        )
    return bullets + _bullets(f"Files that are no valid record: {len(skipped)}", skipped)


def _by_budget(records: Iterable[Record]) -> list[str]:
    """One line a study, feature set, strategy and form, with the number of runs at each budget."""
    counts: dict[tuple[str, str, str], Counter[int]] = {}
    for record in records:
        config = record.config
        form = f"{config.strategy} {config.regions or ''}".strip()
        where = (record.study, config.features, form)
        counts.setdefault(where, Counter())[config.budget or 0] += 1
    texts = []
    for (study, features, form), by_budget in sorted(counts.items()):
        budgets = [f"{bytes_text(budget)} ({n} runs)" for budget, n in sorted(by_budget.items())]
        texts.append(f"{study} / {features}: {form} at {', '.join(budgets)}")
    return texts


def _few_seeds(summary: pd.DataFrame) -> Iterator[str]:
    few = summary[(summary["n"] > 0) & (summary["n"] < summary["n_most"])]
    for row in rows(few.assign(where=panel(few))):
        yield f"{row.where}: {row.label}, {bytes_text(row.budget)}: n={row.n} of {row.n_most}"


def _bullets(title: str, texts: Sequence[str]) -> list[str]:
    """A title with one bullet a text below it."""
    bullets = [f"- {title}"]
    bullets += [f"  - {plain(_single_line(text))}" for text in texts[:MOST]]
    if len(texts) > MOST:
        bullets.append(f"  - and {len(texts) - MOST} more")
    return bullets


def _single_line(text: str | None) -> str:
    return " ".join((text or "no message").split())
