"""Which strategy, table size, dim and lookups for this data and this memory.

`question` is what is asked, `sizes` what fits, `candidates` what is tried, `rounds` what is run
(`runs`, within the time of `clock`), `answer` what the records say of it, `lines` the Python that
builds the layer, and `text` the answer in plain text.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
