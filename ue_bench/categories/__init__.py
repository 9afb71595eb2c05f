"""Categories: the text that stands for one raw value of a column.

A column has one rule, which is fixed once for the whole column. The rule is then applied to every
value by itself, so that a value has the same text whatever stands in the other rows. Training and
serving call the functions of this package, and a service in any language can follow the rules
(docs/data.md).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
