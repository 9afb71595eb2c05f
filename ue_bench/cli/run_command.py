"""`ue-bench run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ue_bench.cli.group import load_plugins, main, print_warnings, shared
from ue_bench.cli.json_alone import standard_output
from ue_bench.cli.options import config_options, make_config
from ue_bench.cli.protocol import PROTOCOL, follow_protocol
from ue_bench.cli.table_options import TABLE
from ue_bench.cli.voice import join_others, leave_with
from ue_bench.config.entities import entities_text
from ue_bench.config.stream_split import STREAM
from ue_bench.errors import BenchError, one_line, visible_json
from ue_bench.training.launched import place

if TYPE_CHECKING:
    from ue_bench.config import RunConfig
    from ue_bench.record import Record


@main.command(
    "run",
    epilog=(
        "Example: ue-bench run --strategy per_feature --region-rule sqrt --budget 28kB --seed 1 "
        "--json"
    ),
)
@config_options
@click.option("--seed", type=int, default=0, show_default=True, help="Sets all four seeds.")
@click.option(
    "--option",
    "options",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the strategy's method; repeatable.",
)
@click.option(
    "--save",
    "save_to",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="Also write the trained model there; ue_bench.load(DIR) serves it.  [default: none]",
)
@click.option(
    "--print-path",
    is_flag=True,
    help="Print the path of the record that the run will write, and do nothing else.",
)
@PROTOCOL
@shared(*TABLE, "plugins", "data_dir", "results", "json")
def run_command(
    seed: int,
    protocol: str | None,
    options: tuple[str, ...],
    save_to: Path | None,
    print_path: bool,
    plugins: tuple[Path, ...],
    data_dir: Path | None,
    results: Path,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train and measure one configuration, and write its record.

    torchrun starts it in several processes, which train together; the first one measures, prints
    and writes.
    """
    from ue_bench import record as records
    from ue_bench.cli.dataset_options import fields_of
    from ue_bench.progress import progress
    from ue_bench.training.resolve import resolve
    from ue_bench.training.run_once import assist, run_once

    here = place()
    load_plugins(plugins)
    follow_protocol(protocol, asked)
    fields, data_dir = fields_of(asked, data_dir)
    config = make_config(seed, options, fields)
    if print_path:
        if here.rank == 0:
            with standard_output():
                click.echo(records.path_of(results, "run", resolve(config).run_id))
        return
    ranks = join_others(config.device, here)
    if not ranks.is_first:
        assist(config, ranks, data_dir)
        leave_with(0)
        return
    records.require_writable(results / "run")
    _require_same_data(config, results, data_dir)
    if save_to is not None:
        from ue_bench.strategies.anchor_entries import require_strategy
        from ue_bench.training import model_folder, saved

        require_strategy(config.strategy)
        if config.measure == "latency":
            raise BenchError(
                "measure: 'latency' was given with --save, but trains no model; "
                "choose all or quality"
            )
        model_folder.require_free(save_to)
    trained: list[Any] = []  # the model and its data set
    passes = 1 if config.split == STREAM else config.epochs
    with progress(config.strategy, passes, "epochs") as update:

        def show_evaluation(fit: Any) -> None:
            entry = fit.history[-1]
            update(entry["epoch"], _validation_loss(entry))

        record = run_once(
            config,
            data_dir=data_dir,
            on_evaluation=show_evaluation,
            on_trained=lambda model, dataset: trained.append(model),
            ranks=ranks,
        )
    path = records.write(record, results)
    print_warnings(record.found["warnings"])
    if save_to is not None:
        saved.save(save_to, trained[0], config)
    if as_json:
        with standard_output():
            click.echo(visible_json(record.to_json()), nl=False)
    else:
        for line in _describe(record):
            click.echo(one_line(line))
        click.echo(one_line(f"  record: {path}"))
        if save_to is not None:
            click.echo(one_line(f"  model: {save_to}"))


def _require_same_data(config: RunConfig, results: Path, data_dir: Path | None) -> None:
    """Raise BenchError where the record would replace one that was made on other data.

    Ids of runs on named data sets do not have the content of the data.
    """
    from ue_bench import record as records
    from ue_bench.study.data_at_hand import DataAtHand
    from ue_bench.training.resolve import resolve

    path = records.path_of(results, "run", resolve(config).run_id)
    if not path.is_file():
        return
    try:
        before = records.read(path)
    except BenchError:  # nobody can use it
        return
    if isinstance(before, records.Record):
        DataAtHand(data_dir).require([before], path)


def _validation_loss(entry: Mapping[str, float]) -> str:
    """The loss that decides when training stops, in an entry of the history."""
    if "val_log_loss" in entry:
        return f"validation log loss {entry['val_log_loss']:.4f}"
    return f"validation MSE {entry['val_mse']:.4f}"


def _describe(record: Record) -> Iterator[str]:
    """The results of a run in a few lines."""
    config = record.config
    found = record.found
    cost = record.cost
    split = f"{config.split} split"
    if config.tested_on is not None:
        split += f", tested on {config.tested_on}"
    if "thinned" in found:
        split += f", {found['thinned']['rows']:,} of {found['thinned']['of']:,} rows"
    yield f"{config.strategy} on {config.dataset}, {config.features}, {split}"
    entities = entities_text(found)
    if entities:
        yield f"  {entities}"
    if record.quality:
        yield from _quality(record)
    share = found["exact_table_bytes"] / (cost["table_bytes"] + cost["auxiliary_bytes"])
    fraction = f"1/{share:.3g} of the exact table's"
    total = f"{cost['total_bytes']:,} bytes in all"
    if cost["vocabulary_bytes"]:
        total += (
            f" with the dictionary, {cost['total_floor_bytes']:,} with a vocabulary that stores no "
            "keys"
        )
    yield f"  {total}; table and auxiliary are {fraction}"
    for entry in cost.get("latency", []):
        if entry["batch"] == 256:
            yield _latency(entry, record)


def _latency(entry: Mapping[str, Any], record: Record) -> str:
    """One measurement, with the cache that a lookup from codes reads."""
    if entry["source"] == "codes":
        source = "codes"
        if record.cost["slot_cache_bytes"]:
            source += f" (reads {record.cost['slot_cache_bytes']:,} bytes of located slots)"
    elif entry["callers"] == 1:
        source = "raw values"
    else:
        source = f"raw values, {entry['callers']} callers at once"
    line = (
        f"  lookup of {entry['batch']} rows from {source}: {entry['p50_us']:.1f} us "
        f"(p99 {entry['p99_us']:.1f}, n {entry['n']}), {record.found['threads']} thread(s) each"
    )
    if entry["unstable"]:
        line += "  UNSTABLE: is the machine busy?"
    return line


def _quality(record: Record) -> Iterator[str]:
    """The scores of the test part, or of validation where the split has no test part."""
    quality = record.quality
    if quality["test_mse"] is None:
        part = "val"
        part_name = "validation"
        test = "no test rows"
    else:
        part = part_name = "test"
        test = f"test MSE {quality['test_mse']:.4f}"
    validation = f"validation MSE {quality['val_mse']:.4f}"
    line = f"  {test}, {validation}"
    if not record.is_anchor:
        line += f", best after epoch {quality['best_epoch']:g}"
    yield line
    if "val_log_loss" in quality:
        scores = _label_scores(quality, part)
        yield f"  {part_name} {scores}; the MSE are Brier scores"
    bias = quality["anchors"]["bias"]
    bias_scores = f"{bias[f'{part}_mse']:.4f}"
    if f"{part}_log_loss" in bias:
        bias_scores += f"; {_label_scores(bias, part)}"
    if quality["beats_bias"] is not None:  # it is not the bias model itself
        beats = "beats" if quality["beats_bias"] else "DOES NOT BEAT"
        yield f"  {beats} the damped user and item bias ({bias_scores})"
    own_mse = quality[f"{part}_mse"]
    for name, title in (("linear", "a linear model (one-hot)"), ("boosting", "gradient boosting")):
        scores = quality["anchors"].get(name)
        if scores is None:  # a stream has no rows that they could be fitted to
            continue
        mse = scores[f"{part}_mse"]
        text = f"{mse:.4f}"
        if f"{part}_log_loss" in scores:
            text += f"; {_label_scores(scores, part)}"
        beats = "beats" if own_mse < mse else "DOES NOT BEAT"
        yield f"  {beats} {title} ({text})"
    if "best" in quality["anchors"]:
        measure, name = "mse", "MSE"
        if f"{part}_log_loss" in quality:
            measure, name = "log_loss", "log loss"
        best = quality["anchors"]["best"][f"{part}_{measure}"]
        excess = quality[f"{part}_{measure}"] - best
        yield f"  {excess:.4f} above the best possible {name} on these rows ({best:.4f})"


def _label_scores(scores: Mapping[str, Any], part: str) -> str:
    """AUC and log loss of a part. The AUC is unknown if the part has only one label."""
    auc = scores[f"{part}_auc"]
    auc_text = "unknown" if auc is None else f"{auc:.4f}"
    log_loss = scores[f"{part}_log_loss"]
    return f"AUC {auc_text}, log loss {log_loss:.4f}"
