"""The rank of a strategy in plain text, at 80 columns."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from textwrap import fill
from typing import Any

from ue_bench.report.format import delta_text, interval_text, size_text
from ue_bench.strategies.budget import counted

WIDTH = 80
NAMED = 3  # rivals named at a size


def rank_text(name: str, found: Mapping[str, Any]) -> str:
    """Return the answer of `rank` for one strategy."""
    lines = [f"{name}: {found['effort']}."]
    if not found["whole"]:
        lines.append(
            "Its ranks are what it had with that; intervals of few seeds are wide, and the luck of "
            "its search is in none of them."
        )
    if not found["places"]:
        lines.append("It has no place: no run of it can be compared with the published ones.")
    title = None
    for place in found["places"]:
        if place["panel"] != title:
            title = place["panel"]
            lines += ["", f"{title}:"]
        lines += _of_size(place)
    if found["over_worlds"] is not None:
        lines += ["", _over_worlds(found["over_worlds"])]
    lines += [f"left out: {line}" for line in found["left_out"]]
    return "\n".join(_wrapped(line) for line in lines)


def _over_worlds(summary: Mapping[str, Any]) -> str:
    worlds = []
    for title, world in summary["worlds"].items():
        worlds.append(f"{world['mean_rank']:.1f} of {world['among']} in {title}")
    text = f"Over {counted(len(worlds), 'world')}: mean rank {summary['mean_rank']:.1f} by budget "
    text += f"({', '.join(worlds)}); on the front at {summary['on_front']} of {summary['sizes']} "
    text += f"sizes; of {counted(summary['tests'], 'test')} against a rival, better in "
    return f"{text}{summary['better']} and worse in {summary['worse']}."


def _of_size(place: Mapping[str, Any]) -> Iterator[str]:
    size = size_text(place["budget"], place["exact_table_bytes"])
    rank = f"rank {place['rank']} of {place['among']} by budget"
    in_all = "too large in all bytes"
    if place["rank_in_all"] is not None:
        in_all = f"{place['rank_in_all']} of {place['among_in_all']} by all bytes"
    front = "on the front" if place["on_front"] else "not on the front"
    mse = interval_text(place["mse"], place["low"], place["high"])
    yield f"  {size}: {rank}, {in_all}, {front} of error and bytes"
    yield f"    {place['label']}: {place['part']} MSE {mse}, n={place['n']}"
    counts = Counter(rival["verdict"] for rival in place["rivals"])
    yield (
        f"    better than {counts['better']}, worse than {counts['worse']}, not told apart from "
        f"{counts['not told apart']}{_family(place['rivals'])}"
    )
    for rival in place["rivals"][:NAMED]:
        delta = delta_text(rival["difference"], rival["low"], rival["high"])
        yield f"      {delta} to {rival['label']}: {rival['verdict']}"


def _family(rivals: Sequence[Mapping[str, Any]]) -> str:
    if not rivals:
        return ""
    return f" (Holm-corrected over {rivals[0]['tests']} tests)"


def _wrapped(line: str) -> str:
    indent = len(line) - len(line.lstrip())
    return fill(
        line,
        WIDTH,
        initial_indent=line[:indent],
        subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False,
    )
