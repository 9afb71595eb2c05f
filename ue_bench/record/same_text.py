"""A text that equal values have alike, by which records are put in groups."""

import json
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder(order="deterministic")


def same_text(value: Any) -> str:
    """Return a text that is equal for equal values, whatever the order of their names.

    value: what JSON may hold; NaN, infinity and None have one text. msgspec takes a tenth of the
    time of Python's JSON, which also writes halves of characters.
    """
    try:
        return _encoder.encode(value).decode()
    except (UnicodeEncodeError, TypeError):
        return json.dumps(value, sort_keys=True)
