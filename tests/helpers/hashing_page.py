"""The page that fixes the hashing, as a program: its own blocks are run, and what they give is `docs/hashing-vectors.json`.

Nothing here imports ue_bench: the page must be enough. To write the file anew: `python tests/hashing_page.py`.
"""

import json
import re
from pathlib import Path
from types import SimpleNamespace

DOCS = Path(__file__).resolve().parents[2] / "docs"
VECTORS = DOCS / "hashing-vectors.json"

SEEDS = (0, 1, 2**31, 2**32 - 1)
SIZES = (1, 2, 1000, 2**31 - 1)
TEXTS = (
    "",
    "a",
    "user_1",
    "0",
    "196",
    "-5",
    "007",
    " a ",
    "\x1f",
    "\0",
    "Action|Comedy",
    "é",
    "e\u0301",
    "日本",
    "Ünïcödé",
    "😀",
    "\U0010ffff",
    "x" * 15,
    "x" * 16,
    "0123456789abcdef!",
    "y" * 31,
    "y" * 32,
    "0123456789" * 10,
    "é" * 300,
)
WHOLE = (0, 7, -5, 196, 2**31, 2**63 - 1, -(2**63), 2**64, 10**30)
CARDINALITIES = (
    (943, 1682, 2, 61, 21, 795),
    (1,),
    (5, 5, 5),
    (1, 1000000),
    (3, 2, 1),
    (69_641, 943, 1682, 216),
    (2**31, 1, 7),
    tuple(range(1, 41)),
)
TABLES = (
    {
        "strategy": "unified",
        "budget": 28_032,
        "dim": 16,
        "hash_seed": 0,
        "region_rule": None,
        "region_cap": "none",
    },
    {
        "strategy": "unified",
        "budget": 1_000_003,
        "dim": 10,
        "hash_seed": 4_294_967_295,
        "region_rule": None,
        "region_cap": "none",
    },
    {
        "strategy": "per_feature",
        "budget": 28_032,
        "dim": 16,
        "hash_seed": 1,
        "region_rule": "proportional",
        "region_cap": "usable",
    },
    {
        "strategy": "per_feature",
        "budget": 28_032,
        "dim": 16,
        "hash_seed": 1,
        "region_rule": "sqrt",
        "region_cap": "usable",
    },
    {
        "strategy": "per_feature",
        "budget": 5_000,
        "dim": 8,
        "hash_seed": 7,
        "region_rule": "equal",
        "region_cap": "usable",
    },
    {
        "strategy": "per_feature",
        "budget": 5_000,
        "dim": 8,
        "hash_seed": 7,
        "region_rule": "equal",
        "region_cap": "none",
    },
)
FEATURES = (  # name, cardinality, lookups, values
    ("user_id", 943, 2, ["1", "196", "no such user"]),
    ("genres", 216, 1, ["Action|Comedy", "", "日本"]),
    ("user_id*genres", 60_000, 1, ["196\x1fAction|Comedy", "1\x1f"]),
    ("straße", 3, 3, ["x" * 40, "😀"]),
)


def page():
    """The names that the page's blocks define."""
    defined, written = {}, (DOCS / "hashing.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```python\n(.*?)^```", written, re.DOTALL | re.MULTILINE):
        exec(block, defined)
    return SimpleNamespace(**defined)


def vectors():
    """Everything that the page's blocks say, as in the file."""
    says = page()

    def digest(text, seed):
        return says.row(text, seed, 2**32)

    def table(case):
        rows, cardinalities = (
            says.table_rows(case["budget"], case["dim"]),
            [feature[1] for feature in FEATURES],
        )
        rule = case["region_rule"]
        most = None
        if case["region_cap"] == "usable":
            most = says.usable(cardinalities, [feature[2] for feature in FEATURES])
        regions = says.multiplexed(rows, cardinalities)
        if rule:
            regions = says.separate(rows, cardinalities, rule, most)
        features = []
        for (name, cardinality, lookups, values), region in zip(FEATURES, regions, strict=True):
            found = {
                value: says.slots(value, name, lookups, case["hash_seed"], region)
                for value in values
            }
            features.append(
                {
                    "name": name,
                    "cardinality": cardinality,
                    "lookups": lookups,
                    "region": region,
                    "slots": found,
                }
            )
        return {**case, "features": features}

    return {
        "rows": [
            {
                "text": text,
                "utf8": says.value_bytes(text).hex(),
                "seed": seed,
                "xxh32": digest(text, seed),
                "rows": {str(size): says.row(text, seed, size) for size in SIZES},
            }
            for text in TEXTS
            for seed in SEEDS
        ],
        "whole_numbers": [[number, says.value_bytes(number).decode()] for number in WHOLE],
        "crosses": [
            {"parts": parts, "utf8": says.cross(*parts).hex()}
            for parts in (["196", "Action|Comedy"], ["", ""], [7, "é", "😀"])
        ],
        "lookup_seeds": [
            {
                "feature": name,
                "lookup": lookup,
                "number": number,
                "hash_seed": seed,
                "seed": says.lookup_seed(name, lookup, seed, number),
            }
            for name in ("user_id", "user_id*genres", "", "straße", "😀")
            for lookup in (0, 1, 12)
            for number in (0, 1, 31)
            for seed in SEEDS
        ],
        "regions": [
            {
                "rule": rule,
                "rows": rows,
                "cardinalities": sizes,
                "most": most,
                "regions": says.separate(rows, sizes, rule, most),
            }
            for sizes in CARDINALITIES
            for rule in says.WEIGHTS
            for rows in (len(sizes), 438, 65_537, 2**31 - 1)
            for most in (None, says.usable(sizes, [2] * len(sizes)))
            if most is None or len(sizes) <= rows <= sum(most)
        ],
        "tables": [table(case) for case in TABLES],
    }


def text():
    """The file: one entry a line, so that a difference shows where it is."""
    parts = []
    for name, entries in vectors().items():
        lines = ",\n".join(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in entries)
        parts.append(f' "{name}": [\n{lines}\n ]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    VECTORS.write_text(text(), encoding="utf-8")
