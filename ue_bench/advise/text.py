"""The answer in plain text, 80 columns wide."""

from collections.abc import Sequence
from statistics import median
from textwrap import fill
from typing import Any

from ue_bench.advise.equal_scores import FEWEST_SEEDS
from ue_bench.advise.fractions import fraction_text
from ue_bench.config.entities import entities_text
from ue_bench.errors import one_line
from ue_bench.report.evidence.summary import ENOUGH_CALLS
from ue_bench.report.format import (
    bytes_text,
    delta_text,
    interval_text,
    micros_text,
    mse_text,
    p_text,
)

WIDTH = 80
NAMES = {
    "mean": "the mean",
    "item_mean": "the item's mean",
    "bias": "user and item bias",
    "mf": "matrix factorisation",
    "linear": "linear (one-hot)",
    "boosting": "gradient boosting",
    "best": "best possible",
}
MOST_LEFT_OUT = 6  # candidates that are named for each reason
LABEL_WIDTH = 31
RARE = 100  # rows a value, above which fewer change little

Facts = dict[str, Any]  # what JSON holds


def as_text(answer: Facts, results: str) -> str:
    """Return what `advise` prints.

    results: the folder of the records, for the command that draws the report.
    """
    report = f"ue-bench report --results {results} --study {answer['study']}"
    paragraphs = [
        _wrapped(_best(answer)),
        _wrapped(_part(answer)),
        _wrapped(_why(answer)),
        _wrapped(_exact(answer)),
        _front(answer["front"], answer),
        _wrapped(_sure(answer)),
        _wrapped(_anchors(answer["anchors"])),
        _entities(answer),
        _left_out(answer),
        f"Python:\n\n{answer['python']}".rstrip(),
        f"Records and figures:\n  {report}",
    ]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _wrapped(text: str, indent: str = "", indent_after: str = "") -> str:
    """Return a paragraph that is broken between words alone, so that a label stays whole."""
    return fill(
        one_line(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent_after,
        break_on_hyphens=False,
    )


def _count(n: int, noun: str) -> str:
    if n > 1:
        noun += "s"
    return f"{n} {noun}"


def lookups_text(counts: dict[str, int]) -> str:
    """Return `2 lookups a feature`, or `1 lookup a feature, but movie_id 3`."""
    numbers = list(counts.values())
    usual = min(set(numbers), key=lambda n: (-numbers.count(n), n))
    others = [f"{name} {n}" for name, n in counts.items() if n != usual]
    text = f"{_count(usual, 'lookup')} a feature"
    if others:
        text += f", but {', '.join(others)}"
    return text


def _best(answer: Facts) -> str:
    best = answer["best"]
    text = f"{_layer(best)}; {_score(best, answer['measure'])}{_on(answer)}; {_latency(best)}. "
    text += f"The head beside it takes {bytes_text(best['head_bytes'])}."
    if answer["latency_met"] is False:
        limit = micros_text(answer["latency_limit_us"])
        return f"NOTHING HERE MEETS {limit} us. The fastest of what was confirmed is {text}"
    if answer["learned"] is False:
        return (
            "NOTHING WAS LEARNED: the best on validation does not beat the mean, "
            f"so no choice matters. It is {text}"
        )
    return f"Use {text}"


def _layer(arm: Facts) -> str:
    """Return the strategy with its table, lookups and bytes."""
    strategy = arm["strategy"]
    if arm["region_rule"]:
        strategy += f" (separate tables sized by {arm['region_rule']})"
    table = f"{arm['dim']} numbers a lookup"
    if arm["rows"]:
        table = f"{arm['rows']:,} rows of {arm['dim']}"
    size = f"{bytes_text(arm['total_bytes'])} in all"
    parts = []
    for part in ("auxiliary", "vocabulary"):
        part_bytes = arm[f"{part}_bytes"]
        if part_bytes:
            parts.append(f"{bytes_text(part_bytes)} {part}")
    if parts:
        size += f" (of it {', '.join(parts)})"
    floor = arm["total_floor_bytes"]
    if floor is not None and floor < arm["total_bytes"]:
        size += f", or {bytes_text(floor)} where the vocabulary stores no keys"
    return f"{strategy}: {table}, {lookups_text(arm['lookups'])}, {size}"


def _score(arm: Facts, measure: str) -> str:
    error = interval_text(arm["mse"], arm["low"], arm["high"])
    return f"{arm['part']} {measure} {error} over {_count(arm['n'], 'fresh seed')}"


def _on(answer: Facts) -> str:
    """Return on which part of the rows errors are, and what all rows are forecast to give."""
    part = answer["part"]
    if part is None or part["fraction"] == 1:
        return ""
    text = f" on {fraction_text(part['fraction'])} of the rows"
    forecast = answer["best"]["forecast"]
    if forecast is None:
        return f"{text} (too few runs to forecast that on all rows)"
    expected = interval_text(forecast["mse"], forecast["low"], forecast["high"])
    return f"{text}, from which {expected} is forecast for all rows"


def _part(answer: Facts) -> str:
    """Return which rows were left out, by which rule, and how far the part is from the whole."""
    part = answer["part"]
    if part is None:
        return ""
    steps = []
    for step in part["race"]:
        steps.append(f"{step['rows']:,} for {_count(step['configurations'], 'configuration')}")
    text = f"Rows left out: of {part['of']:,}, the race used {', then '.join(steps)}"
    if part["fraction"] == 1:
        return f"{text}. All that is quoted ran on all rows."
    text += (
        f". What is quoted ran on {part['rows']:,}, chosen by the values of {part['by']} "
        f"({part['values']:.1%} of all distinct values), with as much of the memory. "
    )
    before, after = part["rows_a_value"][part["by"]]
    text += f"{part['by']} has {after:.1f} rows a value there, and {before:.1f} in all rows."
    changes = []
    for name, (before, after) in part["rows_a_value"].items():
        if name != part["by"] and after < RARE:
            changes.append((after / before, name))
    if not changes:
        return text
    least, name = min(changes)
    middle = median(change for change, _ in changes)
    return (
        f"{text} {_count(len(changes), 'other feature')} with fewer than {RARE} rows a value there "
        f"had more in all rows: what is left is {least:.0%} ({name}) or more, {middle:.0%} in the "
        "median. Forms of about the same error may change places on all rows."
    )


def _latency(arm: Facts) -> str:
    timing = arm["latency"]
    if timing is None:
        return "its latency was not measured for want of time"
    threads = _count(timing["threads"], "thread")
    where = f"{timing['device']}, {threads}, median of {timing['n']}"
    if timing["n"] >= ENOUGH_CALLS:
        where += f", 99th percentile {micros_text(timing['p99_us'])} us"
    if timing["unstable"]:
        where += ", UNSTABLE: is the machine busy?"
    micros = micros_text(timing["p50_us"])
    text = f"a lookup of {timing['batch']} rows from raw values takes {micros} us ({where})"
    from_codes = arm["latency_from_codes"]
    if from_codes is not None:
        text += f", from codes {micros_text(from_codes['p50_us'])} us"
        if arm["slot_cache_bytes"]:
            text += f" with a cache of {bytes_text(arm['slot_cache_bytes'])}"
    return text


def _why(answer: Facts) -> str:
    """Return why this one is named and no other."""
    choice = answer["choice"]
    rivals = answer["rivals"]
    if answer["latency_met"] is False or not rivals:
        return ""
    best = answer["best"]
    if choice["n_equal"] == 1:
        text = "Why this one: validation alone chose it"
        if best["n"] < FEWEST_SEEDS:
            return f"{text}; {_count(best['n'], 'fresh seed')} cannot show what is as good."
        return f"{text}; every other is outside the set of the best there, or has too few seeds."
    compared = str(choice["n_compared"])
    if answer["latency_met"]:
        compared += " that meet the limit"
    text = (
        f"Why this one: validation cannot tell {choice['n_equal']} of the {compared} apart "
        "(multiple comparison with the best, 95 %). "
    )
    runner_up = rivals[0]
    if choice["reason"] == "latency":
        text += (
            f"Of these it is the fastest from raw values: {_micros(best)} us, and the runner-up "
            f"{_micros(runner_up)} us"
        )
    else:
        text += _as_fast(choice, best)
        sizes = f"{bytes_text(best['total_bytes'])}, and the runner-up"
        text += f" {sizes} {bytes_text(runner_up['total_bytes'])}"
    text += "."
    if runner_up["is_lowest"]:
        return f"{text} The runner-up has the lowest validation {answer['measure']}."
    for rival in rivals:
        if rival["is_lowest"]:
            text += f" The lowest validation {answer['measure']} has {_against(rival)}."
    return text


def _as_fast(choice: Facts, best: Facts) -> str:
    """Return what decided between those that are as fast as the fastest."""
    text = f"{choice['n_as_fast']} of these are as fast from raw values (within 5 % or their noise"
    if best["latency"] is None:
        text = f"None of these {choice['n_as_fast']} was timed (for want of time"
    text += "), "
    if choice["reason"] == "vocabulary":
        return f"{text}and of the smallest of them it is the one without a vocabulary:"
    return f"{text}and it is the smallest of them:"


def _micros(arm: Facts) -> str:
    if arm["latency"] is None:
        return "an unknown number of"
    return micros_text(arm["latency"]["p50_us"])


def _exact(answer: Facts) -> str:
    exact = answer["exact"]
    memory = bytes_text(answer["memory"])
    sizes = []
    verdict = f"{memory} are not enough for an exact table"
    for table in exact["dims"]:
        sizes.append(f"{bytes_text(table['total_bytes'])} with {table['dim']}")
        if table["fits"]:
            verdict = f"{memory} are enough for an exact table of {table['dim']} numbers a value"
    text = f"{verdict}: {answer['n_values']:,} values take {', '.join(sizes)} numbers each "
    text += f"({bytes_text(exact['vocabulary_bytes'])} of it vocabulary)."
    measured = exact["measured"]
    if measured is not None:
        error = interval_text(measured["mse"], measured["low"], measured["high"])
        seeds = _count(measured["n"], "fresh seed")
        text += f" The exact table of {measured['dim']} reaches {error} over {seeds}."
    return text


def _front(front: Sequence[Facts], answer: Facts) -> str:
    """Return the table of those that none beats in both bytes and validation MSE, and the best."""
    error = f"{front[0]['part']} {answer['measure']}"
    beside = "(*: the advice)"
    if not all(arm["on_front"] for arm in front):
        beside = "(but for *, the advice)"
    lines = [
        f"Nothing smaller is better on validation than these {beside}:",
        f"  {'':<{LABEL_WIDTH}}{'bytes':>11}  {error:<25}{'raw us':>8}",
    ]
    for arm in front:
        mark = " "
        if arm["run_ids"] == answer["best"]["run_ids"]:
            mark = "*"
        micros = "–"
        if arm["latency"]:
            micros = micros_text(arm["latency"]["p50_us"])
        error = interval_text(arm["mse"], arm["low"], arm["high"])
        numbers = f"{arm['total_bytes']:>11,}  {error:<25}{micros:>8}"
        label = one_line(arm["label"])
        if len(label) <= LABEL_WIDTH:
            lines.append(f"{mark} {label:<{LABEL_WIDTH}}{numbers}")
            continue
        long_label = fill(
            label.replace(",", ", "),
            WIDTH,
            initial_indent=f"{mark} ",
            subsequent_indent="    ",
        )
        lines += [long_label, f"  {'':<{LABEL_WIDTH}}{numbers}"]
    return "\n".join(lines)


def _sure(answer: Facts) -> str:
    best = answer["best"]
    rivals = answer["rivals"]
    if not rivals:
        return "How sure: there is nothing to compare it with; give more --minutes."
    quick = rivals
    if answer["latency_met"]:
        quick = [rival for rival in rivals if rival["meets_latency"]]
    text = "How sure: no other meets the limit of latency."
    if quick:
        text = f"How sure: the runner-up is {_against(quick[0])}."
    for rival in rivals:
        too_slow = answer["latency_met"] and not rival["meets_latency"]
        if too_slow and rival["val_mse"] < best["val_mse"]:
            text += f" Without that limit: {_against(rival)}."
            break
    if len(rivals) > 1:
        worse = [rival for rival in rivals if _told_apart(rival) > 0]
        text += (
            f" It is significantly better than {len(worse)} of {len(rivals)} rivals "
            f"(Holm-corrected over {rivals[0]['against_best']['tests']} tests, one a rival, 5 %, "
            f"{rivals[0]['against_best']['interval_by']})."
        )
        may_be_best = [rival for rival in rivals if rival["among_best"]]
        text += f" On test, {_count(len(may_be_best), 'rival')} may be the best (95 %)."
    for rival in quick:
        if _told_apart(rival) < 0:
            text += f" On {rival['part']} rows it is worse than {_against(rival)}."
    smaller_rivals = []
    for rival in quick:
        is_smaller = rival["total_bytes"] <= 0.8 * best["total_bytes"]
        if is_smaller and not rival["against_best"]["told_apart"]:
            smaller_rivals.append(rival)
    if smaller_rivals:
        smallest = min(smaller_rivals, key=lambda rival: rival["total_bytes"])
        if smallest is quick[0]:
            return f"{text} The runner-up is the smallest that cannot be told apart from it."
        text += f" The smallest that cannot be told apart from it is {_against(smallest)}."
    return text


def _told_apart(rival: Facts) -> float:
    """Return how much worse than the best a rival is; 0 where they cannot be told apart."""
    test = rival["against_best"]
    if not test["told_apart"]:
        return 0.0
    return float(test["difference"])


def _against(rival: Facts) -> str:
    """Return a rival with its size, its latency and its difference from the best."""
    test = rival["against_best"]
    text = f"{rival['label']} in {bytes_text(rival['total_bytes'])}"
    if rival["latency"] is not None:
        text += f" and {_micros(rival)} us"
    text += ", "
    if test["difference"] is None:
        return f"{text}without a common seed"
    text += delta_text(test["difference"], test["low"], test["high"])
    if test["low"] is None:
        return f"{text} on one seed, which tells nothing"
    if test["told_apart"]:
        return f"{text} (p {p_text(test['p_holm'])})"
    if test["needed"] is None or test["needed"] <= test["n"]:
        return f"{text}, not told apart with {test['n']} seeds"
    needed = f"about {test['needed']} to see {test['needed_for']:.4f}"
    return f"{text}, not told apart: {test['n']} seeds, {needed}"


def _anchors(anchors: Sequence[Facts]) -> str:
    scores = []
    not_beaten = []
    unknown = []
    for anchor in anchors:
        name = NAMES[anchor["name"]]
        size = ""
        if anchor["total_bytes"] is not None:
            size = f" in {bytes_text(anchor['total_bytes'])}"
        scores.append(f"{name} {mse_text(anchor['mse'])}{size}")
        if anchor["beaten"] is None:
            unknown.append(name)
        elif not anchor["beaten"]:
            not_beaten.append(name)
    text = f"Without any embedding: {', '.join(scores)}. "
    if anchors and anchors[0]["n"] < 2:
        return text + "One seed cannot tell whether it beats them."
    if unknown:
        text += f"Records do not tell whether it beats {' or '.join(unknown)}. "
    if not_beaten:
        return text + f"It does not beat {' nor '.join(not_beaten)}."
    return text + f"It beats all {'others' if unknown else 'of them'}."


def _entities(answer: Facts) -> str:
    """Return which features are user and item where they were chosen."""
    text = entities_text(answer)
    if not text:
        return ""
    return _wrapped(f"Columns of bias and factorisation: {text}")


def _left_out(answer: Facts) -> str:
    left_out = answer["left_out"]
    too_large = []
    for small in left_out["memory"]:
        too_large.append(f"{small['label']} (works from {bytes_text(small['works'])})")
    behind = []
    for loser in left_out["race"]:
        where = f"n={loser['n']}"
        if loser["fraction"] != 1:
            where += f" on {fraction_text(loser['fraction'])}"
        behind.append(f"{loser['label']} {mse_text(loser['val_mse'])} ({where})")
    slow = []
    if answer["latency_met"]:
        slow = [_timed(rival) for rival in answer["rivals"] if not rival["meets_latency"]]
    reasons = {
        "too large for the memory": too_large,
        f"behind in the race, by validation {answer['measure']}": behind,
        "no time (give more --minutes)": left_out["time"],
        "slower than the limit, or not timed": slow,
        "failed": left_out["failed"],
        "not comparable": answer["refused"],
        "no valid record, run again": answer["skipped"],
    }
    largest = left_out["largest_hashed_bytes"]
    if largest:
        reasons["hashed tables above four times the exact one"] = [f"{bytes_text(largest)} or more"]
    lines = []
    for reason, names in reasons.items():
        if names:
            lines.append(_wrapped(f"{reason}: {_few(names)}", "  ", "    "))
    if not lines:
        return ""
    return "\n".join(["Left out:", *lines])


def _timed(arm: Facts) -> str:
    if not arm["latency"]:
        return arm["label"]
    return f"{arm['label']} {micros_text(arm['latency']['p50_us'])} us"


def _few(names: Sequence[str]) -> str:
    text = ", ".join(names[:MOST_LEFT_OUT])
    more = len(names) - MOST_LEFT_OUT
    if more > 0:
        text += f", and {more} more"
    return text
