"""Property tests in two sizes: a few cases in the fast suite, thousands in the slow one, the same ones at every run.

`ran` counts the cases of the slow suite; the last test of `test_fuzz.py` holds their sum to what is promised.
"""

import inspect
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ran: Counter[str] = Counter()

settings.register_profile(
    "cases",
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    print_blob=False,
)


def cases(
    fast: int, slow: int, **drawn: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test on `fast` cases, and in the slow suite on `slow`. Its other parameters are fixtures."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        fixtures = [name for name in inspect.signature(test).parameters if name not in drawn]

        def run(amount: int, **given_fixtures: Any) -> None:
            @settings(settings.get_profile("cases"), max_examples=amount)
            @given(**drawn)
            def one(**values: Any) -> None:
                ran[test.__name__] += amount == slow
                test(**given_fixtures, **values)

            one()

        run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
            for name in ("amount", *fixtures)
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        sizes = [
            pytest.param(fast, id="few"),
            pytest.param(slow, id="many", marks=pytest.mark.slow),
        ]
        return pytest.mark.parametrize("amount", sizes)(run)

    return decorate


letters = st.characters(exclude_categories=())  # surrogates, controls and marks too
texts = st.text(letters, max_size=12) | st.sampled_from(
    [
        "",
        " ",
        "\0",
        "\n",
        "\ud800",
        "\u2028",
        "\u202e",
        "-1",
        "0",
        "1e999",
        "NaN",
        "²",
        "٣",
        "9" * 400,
        "a,b",
    ]
)
large = st.sampled_from([2**31, 2**32, 2**53, 2**63, 2**64, 10**30, 10**400, -(2**63)])
numbers = st.one_of(st.integers(), st.integers(-3, 70), st.floats(), large)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
json_like = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=8,
)
