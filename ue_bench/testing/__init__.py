"""The contract of a strategy: `StrategyContract` is a class of tests, and `check` runs them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
