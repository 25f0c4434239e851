"""Refused request: a status of HTTP with a plain sentence."""

from __future__ import annotations

__all__ = ["Refused"]


class Refused(Exception):
    """A request that is not answered.

    Args:
        status: Status code of HTTP.
        message: What is wrong.
        hint: What to do about it.
    """

    def __init__(self, status: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.hint = hint
