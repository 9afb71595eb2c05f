"""Strategies: index maps from raw values to slots of a pool of learned numbers, and the one list of them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
