"""The small world, for tests of pages."""

from tests.support.console import empty_world, world

__all__ = ("empty_world", "world")
