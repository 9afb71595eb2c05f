"""`ue-bench run`."""

from pathlib import Path
from typing import Any

import click

from ue_bench.cli.group import load_plugins, main, shared
from ue_bench.cli.options import config_options, make_config
from ue_bench.errors import one_line


@main.command(
    epilog="Example: ue-bench run --strategy per_feature --region-rule sqrt --budget 28kB --seed 1 --json"
)
@config_options
@click.option("--seed", type=int, default=0, show_default=True, help="Sets all four seeds.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="A knob of the strategy's method; repeatable.",
)
@click.option(
    "--save",
    "save_to",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="Write the trained model there too; ue_bench.load(DIR) serves it.  [default: none]",
)
@shared("target", "time", "numeric", "entities", "plugins", "data_dir", "results", "json")
def run(
    seed: int,
    options: tuple[str, ...],
    save_to: Path | None,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train and measure one configuration, and write its record."""
    from ue_bench import record as records
    from ue_bench.cli.dataset_options import fields_of
    from ue_bench.errors import BenchError
    from ue_bench.progress import progress
    from ue_bench.training.run_once import run_once

    load_plugins(plugins)
    fields, data_dir = fields_of(asked, data_dir)
    config = make_config(seed, options, fields)
    records.require_writable(results / "run")
    trained: list[Any] = []
    if save_to is not None:
        from ue_bench.training import model_folder, saved

        if config.measure == "latency":
            raise BenchError(
                "measure: 'latency' was given with --save, and trains nothing; choose all or quality"
            )
        model_folder.require_free(save_to)
    with progress(config.strategy, config.epochs, "epochs") as update:
        done = run_once(
            config,
            data_dir=data_dir,
            on_evaluation=lambda fit: update(fit.history[-1]["epoch"], _followed(fit.history[-1])),
            on_trained=lambda *both: trained.extend(both),
        )
    path = records.write(done, results)
    if save_to is not None:
        saved.save(save_to, trained[0], config, trained[1])
    click.echo(done.to_json() if as_json else describe(done, path, save_to), nl=not as_json)


def _followed(entry: dict[str, float]) -> str:
    """The validation loss of an entry of the history that decides when to stop."""
    name, key = ("log loss", "val_log_loss") if "val_log_loss" in entry else ("MSE", "val_mse")
    return f"validation {name} {entry[key]:.4f}"


def describe(record: Any, path: Path, saved_to: Path | None = None) -> str:
    """A run in a few lines."""
    config, quality, cost, found = record.config, record.quality, record.cost, record.found
    lines = [f"{config.strategy} on {config.dataset}, {config.features}, {config.split} split"]
    if quality:
        judged = "val" if quality["test_mse"] is None else "test"
        bias = quality["anchors"]["bias"]
        test = (
            "no test rows" if quality["test_mse"] is None else f"test MSE {quality['test_mse']:.4f}"
        )
        lines.append(
            f"  {test}, validation MSE {quality['val_mse']:.4f}, best after epoch {quality['best_epoch']:g}"
        )
        if "val_log_loss" in quality:
            part = "validation" if judged == "val" else "test"
            lines.append(f"  {part} {_labels(quality, judged)}; the MSE are Brier scores")
        beats, more = (
            "beats" if quality["beats_bias"] else "DOES NOT BEAT",
            _labels(bias, judged, "; "),
        )
        lines.append(f"  {beats} the damped user and item bias ({bias[f'{judged}_mse']:.4f}{more})")
    share = found["exact_table_bytes"] / (cost["table_bytes"] + cost["auxiliary_bytes"])
    lines.append(
        f"  {cost['total_bytes']:,} bytes in all; table and auxiliary are 1/{share:.3g} of the exact table's"
    )
    for entry in cost.get("latency", []):
        if entry["batch"] == 256:
            unstable = "  UNSTABLE: is the machine busy?" if entry["unstable"] else ""
            lines.append(
                f"  lookup of 256 rows from {entry['source']}: {entry['p50_us']:.1f} us "
                f"(p90 {entry['p90_us']:.1f}, n {entry['n']}), {found['threads']} thread(s){unstable}"
            )
    model = [] if saved_to is None else [f"  model: {saved_to}"]
    return "\n".join(map(one_line, [*lines, f"  record: {path}", *model]))


def _labels(scores: Any, part: str, before: str = "") -> str:
    """AUC and log loss of a part, where there are any: an AUC needs both labels in it."""
    if f"{part}_log_loss" not in scores:
        return ""
    auc = scores[f"{part}_auc"]
    return f"{before}AUC {'unknown' if auc is None else f'{auc:.4f}'}, log loss {scores[f'{part}_log_loss']:.4f}"
