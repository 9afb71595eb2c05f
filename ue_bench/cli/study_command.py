"""`ue-bench study`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from ue_bench.cli.group import (
    load_plugins,
    main,
    print_json,
    print_json_list,
    report_skipped,
    shared,
)
from ue_bench.cli.names import Name
from ue_bench.cli.study_options import other_dataset, print_failures, study_options
from ue_bench.cli.verdicts import judge_scenarios
from ue_bench.errors import BenchError, one_line
from ue_bench.progress import note

if TYPE_CHECKING:
    from ue_bench.record import Record
    from ue_bench.report.evidence.known_answer import Verdict

WIDTH = 80  # columns of a terminal


@main.command("study", epilog="Example: ue-bench study table_size --workers 2")
@click.argument("name", metavar="NAME|PATH.py", type=Name("study", files=True))
@study_options
@shared("workers")
@click.option(
    "--only-latency",
    is_flag=True,
    help="Make no runs but the latencies of those that are there. A search that is not done is "
    "left out.",
)
@shared("time_limit", "plugins", "data_dir", "results", "json")
def study_command(
    name: str,
    seed: int,
    dataset: str | None,
    features: str | None,
    quick: bool,
    only: tuple[str, ...],
    workers: int,
    only_latency: bool,
    time_limit: float | None,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Make the runs of a study that are missing. An interrupted study continues where it stopped.

    PATH.py is your own file with a STUDY; the folder of its records has the name of the file.
    """
    from ue_bench.study import canonical, find

    added = load_plugins(plugins)  # a study may have runs of every strategy
    study = find(name)
    is_file = name.endswith(".py")
    name = canonical(name)
    note(f"{name}: {study.question}")
    # These load torch, which an unknown name need not wait for.
    from ue_bench.study.local_executor import LocalExecutor
    from ue_bench.study.plan import Plan
    from ue_bench.study.unplaced import unplaced

    other_fields, data_dir = other_dataset(dataset, data_dir, features, options)
    plan = Plan(
        name, study, seed=seed, dataset=other_fields, data_dir=data_dir, quick=quick, only=only
    )
    for line in unplaced(plan.name, plan.parts, added):
        note(line)
    executor = LocalExecutor(
        plan,
        results,
        workers=workers,
        plugins=plugins,
        time_limit=time_limit,
        only_latency=only_latency,
    )
    executor.run()
    report_skipped(executor.skipped)
    if is_file and not only and not only_latency:
        _tell_others(executor.not_asked_for(), executor.folder)
    ledger = executor.ledger
    counts = f"{ledger.made} runs made, {ledger.ready} were ready, {len(ledger.failed)} failed"
    click.echo(one_line(f"{name}: {counts}; records in {executor.folder}"), err=as_json)
    print_failures(ledger.infeasible, ledger.failed)
    records = executor.compared_records()
    print_findings(records, err=as_json or bool(plan.scenarios))
    verdicts = judge_scenarios(plan.scenarios, partial(executor.runs_of, records=records))
    if as_json and verdicts:
        print_json([verdict._asdict() for verdict in verdicts])
    elif as_json:
        print_json_list(json.loads(record.to_json()) for record in executor.whole_records())
    else:
        _print_verdicts(verdicts)
    if ledger.failed:
        raise BenchError(
            f"{len(ledger.failed)} runs failed (above); their records contain the causes, and "
            "the same command tries them again"
        )
    if not all(verdict.ok for verdict in verdicts):
        sys.exit(1)


def _tell_others(count: int, folder: Path) -> None:
    """Say that a folder has records of arms that the study's file does not ask for."""
    if count:
        note(
            f"{count} records in {folder} are of arms that this study does not ask for: of an "
            "earlier text of the file, of other options, or of another file of its name; report "
            "and compare show them too, unless each has a --results of its own"
        )


def print_findings(records: Sequence[Record], err: bool) -> None:
    """Print the seeds that each comparison needs, and how often verdicts on draws are wrong."""
    from ue_bench.config.drawn_worlds import is_draw
    from ue_bench.report.evidence.arms import collect
    from ue_bench.report.evidence.error_rates import calibrations
    from ue_bench.report.evidence.power import of_arms

    drawn = [record for record in records if is_draw(record.config)]
    others = [record for record in records if not is_draw(record.config)]
    if others:
        for line in of_arms(collect(others).kept):
            click.echo(one_line(line), err=err)
    for calibration in calibrations(drawn):
        families = f"{calibration.families} families, {calibration.runs:,} runs"
        click.echo(f"{calibration.world}: {families}", err=err)
        for rate in calibration.rates:
            found = f"{rate.found} of {rate.of} ({rate.share:.1%}, {rate.bound})"
            click.echo(_wrapped(f"  {one_line(rate.what)}: {found}"), err=err)


def _print_verdicts(verdicts: Sequence[Verdict]) -> None:
    for verdict in verdicts:
        result = "pass" if verdict.ok else "FAIL"
        click.echo(_wrapped(f"{result}  {verdict.scenario}: {verdict.expected}"))
        click.echo(_wrapped(f"      found: {verdict.found}"))


def _wrapped(text: str) -> str:
    """Return the text in lines of at most 80 columns, which continue under the name."""
    return fill(text, WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
