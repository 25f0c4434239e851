"""Memory: a bounded store of what was made of the latest keys, such as the sentences of reports."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Memory(Generic[Key, Value]):
    """Values of the latest keys; when it is full, the half that was not asked for goes.

    Args:
        size: Most keys it holds.
    """

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._recent: dict[Key, Value] = {}
        self._before: dict[Key, Value] = {}

    def __len__(self) -> int:
        return len(self._recent) + len(self._before)

    def get(self, key: Key) -> Value | None:
        """The value of a key, or None."""
        found = self._recent.get(key)
        if found is None:
            found = self._before.pop(key, None)
            if found is not None:
                self.keep(key, found)
        return found

    def keep(self, key: Key, value: Value) -> None:
        """Hold a value that is not None."""
        if len(self._recent) >= self._half:
            self._before, self._recent = self._recent, {}
        self._recent[key] = value
