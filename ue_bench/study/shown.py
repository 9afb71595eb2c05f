"""The progress of a study whose parts are answered side by side: that of the earliest part."""

from collections.abc import Callable, Collection
from contextlib import ExitStack

from ue_bench.progress import progress
from ue_bench.study.plan import title
from ue_bench.study.side_by_side import Questions


class Shown:
    """Shows one list or search after the other. study: the name that is shown with it."""

    def __init__(self, study: str) -> None:
        self._study = study
        self._context = ExitStack()
        self._now: tuple[Questions, Callable[..., None]] | None = None

    def __enter__(self) -> "Shown":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def show(self, questions: Questions) -> None:
        """Show these questions, unless they are what is shown."""
        if self._now is not None and self._now[0] is questions:
            return
        self._context.close()
        label = f"{self._study}: {questions.label}"
        shown = progress(label, questions.total, questions.unit)
        update = self._context.enter_context(shown)
        update(questions.finished, title(questions.first))
        self._now = questions, update

    def update(self, counted: Collection[Questions], what: str) -> None:
        """Show how far the questions are, if a run that ended counts for them.

        counted: the questions that it counts for. what: the run, in words.
        """
        if self._now is not None and self._now[0] in counted:
            questions, update = self._now
            update(questions.finished, what)
