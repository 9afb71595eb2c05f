"""Numbers in prose are made from records: a document marks a block, and the block is rewritten.

<!-- ue-bench: abstract table_size -->                        a study's answer in three sentences
<!-- ue-bench: answer default -->                             its whole answer, budget by budget
<!-- ue-bench: table default base -->                         its table for one feature set
<!-- ue-bench: ranks methods wide -->                         ranks of its strategies by budget
<!-- ue-bench: byte-ranks methods base -->                    the same by all bytes
<!-- ue-bench: board methods -->                              its board
<!-- ue-bench: compare table_size unified per_feature -->     two strategies or arms compared
<!-- ue-bench: told table_size unified per_feature -->        the same in one sentence
<!-- ue-bench: compare-bytes default unified int8 key-free -->  the same, at no more bytes in all
<!-- ue-bench: section heads heads -->                        one section: sentences and table
<!-- ue-bench: sentences heads heads -->                      its sentences alone
<!-- ue-bench: gist heads heads -->                           what it says, in one sentence
<!-- ue-bench: speed forward -->                              cases of `ue-bench speed`, or `claims`
<!-- ue-bench: scenarios known-answer -->                    its claims, and what was found
<!-- end -->
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence

from ue_bench.errors import BenchError, unknown
from ue_bench.report.evidence.board import boards
from ue_bench.report.evidence.compare import (
    Row,
    ScoredArms,
    compare_arms,
    family,
    scored_arms,
    sentence,
    told,
)
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.evidence.known_answer import Verdict
from ue_bench.report.format import escaped, plain
from ue_bench.report.page import abstract, conclusion, performance
from ue_bench.report.page.board_tables import board_tables
from ue_bench.report.page.byte_ranks import byte_ranks
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import tables

Kind = Callable[[Evidence, str, Sequence[str]], list[str]]
BLOCK = re.compile(r"(<!-- ue-bench: (?P<words>[^\n]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(
    text: str,
    evidence: Evidence,
    verdicts: Mapping[str, Sequence[Verdict]] | None = None,
) -> str:
    """Return `text` with each marked block made from the records.

    verdicts: by study, what became of its claims about planted worlds.

    Raises BenchError for a block that is malformed or names something that no record has.
    """

    def scenarios(_: Evidence, study: str, names: Sequence[str]) -> list[str]:
        return _scenarios((verdicts or {}).get(study, ()))

    kinds = KINDS | {"scenarios": scenarios}

    def rewritten(match: re.Match[str]) -> str:
        block = "\n".join(_block(match["words"], kinds, evidence)).strip()
        return f"{match[1]}{block}\n{match[3]}"

    return BLOCK.sub(rewritten, text)


def _block(words: str, kinds: Mapping[str, Kind], evidence: Evidence) -> list[str]:
    """The lines of the block that a marker asks for."""
    try:
        kind, study, *names = shlex.split(words)
    except ValueError as error:
        raise BenchError(
            f"the block {words!r} needs a kind and a study, in matching quotes ({error})"
        ) from error
    if kind not in kinds:
        raise unknown("block of generated prose", kind, kinds)
    if kind in NAMES and len(names) != NAMES[kind]:
        raise BenchError(
            f"the block {words!r} has {len(names)} names after the study; "
            f"{kind} needs {NAMES[kind]}"
        )
    lines = kinds[kind](evidence, study, names)
    if not lines:
        raise BenchError(
            f"the block {words!r} names what no record has; run the study or correct the marker"
        )
    return lines


def _abstract(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, verdicts = map(escaped, evidence.of(study, features))
    if summary.empty:
        return []
    return [" ".join(abstract.sentences(summary, verdicts))]


def _answer(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, verdicts = map(escaped, evidence.of(study, features))
    if summary.empty:
        return []
    return conclusion.sentences(summary, verdicts)


def _table(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, _ = evidence.of(study, features)
    return tables(escaped(summary))


def _ranks(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, _ = evidence.of(study, features)
    return rank_tables(escaped(summary))


def _byte_ranks(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, _ = evidence.of(study, features)
    return byte_ranks(escaped(summary))


def _compare(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    rows = _compared(evidence, study, names)
    if not rows:
        return []
    return [*(f"- {sentence(row)}" for row in rows), "", family(rows)]


def _told(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    rows = _compared(evidence, study, names)
    one, other = map(plain, names)
    return [told(rows, one, other)] if rows else []


def _compared(evidence: Evidence, study: str, names: Sequence[str]) -> list[Row]:
    """The rows of a comparison, with texts that are safe in a page."""
    arms = _scored_arms(evidence, study)
    if not arms:
        return []
    rows = []
    for row in compare_arms(arms, *names):
        texts = {name: plain(value) for name, value in row.items() if isinstance(value, str)}
        rows.append(row | texts)
    return rows


def _scored_arms(evidence: Evidence, study: str) -> ScoredArms | None:
    records = [record for record in evidence.records if record.study == study]
    if not records:
        return None
    return evidence.once(("compared", study), lambda: scored_arms(records))


def _section(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    # The plotting library that this import loads is needed by no other block.
    from ue_bench.report.figures.draw import section_lines

    return section_lines(evidence, study, names[0])


def _gist(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    from ue_bench.report.figures.draw import section_gist

    sentence = section_gist(evidence, study, names[0])
    return [sentence] if sentence else []


def _sentences(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for line in _section(evidence, study, names):
        if not line or line.startswith("|"):
            continue
        if lines and not line.startswith("- "):
            lines.append("")  # a paragraph of its own, and no end of the item above
        lines.append(line)
    return lines


def _speed(evidence: Evidence, case: str, more_cases: Sequence[str]) -> list[str]:
    return performance.markdown(evidence.speed, [case, *more_cases])


def _board(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    return board_tables(boards(evidence, study))


def _scenarios(verdicts: Sequence[Verdict]) -> list[str]:
    """A table of claims, one row a scenario."""
    if not verdicts:
        return []
    lines = ["| scenario | expected | found | result |", "|---|---|---|---|"]
    for verdict in verdicts:
        result = "pass" if verdict.ok else "**FAIL**"
        cells = [verdict.scenario, verdict.expected, verdict.found, result]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


KINDS: dict[str, Kind] = {
    "abstract": _abstract,
    "answer": _answer,
    "table": _table,
    "ranks": _ranks,
    "byte-ranks": _byte_ranks,
    "compare": _compare,
    "compare-bytes": _compare,
    "told": _told,
    "section": _section,
    "sentences": _sentences,
    "gist": _gist,
    "speed": _speed,
    "board": _board,
}
# How many names follow the study; the other kinds take any number of feature sets.
NAMES = {
    "compare": 2,
    "told": 2,
    "compare-bytes": 3,
    "section": 1,
    "sentences": 1,
    "gist": 1,
    "scenarios": 0,
    "board": 0,
}
