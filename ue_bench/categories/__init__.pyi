from .column_texts import short_texts_of, texts_of
from .number_buckets import bucket, buckets
from .plain_columns import plain_column
from .repeated_texts import Repeated
from .rule import KINDS, NUMBER, TEXT, Kind, Rule, rules_by_name
from .time_texts import beyond_calendar
from .value_text import is_missing, text_of

__all__ = [
    "KINDS",
    "NUMBER",
    "TEXT",
    "Kind",
    "Repeated",
    "Rule",
    "beyond_calendar",
    "bucket",
    "buckets",
    "is_missing",
    "plain_column",
    "rules_by_name",
    "short_texts_of",
    "text_of",
    "texts_of",
]
