"""File formats, splits and encoding: from an archive or a table to integers to train on."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
