"""What the minutes will buy: said before the first run, by the arithmetic of the rounds."""

import math
from dataclasses import dataclass

from ue_bench.advise.fractions import fraction_text
from ue_bench.advise.pace import Pace
from ue_bench.advise.rounds import (
    CLOCKS,
    CONFIRM,
    EXTRAS,
    FEWEST,
    MOST,
    MOST_CLOCKS,
    MOST_SEEDS,
    RACE,
    SEEDS,
    race_runs,
)
from ue_bench.advise.runs import CLOCKED, OVERHEAD, SAFETY
from ue_bench.errors import BenchError

ANSWER = FEWEST * (SEEDS + 1)  # runs of an answer: two candidates, on one seed and on fresh ones
LEAST = FEWEST * 2  # runs of the poorest answer: two candidates, on one seed and on one fresh one


@dataclass(frozen=True)
class Forecast:
    """What a time buys.

    runs: how many end in it. raced: candidates in the race. confirmed: those that are confirmed, on
    `seeds` fresh seeds each.
    """

    runs: int
    raced: int
    confirmed: int
    seeds: int

    @property
    def is_enough(self) -> bool:
        """Whether those that are confirmed, two of them at least, get all of their fresh seeds."""
        return self.seeds >= SEEDS


def forecast(seconds: float, run: float, candidates: int, workers: int) -> Forecast:
    """Return what so many seconds buy, if each run takes `run` seconds.

    It follows `Rounds`: the race on its share of the time, then the best few on fresh seeds.
    """
    clock = SAFETY * (OVERHEAD + CLOCKED)
    for_runs = seconds - min(CLOCKS * clock, MOST_CLOCKS * seconds)
    at_once = SAFETY * run / workers
    raced = min(FEWEST, candidates)
    while raced < candidates and race_runs(raced + 1) * at_once <= RACE * for_runs:
        raced += 1
    left = CONFIRM * for_runs - race_runs(raced) * at_once
    affordable = int(left / at_once / SEEDS)
    confirmed = min(raced, max(FEWEST, min(MOST, affordable)))
    seeds = int(left / at_once / confirmed)
    if seeds < SEEDS:  # those that are missing come before anything else in the time that is left
        left = EXTRAS * for_runs - race_runs(raced) * at_once
        seeds = int(left / at_once / confirmed)
    return Forecast(
        runs=int(for_runs / at_once),
        raced=raced,
        confirmed=confirmed,
        seeds=max(0, min(SEEDS, seeds)),
    )


def minutes_for(run: float, candidates: int, workers: int, *, everything: bool) -> int:
    """Return the whole minutes that are enough for an answer.

    everything: for the whole list in the race, and the best four on all of their fresh seeds.
    """
    minutes = 1
    while not _buys(forecast(60 * minutes, run, candidates, workers), candidates, everything):
        minutes += max(1, minutes // 20)
    return minutes


def _buys(bought: Forecast, candidates: int, everything: bool) -> bool:
    if not everything:
        return bought.is_enough
    most = min(MOST, candidates)
    return bought.is_enough and bought.raced == candidates and bought.confirmed == most


def require_time(minutes: float, seconds: float, pace: Pace, candidates: int, workers: int) -> None:
    """Raise BenchError where not even the shortest runs make the poorest answer.

    minutes: as they were given. seconds: what is left of them.
    """
    if LEAST * pace.shortest / workers <= seconds:
        return
    enough = minutes_for(pace.usual, candidates, workers, everything=False)
    raise BenchError(
        f"minutes: {minutes:g} was given, and one run takes {_seconds(pace.shortest)} "
        f"or more here, about {_seconds(pace.usual)} as a rule; nothing was trained. An answer "
        f"takes {ANSWER} of them, so give at least --minutes {enough}, or fewer --epochs"
    )


def forecast_text(minutes: float, seconds: float, pace: Pace, candidates: int, workers: int) -> str:
    """Return one line on what the time will buy, or that it is too short and what would do.

    minutes: as they were given. seconds: what is left of them.
    """
    bought = forecast(seconds, pace.usual, candidates, workers)
    runs = f"about {bought.runs} runs of about {_seconds(pace.usual)}"
    given = "1 minute" if minutes == 1 else f"{minutes:g} minutes"
    if not bought.is_enough:
        enough = minutes_for(pace.usual, candidates, workers, everything=False)
        return (
            f"{given} will buy {runs}, too few for {FEWEST} "
            f"configurations on {SEEDS} fresh seeds; about --minutes {enough} would do. "
            "What there is time for is run."
        )
    text = (
        f"{given} will buy {runs}: {bought.raced} of {candidates} configurations in the race, "
        f"then the best {bought.confirmed} on {bought.seeds} fresh seeds, "
        f"and on up to {MOST_SEEDS} in the time that is left"
    )
    if bought.raced == candidates and bought.confirmed == min(MOST, candidates):
        return f"{text}."
    everything = minutes_for(pace.usual, candidates, workers, everything=True)
    return f"{text}; about --minutes {everything} would try all of them."


def pays_the_race(seconds: float, run: float, candidates: int, workers: int) -> bool:
    """Return whether so many seconds buy a race of all candidates and the fresh seeds after it."""
    bought = forecast(seconds, run, candidates, workers)
    return bought.raced == candidates and bought.is_enough


def climb_text(minutes: float, whole: Pace, part: Pace, n_rows: int, fraction: float) -> str:
    """Return one line on a race that begins on a part of the rows.

    minutes: as they were given. whole, part: how long a run takes on all rows and on that part.
    """
    given = "1 minute" if minutes == 1 else f"{minutes:g} minutes"
    return (
        f"{given} cannot pay a race on all {n_rows:,} rows, of which a run takes about "
        f"{_seconds(whole.usual)}: it begins on {fraction_text(fraction)} of them, of which one "
        f"takes about {_seconds(part.usual)}, and goes on to more rows as far as the time allows."
    )


def more_text(seconds: float, run: float, workers: int) -> str:
    """Return one line on the time that is left to a question with records."""
    runs = math.floor(seconds * workers / (SAFETY * run))
    left = f"{_number(seconds / 60)} minutes are left"
    return f"{left}, which are about {runs} more runs of about {_seconds(run)}."


def _number(minutes: float) -> str:
    return f"{minutes:.2g}" if minutes < 10 else f"{minutes:.0f}"


def _seconds(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:,.0f} s"
