"""Strategies: index maps from raw values to slots of a pool of learned numbers, and their list.

A name is loaded when it is first used. The list (`STRATEGIES` and the functions about it) loads
neither torch nor polars.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
