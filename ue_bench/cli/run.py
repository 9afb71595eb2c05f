"""`ue-bench run`."""

from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, shared
from ue_bench.errors import one_line
from ue_bench.options import config_options, make_config


@main.command(epilog="Example: ue-bench run --strategy per_feature --region-rule sqrt --budget 28kB --seed 1 --json")
@config_options
@click.option("--seed", type=int, default=0, show_default=True, help="Sets all four seeds.")
@click.option("--option", "options", multiple=True, metavar="NAME=VALUE", help="A knob of the strategy's method; repeatable.")
@shared("target", "time", "numeric", "entities", "plugins", "data_dir", "results", "json")
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
    from ue_bench.tables import fields_of

    load_plugins(plugins)
    fields, data_dir = fields_of(asked, data_dir)
    config = make_config(seed, options, fields)
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
