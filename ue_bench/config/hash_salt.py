"""How an arm with other hash functions is named, wherever arms are told apart."""


def salt_word(salt: int | None) -> str:
    """Return `salt 1`, and nothing for an arm without one."""
    return f"salt {salt}" if salt else ""
