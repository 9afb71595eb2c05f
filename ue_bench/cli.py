"""The command line: parses, calls, prints. Everything heavy is imported by the command that needs it."""

import json
import os
import signal
import sys
import webbrowser
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ue_bench.errors import BenchError, one_line, unknown
from ue_bench.options import config_options, make_config
from ue_bench.version import __version__

LOCAL, PUBLISHED = Path("results/local"), Path("results/published")
INTERRUPTED, TERMINATED = 130, 143  # exit codes


class BadInput(click.ClickException):
    exit_code = 2


class Terminated(KeyboardInterrupt):
    """SIGTERM came: whatever runs is ended as by Ctrl-C."""


def _terminate(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough, and what it started may take a moment
    raise Terminated


class Commands(click.Group):
    """A group whose commands tell a bad input, and too little memory, in one line with exit code 2.

    An interrupt by Ctrl-C has exit code 130, and one by SIGTERM 143.
    """

    def invoke(self, ctx: click.Context) -> Any:
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise BadInput(str(error)) from error
        except MemoryError as error:
            raise BadInput(f"out of memory ({error}); choose a smaller table or batch") from error
        except KeyboardInterrupt as stop:
            what, code = ("terminated", TERMINATED) if isinstance(stop, Terminated) else ("interrupted", INTERRUPTED)
            click.echo(f"{what}: nothing that was finished is lost; the same command runs what is missing", err=True)
            ctx.exit(code)
        finally:
            signal.signal(signal.SIGTERM, before)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ue-bench")
def main() -> None:
    """Compare embedding-table strategies for categorical features, on MovieLens.

    Example: ue-bench run --strategy unified --budget 28kB --seed 0
    """


def entry() -> None:
    """The program. An interrupt while C code loads leaves Python to end itself by a signal, whatever was handled: not so here."""
    try:
        main()
    except SystemExit as ended:
        if ended.code in (INTERRUPTED, TERMINATED):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code)
        raise


def shared(*names: str) -> Callable[[Any], Any]:
    """Options that several commands have."""
    options = {
        "results": click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=LOCAL,
                                show_default=True, help="Folder of the records."),
        "data_dir": click.option("--data-dir", type=click.Path(path_type=Path), default=None,
                                 help="Folder or zip with the data set in its official layout, instead of cache and download."),
        "plugins": click.option("--plugin", "plugins", type=click.Path(path_type=Path), multiple=True,
                                help="A Python file with more strategies; repeatable."),
        "storage": click.option("--storage", required=True, envvar="UE_BENCH_STORAGE", metavar="URL",
                                help="postgresql://USER:PASSWORD@HOST:PORT/DATABASE; may be set as UE_BENCH_STORAGE instead."),
        "time_limit": click.option("--time-limit", type=click.FloatRange(min=0, min_open=True), default=None, metavar="SECONDS",
                                   help="End a run that takes longer: it fails, and the study goes on.  [default: none]"),
        "json": click.option("--json", "as_json", is_flag=True, help="Print JSON alone on standard output."),
    }  # fmt: skip

    def decorate(command: Any) -> Any:
        for name in reversed(names):
            command = options[name](command)
        return command

    return decorate


@main.command(epilog="Example: ue-bench run --strategy per_feature --region-rule sqrt --budget 28kB --seed 1 --json")
@config_options
@click.option("--seed", type=int, default=0, show_default=True, help="Sets all four seeds.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A knob of the strategy's method; repeatable.")
@shared("plugins", "data_dir", "results", "json")
def run(
    seed: int,
    options: tuple[str, ...],
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train and measure one configuration, and write its record."""
    from ue_bench import record as records
    from ue_bench.progress import progress
    from ue_bench.run import run_once

    _load(plugins)
    config = make_config(seed, options, asked)
    records.require_writable(results / "run")
    with progress(config.strategy, config.epochs, "epochs") as update:
        done = run_once(
            config, data_dir=data_dir,
            on_evaluation=lambda fit: update(fit.history[-1]["epoch"], f"validation MSE {fit.history[-1]['val_mse']:.4f}"),
        )  # fmt: skip
    path = records.write(done, results)
    click.echo(done.to_json() if as_json else describe(done, path), nl=not as_json)


def describe(record: Any, path: Path) -> str:
    """A run in a few lines."""
    quality, cost, found = record.quality, record.cost, record.found
    lines = [
        f"{record.config['strategy']} on {record.config['dataset']}, {record.config['features']}, {record.config['split']} split"
    ]
    if quality:
        test = "no test rows" if quality["test_mse"] is None else f"test MSE {quality['test_mse']:.4f}"
        bias = quality["anchors"]["bias"]["val_mse" if quality["test_mse"] is None else "test_mse"]
        lines.append(f"  {test}, validation MSE {quality['val_mse']:.4f}, best after epoch {quality['best_epoch']:g}")
        lines.append(f"  {'beats' if quality['beats_bias'] else 'DOES NOT BEAT'} the damped user and item bias ({bias:.4f})")
    share = found["exact_table_bytes"] / (cost["table_bytes"] + cost["auxiliary_bytes"])
    lines.append(f"  {cost['total_bytes']:,} bytes in all; table and auxiliary are 1/{share:.3g} of the exact table's")
    for entry in cost.get("latency", []):
        if entry["batch"] == 256:
            unstable = "  UNSTABLE: is the machine busy?" if entry["unstable"] else ""
            lines.append(f"  lookup of 256 rows from {entry['source']}: {entry['p50_us']:.1f} us "
                         f"(p90 {entry['p90_us']:.1f}, n {entry['n']}), {found['threads']} thread(s){unstable}")  # fmt: skip
    return "\n".join(map(one_line, [*lines, f"  record: {path}"]))


@main.command(epilog="Example: ue-bench study table_size --workers 2")
@click.argument("name")
@click.option("--seed", type=int, default=0, show_default=True, help="First of the study's seeds.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time, one thread each.")
@shared("time_limit")
@click.option("--dataset", default=None, help="Run the study on this data set instead of its own.")
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
) -> None:
    """Run what is missing of a study. An interrupted study goes on where it stopped."""
    from ue_bench.study import canonical, find

    declared, name = find(name), canonical(name)
    click.echo(f"{name}: {declared.question}", err=True)
    from ue_bench.runner import Runner  # loads torch, which an unknown name need not wait for

    _load(plugins)
    runner = Runner(name, declared, results, seed, workers, dataset, data_dir, quick, plugins, time_limit)
    done = runner.run()
    _tell_left_out(runner.skipped)
    report = runner.report
    click.echo(one_line(f"{name}: {report.made} runs made, {report.ready} were ready, {len(report.failed)} failed; "
                        f"records in {results / runner.name}"), err=as_json)  # fmt: skip
    _tell_failures(report)
    from ue_bench.report.arms import collect
    from ue_bench.report.sections.power import of_arms

    for line in of_arms(collect(done).kept):
        click.echo(one_line(line), err=as_json or bool(declared.scenarios))
    verdicts = _judge(declared.scenarios, runner)
    if as_json:
        rows = [verdict._asdict() for verdict in verdicts] or [json.loads(record.to_json()) for record in done]
        click.echo(json.dumps(rows, ensure_ascii=False))
    for verdict in () if as_json else verdicts:
        click.echo(f"{'pass' if verdict.ok else 'FAIL'}  {verdict.scenario}: {verdict.expected}\n      found: {verdict.found}")
    if report.failed:
        raise BenchError(
            f"{len(report.failed)} runs failed (above); their records say why, and the same command tries them again"
        )
    if not all(verdict.ok for verdict in verdicts):
        sys.exit(1)


@main.command(epilog="Example: ue-bench worker --study table_size --storage postgresql://ue@db.example/ue")
@click.option("--study", "name", required=True, help="Which study; see: ue-bench list studies.")
@shared("storage")
@click.option("--seed", type=int, default=0, show_default=True, help="First of the study's seeds.")
@click.option("--dataset", default=None, help="Run the study on this data set instead of its own.")
@click.option("--quick", is_flag=True, help="The study's short form, with a folder of its own.")
@click.option("--heartbeat", type=click.IntRange(min=1), default=20, show_default=True, metavar="SECONDS",
              help="How often a run shows that its worker is there; after three missed ones others do it again. "
                   "The same for all workers of a study.")  # fmt: skip
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
) -> None:
    """Take part in a study with any number of other workers, on any number of machines; they share the storage alone.

    Each takes one run after the other until all are done. Latency is left out: `ue-bench pull`, then `ue-bench study` measure it.
    """
    from ue_bench.study import canonical, find

    declared, name = find(name), canonical(name)
    click.echo(f"{name}: {declared.question}", err=True)
    from ue_bench.distributed import SharedRunner, Storage  # loads torch, which an unknown name need not wait for

    _load(plugins)
    opened = Storage(storage, heartbeat)
    runner = SharedRunner(name, declared, opened, seed, dataset, data_dir, quick, plugins, time_limit)
    runner.run()
    report = runner.report
    click.echo(f"{runner.name}: all {report.made} runs are done, {runner.own} by this worker, {len(report.failed)} failed; "
               f"next: ue-bench pull --study {runner.name} --storage URL")  # fmt: skip
    _tell_failures(report)
    if report.failed:
        raise BenchError(f"{len(report.failed)} runs failed (above); after ue-bench pull, ue-bench study {name} tries them again")


@main.command(epilog="Example: ue-bench pull --study table_size --storage postgresql://ue@db.example/ue")
@shared("storage")
@click.option("--study", "only", default=None, help="This study alone.")
@shared("results")
def pull(storage: str, only: str | None, results: Path) -> None:
    """Write the records that workers left in a storage into the results folder. A good run's file that is there stays."""
    from ue_bench.distributed import Storage
    from ue_bench.distributed import pull as pull_

    for name, outcome in pull_(Storage(storage), results, only).items():
        running = f", {outcome.running} still run" if outcome.running else ""
        kept = f", {outcome.kept} other runs of the same kept" if outcome.kept else ""
        click.echo(f"{name}: {outcome.written} records written, {outcome.ready} were there{kept}{running}; in {results / name}")
        for told in outcome.damaged:
            click.echo(f"  left out: {told}", err=True)


def _tell_failures(report: Any) -> None:
    for kind, records in (("cannot work at its budget", report.infeasible), ("failed", report.failed)):
        for text, n in Counter(str(record.error) for record in records).most_common(5):
            click.echo(one_line(f"  {kind}: {text} ({n} runs)"), err=True)


def _judge(scenarios: Any, runner: Any) -> list[Any]:
    """What became of the claims of a study: a Verdict each."""
    from ue_bench.report.known_answer import Verdict, judge

    return [
        Verdict(s.name, s.expected, *judge(s.rule, s.limits, s.seeds, {arm: runner.runs_of(s.arms[arm]) for arm in s.arms}))
        for s in scenarios
    ]


@main.command(epilog="Example: ue-bench report --results results/published --out report")
@click.option("--study", "only", default=None, help="Report on this study alone.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=None,
    help="Folder to write to.  [default: RESULTS/report]",
)
@click.option(
    "--update",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    default=None,
    help="Also write the marked blocks of this Markdown file anew.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@shared("plugins", "results")
def report(only: str | None, out: Path | None, update: Path | None, show: bool, plugins: tuple[Path, ...], results: Path) -> None:
    """Draw figures, tables and a page from records alone."""
    from rich.console import Console

    from ue_bench.report import build
    from ue_bench.report.terminal import print_summary

    _load(plugins)
    explained = {row["name"]: (row["summary"], row["source"]) for row in _strategies()}
    outcome = build(results, out or results / "report", only, explained)
    if update:
        from ue_bench.record import write_whole
        from ue_bench.report.prose import refresh

        try:
            text = update.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BenchError(f"--update: {update} cannot be read ({error}); give a Markdown file") from error
        write_whole(update, refresh(text, outcome.evidence))
    print_summary(outcome, Console())
    if show and not webbrowser.open(outcome.page.resolve().as_uri()):
        raise BenchError(f"--open: no browser was found; open {outcome.page} yourself")


@main.command(epilog='Example: ue-bench compare unified "per_feature 2×8 (sqrt)" --results results/published')
@click.argument("one")
@click.argument("other")
@click.option("--study", "only", default=None, help="In this study alone.")
@shared("results", "json")
def compare(one: str, other: str, only: str | None, results: Path, as_json: bool) -> None:
    """Two strategies, or arms by their label in the report, paired over seeds: is ONE better than OTHER?"""
    from ue_bench.record import load
    from ue_bench.report.compare import compare as compare_
    from ue_bench.report.compare import sentence

    records, skipped = load(results, only)
    _tell_left_out(skipped)
    rows = compare_(records, one, other)
    click.echo(json.dumps(rows, ensure_ascii=False) if as_json else "\n".join(one_line(sentence(row)) for row in rows))


@main.command(epilog="Example: ue-bench check --results results/published README.md")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--results", type=click.Path(path_type=Path, file_okay=False), default=PUBLISHED, show_default=True,
              help="Folder of the records.")  # fmt: skip
def check(files: tuple[Path, ...], results: Path) -> None:
    """Say what is wrong with committed records, and where the numbers in FILES (README.md and docs/*.md) differ from them.

    Exit code 1 where something is.
    """
    from ue_bench.check import check as faults

    documents = files or [path for path in (Path("README.md"), *sorted(Path("docs").glob("*.md"))) if path.is_file()]
    found = faults(results, documents)
    click.echo("\n".join(map(one_line, found)) or f"{results} and {len(documents)} documents: nothing is wrong")
    if found:
        sys.exit(1)


@main.command(epilog="Example: ue-bench speed forward hashing --quick")
@click.argument("cases", nargs=-1)
@click.option("--quick", is_flag=True, help="Fewer repeats and smaller sizes, with a folder of its own.")
@shared("results", "json")
def speed(cases: tuple[str, ...], quick: bool, results: Path, as_json: bool) -> None:
    """Measure the speed of CASES (default: all), each beside its peers and its limit, and write a record of each.

    All figures of a case are from one run, and every claim is a ratio. The machine should have nothing else to do.
    """
    from ue_bench import record as records
    from ue_bench.progress import progress
    from ue_bench.report.performance import terminal
    from ue_bench.speed import suite

    chosen = suite.chosen(cases)
    records.require_writable(results)
    done = []
    with progress("speed", len(chosen), "cases") as update:
        for number, name in enumerate(chosen):
            update(number, name)
            lines = []
            for line in suite.measure(name, quick):
                lines.append(line)
                update(number, f"{name}: {line['what']}")
            done.append(suite.record(name, quick, lines))
            records.write(done[-1], results)
            if not as_json:
                click.echo(terminal(done[-1]) + "\n")
        update(len(chosen))
    if as_json:
        click.echo(json.dumps([json.loads(record.to_json()) for record in done], ensure_ascii=False))
    else:
        click.echo(f"records in {results / done[-1].study}")


@main.command("data", epilog="Example: ue-bench data --dataset ml-1m --data-dir ~/Downloads/ml-1m.zip")
@click.option("--dataset", default="ml-100k", show_default=True, help="Data set; see: ue-bench list datasets.")
@shared("data_dir", "json")
def data_(dataset: str, data_dir: Path | None, as_json: bool) -> None:
    """Find a data set (or download it) and say what is in it."""
    from ue_bench import data

    found = data.load(dataset, data_dir).describe()
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    low, high = found["rating_scale"]
    click.echo(f"{found['name']}: {found['ratings']:,} ratings of {found['items']:,} items by {found['users']:,} users, "
               f"{low:g} to {high:g}, {found['time_span'][0]} to {found['time_span'][1]}")  # fmt: skip
    for name, cardinality in found["features"].items():
        click.echo(f"  {name:<14}{cardinality:>10,} distinct values")
    click.echo(f"  source: {found['source']}, {found['checksum']}")


@main.command("check-strategy", epilog="Example: ue-bench check-strategy my_strategy.py")
@click.argument("path", type=click.Path(path_type=Path))
def check_strategy(path: Path) -> None:
    """Hold the strategies of a Python file to the contract, and say what is wrong. Exit code 1 where something is."""
    from ue_bench.strategies import load_plugin
    from ue_bench.testing import check

    wrong = 0
    for name, entry in load_plugin(path).items():
        for regions in entry.regions:
            findings = [(test, told) for test, told in check(name, regions, path)]
            broken = [(test, told) for test, told in findings if told]
            click.echo(f"{one_line(name)}, {regions}: {len(findings) - len(broken)} of {len(findings)} tests pass")
            for test, told in broken:
                click.echo(f"  {test.removeprefix('test_').replace('_', ' ')}: {told}")
            wrong += len(broken)
    if wrong:
        sys.exit(1)


@main.command("list", epilog="Example: ue-bench list strategies --json")
@click.argument("what", metavar="strategies|studies|datasets")
@click.option("--markdown", is_flag=True, help="Strategies only: the page with the formula of each.")
@shared("plugins", "json")
def list_(what: str, markdown: bool, plugins: tuple[Path, ...], as_json: bool) -> None:
    """List what can be chosen: with details on a terminal, names alone into a pipe."""
    listings = {"strategies": _strategies, "studies": _studies, "datasets": _datasets}
    if what not in listings:
        raise unknown("list", what, listings)
    _load(plugins)
    if markdown and what == "strategies":
        from ue_bench.strategies.describe import markdown as page

        click.echo(page(), nl=False)
        return
    rows = listings[what]()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
    elif not sys.stdout.isatty():
        click.echo("\n".join(one_line(row["name"]) for row in rows))
    else:
        for row in rows:
            click.secho(one_line(row["name"]), bold=True)
            for name, value in row.items():
                if name not in ("name",):
                    told = str(value) if name == "summary" else f"{name.replace('_', ' ')}: {value}"
                    click.echo(f"    {one_line(told)}")


def _tell_left_out(skipped: list[str], most: int = 5) -> None:
    """Name the files of a results folder that are no valid record; nothing is made of them."""
    for line in skipped[:most]:
        click.echo(f"left out: {line}", err=True)
    if len(skipped) > most:
        click.echo(f"left out: {len(skipped) - most} more; ue-bench check names them all", err=True)


def _load(plugins: tuple[Path, ...]) -> None:
    if plugins:
        from ue_bench.strategies import load_plugin

        for path in plugins:
            load_plugin(path)


def _strategies() -> list[dict[str, Any]]:
    from ue_bench.strategies import all_strategies

    return [
        {"name": name, "summary": entry.summary, "regions": " or ".join(entry.regions),
         "needs_vocabulary": entry.needs_vocabulary, "source": entry.source}
        for name, entry in all_strategies().items()
    ]  # fmt: skip


def _studies() -> list[dict[str, Any]]:
    from ue_bench.study import find, names

    return [{"name": name, "summary": find(name).question} for name in names()]


def _datasets() -> list[dict[str, Any]]:
    from ue_bench.data import DATASETS

    return [{"name": name, "summary": info.summary} | ({"url": info.url} if info.url else {}) for name, info in DATASETS.items()]
