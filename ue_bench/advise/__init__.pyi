from .ask import advise
from .question import Question
from .text import as_text

__all__ = ["Question", "advise", "as_text"]
