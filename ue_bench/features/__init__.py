"""Categorical features: what they are, how raw values are read, and crosses (`a*b`)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
