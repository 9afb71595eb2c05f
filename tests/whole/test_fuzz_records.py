"""A damaged, foreign or senseless record is named in one line and left out, and no command falls over it."""

import copy
import json
import random
from pathlib import Path

import fake_records as fake
import fake_searches
import fake_workers
import fuzzing
import pytest
from click.testing import CliRunner
from fuzzing import cases, json_like
from hypothesis import strategies as st

from ue_bench import record
from ue_bench import study as studies
from ue_bench.cli import main
from ue_bench.data import checksum_of
from ue_bench.errors import BenchError
from ue_bench.report.evidence.compare import compare, sentence
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.figures.draw import study_data
from ue_bench.report.figures.sections.contents import SECTIONS
from ue_bench.report.page import abstract, left_out, limits
from ue_bench.report.page import conclusion as answer
from ue_bench.report.page import machines as environment
from ue_bench.report.page.rank_tables import rank_tables
from ue_bench.report.page.tables import tables
from ue_bench.study import Grid, Study, local_executor

PUBLISHED = Path(record.__file__).parents[2] / "results" / "published"
RUNS = {
    "grid": [
        fake.make(fake.config(name, budget=28_032, seed=seed))
        for name in ("unified", "per_feature")
        for seed in (0, 1)
    ],
    "search": list(fake.study_search(trials=3))[::5],
    "trials": fake_searches.run(fake_searches.searches()[0])[::11],
    "why": record.load_runs(PUBLISHED, "why")[0][:3],
    "failed": [fake.failed(fake.config(budget=128, seed=3))],
}


def reread(path: Path, content: dict) -> record.Record | None:
    """What `read` makes of a content with a valid checksum."""
    body = {name: value for name, value in content.items() if name != "checksum"}
    try:
        checksum = record.record._checksum(body)
    except (ValueError, RecursionError):
        checksum = ""
    path.write_text(json.dumps(body | {"checksum": checksum}))
    try:
        return record.read(path)
    except BenchError as error:
        told = str(error)
    assert told.isprintable()
    assert str(path) in told
    return None


# ---- damaged


@pytest.fixture
def whole(tmp_path):
    return record.write(RUNS["why"][0], tmp_path)


def left_alone_or_told(path: Path, content: bytes, original: record.Record) -> bool:
    """Whether `content` is refused; a change that is not is none of the record."""
    path.write_bytes(content)
    records, skipped = record.load(path.parent.parent)
    if skipped:
        assert (records, len(skipped)) == ([], 1)
        assert str(path) in skipped[0]
        assert skipped[0].isprintable()
        return True
    assert records == [original]
    assert records[0].to_json() == original.to_json()
    return False


@pytest.mark.parametrize("step", [61, pytest.param(1, marks=pytest.mark.slow)])
def test_cut_short_at_any_byte_it_is_left_out(whole, step):
    content, original = whole.read_bytes(), record.read(whole)
    end = len(content.rstrip())  # without the line end it is whole
    assert all(left_alone_or_told(whole, content[:cut], original) for cut in range(0, end, step))


@pytest.mark.parametrize("step", [331, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_is_found_or_changes_nothing(whole, step):
    content, original = whole.read_bytes(), record.read(whole)
    missed = set()
    for bit in range(0, 8 * len(content), step):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << (bit % 8)
        if not left_alone_or_told(whole, bytes(changed), original):
            missed.add(content[bit // 8 : bit // 8 + 1])
    # the exponent's letter, and the last digit of a number that is nearest to the same float: the number read is the same
    assert missed <= {b"e", *(b"%d" % digit for digit in range(10))}


# ---- senseless


@cases(
    fast=60,
    slow=1500,
    content=st.binary(max_size=60) | json_like.map(lambda value: json.dumps(value).encode()),
)
def test_a_file_that_is_no_record_is_left_out(tmp_path, content):
    (tmp_path / "s").mkdir(exist_ok=True)
    (tmp_path / "s" / "a.json").write_bytes(content)
    records, skipped = record.load(tmp_path)
    assert records == []
    assert len(skipped) == 1
    assert skipped[0].isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 990 + "]" * 990,
        '{"a":' * 990 + "1" + "}" * 990,
        '{"schema": 1e400}',
        '{"schema": true}',
        '{"schema": 1.0}',
        '{"schema": ' + "9" * 4000 + "}",
        '{"schema": ' + "9" * 5000 + "}",
        '{"schema": 1, "schema": 2}',
        '{"schema": "1"}',
        '{"schema": NaN}',
        '{"schema": -1}',
        "\ufeff{}",
    ],
)
def test_odd_json_is_left_out(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(BenchError) as error:
        record.read(tmp_path / "a.json")
    assert len(str(error.value)) < 5000


def test_a_nest_that_can_be_read_and_not_written_is_left_out(tmp_path):
    content = json.loads(RUNS["grid"][0].to_json())
    for depth in (200, 400, 800, 980):
        content["found"]["odd"] = 0
        text = json.dumps(content).replace('"odd": 0', '"odd": ' + "[" * depth + "]" * depth)
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(BenchError):
            record.read(tmp_path / "a.json")


def test_half_a_character_is_left_out(tmp_path):
    content = json.loads(RUNS["failed"][0].to_json())
    for error, good in (("\ud800", False), ("\U0001f600", True)):
        assert (reread(tmp_path / "a.json", content | {"error": error}) is not None) == good
    number = json.loads(RUNS["grid"][0].to_json())
    number["quality"]["val_mse"] = "\ud800"
    assert reread(tmp_path / "a.json", number) is None


FIELDS = [
    "run_id",
    "study",
    "phase",
    "status",
    "error",
    "config",
    "found",
    "quality",
    "cost",
    "env",
    "schema",
]


@cases(fast=100, slow=2000, field=st.sampled_from(FIELDS), value=json_like)
def test_a_field_of_another_type_is_left_out(tmp_path, field, value):
    content = json.loads(RUNS["grid"][0].to_json())
    found = reread(tmp_path / "a.json", content | {field: value})
    if found is not None and field in ("config", "found", "quality", "cost", "env"):
        assert isinstance(value, dict)


def places(value, above=()):
    """Each place in a JSON value, as the keys that lead there."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, own in inner:
        yield (*above, key)
        yield from places(own, (*above, key))


def change(content: dict, seed: int, value) -> dict:
    """Another value in one place, or nothing in it."""
    content, chance = copy.deepcopy(content), random.Random(seed)
    room = chance.choice(["config", "found", "quality", "cost", "env"])
    spots = list(places({room: content[room]}))
    # by depth first: else nearly all of them are in the history
    depth = chance.choice(sorted({len(spot) for spot in spots}))
    *above, last = chance.choice([spot for spot in spots if len(spot) == depth])
    place = content
    for key in above:
        place = place[key]
    if chance.random() < 0.3 and len(above):
        del place[last]
    else:
        place[last] = value
    return content


def tell(records: list[record.Record]) -> None:
    """All words and tables of the report, without its pictures."""
    evidence = Evidence(records)
    summary, verdicts = evidence.summary, evidence.verdicts
    limits.lines(summary, verdicts, records)
    left_out.lines(evidence.arms, summary, [])
    environment.lines(records)
    answer.sentences(summary, verdicts)
    for name in {one.study for one in records}:
        own, theirs = evidence.of(name)
        abstract.sentences(own, theirs)
        tables(own)
        rank_tables(own)
        for section in SECTIONS:
            frame = section.tidy(study_data(evidence, name))
            if len(frame) and section.table:
                section.table(frame)
    try:
        for row in compare(records, "unified", "per_feature"):
            sentence(row)
    except BenchError:
        pass  # they no longer meet


odd = st.one_of(
    json_like,
    st.sampled_from([0, -1, 1e-300, 1e99, -1e99, 2**62, 2**63, "", [], {}, None]),
    fuzzing.numbers,
)


@cases(fast=6, slow=300, which=st.sampled_from(sorted(RUNS)), seed=st.integers(0, 2**32), value=odd)
def test_a_value_of_another_kind_is_left_out_or_told(tmp_path, which, seed, value):
    first, *rest = RUNS[which]
    found = reread(tmp_path / "a.json", change(json.loads(first.to_json()), seed, value))
    if found is not None:
        tell([found, *rest])


# ---- commands


def measured_nowhere(job):
    """What no machine has measured, of the data at hand."""
    at_hand = checksum_of(job.config.dataset, job.data_dir)
    return fake.make(job.config, job.study, job.phase, checksum=at_hand)


@pytest.mark.parametrize(
    "kind",
    ["cut", *(pytest.param(k, marks=pytest.mark.slow) for k in ("flipped", "newer", "of another"))],
)
def test_every_command_names_the_file_and_goes_on(tmp_path, monkeypatch, kind):
    base = fake.config("unified", budget=28_032)
    asked = Study(
        "which?", (Grid((base, fake.config("per_feature", budget=28_032)), seeds=2),), latency=False
    )
    monkeypatch.setattr(studies, "find", lambda name: asked)
    monkeypatch.setattr(studies, "canonical", lambda name: name)
    monkeypatch.setattr(local_executor, "Workers", fake_workers.quick_workers(measured_nowhere))

    def invoke(*words):
        done = CliRunner().invoke(main, [*words, "--results", str(tmp_path)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        return done

    assert "4 runs made, 0 were ready" in invoke("study", "fake").stdout
    path = sorted((tmp_path / "fake").glob("*.json"))[0]
    lost = record.read(path)
    other = record.read(sorted((tmp_path / "fake").glob("*.json"))[1])
    text = lost.to_json()
    path.write_text(
        {
            "cut": text[:-40],
            "flipped": text.replace('"ok"', '"oj"'),
            "newer": text.replace('"schema": 2', '"schema": 99'),
            "of another": other.to_json(),
        }[kind]
    )
    done = invoke("check")
    assert done.exit_code == 1
    assert (
        sum(path.name in line and "unknown study" not in line for line in done.stdout.splitlines())
        == 1
    )
    done = invoke("compare", "unified", "per_feature")
    assert done.exit_code == 0
    assert path.name in done.stderr
    done = invoke("report")
    assert done.exit_code == 0
    assert "files that are no valid record: 1" in done.stdout
    assert path.name in (tmp_path / "report" / "report.html").read_text()
    done = invoke("study", "fake")
    assert path.name in done.stderr
    assert "1 runs made, 3 were ready" in done.stdout
    assert record.read(path).run_id == lost.run_id
    assert record.load(tmp_path, "fake")[1] == []


@pytest.mark.parametrize("study", ["", "..", "a/b", "/tmp", "a\0b"])
def test_a_study_is_the_name_of_a_folder(tmp_path, study):
    with pytest.raises(BenchError, match="name of a folder"):
        record.load(tmp_path, study)


def test_a_pattern_is_no_name_of_a_study(tmp_path):
    for run in RUNS["grid"]:
        record.write(run, tmp_path)
    assert len(record.load(tmp_path, "fake")[0]) == 4
    for pattern in ("*", "f?ke", "[f]ake", "**", "a**"):
        assert record.load(tmp_path, pattern) == ([], [])
