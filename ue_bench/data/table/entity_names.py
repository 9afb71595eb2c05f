"""Which features of a table play user and item: by their names, or else by their values.

A name is taken apart into words (`CustomerID`, `customer_id` and `customerid` are `customer` and
`id`). It names a user or an item if all of its words are of USERS or all are of ITEMS, in the
singular or plural, with a word such as `id` or `key` after them, or `id` before them. So
`product_sku` names an item, and `user_age` names nothing.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ue_bench.config.entities import CARDINALITY, GIVEN, NAME
from ue_bench.data.table.definition import largest

# Of several names, the one whose word comes first here is taken.
USERS = (
    "user",
    "customer",
    "client",
    "member",
    "visitor",
    "account",
    "reader",
    "viewer",
    "listener",
    "player",
    "passenger",
    "guest",
    "buyer",
    "shopper",
    "consumer",
    "subscriber",
    "reviewer",
    "uid",
)
ITEMS = (
    "item",
    "product",
    "sku",
    "movie",
    "film",
    "video",
    "article",
    "news",
    "book",
    "isbn",
    "asin",
    "song",
    "track",
    "album",
    "artist",
    "podcast",
    "ad",
    "game",
    "app",
    "anime",
    "restaurant",
    "hotel",
    "listing",
    "venue",
    "business",
    "recipe",
    "course",
    "offer",
    "ean",
    "upc",
    "gtin",
    "iid",
)
# What may follow the words of a user or an item.
IDENTIFIERS = ("id", "ids", "key", "code", "nr", "no", "number", "uuid", "guid", "hash", "name")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")


class Entities(NamedTuple):
    """The features that play user and item, and how each was chosen (see `config.entities`)."""

    features: tuple[str, str]
    chosen: tuple[str, str]


def choose_entities(
    given: tuple[str, str] | None,
    cardinalities: Mapping[str, int],
    *,
    no_ids: Collection[str] = (),
    row_ids: Collection[str] = (),
) -> Entities:
    """Return the features that play user and item: those given, or by name, or by cardinality.

    By cardinality, the features of the most values are taken in the order in which they are listed,
    of equally many the first. A single feature plays both.

    cardinalities: by feature, in the order in which features are listed. no_ids: features that
    identify nothing, such as rounded numbers and lists; they are taken only where there are no
    others. row_ids: features without a value that occurs twice; by cardinality, they are taken only
    where there are no others either.
    """
    if given is not None:
        return Entities(given, (GIVEN, GIVEN))
    candidates = {name: n for name, n in cardinalities.items() if name not in no_ids}
    user = _named(candidates, USERS)
    item = _named(candidates, ITEMS)
    taken = tuple(name for name in (user, item) if name is not None)
    guesses = _guesses(cardinalities, 2 - len(taken), taken, {*no_ids, *row_ids})
    features = (
        user or (*guesses, *taken)[0],
        item or (*taken, *guesses)[-1],
    )
    chosen_user = NAME if user else CARDINALITY
    chosen_item = NAME if item else CARDINALITY
    return Entities(features, (chosen_user, chosen_item))


def _named(cardinalities: Mapping[str, int], words: tuple[str, ...]) -> str | None:
    """Return the feature that these words name, None where there is none.

    Of several with the same word, the one with the most values is taken.
    """
    ranks = {}
    for name, n_values in cardinalities.items():
        place = _place_of(name, words)
        if place is not None:
            ranks[name] = (place, -n_values)
    return min(ranks, key=lambda name: ranks[name], default=None)


def _place_of(name: str, words: tuple[str, ...]) -> int | None:
    """Return the first place in `words` that a name names; None where it names none."""
    own = [word.lower() for word in _WORD.findall(name.replace("IDs", "Ids"))]
    if own[:1] == ["id"]:
        own = own[1:]
    while len(own) > 1 and own[-1] in IDENTIFIERS:
        own.pop()
    places = [_place_of_word(word, words) for word in own]
    if not places or None in places:
        return None
    return min(place for place in places if place is not None)


def _place_of_word(word: str, words: tuple[str, ...]) -> int | None:
    """Return the place of a word, also in the plural and with an identifier attached: `userids`."""
    forms = [word]
    for identifier in IDENTIFIERS:
        if word.endswith(identifier):
            forms.append(word.removesuffix(identifier))
    for form in forms:
        for singular in (form, form.removesuffix("s"), form.removesuffix("es")):
            if singular in words:
                return words.index(singular)
    return None


def _guesses(
    cardinalities: Mapping[str, int], n: int, taken: tuple[str, ...], avoided: Collection[str]
) -> tuple[str, ...]:
    """Return the n features of the most values, those of `avoided` only where there are no others.

    They are fewer where there are not so many.
    """
    preferred = {name: size for name, size in cardinalities.items() if name not in avoided}
    chosen = largest(preferred, n, taken)
    chosen += largest(cardinalities, n - len(chosen), (*taken, *chosen))
    return chosen
