"""A small scheduler: coroutines that stop where they say so, `await pause(...)`, stepped in an order drawn by seed.

No event loop, no threads, no clock: what happens is a function of the seed (and of Python's hash seed, should anything
depend on the order of a set, which is why that is printed too).
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class _Pause:
    __slots__ = ("label",)

    def __init__(self, label: str) -> None:
        self.label = label

    def __await__(self) -> Generator[str, None, None]:
        yield self.label


def pause(label: str) -> Awaitable[None]:
    """A point between two steps: whatever else may happen, may happen here."""
    return _Pause(label)


def step(coroutine: Coroutine[Any, Any, Any]) -> str | None:
    """Run to the next pause and answer its label; None when the coroutine has ended. Its errors come through."""
    try:
        label: str = coroutine.send(None)
    except StopIteration:
        return None
    return label


def run_straight(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, past all pauses."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        answer: T = end.value
        return answer
