"""The answer in plain text, 80 columns wide."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any

from ue_bench.errors import one_line
from ue_bench.report.format import bytes_text, interval_text, micros_text, mse_text, p_text

WIDTH = 80
NAMES = {
    "mean": "the mean",
    "item_mean": "the item's mean",
    "bias": "user and item bias",
    "mf": "matrix factorisation",
}
SHOWN = 6  # of what was left out, by each reason


def told(answer: dict[str, Any], results: str) -> str:
    """What `advise` prints. results: the folder given to it, for the command that draws the report."""
    paragraphs = [
        _wrapped(_answer(answer)),
        _wrapped(_exact(answer)),
        _front(answer["front"], answer),
        _wrapped(_sure(answer)),
        _wrapped(_anchors(answer)),
        _left_out(answer),
        f"Python:\n\n{answer['python']}".rstrip(),
        f"Records and figures:\n  ue-bench report --results {results} --study {answer['study']}",
    ]
    return "\n\n".join(part for part in paragraphs if part)


def _wrapped(text: str, indent: str = "", after: str | None = None) -> str:
    """Paragraphs are broken between words alone: a label stays whole."""
    after = indent if after is None else after
    return fill(
        one_line(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=after,
        break_on_hyphens=False,
    )


def lookups_told(arm: dict[str, Any]) -> str:
    """`2 lookups a feature`, or `1 lookup a feature, but movie_id 3`."""
    counts = arm["lookups"]
    usual = min(set(counts.values()), key=lambda n: (-sum(n == own for own in counts.values()), n))
    others = [f"{name} {n}" for name, n in counts.items() if n != usual]
    return f"{usual} lookup{'s' * (usual > 1)} a feature{', but ' + ', '.join(others) if others else ''}"


def _answer(answer: dict[str, Any]) -> str:
    best, limit = answer["best"], answer["latency_limit_us"]
    table = (
        f"{best['rows']:,} rows of {best['dim']}"
        if best["rows"]
        else f"{best['dim']} numbers a lookup"
    )
    rule = f" (separate tables sized by {best['region_rule']})" if best["region_rule"] else ""
    text = f"{best['strategy']}{rule}: {table}, {lookups_told(best)}, {bytes_text(best['total_bytes'])} in all"
    parts = [
        f"{bytes_text(best[f'{part}_bytes'])} {part}"
        for part in ("auxiliary", "vocabulary")
        if best[f"{part}_bytes"]
    ]
    text += f" (of it {', '.join(parts)})" if parts else ""
    text += f"; {best['part']} {answer['measure']} {interval_text(best['mse'], best['low'], best['high'])} over {_seeds(best['n'])}"
    text += f"; {_latency(best)}. The head beside it takes {bytes_text(best['head_bytes'])}."
    if limit is not None and not answer["latency_met"]:
        return f"NOTHING HERE MEETS {micros_text(limit)} us. The fastest of what was confirmed is {text}"
    if answer["learned"] is False:
        return f"NOTHING WAS LEARNED: the best on validation does not beat the mean, so no choice matters. It is {text}"
    return f"Use {text}"


def _latency(arm: dict[str, Any]) -> str:
    timing = arm["latency"]
    if timing is None:
        return "its latency was not measured for want of time"
    busy = ", UNSTABLE: is the machine busy?" if timing["unstable"] else ""
    where = f"{timing['device']}, {timing['threads']} thread{'s' * (timing['threads'] > 1)}, median of {timing['n']}{busy}"
    return f"a lookup of {timing['batch']} rows from codes takes {micros_text(timing['p50_us'])} us ({where})"


def _seeds(n: int) -> str:
    return f"{n} fresh seed{'s' * (n > 1)}"


def _exact(answer: dict[str, Any]) -> str:
    exact = answer["exact"]
    sizes = ", ".join(
        f"{bytes_text(one['total_bytes'])} with {one['dim']}" for one in exact["dims"]
    )
    fits = [one["dim"] for one in exact["dims"] if one["fits"]]
    enough = f"{bytes_text(answer['memory'])} {{}} enough for an exact table"
    head = (
        enough.format("are") + f" of {fits[-1]} numbers a value"
        if fits
        else enough.format("are not")
    )
    text = f"{head}: {answer['n_values']:,} values take {sizes} numbers each ({bytes_text(exact['vocabulary_bytes'])} of it "
    text += "vocabulary)."
    own = exact["measured"]
    if own is not None:
        text += f" The exact table of {own['dim']} reaches {interval_text(own['mse'], own['low'], own['high'])} over "
        text += f"{_seeds(own['n'])}."
    return text


def _front(front: Sequence[dict[str, Any]], answer: dict[str, Any]) -> str:
    """Those that none beats in both bytes and validation MSE."""
    best, error = answer["best"], f"{front[0]['part']} {answer['measure']}"
    lines = [
        "Nothing smaller is better on validation than these:",
        f"  {'':<32}{'bytes':>11}  {error:<25}{'us':>6}",
    ]
    for arm in front:
        mark = "*" if arm["run_ids"] == best["run_ids"] else " "
        micros = micros_text(arm["latency"]["p50_us"]) if arm["latency"] else "–"
        label = one_line(arm["label"])
        numbers = f"{arm['total_bytes']:>11,}  {interval_text(arm['mse'], arm['low'], arm['high']):<25}{micros:>6}"
        if len(label) > 32:
            lines += [
                fill(
                    label.replace(",", ", "),
                    WIDTH,
                    initial_indent=f"{mark} ",
                    subsequent_indent="    ",
                ),
                f"{'':<34}{numbers}",
            ]
        else:
            lines.append(f"{mark} {label:<32}{numbers}")
    return "\n".join(lines)


def _sure(answer: dict[str, Any]) -> str:
    best, rivals = answer["best"], answer["rivals"]
    if not rivals:
        return "How sure: there is nothing to compare it with; give more --minutes."
    quick = [one for one in rivals if one["meets_latency"]] if answer["latency_met"] else rivals
    text = "How sure: "
    text += (
        f"the runner-up is {_against(quick[0])}."
        if quick
        else "no other meets the limit of latency."
    )
    if (
        answer["latency_met"]
        and not rivals[0]["meets_latency"]
        and rivals[0]["val_mse"] < best["val_mse"]
    ):
        text += f" Without that limit: {_against(rivals[0])}."
    told = sum(rival["told_apart"] for rival in (one["against_best"] for one in rivals))
    if len(rivals) > 1:
        text += f" It is told apart from {told} of {len(rivals)} rivals (paired over seeds, Holm-corrected, 5 %)."
    small = [
        one
        for one in quick
        if one["total_bytes"] <= 0.8 * best["total_bytes"] and not one["against_best"]["told_apart"]
    ]
    if small:
        least = min(small, key=lambda one: one["total_bytes"])
        text += f" The smallest that cannot be told apart from it is {_against(least)}."
    return text


def _against(rival: dict[str, Any]) -> str:
    test = rival["against_best"]
    text = f"{rival['label']} in {bytes_text(rival['total_bytes'])}, "
    if test["difference"] is None:
        return text + "without a common seed"
    text += f"{test['difference']:+.4f}"
    if test["low"] is None:
        return text + " on one seed, which tells nothing"
    text += f" [{test['low']:+.4f}, {test['high']:+.4f}]"
    if test["told_apart"]:
        return text + f" (p {p_text(test['p_holm'])})"
    if test["needed"] is None or test["needed"] <= test["n"]:
        return text + f", not told apart with {test['n']} seeds"
    return (
        text
        + f", not told apart: {test['n']} seeds, about {test['needed']} to see {test['needed_for']:.4f}"
    )


def _anchors(answer: dict[str, Any]) -> str:
    known = {one["name"]: one for one in answer["anchors"]}
    text = (
        "Without any embedding: "
        + ", ".join(f"{NAMES[name]} {mse_text(one['mse'])}" for name, one in known.items())
        + "."
    )
    lost = [NAMES[name] for name, one in known.items() if one["beaten"] is False]
    if any(one["beaten"] is None for one in known.values()):
        return text + " One seed cannot tell whether it beats them."
    return text + (f" It does not beat {' nor '.join(lost)}." if lost else " It beats all of them.")


def _left_out(answer: dict[str, Any]) -> str:
    left = answer["left_out"]
    small = [f"{one['label']} (works from {bytes_text(one['works'])})" for one in left["memory"]]
    behind = [f"{one['label']} {mse_text(one['val_mse'])} (n={one['n']})" for one in left["race"]]
    slow = (
        [_timed(one) for one in answer["rivals"] if not one["meets_latency"]]
        if answer["latency_met"]
        else []
    )
    parts = [
        ("too large for the memory", small),
        ("behind in the race, by validation " + answer["measure"], behind),
        ("no time (give more --minutes)", left["time"]),
        ("slower than the limit, or not timed", slow),
        ("failed", left["failed"]),
        ("not comparable", answer["refused"]),
        ("no valid record, run again", answer["skipped"]),
    ]
    if left["largest_hashed_bytes"]:
        parts.append(
            (
                "hashed tables above four times the exact one",
                [f"{bytes_text(left['largest_hashed_bytes'])} or more"],
            )
        )
    lines = [_wrapped(f"{why}: {_few(what)}", "  ", "    ") for why, what in parts if what]
    return "\n".join(["Left out:", *lines]) if lines else ""


def _timed(arm: dict[str, Any]) -> str:
    return (
        f"{arm['label']} {micros_text(arm['latency']['p50_us'])} us"
        if arm["latency"]
        else arm["label"]
    )


def _few(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
