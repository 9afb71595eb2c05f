"""The data sets that have a name: where each comes from, its MD5 and the files in it.

Importing this module reads no file and loads no heavy library.
"""

from dataclasses import dataclass, replace

from ue_bench.config.click_worlds import values_of, without_turnover
from ue_bench.config.drawn_worlds import world_of

ADDRESS = "https://files.grouplens.org/datasets/movielens"
PLANTED = "planted"  # layout of the worlds in `synthetic`, which have no files
TABLE = "table"  # layout of the tables in `table.builtin`

SIZE_FACTOR = 8  # a file may be this many times as large as the largest real one of its kind


@dataclass(frozen=True)
class Layout:
    """The files of one generation of MovieLens.

    ratings, items, users: file names; `users` is None where users have no attributes.
    largest_archive, largest_ratings, largest_attributes: bytes of the largest real archive,
    ratings file and other file in this layout. A file of more than `SIZE_FACTOR` times as many
    bytes is not from MovieLens.
    """

    ratings: str
    items: str
    users: str | None
    largest_archive: int
    largest_ratings: int
    largest_attributes: int

    @property
    def members(self) -> tuple[str, ...]:
        """Names of all files that are read."""
        if self.users is None:
            return (self.ratings, self.items)
        return (self.ratings, self.users, self.items)

    @property
    def most_archive_bytes(self) -> int:
        """The most bytes that are downloaded."""
        return SIZE_FACTOR * self.largest_archive

    def most_bytes(self, member: str) -> int:
        """The most bytes that are read of a member of an archive, or of a file of attributes."""
        if member == self.ratings:
            return SIZE_FACTOR * self.largest_ratings
        return SIZE_FACTOR * self.largest_attributes


LAYOUTS: dict[str, Layout] = {
    "100k": Layout(
        ratings="u.data",
        items="u.item",
        users="u.user",
        largest_archive=4_924_029,
        largest_ratings=1_979_173,
        largest_attributes=236_344,
    ),
    "1m": Layout(
        ratings="ratings.dat",
        items="movies.dat",
        users="users.dat",
        largest_archive=5_917_549,
        largest_ratings=24_594_131,
        largest_attributes=171_308,
    ),
    "10m": Layout(
        ratings="ratings.dat",
        items="movies.dat",
        users=None,
        largest_archive=65_566_137,
        largest_ratings=265_105_635,
        largest_attributes=522_197,
    ),
    "csv": Layout(
        ratings="ratings.csv",
        items="movies.csv",
        users=None,
        largest_archive=261_978_986,
        largest_ratings=877_076_222,
        largest_attributes=4_242_926,
    ),
    "pypi": Layout(
        ratings="MovieLens100k_data.parquet.brotli",
        items="MovieLens100k_items.parquet.brotli",
        users="MovieLens100k_users.parquet.brotli",
        largest_archive=21_960_885,
        largest_ratings=640_333,
        largest_attributes=70_731,
    ),
}
MOST_ARCHIVE_BYTES = max(layout.most_archive_bytes for layout in LAYOUTS.values())


@dataclass(frozen=True)
class DatasetInfo:
    """One data set.

    layout: key of LAYOUTS, or PLANTED, or TABLE; the last two have no url, md5 and folder.
    summary: one line for a listing.
    md5: of the official zip, 32 hex digits; None: it is read from `<url>.md5`.
    folder: the one folder inside the zip; without it, the name.
    url: of the official zip; without it, GroupLens's address of the name.
    task: what the target is: `regression`, or `binary` (0 or 1).
    """

    name: str
    layout: str
    summary: str
    md5: str | None = None
    folder: str = ""
    url: str = ""
    task: str = "regression"

    def __post_init__(self) -> None:
        if self.layout in (PLANTED, TABLE):
            return
        if not self.folder:
            object.__setattr__(self, "folder", self.name)
        if not self.url:
            object.__setattr__(self, "url", f"{ADDRESS}/{self.name}.zip")


_LISTED = (
    DatasetInfo(
        name="ml-100k",
        layout="100k",
        summary="100,000 ratings of 1,682 movies by 943 users, 1997-1998, with user attributes",
        md5="0e33842e24a9c977be4e0107933c0723",
    ),
    DatasetInfo(
        name="ml-1m",
        layout="1m",
        summary="1,000,209 ratings of 3,706 movies by 6,040 users, 2000-2003, with user attributes",
        md5="c4d9eecfca2ab87c1945afe126590906",
    ),
    DatasetInfo(
        name="ml-10m",
        layout="10m",
        summary="10,000,054 ratings of 10,677 movies by 69,878 users, half stars, 1995-2009",
        md5="ce571fd55effeba0271552578f2648bd",
        folder="ml-10M100K",
    ),
    DatasetInfo(
        name="ml-20m",
        layout="csv",
        summary="20,000,263 ratings of 26,744 movies by 138,493 users, half stars, 1995-2015",
        md5="cd245b17a1ae2cc31bb14903e1204af3",
    ),
    DatasetInfo(
        name="ml-25m",
        layout="csv",
        summary="25,000,095 ratings of 59,047 movies by 162,541 users, half stars, 1995-2019",
        md5="6b51fb2759a8657d3bfcbfc42b592ada",
    ),
    DatasetInfo(
        name="ml-32m",
        layout="csv",
        summary="32,000,204 ratings of 84,432 movies by 200,948 users, half stars, 1995-2023",
    ),
    DatasetInfo(
        name="ml-latest-small",
        layout="csv",
        summary="100,836 ratings of 9,724 movies by 610 users, half stars, 1996-2018",
    ),
    DatasetInfo(
        name="flights",
        layout=TABLE,
        summary="327,346 flights from New York in 2013 and their delay, minutes",
    ),
    DatasetInfo(
        name="baseball",
        layout=TABLE,
        summary="94,538 seasons of baseball players, 1871-2024, and their runs, log(1 + runs)",
    ),
    DatasetInfo(
        name="babynames",
        layout=TABLE,
        summary="159,731 names of children in Israel by year, 1949-2024, and their number, log",
    ),
    DatasetInfo(
        name="criteo",
        layout=TABLE,
        summary="clicks on advertisements; give its file with --data-dir",
        task="binary",
    ),
    DatasetInfo(
        name="avazu",
        layout=TABLE,
        summary="clicks on mobile advertisements; give its file with --data-dir",
        task="binary",
    ),
    DatasetInfo(
        name="click-world-small",
        layout=PLANTED,
        summary="made, not downloaded: 200,000 rows of a click log whose best loss is known",
        task="binary",
    ),
    DatasetInfo(
        name="click-world-medium",
        layout=PLANTED,
        summary="made, not downloaded: 2 million rows of such a log",
        task="binary",
    ),
    DatasetInfo(
        name="click-world-large",
        layout=PLANTED,
        summary="made, not downloaded: 20 million rows of such a log",
        task="binary",
    ),
    DatasetInfo(
        name="planted-additive",
        layout=PLANTED,
        summary="made, not downloaded: five features whose effects add up",
    ),
    DatasetInfo(
        name="planted-one-feature",
        layout=PLANTED,
        summary="made, not downloaded: the user's effect and nothing else",
    ),
    DatasetInfo(
        name="planted-noise",
        layout=PLANTED,
        summary="made, not downloaded: ratings that follow from no feature",
    ),
    DatasetInfo(
        name="planted-low-rank",
        layout=PLANTED,
        summary="made, not downloaded: user and movie meet in a product of rank 2",
    ),
    DatasetInfo(
        name="planted-one-small-feature",
        layout=PLANTED,
        summary="made, not downloaded: the effect of gender, and a lot of noise",
    ),
    DatasetInfo(
        name="planted-small",
        layout=PLANTED,
        summary="made, not downloaded: effects of user and movie, for thousands of short runs",
    ),
    DatasetInfo(
        name="planted-rare-values",
        layout=PLANTED,
        summary="made, not downloaded: rare movies are rated lower than frequent ones",
    ),
)
DATASETS: dict[str, DatasetInfo] = {info.name: info for info in _LISTED}


def info_of(name: str) -> DatasetInfo | None:
    """Return what is known of a data set with a name, or of a draw of a planted world.

    The turnover in the name of a click log changes nothing of it. A click log of so many values is
    made like the others.
    """
    if values_of(name) is not None:
        summary = "made, not downloaded: a click log of so many values whose best loss is known"
        return replace(DATASETS["click-world-small"], name=without_turnover(name), summary=summary)
    info = DATASETS.get(without_turnover(name))
    if info is not None:
        return info
    world = DATASETS.get(world_of(name))
    if world is None or world.layout != PLANTED:
        return None
    return world
