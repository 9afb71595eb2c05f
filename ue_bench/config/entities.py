"""How the features that play user and item were chosen, and how that is told."""

from collections.abc import Mapping
from typing import Any

GIVEN = "given"  # by --entities, a TOML file, or the definition of a built-in table
NAME = "name"
CARDINALITY = "cardinality"  # a guess: the feature with the most values
OWN = "own"  # the data set is about users and items, such as MovieLens

OPTION = "--entities USER,ITEM"
_WORDS = {GIVEN: "given", NAME: "by name", CARDINALITY: "guessed"}


def entities_text(facts: Mapping[str, Any]) -> str:
    """Return which features are user and item, how each was chosen, and what changes the choice.

    Such as `user: member (by name), item: city (guessed); change: --entities USER,ITEM`. The text
    is empty where the data set is about users and items anyway.

    facts: `found` of a record, or a description of a data set. Records of earlier versions lack
    `entities_chosen`, or both entries.
    """
    entities = facts.get("entities")
    if not entities:
        return ""
    user = f"user: {entities[0]}"
    item = f"item: {entities[-1]}"
    chosen = facts.get("entities_chosen")
    if not chosen:
        return f"{user}, {item}"
    if set(chosen) == {OWN}:
        return ""
    how_user = _WORDS.get(chosen[0], chosen[0])
    how_item = _WORDS.get(chosen[-1], chosen[-1])
    if how_user != how_item:
        user += f" ({how_user})"
    text = f"{user}, {item} ({how_item})"
    if set(chosen) != {GIVEN}:
        text += f"; change: {OPTION}"
    return text
