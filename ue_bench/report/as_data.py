"""The content of a report as data, for programs: arms, verdicts, boards, what was left out."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from ue_bench.report.assemble import read_evidence
from ue_bench.report.evidence.board import Board, Standing, boards
from ue_bench.report.evidence.frames import of_small_frames, records
from ue_bench.report.json_values import json_values


@of_small_frames()
def as_data(results: Path, study: str | None = None) -> dict[str, Any]:
    """Return what the records of a folder say, as values that JSON can hold. Nothing is drawn.

    * arms: one entry an arm, with the columns of the report's `summary.csv`.
    * verdicts: one entry a contestant and budget, with the columns of `paired.csv`.
    * boards: by study, one entry a world.
    * left_out: the lines of what is `refused` as not comparable and of files that are `skipped`,
      and one entry a run that is `not_ok`.

    study: read the records of this study alone. Raises BenchError if there is no record of a run.
    """
    evidence, skipped = read_evidence(results, study)
    studies = sorted({record.study for record in (*evidence.records, *evidence.drawn)})
    of_study = {}
    for name in studies:
        of_study[name] = [_board(board) for board in boards(evidence, name)]
    not_ok = []
    for record in evidence.arms.failed:
        entry = {name: getattr(record, name) for name in ("run_id", "study", "phase", "status")}
        config = record.config
        entry |= {"strategy": config.strategy, "regions": config.regions, "budget": config.budget}
        not_ok.append(entry | {"cause": record.cause, "error": record.error})
    data = {
        "studies": studies,
        "arms": records(evidence.summary),
        "verdicts": records(evidence.verdicts),
        "boards": of_study,
        "left_out": {
            "refused": list(evidence.arms.refused),
            "skipped": list(skipped),
            "not_ok": not_ok,
        },
    }
    values: dict[str, Any] = json_values(data)
    return values


def _board(board: Board) -> dict[str, Any]:
    return {
        "world": board.world,
        "comparison": board.comparison._asdict(),
        "part": board.part,
        "exact_table_bytes": board.exact_table_bytes,
        "budgets": board.budgets,
        "standings": [_standing(standing) for standing in board.standings],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    entry = asdict(standing)
    entry["sizes"] = [{"budget": size, **asdict(at)} for size, at in standing.sizes.items()]
    entry["lacks"] = [{"budget": size, "reason": why} for size, why in standing.lacks.items()]
    return entry
