"""Values of frames as JSON holds them."""

import math
from typing import Any

import numpy as np
import pandas as pd


def json_values(value: Any) -> Any:
    """Return what JSON can hold: numbers of Python for those of numpy, null for NaN and NA."""
    if isinstance(value, dict):
        return {name: json_values(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(item) for item in value]
    if value is pd.NA:
        return None
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, np.generic):
        return value.item()
    return value
