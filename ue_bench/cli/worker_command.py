"""`ue-bench worker`."""

from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import MOST_SECONDS, Seconds, load_plugins, main, shared
from ue_bench.cli.names import Name
from ue_bench.cli.study_options import other_dataset, print_failures, study_options
from ue_bench.errors import BenchError
from ue_bench.progress import note


@main.command(
    "worker",
    epilog="Example: ue-bench worker --study table_size --storage postgresql://ue@db.example/ue",
)
@click.option(
    "--study",
    "name",
    type=Name("study", files=True),
    required=True,
    metavar="NAME|PATH.py",
    help="Which study; see: ue-bench list studies.",
)
@shared("storage")
@study_options
@click.option(
    "--heartbeat",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How often a run reports that its worker is alive; after three missed reports another "
    "worker repeats it. Must be the same for all workers of a study.",
)
@click.option(
    "--patience",
    type=Seconds(min=0, max=MOST_SECONDS),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a database that does not answer; then the worker ends.",
)
@shared("time_limit", "plugins", "data_dir")
def worker_command(
    name: str,
    storage: str,
    seed: int,
    dataset: str | None,
    features: str | None,
    quick: bool,
    only: tuple[str, ...],
    heartbeat: int,
    patience: float,
    time_limit: float | None,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    **options: Any,
) -> None:
    """Make runs of a study together with other workers, on any machines that reach the storage.

    A worker makes one run after the other until all are finished. Latency is not measured here, but
    by `ue-bench pull` and then `ue-bench study`.
    """
    from ue_bench.study import canonical, find

    added = load_plugins(plugins)  # a study may have runs of every strategy
    study = find(name)
    study_argument = name
    name = canonical(name)
    note(f"{name}: {study.question}")
    # These load torch, which an unknown name need not wait for.
    from ue_bench.study.plan import Plan
    from ue_bench.study.shared import SharedExecutor, Storage
    from ue_bench.study.unplaced import unplaced

    other_fields, data_dir = other_dataset(dataset, data_dir, features, options)
    opened = Storage(storage, heartbeat, patience)
    plan = Plan(
        name, study, seed=seed, dataset=other_fields, data_dir=data_dir, quick=quick, only=only
    )
    for line in unplaced(plan.name, plan.parts, added):
        note(line)
    executor = SharedExecutor(plan, opened, plugins=plugins, time_limit=time_limit)
    executor.run()
    ledger = executor.ledger
    n_failed = len(ledger.failed)
    click.echo(
        f"{plan.name}: all {ledger.made} runs are done, {executor.n_own} by this worker, "
        f"{n_failed} failed; next: ue-bench pull --study {plan.name} --storage URL"
    )
    print_failures(ledger.infeasible, ledger.failed)
    if n_failed:
        raise BenchError(
            f"{n_failed} runs failed (above); to repeat them, run ue-bench pull, then "
            f"ue-bench study {study_argument}"
        )
