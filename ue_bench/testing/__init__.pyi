from .causes import CheckedForm, cause_lines, check, check_forms
from .contract import BAGGED, FEATURES, StrategyContract, training_rows

__all__ = [
    "BAGGED",
    "FEATURES",
    "CheckedForm",
    "StrategyContract",
    "cause_lines",
    "check",
    "check_forms",
    "training_rows",
]
