"""Values that recur, each with a number."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


class Numbered(dict[T, int]):
    """Values, each with the number of its first use: 0, 1, 2 …; ``listed[n]`` is the n-th."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[T] = []

    def __missing__(self, value: T) -> int:
        number = self[value] = len(self.listed)
        self.listed.append(value)
        return number
