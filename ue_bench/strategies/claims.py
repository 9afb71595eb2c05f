"""What the authors of a method say that it reaches.

Most of it is in the abstract of the source. Sizes are theirs: most count numbers of tables, and few
count what finds a row.
"""

from ue_bench.strategies.registry import STRATEGIES

CLAIMS = {  # by the source that the list of strategies gives
    "Coleman et al., NeurIPS 2023, arXiv 2305.12102": (
        "AUC .0237 above separate tables at the bytes of the exact table, .0493 above them at a "
        "tenth, where it is .0672 below exact rows (likes of ML-1M)"
    ),
    "Serrà and Karatzoglou, RecSys 2017, arXiv 1706.03993": (
        "no serious loss down to 1/5 of the size, on some data up to 12 % better (7 data sets)"
    ),
    "Shi et al., KDD 2020, arXiv 1909.02107": (
        "lower loss and higher accuracy than one hash with about as many numbers (Criteo)"
    ),
    "Svenstrup et al., NeurIPS 2017, arXiv 1709.03933": (
        "at least as good as exact rows with a fraction of their numbers (texts)"
    ),
    "Chen et al., ICML 2015, arXiv 1504.04788": (
        "much smaller networks that generalise almost as well (images)"
    ),
    "Desai et al., MLSys 2022, arXiv 2108.02191": (
        "the AUC of .8025 that a benchmark asks for, with 100 MB in place of 100 GB (Criteo "
        "Terabyte)"
    ),
    "Kang et al., KDD 2021, arXiv 2010.10784": (
        "an AUC like that of exact rows with a quarter of the model (2 million ids)"
    ),
    "Zhang et al., RecSys 2020, arXiv 2007.14523": (
        "as good with about a tenth of the model (two products of a company)"
    ),
    "arXiv 2602.17050": (
        "no collisions of users, better and fresher items; no share of bytes (trials on a "
        "company's users)"
    ),
    "Zhang et al., SIGMOD 2024, arXiv 2312.03256": (
        "AUC 3.92 % and 3.68 % above other methods at 1/10,000 (Criteo Kaggle, Criteo Terabyte)"
    ),
    "Pansare et al., MLSys 2022, arXiv 2203.10135": (
        "4 % less nDCG at 1/16, 1/4, 1/12 and 1/40 (four data sets of recommendation)"
    ),
    "Ginart et al., ISIT 2021, arXiv 1909.11810": (
        "the accuracy of exact rows with 1/16 of their numbers, .1 % more with half (Criteo Kaggle)"
    ),
    "Yin et al., MLSys 2021, arXiv 2101.11714": (
        ".03 % less accuracy at 1/4, .3 % less at 1/221 (Criteo Kaggle), none less at 1/112 "
        "(Criteo Terabyte)"
    ),
    "Tsang and Ahle, NeurIPS 2023, arXiv 2210.05974": (
        "the loss of exact rows with 1/8,500 of their numbers (Criteo)"
    ),
    "Wu et al., WWW 2025, arXiv 2412.17245": (
        "recall 101.52 % above hashing on average, with a quarter of the table or less (users and "
        "items)"
    ),
    "Han et al., NeurIPS 2015, arXiv 1506.02626": (
        "no accuracy lost with 1/9 and 1/13 of the numbers of two networks (images)"
    ),
    "Liu et al., ICLR 2021, arXiv 2101.07577": (
        "strong results with 1 % to 3 % of the numbers of exact rows (three data sets of "
        "recommendation)"
    ),
    "Guan et al., arXiv 1911.02079": (
        "the same quality at 13.89 % of the size (one model of a company)"
    ),
    "Li et al., arXiv 2409.20305": "the accuracy of exact rows at about 1/200 (Criteo)",
}


def claims() -> dict[str, str]:
    """What the authors of each strategy's method say, by the strategy's name; not all say it."""
    found = {}
    for name, entry in STRATEGIES.items():
        if entry.source in CLAIMS:
            found[name] = CLAIMS[entry.source]
    return found
