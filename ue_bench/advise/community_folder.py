"""The folder of strategies that others submitted, which is as a rule empty or not there."""

from pathlib import Path

FOLDER = "community"  # beside the folder of the published records
ABOUT = "submission.toml"  # in the folder of a submission: what makes it one


def submissions_in(folder: Path) -> list[Path]:
    """Return the folders of the submissions in `folder`, in order of their names.

    Hidden ones are left out: `submit` may have been killed before one had its name.
    """
    return [about.parent for about in sorted(folder.glob(f"[!.]*/{ABOUT}"))]
