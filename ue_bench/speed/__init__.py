"""The speed of everything, beside its peers and its limit, as ratios inside one run."""
