"""One short file a study; each opens with its command, its cost and what to expect."""
