from .assemble import Outcome, build

__all__ = ["Outcome", "build"]
