"""Which strategy, table size, dim and lookups suit this data and this memory.

`question` is what a user asks, `sizes` what fits the memory, `candidates` what is tried,
`rounds` which runs are made (by `runs`, within the time of `clock`), `answer` what the records
say, `lines` the Python that builds the layer, and `text` the answer in plain text.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
