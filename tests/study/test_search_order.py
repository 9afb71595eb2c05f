"""A search makes the same trials with any number of workers, and however it is interrupted."""

import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import fake_workers
import pytest

from ue_bench import record as records_room
from ue_bench.config import RunConfig
from ue_bench.errors import BenchError
from ue_bench.record import Record, failure
from ue_bench.report.evidence.effort import efforts_of
from ue_bench.study import Grid, Search, Study
from ue_bench.study.alike import require_apart
from ue_bench.study.engine import Engine
from ue_bench.study.local_executor import LocalExecutor
from ue_bench.study.plan import Plan, SearchStage
from ue_bench.study.processes import Job
from ue_bench.study.sampler import Sampler
from ue_bench.study.search import SearchRun
from ue_bench.study.search_records import known_trials, trial_facts

BASE = RunConfig(budget=28_032)
# Long enough for TPE to learn, which it does after ten answers.
TPE = Search(
    BASE,
    {"lr": (1e-3, 2e-3, 4e-3, 8e-3), "dim": (4, 8, 16), "hidden": tuple(range(64, 84))},
    trials=13,
    best=2,
    seeds=1,
    trial_seeds=2,
    startup=8,
    margin=0.2,
    give_up=(2, 0.3),
)
LOOKUPS = Search(
    BASE,
    {f"lookups.{name}": (1, 2, 3, 4) for name in ("user_id", "movie_id", "age")},
    trials=4,
    best=1,
    seeds=1,
    seed=2,
    trial_seeds=2,
)
# The grid answers some runs of the first search.
GRID = Grid(tuple(replace(BASE, lr=lr) for lr in TPE.space["lr"]), seeds=1, first=1000)
STUDY = Study("?", (GRID, TPE, LOOKUPS), latency=False)
UNFIT = 0.1  # the share of runs that cannot work
FAULTY = 0.2  # the share of runs that cannot work or fail
LANDSCAPE = 0  # of the scores: one with failures, none of them in the last batch of a search


def score_of(config: RunConfig) -> float:
    """Return a score that follows from what is searched, and not from the rest of the recipe."""
    knobs = (config.lr, config.dim, config.hidden, config.lookups, config.split_seed)
    return random.Random(f"{LANDSCAPE} {knobs}").random()


def result(job: Job) -> Record:
    """Return the record of a run, which follows from its configuration."""
    config = job.config
    if score_of(config) < UNFIT:
        return failure(config, study=job.study, phase=job.phase, cause="budget", error="too small")
    if score_of(config) < FAULTY and job.phase == "search":
        return failure(config, study=job.study, phase=job.phase, cause="late", error="too long")
    return well(job)


def well(job: Job) -> Record:
    """Return the record of a run that works."""
    found = {"trial": job.trial} if job.trial else {}
    return fake_workers.smallest(job.config, job.study, job.phase, score_of(job.config), **found)


class Disorderly:
    """Workers whose runs end in any order. They write records as real ones do.

    chance: decides which run ends next. answers: a list that gets shorter with every run that ends
    without a failure, in all stages of a study; the study is interrupted where it is empty.
    """

    def __init__(self, count, chance, answers, result):
        self.count, self.chance, self.answers, self.result = count, chance, answers, result
        self.jobs = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.jobs.clear()

    @property
    def free(self):
        return self.count - len(self.jobs)

    def start(self, job):
        assert self.free
        self.jobs.append(job)

    def next(self):
        if not self.answers:
            raise KeyboardInterrupt
        job = self.jobs.pop(self.chance.randrange(len(self.jobs)))
        record = self.result(job)
        records_room.write(record, job.results)
        if record.status != "failed":  # which is tried again
            self.answers.pop()
        return job, record


def run(
    results: Path,
    workers: int,
    study: Study = STUDY,
    answers: int = 1000,
    result=result,
) -> list[Record]:
    """Run what is missing of a study; return the records of all that is wanted.

    answers: how many runs end without a failure before the study is interrupted.
    """
    chance = random.Random(str(results))
    left = [None] * answers

    def executor(count: int, time_limit: float | None) -> Disorderly:
        return Disorderly(count, chance, left, result)

    return LocalExecutor(Plan("s", study), results, workers=workers, executor=executor).run()


def files(results: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (results / "s").glob("*.json")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The study with one worker, whose runs end in the order of their start."""
    results = tmp_path_factory.mktemp("alone")
    records = run(results, 1)
    statuses = [record.status for record in records_room.load(results)[0]]
    assert {"ok", "infeasible", "failed"} == set(statuses)
    return results, records


@pytest.mark.parametrize("workers", [1, 2, 4, 8])
def test_a_search_makes_the_same_trials_with_any_number_of_workers(alone, tmp_path, workers):
    results, records = alone
    assert run(tmp_path, workers) == records
    assert files(tmp_path) == files(results)


KILLS = 10


@pytest.mark.parametrize("seed", range(4))
def test_a_search_that_is_killed_again_and_again_makes_the_same_trials(alone, tmp_path, seed):
    """Each command has any number of workers and may lose any of the records before it."""
    results, records = alone
    chance = random.Random(seed)
    for _ in range(KILLS):
        workers = chance.choice((1, 2, 4, 8))
        with suppress(KeyboardInterrupt):
            run(tmp_path, workers, answers=chance.randrange(1, 9))
        share = chance.choice((0.0, 0.1, 0.6))
        for path in sorted((tmp_path / "s").glob("*.json")):
            if chance.random() < share:
                path.unlink()
    assert run(tmp_path, chance.choice((1, 2, 4, 8))) == records
    assert files(tmp_path).items() <= files(results).items()


@pytest.mark.parametrize("seed", range(10))
def test_a_search_goes_on_from_any_of_its_records(alone, tmp_path, seed):
    results, records = alone
    chance = random.Random(seed)
    share = chance.random()
    (tmp_path / "s").mkdir()
    for name, text in sorted(files(results).items()):
        if chance.random() < share:
            (tmp_path / "s" / name).write_text(text)
    assert run(tmp_path, chance.choice((1, 2, 4, 8))) == records
    # A search whose trials are all there makes none of those again that did not end well.
    assert files(tmp_path).items() <= files(results).items()


def generous(job: Job) -> Record:
    """Return the record of a run that has all the time it needs."""
    if score_of(job.config) < UNFIT:
        return result(job)
    return well(job)


def test_a_trial_that_failed_stays_failed_once_others_rest_on_it(alone, tmp_path):
    """The next command gives runs more time. The search goes on from what it has proposed."""
    results, records = alone
    failed = {
        record.run_id for record in records_room.load(results)[0] if record.status == "failed"
    }
    missing = [record for record in records if record.phase == "confirm"]
    trials = [record for record in records if is_trial(record, TPE)]
    missing.append(max(trials, key=lambda record: record.found["trial"]["number"]))
    for name, text in files(results).items():
        (tmp_path / "s" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "s" / name).write_text(text)
    for record in missing:
        (tmp_path / "s" / f"{record.run_id}.json").unlink()
    assert failed
    assert run(tmp_path, 2, result=generous) == records
    assert files(tmp_path) == files(results)


def is_trial(record: Record, search: Search) -> bool:
    facts = record.found.get("trial", {})
    return facts.get("space", {}).keys() == search.space.keys()


WHOLE = replace(TPE, margin=None, give_up=None)  # no trial is left after its first run


class Alone:
    """A search alone, without records."""

    def __init__(self, search=TPE):
        stage = next(Plan("s", Study("?", (search,), latency=False)).stages({}))
        self.base = stage.base
        self.search = SearchRun(stage, Sampler(search, stage.base, 0))
        self.engine = Engine(self.search.steps(), {})

    def asked(self) -> list:
        """What can be started now."""
        return list(iter(self.engine.next, None))

    def answer(self, request, record=None) -> None:
        """Give the record of a run; by default one that ended well."""
        self.engine.give(record or well(job(request)))

    @property
    def over(self) -> bool:
        return self.engine.root.over


def job(request) -> Job:
    return Job(request.config, "s", "search", None, None, (), request.facts)


def test_the_default_configuration_is_the_first_trial():
    run = Alone(WHOLE)
    first, *others = run.asked()
    assert first.config.with_seed(0) == Plan("s", STUDY).adapt(BASE, 0)
    assert first.facts["number"] == 0
    assert first.facts["default"] == first.config.run_id
    assert [request.facts["number"] for request in others] == [1, 2, 3]
    assert all(request.facts["default"] == first.config.run_id for request in others)


def test_the_seeds_of_trials_are_none_that_are_quoted():
    """Those of design, from 1,000 up; what confirms a search runs on seeds from 100 up."""
    plan = Plan("s", STUDY, seed=7)
    answers = {}
    for stage in plan.stages(answers):
        if isinstance(stage, SearchStage):
            search = SearchRun(stage, Sampler(stage.search, stage.base, 0))
            engine = Engine(search.steps(), answers)
            while request := engine.next():
                engine.give(well(job(request)))
            answers |= {r.run_id: r for trial in stage.known.values() for r in trial.records}
            first = 1007 + stage.search.seed
            assert {c.init_seed for c in stage.configs.values()} == {first, first + 1}
        elif stage.phase == "confirm":
            assert {c.split_seed for c in stage.configs.values()} == {107}


def test_the_answers_of_a_batch_do_not_change_its_proposals():
    """All trials of a batch are proposed at once, and no other before all of them ended."""
    run = Alone(WHOLE)
    for _ in range(3):
        firsts = run.asked()
        assert len(firsts) == TPE.batch
        assert len({request.config.with_seed(0).run_id for request in firsts}) == TPE.batch
        seconds = []
        for request in firsts:
            run.answer(request)
            seconds += run.asked()
        assert [request.config.with_seed(0) for request in seconds] == [
            request.config.with_seed(0) for request in firsts
        ]
        for request in seconds[1:]:
            run.answer(request)
            assert run.asked() == []
        run.answer(seconds[0])


def test_a_trial_whose_run_does_not_work_is_none_as_a_whole():
    """Nothing but its first run is made where that does not end well, and no value is learned."""
    run = Alone(WHOLE)
    firsts = run.asked()
    for request in firsts[:2]:
        run.answer(request, unfit(request))
    assert run.asked() == []
    for request in firsts[2:]:
        run.answer(request)
    second, other = run.asked()
    run.answer(second, unfit(second))
    run.answer(other)
    assert [request.facts["number"] for request in run.asked()] == [4, 5, 6, 7]
    assert [trial.number for trial in run.search.known.values()] == [3]
    assert sorted(trial.number for trial in run.search.lost.values()) == [0, 1, 2]
    assert len([t for t in run.search._sampler.study.trials if t.value is not None]) == 1
    assert not run.over


def unfit(request) -> Record:
    return failure(request.config, study="s", phase="search", cause="budget", error="too small")


def test_a_run_whose_process_was_killed_is_made_once_more():
    run = Alone(WHOLE)
    first = run.asked()[0]
    killed = failure(first.config, study="s", phase="search", cause="killed", error="killed")
    assert not run.engine.is_final(killed)
    (again,) = run.asked()
    assert again.config == first.config
    assert run.engine.is_final(killed)
    run.answer(first, killed)
    assert run.asked() == []


def mean(records) -> float:
    return sum(record.quality["val_mse"] for record in records) / len(records)


def test_a_trial_whose_first_run_is_too_bad_has_no_other(alone):
    _, records = alone
    runs = {}
    for record in records:
        if record.phase == "search" and "margin" in record.found["trial"]:
            runs.setdefault(record.found["trial"]["number"], []).append(record)
    lengths = set()
    for number, own in runs.items():
        own.sort(key=lambda record: record.config.init_seed)
        before = [runs[other] for other in range(TPE.batch_start(number)) if other in runs]
        whole = [trial for trial in before if len(trial) == TPE.trial_seeds]
        best = min(whole, key=mean, default=[own[0]])
        is_bad = own[0].quality["val_mse"] > best[0].quality["val_mse"] + TPE.margin
        assert len(own) == (1 if is_bad else TPE.trial_seeds)
        lengths.add(len(own))
    assert lengths == {1, 2}
    by_id = {record.run_id: record for record in records}
    known, _ = known_trials(by_id, Alone().base, TPE)
    assert {trial.number for trial in known if len(trial.records) == 1} == {
        number for number, own in runs.items() if len(own) == 1
    }


def test_with_a_margin_the_first_trial_is_a_batch_of_its_own():
    """Every other trial has one to be held against."""
    assert [TPE.batch_start(number) for number in range(7)] == [0, 1, 1, 1, 1, 5, 5]
    assert [WHOLE.batch_start(number) for number in range(7)] == [0, 0, 0, 0, 4, 4, 4]
    run = Alone()
    (first,) = run.asked()
    run.answer(first)
    (second,) = run.asked()
    run.answer(second)
    assert [request.facts["number"] for request in run.asked()] == [1, 2, 3, 4]


def test_the_first_run_of_a_trial_may_give_up(alone):
    """It is held against the first run of the best trial so far, and no other run is."""
    _, records = alone
    own = [run for run in records if "give_up" in run.found.get("trial", {})]
    limits = set()
    for run in own:
        if run.config.init_seed != 1000:
            assert run.config.give_up_above is None
        elif (
            run.config.give_up_above is not None
        ):  # before any trial has all runs there is no limit
            assert run.config.give_up_epochs == 2
            limits.add(run.config.give_up_above)
    firsts = {run.quality["val_mse"] + 0.3 for run in records if run.config.init_seed == 1000}
    assert limits
    assert limits <= firsts
    confirmed = [run for run in records if run.phase == "confirm"]
    assert {run.config.give_up_epochs for run in confirmed} == {None}
    (effort,) = efforts_of(run for run in records if "give_up" in run.found.get("trial", {}))
    numbers = {run.found["trial"]["number"] for run in own}
    assert effort.tried == len(numbers)


def test_no_configuration_is_run_twice():
    """The space is used up before the trials are."""
    search = replace(TPE, space={"dim": (4, 8, 16)}, trials=9)
    run = Alone(search)
    dims = []
    while not run.over:
        for request in run.asked():
            dims.append((request.config.dim, request.config.init_seed))
            run.answer(request)
    assert sorted(dims) == [(dim, seed) for dim in (4, 8, 16) for seed in (1000, 1001)]
    assert len(run.search.known) == 3


def test_a_batch_has_a_trial():
    with pytest.raises(BenchError, match="batches of 0 trials; give at least 1"):
        replace(TPE, batch=0)


# --- two searches of one study


def test_searches_that_could_ask_for_one_run_need_seeds_of_their_own():
    second = replace(TPE, space={**TPE.space, "lr": (4e-3, 8e-3)})
    with pytest.raises(BenchError, match=r"give one of them seeds of its own: Search\(seed=2\)"):
        Study("?", (TPE, second))
    for change in (
        {"seed": 2},
        {"compression": 8},
        {"base": replace(BASE, budget=14_016)},
        {"space": {**TPE.space, "lr": (16e-3, 32e-3)}},
        {"space": {"dim": (4, 8)}, "base": replace(BASE, dropout=0.1)},
    ):
        require_apart((TPE, replace(second, **change)))


def test_searches_with_seeds_of_their_own_are_kept_apart_however_they_are_interrupted(tmp_path):
    first = replace(TPE, trials=6, best=1, seeds=1)
    second = replace(first, space={**TPE.space, "lr": (4e-3, 8e-3)}, seed=2)
    third = replace(first, space={"lr": TPE.space["lr"]}, trials=4, seed=4)
    study = Study("?", (first, second, third, GRID), latency=False)
    whole = run(tmp_path / "whole", 1, study, result=well)
    for answers in (3, 5, 8, 20):
        results = tmp_path / str(answers)
        with pytest.raises(KeyboardInterrupt):
            run(results, 3, study, answers=answers, result=well)
        assert run(results, 2, study, result=well) == whole
        assert files(results) == files(tmp_path / "whole")


def test_a_search_with_fewer_or_more_trials_is_the_beginning_or_the_continuation(tmp_path):
    def study(trials):
        return Study("?", (replace(TPE, trials=trials, best=1, seeds=1),), latency=False)

    short = run(tmp_path, 1, study(5), result=well)
    long = run(tmp_path, 3, study(14), result=well)
    assert run(tmp_path, 2, study(5), result=well) == short
    assert run(tmp_path / "new", 1, study(14), result=well) == long


def test_a_complete_search_is_complete_whatever_optuna_would_propose(tmp_path):
    """Its trials are none that this version would propose."""
    declared = replace(WHOLE, trials=6, best=2, seeds=1)
    study = Study("?", (declared,), latency=False)
    (search,) = study.parts
    stage = next(Plan("s", study).stages({}))
    for number in range(6):
        config = replace(stage.base, hidden=83 - number)
        facts = trial_facts(search, stage.base, number)
        for seed in (1000, 1001):
            made = Job(config.with_seed(seed), "s", "search", tmp_path, None, (), facts)
            records_room.write(well(made), tmp_path)
    before = files(tmp_path)
    found = run(tmp_path, 2, study)
    made = files(tmp_path).keys() - before.keys()
    phases = {record.phase for record in found if f"{record.run_id}.json" in made}
    assert phases == {"confirm"}
    # Half of them, and the search goes on from there, numbered after them.
    for path in (tmp_path / "s").glob("*.json"):
        facts = records_room.read(path).found.get("trial")
        if facts is not None and facts["number"] % 2:
            path.unlink()
    kept = {path.stem for path in (tmp_path / "s").glob("*.json")}
    again = [record for record in run(tmp_path, 3, study) if record.phase == "search"]
    assert len(again) == 2 * 6
    numbers = {record.found["trial"]["number"] for record in again}
    assert len(numbers) == 6
    assert {record.run_id for record in again} & kept
    assert run(tmp_path, 1, study)[: len(again)] == again
