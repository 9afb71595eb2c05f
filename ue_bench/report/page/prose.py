"""Numbers in prose are made from records: a document marks a block, and the block is written anew.

<!-- ue-bench: abstract table_size -->                         the answer of a study in three sentences
<!-- ue-bench: answer default -->                              its whole answer, budget by budget
<!-- ue-bench: table default base -->                          its table for one feature set
<!-- ue-bench: ranks methods wide -->                          the ranks of its strategies at each budget
<!-- ue-bench: compare table_size unified per_feature -->      two strategies or arms, a line each comparison and budget
<!-- ue-bench: section heads heads -->                         sentences and table of one section of the report
<!-- ue-bench: sentences heads heads -->                       its sentences alone
<!-- ue-bench: speed forward -->                              what `ue-bench speed` measured in some of its cases; or `claims`
<!-- end -->
"""

import re
import shlex
from collections.abc import Callable, Sequence

from ue_bench.errors import BenchError, unknown
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.format import escaped, plain
from ue_bench.report.page import abstract, performance
from ue_bench.report.page import conclusion as answer
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import tables

BLOCK = re.compile(r"(<!-- ue-bench: (?P<words>[^\n]*?) -->\n).*?(<!-- end -->)", re.DOTALL)


def refresh(text: str, evidence: Evidence) -> str:
    """`text` with each marked block made from the records. Raises BenchError for a block that names what is not there."""

    def block(match: re.Match[str]) -> str:
        try:
            kind, study, *rest = shlex.split(match["words"])
        except ValueError as error:
            raise BenchError(
                f"the block {match['words']!r} needs a kind and a study, in whole quotes ({error})"
            ) from error
        if kind not in KINDS:
            raise unknown("block of generated prose", kind, KINDS)
        if kind in NAMES and len(rest) != NAMES[kind]:
            raise BenchError(
                f"the block {match['words']!r} has {len(rest)} names after the study; {kind} needs {NAMES[kind]}"
            )
        lines = KINDS[kind](evidence, study, rest)
        if not lines:
            raise BenchError(
                f"the block {match['words']!r} names what no record has; run the study or mend the marker"
            )
        text = "\n".join(lines).strip()
        return f"{match[1]}{text}\n{match[3]}"

    return BLOCK.sub(block, text)


def _abstract(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, verdicts = map(escaped, evidence.of(study, features))
    return [" ".join(abstract.sentences(summary, verdicts))] if len(summary) else []


def _answer(evidence: Evidence, study: str, features: Sequence[str]) -> list[str]:
    summary, verdicts = map(escaped, evidence.of(study, features))
    return answer.sentences(summary, verdicts) if len(summary) else []


def _compare(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    own = [record for record in evidence.records if record.study == study]
    rows = compare(own, *names) if own else []
    told = [
        {name: plain(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]
    return [f"- {sentence(row)}" for row in told]


def _section(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    from ue_bench.report.figures.draw import (
        section,  # loads a plotting library, which no other block needs
    )

    return section(evidence, study, names[0])


def _sentences(evidence: Evidence, study: str, names: Sequence[str]) -> list[str]:
    return [line for line in _section(evidence, study, names) if line and not line.startswith("|")]


KINDS: dict[str, Callable[[Evidence, str, Sequence[str]], list[str]]] = {
    "abstract": _abstract,
    "answer": _answer,
    "table": lambda evidence, study, features: tables(escaped(evidence.of(study, features)[0])),
    "ranks": lambda evidence, study, features: rank_tables(
        escaped(evidence.of(study, features)[0])
    ),
    "compare": _compare,
    "section": _section,
    "sentences": _sentences,
    "speed": lambda evidence, case, more: performance.markdown(evidence.speed, [case, *more]),
}
NAMES = {
    "compare": 2,
    "section": 1,
    "sentences": 1,
}  # how many stand after the study; the others take any number of feature sets
