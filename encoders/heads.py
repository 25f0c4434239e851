"""Check that attention heads divide the width of a layer."""

from __future__ import annotations

from kg.errors import InputError


def check_heads(part: str, width: int, heads: int) -> None:
    """Refuse a number of attention heads that cannot share a width.

    Args:
        part: Name of the component with the heads, for the message.
        width: Width of the layer.
        heads: Number of heads.

    Raises:
        InputError: If it does not divide it.
    """
    if heads < 1 or width % heads:
        raise InputError(
            f"{part}.heads: {heads} heads do not divide {width}",
            "choose a divisor of the system's width",
        )
