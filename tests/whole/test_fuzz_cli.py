"""Whatever is typed, a command ends with 0, 1 or 2 as documented, and never with a traceback. Nothing is trained here."""

from pathlib import Path
from typing import get_type_hints

import fake_records as fake
import movielens_files as official
import pytest
from click.testing import CliRunner
from fuzzing import cases, numbers, texts
from hypothesis import strategies as st

from ue_bench import record
from ue_bench.cli import main
from ue_bench.config import SETTINGS, RunConfig
from ue_bench.errors import BenchError
from ue_bench.report.evidence.evidence import Evidence
from ue_bench.report.page.prose import refresh
from ue_bench.study import local_executor
from ue_bench.training import run_once as run

RUNS = [
    fake.make(fake.config(name, budget=28_032, seed=seed))
    for name in ("unified", "per_feature")
    for seed in (0, 1)
]
EVIDENCE = Evidence(RUNS)


class Workers:
    """Where the work of a study begins."""

    def __init__(self, count, time_limit=None):
        raise BenchError("the work begins")


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A data set, some records, a document; a run and a study end where their work would begin, with exit code 2."""
    official.write_folder(tmp_path / "data", "ml-100k")
    for one in RUNS:
        record.write(one, tmp_path / "results")
    (tmp_path / "page.md").write_text("text\n")

    def begin(*_):
        raise BenchError("the work begins")

    monkeypatch.setattr(run, "fit", begin)
    monkeypatch.setattr(local_executor, "Workers", Workers)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ends(*words: str, codes=(0, 2)) -> str:
    done = CliRunner().invoke(main, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in codes, done.output
    if done.exit_code == 2:
        assert "Traceback" not in done.output
        assert done.stderr.strip()
    return done.output


# an argument of a program is bytes without a NUL; those that are no UTF-8 arrive as lone surrogates from U+DC80
letters = st.characters(min_codepoint=1, exclude_categories=("Cs",)) | st.sampled_from(
    "\udc80\udcff"
)
ODD = [
    "-",
    "--",
    "../..",
    "/",
    ".",
    "~",
    "a*b",
    "user_id*user_id",
    "user_id,",
    "*",
    "[",
    "unified",
    "base",
    "a" * 300,
]
words = st.one_of(
    st.text(letters, max_size=12),
    texts.map(lambda text: text.replace("\0", "").encode("utf-8", "replace").decode()),
    st.sampled_from(ODD),
)
# what a table's sizes may be: small, or larger than any memory; nothing that would be tried
HUGE = ["1" + "0" * 12, "9" * 18, str(2**63), "9" * 30, "9" * 5000, "1e3"]
sizes = st.integers(-3, 40).map(str) | st.sampled_from(HUGE)
NAMES = [name for name, known in SETTINGS.items() if known.help and name != "diagnose"]
SIZES = {name for name, kind in get_type_hints(RunConfig).items() if kind in (int, int | None)}
SIZES |= {"lookups"}


@st.composite
def options(draw):
    given = []
    for name in draw(
        st.lists(
            st.sampled_from([*NAMES, "seed", "option", "plugin"]),
            min_size=1,
            max_size=3,
            unique=True,
        )
    ):
        value = draw(words | (sizes if name in SIZES or name == "seed" else numbers.map(str)))
        if name == "option":
            value = f"{draw(words)}={value}"
        given.append(f"--{name.replace('_', '-')}={value}")
    return given


@cases(
    fast=25,
    slow=300,
    given=options(),
    strategy=st.sampled_from(("unified", "per_feature", "collisionless", "robe", "int8")),
)
def test_a_run(place, given, strategy):
    fixed = [
        "--strategy",
        strategy,
        "--measure",
        "quality",
        "--data-dir",
        "data",
        "--results",
        "results",
    ]
    if strategy != "collisionless":
        fixed += ["--budget", "4kB"]
    ends("run", *fixed, *given)


STUDIES = st.sampled_from(("default", "known-answer", "article"))
GIVEN = st.lists(
    st.tuples(st.sampled_from(("seed", "workers", "dataset", "plugin", "nonsense")), sizes | words),
    max_size=2,
)


@cases(fast=20, slow=150, name=STUDIES | words, given=GIVEN, quick=st.booleans())
def test_a_study(place, name, given, quick):
    fixed = ["--results", "results", "--data-dir", "data"]
    ends(
        "study",
        *fixed,
        *(f"--{option}={value}" for option, value in given),
        *["--quick"] * quick,
        "--",
        name,
    )


@cases(
    fast=20,
    slow=300,
    one=words | st.just("unified"),
    other=words | st.just("per_feature"),
    study=st.none() | words,
)
def test_a_comparison(place, one, other, study):
    ends(
        "compare",
        "--results",
        "results",
        *([] if study is None else [f"--study={study}"]),
        "--",
        one,
        other,
    )


@cases(
    fast=20,
    slow=200,
    what=words | st.sampled_from(("strategies", "studies", "datasets")),
    flags=st.lists(st.sampled_from(("--json", "--markdown")), max_size=2),
)
def test_a_list(place, what, flags):
    ends("list", *flags, "--", what)


@cases(
    fast=20,
    slow=300,
    dataset=words | st.just("ml-100k"),
    folder=words | st.just("data"),
    json=st.booleans(),
)
def test_a_data_set(place, dataset, folder, json):
    if dataset != "ml-100k" and folder == "data":
        folder = "nowhere"
    ends("data", f"--dataset={dataset}", f"--data-dir={folder}", *["--json"] * json)


@cases(
    fast=5,
    slow=60,
    results=words | st.just("results"),
    study=words,
    page=st.binary(max_size=80)
    | st.text(max_size=40).map(
        lambda text: f"<!-- ue-bench: {text} -->\nold\n<!-- end -->\n".encode()
    ),
)
def test_a_report_and_a_check(place, results, study, page):
    Path("page.md").write_bytes(page)
    ends("report", f"--results={results}", f"--study={study}", "--update=page.md", "--out=out")
    ends("check", f"--results={results}", "page.md", codes=(1, 2))


KIND = (
    st.sampled_from(("abstract", "answer", "table", "ranks", "compare", "section", "sentences"))
    | words
)


@cases(
    fast=20,
    slow=400,
    parts=st.tuples(
        KIND, st.just("fake") | words, st.lists(st.just("unified") | words, max_size=3)
    ),
)
def test_a_block_of_generated_prose(parts):
    kind, study, names = parts
    text = f"<!-- ue-bench: {' '.join([kind, study, *names])} -->\nold\n<!-- end -->\n"
    try:
        refresh(text, EVIDENCE)
    except BenchError as error:
        told = str(error)
    else:
        return
    assert told.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "table",
        "compare fake",
        "compare fake a b c",
        "section fake",
        "sentences fake a b",
        "table 'fake",
        "",
    ],
)
def test_a_block_that_lacks_a_part_is_refused(text):
    with pytest.raises(BenchError, match="the block"):
        refresh(f"<!-- ue-bench: {text} -->\nold\n<!-- end -->\n", EVIDENCE)


@pytest.mark.slow
def test_a_document_that_is_no_text_is_refused(place):
    (place / "page.md").write_bytes(b"\xff\xfe")
    for command in (("report", "--out=out", "--update=page.md"), ("check", "page.md")):
        assert "page.md cannot be read" in ends(*command, "--results=results", codes=(2,))
