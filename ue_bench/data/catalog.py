"""Which data sets exist: the official archive of each, its MD5 and the files in it. Nothing here touches a disk."""

from dataclasses import dataclass

ADDRESS = "https://files.grouplens.org/datasets/movielens"
PLANTED = "planted"  # the layout of the worlds of `synthetic`, which have no files
TABLE = "table"  # of what is no MovieLens: `builtin` says what its files are


TIMES = 8  # how many times the largest real file of its kind is still read


@dataclass(frozen=True)
class Layout:
    """The files of one generation of MovieLens, by role. `users` is None where users have no attributes.

    largest: bytes of the largest real archive, ratings file and other file in this layout. What has more than eight times as many
    is no MovieLens.
    """

    ratings: str
    items: str
    users: str | None
    largest: tuple[int, int, int]

    @property
    def members(self) -> tuple[str, ...]:
        """Names of all files that are read."""
        return tuple(name for name in (self.ratings, self.users, self.items) if name is not None)

    @property
    def most_archive_bytes(self) -> int:
        """No more is downloaded."""
        return TIMES * self.largest[0]

    def most_bytes(self, member: str) -> int:
        """Larger members of an archive are not read, nor larger tables of users and items anywhere."""
        return TIMES * self.largest[1 if member == self.ratings else 2]


LAYOUTS: dict[str, Layout] = {
    "100k": Layout("u.data", "u.item", "u.user", (4_924_029, 1_979_173, 236_344)),
    "1m": Layout("ratings.dat", "movies.dat", "users.dat", (5_917_549, 24_594_131, 171_308)),
    "10m": Layout("ratings.dat", "movies.dat", None, (65_566_137, 265_105_635, 522_197)),
    "csv": Layout("ratings.csv", "movies.csv", None, (261_978_986, 877_076_222, 4_242_926)),
    "pypi": Layout(
        "MovieLens100k_data.parquet.brotli",
        "MovieLens100k_items.parquet.brotli",
        "MovieLens100k_users.parquet.brotli",
        (21_960_885, 640_333, 70_731),
    ),
}
MOST_ARCHIVE_BYTES = max(
    layout.most_archive_bytes for layout in LAYOUTS.values()
)  # larger ones are not read


@dataclass(frozen=True)
class DatasetInfo:
    """One data set.

    url: of the official zip. md5: of that zip, 32 hex digits; None: read it from `<url>.md5`, where it is published.
    folder: the one folder inside the zip. layout: key of LAYOUTS, or PLANTED (it is made), or TABLE, without url, md5 and folder.
    summary: one line for a listing. task: what its target is: `regression`, or `binary` (0 or 1).
    """

    name: str
    md5: str | None
    folder: str
    layout: str
    summary: str
    url: str = ""
    task: str = "regression"

    def __post_init__(self) -> None:
        if not self.url and self.layout not in (PLANTED, TABLE):
            object.__setattr__(self, "url", f"{ADDRESS}/{self.name}.zip")


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "ml-100k",
            "0e33842e24a9c977be4e0107933c0723",
            "ml-100k",
            "100k",
            "100,000 ratings of 1,682 movies by 943 users, 1997-1998, with user attributes",
        ),
        DatasetInfo(
            "ml-1m",
            "c4d9eecfca2ab87c1945afe126590906",
            "ml-1m",
            "1m",
            "1,000,209 ratings of 3,706 movies by 6,040 users, 2000-2003, with user attributes",
        ),
        DatasetInfo(
            "ml-10m",
            "ce571fd55effeba0271552578f2648bd",
            "ml-10M100K",
            "10m",
            "10,000,054 ratings of 10,677 movies by 69,878 users, half stars, 1995-2009",
        ),
        DatasetInfo(
            "ml-20m",
            "cd245b17a1ae2cc31bb14903e1204af3",
            "ml-20m",
            "csv",
            "20,000,263 ratings of 26,744 movies by 138,493 users, half stars, 1995-2015",
        ),
        DatasetInfo(
            "ml-25m",
            "6b51fb2759a8657d3bfcbfc42b592ada",
            "ml-25m",
            "csv",
            "25,000,095 ratings of 59,047 movies by 162,541 users, half stars, 1995-2019",
        ),
        DatasetInfo(
            "ml-32m",
            None,
            "ml-32m",
            "csv",
            "32,000,204 ratings of 84,432 movies by 200,948 users, half stars, 1995-2023",
        ),
        DatasetInfo(
            "ml-latest-small",
            None,
            "ml-latest-small",
            "csv",
            "100,836 ratings of 9,724 movies by 610 users, half stars, 1996-2018",
        ),
        DatasetInfo(
            "flights",
            None,
            "",
            TABLE,
            "327,346 flights from New York in 2013 and their delay, minutes",
        ),
        DatasetInfo(
            "criteo",
            None,
            "",
            TABLE,
            "clicks on advertisements; give its file with --data-dir",
            task="binary",
        ),
        DatasetInfo(
            "avazu",
            None,
            "",
            TABLE,
            "clicks on mobile advertisements; give its file with --data-dir",
            task="binary",
        ),
        DatasetInfo(
            "planted-additive",
            None,
            "",
            PLANTED,
            "made, not downloaded: five features whose effects add up",
        ),
        DatasetInfo(
            "planted-one-feature",
            None,
            "",
            PLANTED,
            "made, not downloaded: the user's effect and nothing else",
        ),
        DatasetInfo(
            "planted-noise",
            None,
            "",
            PLANTED,
            "made, not downloaded: ratings that follow from no feature",
        ),
        DatasetInfo(
            "planted-low-rank",
            None,
            "",
            PLANTED,
            "made, not downloaded: user and movie meet in a product of rank 2",
        ),
    )
}
