"""The board as Markdown: a table a world, with a row for each form of each strategy."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ue_bench.report.evidence.board import Board, Standing
from ue_bench.report.evidence.labels import bits_word
from ue_bench.report.evidence.summary import BATCH
from ue_bench.report.format import (
    NOTHING,
    bytes_text,
    code,
    micros_text,
    plain,
    range_text,
    size_text,
)

NOTE = (
    "A row is a form of a strategy. At each size it has the rank, by mean MSE, of its arm that is "
    "best on validation, with the bits of that arm where they are not 32; – is no rank, for a "
    "reason that is below the table. The mean rank is over the sizes that a form has. Set of the "
    "best: at how many of its sizes the form is in the set that holds the best one with 95 % "
    "(Hsu's multiple comparison with the best). Farthest behind: the largest distance of its mean "
    "MSE from the lowest one at a size, and that size. All bytes: table, auxiliary data and the "
    "vocabulary as a dictionary, over its sizes. Raw µs: median microseconds of a lookup of "
    f"{BATCH} rows from raw values (~: unstable), comparable within one machine."
)


def board_tables(boards: Sequence[Board]) -> list[str]:
    """Return Markdown lines; none where there is no board."""
    lines: list[str] = []
    for board in boards:
        lines += ["", f"### Board: {board_title(board)}", "", *board_lines(board)]
    return lines


def board_lines(board: Board) -> list[str]:
    """Return the table of one world as Markdown lines, and why forms have no rank at a size."""
    return [*_table(board), *_why_lacking(board)]


def board_title(board: Board) -> str:
    """Return the comparison of a board, with its study, as Markdown."""
    comparison = board.comparison
    return f"{plain(comparison.title)}, study {code(plain(comparison.study))}"


def _table(board: Board) -> Iterator[str]:
    sizes = [size_text(budget, board.exact_table_bytes) for budget in board.budgets]
    titles = ["strategy", "mean rank", *(f"rank at {size}" for size in sizes)]
    titles += ["set of the best", "farthest behind", "all bytes", "raw µs", "world"]
    yield f"| {' | '.join(titles)} |"
    yield "|---|--:|" + "--:|" * len(sizes) + "--:|---|---|---|---|"
    for standing in board.standings:
        yield f"| {' | '.join(_cells(board, standing))} |"


def _cells(board: Board, standing: Standing) -> Iterator[str]:
    yield plain(standing.form)
    yield NOTHING if standing.mean_rank is None else f"{standing.mean_rank:.1f}"
    for budget in board.budgets:
        yield _rank_cell(standing, budget)
    yield f"{standing.n_best} of {len(standing.sizes)}" if standing.sizes else NOTHING
    yield _worst_cell(standing)
    yield range_text(standing.total_bytes, bytes_text) if standing.total_bytes else NOTHING
    if standing.latency_us is None:
        yield NOTHING
    else:
        text = range_text(standing.latency_us, micros_text)
        yield f"~{text}" if standing.unstable else text
    yield plain(board.world)


def _rank_cell(standing: Standing, budget: int) -> str:
    """The rank, with the bits of the arm that has it: 3, or 3 (int2)."""
    at_size = standing.sizes.get(budget)
    if at_size is None:
        return NOTHING
    bits = bits_word(at_size.bits)
    return f"{at_size.rank} ({plain(bits)})" if bits else str(at_size.rank)


def _worst_cell(standing: Standing) -> str:
    if standing.worst is None:
        return NOTHING
    budget, behind = standing.worst
    if not behind:
        return "0, the best at each"
    return f"+{behind:.4f} at {bytes_text(budget)}"


def _why_lacking(board: Board) -> list[str]:
    """One bullet a reason why forms have no rank at a size."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for standing in board.standings:
        sizes: dict[str, list[str]] = defaultdict(list)
        for budget, reason in standing.lacks.items():
            sizes[reason].append(bytes_text(budget))
        for reason, texts in sizes.items():
            where = "at all sizes" if len(texts) == len(board.budgets) else ", ".join(texts)
            by_reason[reason].append(f"{plain(standing.form)} ({where})")
    if not by_reason:
        return []
    lines = [""]
    for reason, forms in sorted(by_reason.items()):
        lines.append(f"- No rank ({reason}): {', '.join(forms)}.")
    return lines
