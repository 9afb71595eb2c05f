from .ask import advise
from .question import Question
from .text import told

__all__ = ["Question", "advise", "told"]
