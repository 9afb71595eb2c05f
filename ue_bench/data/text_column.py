"""A column of texts from their bytes, without a Python object for each."""

import numpy as np
import polars as pl


def text_column(utf8: np.ndarray, offsets: np.ndarray) -> pl.Series:
    """Return texts as a String column, from their UTF-8 and from where each starts and ends.

    utf8: uint8. offsets: int64 [texts + 1], which rise from 0 to the number of bytes.
    Raises UnicodeDecodeError for a text that is no UTF-8.
    """
    import pyarrow as pa  # takes a moment to load

    # An end of a text inside a character would leave two parts that are none.
    starts = offsets[:-1][np.diff(offsets) > 0]
    continues = np.flatnonzero((utf8[starts] & 0xC0) == 0x80)
    if len(continues):
        start = int(starts[continues[0]])
        raise UnicodeDecodeError("utf-8", utf8.tobytes(), start, start + 1, "invalid start byte")
    str(utf8.data, "utf-8")  # fails where the whole is no UTF-8
    texts = pa.LargeStringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(utf8)
    )
    return pl.Series("", texts, dtype=pl.String)
