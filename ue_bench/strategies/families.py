"""Families of strategies that are alike in how a value finds its numbers.

Figures give a family a colour and each member a marker, in this order: a new strategy goes to the
end of its family.
"""

FAMILIES: dict[str, tuple[str, ...]] = {
    "hashed rows": (
        "unified",
        "multi_hash_sum",
        "multi_hash_mean",
        "hash_embedding",
    ),
    "hashed rows of one feature": ("per_feature",),
    "hashed numbers": ("hashed_bits", "hashed_net", "robe", "dhe"),
    "composed rows": (
        "compositional",
        "qr_multiply",
        "qr_add",
        "qr_concat",
        "tt_rec",
        "memcom",
    ),
    "clusters and codes": (
        "product_quantization",
        "residual_quantization",
        "cce",
        "graph_hash",
        "double_graph_hash",
    ),
    "rows of frequent values": (
        "frequency_threshold",
        "frequency_double_hash",
        "cafe",
        "zero_collision",
    ),
    "exact rows, whole or pruned": (
        "collisionless",
        "low_dim_exact",
        "int8",
        "int4",
        "mixed_precision",
        "growing_exact",
        "evicting_exact",
        "magnitude_pruning",
        "masked_pruning",
        "pep",
        "mixed_dimension",
    ),
}
