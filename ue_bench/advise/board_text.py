"""The board in plain text, at 80 columns: a line a form, its strategy last."""

from collections.abc import Collection, Iterator, Sequence

from ue_bench.advise.rank_text import WIDTH
from ue_bench.errors import one_line
from ue_bench.report.evidence.board import Board, Standing
from ue_bench.report.format import NOTHING, ratio_text

NEW = ">"  # before the line of a strategy that is looked for


def board_text(boards: Sequence[Board], marked: Collection[str] = ()) -> str:
    """Return one table a world. marked: the strategies whose lines have a mark."""
    lines: list[str] = []
    for board in boards:
        lines += [board.comparison.title, *_table(board, marked), ""]
    return "\n".join(lines)


def _table(board: Board, marked: Collection[str]) -> Iterator[str]:
    sizes = [ratio_text(budget, board.exact_table_bytes) for budget in board.budgets]
    yield _line(" ", ["mean", *sizes, "best"], "verified", "strategy")
    for standing in board.standings:
        mark = NEW if standing.strategy in marked else " "
        yield _line(mark, _numbers(board, standing), standing.verified, one_line(standing.form))


def _numbers(board: Board, standing: Standing) -> list[str]:
    mean = NOTHING if standing.mean_rank is None else f"{standing.mean_rank:.1f}"
    cells = [mean]
    for budget in board.budgets:
        at_size = standing.sizes.get(budget)
        cells.append(NOTHING if at_size is None else str(at_size.rank))
    n_sizes = len(standing.sizes)
    return [*cells, f"{standing.n_best}/{n_sizes}" if n_sizes else NOTHING]


def _line(mark: str, numbers: Sequence[str], verified: str, name: str) -> str:
    columns = " ".join(number.rjust(5) for number in numbers)
    return f"{mark} {columns}  {verified:8}  {name}"[:WIDTH].rstrip()
