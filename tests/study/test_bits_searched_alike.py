"""Searches over bits and dims: whoever can have them searches them, and nobody else has to."""

from dataclasses import replace

import pytest

from ue_bench import RunConfig
from ue_bench.errors import BenchError
from ue_bench.study import Study, require_alike
from ue_bench.study.fair_searches import fair_searches

BASE = RunConfig(lookups=2, dim=8)
BITS = ("float32", "int4", "int2")


def searches(bits, strategies=("unified", "per_feature", "dhe", "int8")):
    return fair_searches(BASE, strategies, ("user_id", "movie_id"), (16,), bits=bits)


def test_what_has_no_bits_to_choose_leaves_them_out():
    by_strategy = {search.base.strategy: search.space for search in searches(BITS)}
    assert by_strategy["unified"]["bits"] == by_strategy["per_feature"]["bits"] == BITS
    assert "bits" not in by_strategy["dhe"]
    assert "bits" not in by_strategy["int8"]
    require_alike(searches(BITS))
    assert not any("bits" in search.space for search in searches(()))


def test_the_first_trial_has_the_first_bits():
    found = searches(("int2", "float32"))
    first = {search.base.strategy: search.base.bits for search in found}
    assert first == {
        "unified": "int2",
        "per_feature": "int2",
        "dhe": "float32",
        "int8": "float32",
    }
    require_alike(found)


def test_one_that_leaves_them_out_without_a_reason_is_refused():
    first, *others = searches(BITS, ("unified", "per_feature"))
    space = {name: allowed for name, allowed in first.space.items() if name != "bits"}
    with pytest.raises(BenchError, match=r"are not alike: .* bits"):
        require_alike([replace(first, space=space), *others])


def test_a_lookup_of_two_numbers_leaves_a_dim_of_one_out():
    found = fair_searches(BASE, ("unified", "qr_concat"), ("user_id",), (16,), dims=(1, 2, 4))
    dims = {search.base.strategy: search.space["dim"] for search in found}
    assert dims == {"unified": (1, 2, 4), "qr_concat": (2, 4)}
    require_alike(found)
    for wrong in ((1, 4), (4,), (2,)):
        changed = []
        for search in found:
            if search.base.strategy == "qr_concat":
                search = replace(search, space={**search.space, "dim": wrong})
            changed.append(search)
        with pytest.raises(BenchError, match=r"are not alike: qr_concat .*'dim'"):
            require_alike(changed)
    first, *others = found
    without_one = replace(first, space={**first.space, "dim": (2, 4)})
    third = replace(first, base=replace(first.base, strategy="hashed_net"))
    with pytest.raises(BenchError, match=r"are not alike: hashed_net .* dim \(1, 2, 4\)"):
        require_alike([without_one, *others, third])


def test_a_study_of_them_can_be_declared():
    study = Study(question="which bits?", parts=searches(BITS))
    assert len(study.parts) == 1 + 3 + 1 + 3 + 1  # under each rule, where regions are separate
