"""`ue-bench study`, and `worker` and `pull`: a study on one machine and on many."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, shared, tell_left_out
from ue_bench.cli.names import Name
from ue_bench.errors import BenchError, one_line


@main.command(epilog="Example: ue-bench study table_size --workers 2")
@click.argument("name", metavar="NAME|PATH.py", type=Name("study", files=True))
@click.option("--seed", type=int, default=0, show_default=True, help="First of the study's seeds.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Runs at a time, one thread each.",
)
@shared("time_limit")
@click.option(
    "--dataset",
    type=Name("dataset"),
    default=None,
    help="Run the study on this data set, or table, instead of its own.",
)
@shared("target", "columns", "time", "numeric", "entities")
@click.option("--quick", is_flag=True, help="The study's short form, with a folder of its own.")
@shared("plugins", "data_dir", "results", "json")
def study(
    name: str,
    seed: int,
    workers: int,
    time_limit: float | None,
    dataset: str | None,
    quick: bool,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    features: str | None,
    **options: str | None,
) -> None:
    """Run what is missing of a study. An interrupted study goes on where it stopped.

    PATH.py is a file of yours that has a STUDY; its records are kept under the file's name.
    """
    from ue_bench.study import canonical, find

    declared, name = find(name), canonical(name)
    click.echo(f"{name}: {declared.question}", err=True)
    from ue_bench.study.runner import Runner  # loads torch, which an unknown name need not wait for

    load_plugins(plugins)
    on, data_dir = _named(dataset, data_dir, features, options)
    runner = Runner(
        name, declared, results, seed, workers, on, data_dir, quick, plugins, time_limit
    )
    done = runner.run()
    tell_left_out(runner.skipped)
    report = runner.report
    click.echo(
        one_line(
            f"{name}: {report.made} runs made, {report.ready} were ready, {len(report.failed)} failed; "
            f"records in {results / runner.name}"
        ),
        err=as_json,
    )
    _tell_failures(report)
    from ue_bench.report.evidence.arms import collect
    from ue_bench.report.evidence.power import of_arms

    for line in of_arms(collect(done).kept):
        click.echo(one_line(line), err=as_json or bool(declared.scenarios))
    verdicts = _judge(declared.scenarios, runner)
    if as_json:
        rows = [verdict._asdict() for verdict in verdicts] or [
            json.loads(record.to_json()) for record in done
        ]
        click.echo(json.dumps(rows, ensure_ascii=False))
    for verdict in () if as_json else verdicts:
        click.echo(
            f"{'pass' if verdict.ok else 'FAIL'}  {verdict.scenario}: {verdict.expected}\n      found: {verdict.found}"
        )
    if report.failed:
        raise BenchError(
            f"{len(report.failed)} runs failed (above); their records say why, and the same command tries them again"
        )
    if not all(verdict.ok for verdict in verdicts):
        sys.exit(1)


@main.command(
    epilog="Example: ue-bench worker --study table_size --storage postgresql://ue@db.example/ue"
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
@click.option("--seed", type=int, default=0, show_default=True, help="First of the study's seeds.")
@click.option(
    "--dataset",
    type=Name("dataset"),
    default=None,
    help="Run the study on this data set, or table, instead of its own.",
)
@shared("target", "columns", "time", "numeric", "entities")
@click.option("--quick", is_flag=True, help="The study's short form, with a folder of its own.")
@click.option(
    "--heartbeat",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How often a run shows that its worker is there; after three missed ones others do it again. "
    "The same for all workers of a study.",
)
@shared("time_limit", "plugins", "data_dir")
def worker(
    name: str,
    storage: str,
    seed: int,
    dataset: str | None,
    quick: bool,
    heartbeat: int,
    time_limit: float | None,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    features: str | None,
    **options: str | None,
) -> None:
    """Take part in a study with any number of other workers, on any number of machines; they share the storage alone.

    Each takes one run after the other until all are done. Latency is left out: `ue-bench pull`, then `ue-bench study` measure it.
    """
    from ue_bench.study import canonical, find

    declared, given, name = find(name), name, canonical(name)
    click.echo(f"{name}: {declared.question}", err=True)
    from ue_bench.study.shared import (  # loads torch, which an unknown name need not wait for
        SharedRunner,
        Storage,
    )

    load_plugins(plugins)
    opened = Storage(storage, heartbeat)
    on, data_dir = _named(dataset, data_dir, features, options)
    runner = SharedRunner(name, declared, opened, seed, on, data_dir, quick, plugins, time_limit)
    runner.run()
    report = runner.report
    click.echo(
        f"{runner.name}: all {report.made} runs are done, {runner.own} by this worker, {len(report.failed)} failed; "
        f"next: ue-bench pull --study {runner.name} --storage URL"
    )
    _tell_failures(report)
    if report.failed:
        raise BenchError(
            f"{len(report.failed)} runs failed (above); after ue-bench pull, ue-bench study {given} tries them again"
        )


@main.command(
    epilog="Example: ue-bench pull --study table_size --storage postgresql://ue@db.example/ue"
)
@shared("storage")
@click.option("--study", "only", type=Name("study"), default=None, help="This study alone.")
@shared("results")
def pull(storage: str, only: str | None, results: Path) -> None:
    """Write the records that workers left in a storage into the results folder. A good run's file that is there stays."""
    from ue_bench.study.shared import Storage
    from ue_bench.study.shared import pull as pull_

    for name, outcome in pull_(Storage(storage), results, only).items():
        running = f", {outcome.running} still run" if outcome.running else ""
        kept = f", {outcome.kept} other runs of the same kept" if outcome.kept else ""
        click.echo(
            f"{name}: {outcome.written} records written, {outcome.ready} were there{kept}{running}; in {results / name}"
        )
        for told in outcome.damaged:
            click.echo(f"  left out: {told}", err=True)


def _named(
    dataset: str | None, data_dir: Path | None, features: str | None, options: dict[str, str | None]
) -> tuple[dict[str, Any], Path | None]:
    """The fields of the data set that takes the place of the study's own, and the folder of its files."""
    from ue_bench.cli.dataset_options import ask

    given = [
        name for name, value in (("features", features), *options.items()) if value is not None
    ]
    if dataset is None and given:
        raise BenchError(f"--{given[0]} is of a table; give its path with --dataset")
    return ({}, data_dir) if dataset is None else ask(dataset, data_dir, features, options)


def _tell_failures(report: Any) -> None:
    for kind, records in (
        ("cannot work at its budget", report.infeasible),
        ("failed", report.failed),
    ):
        for text, n in Counter(str(record.error) for record in records).most_common(5):
            click.echo(one_line(f"  {kind}: {text} ({n} runs)"), err=True)


def _judge(scenarios: Any, runner: Any) -> list[Any]:
    """What became of the claims of a study: a Verdict each."""
    from ue_bench.report.evidence.known_answer import Verdict, judge

    return [
        Verdict(
            s.name,
            s.expected,
            *judge(s.rule, s.limits, s.seeds, {arm: runner.runs_of(s.arms[arm]) for arm in s.arms}),
        )
        for s in scenarios
    ]
