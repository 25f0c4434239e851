"""Pseudonyms: identifiers of a user's patients as a keyed hash, if a key is given.

The key is read from the environment, so that no configuration, record or log holds it. The same key
gives the same pseudonyms; only its holder can find a patient again.
"""

from __future__ import annotations

import hmac
import os

from kg.errors import InputError

__all__ = ["KEY", "pseudonym"]

KEY = "KGDX_PSEUDONYM_KEY"
SHORTEST = 16
"""Least length of a key: identifiers are few, and a short key could be guessed."""
LENGTH = 16
"""Hexadecimal digits of a pseudonym: 64 bits, without collisions among a million in practice."""


def pseudonym(kind: str, name: str) -> str:
    """HMAC-SHA256 of an identifier under the key of the environment, or the identifier itself.

    Args:
        kind: Kind of the identifier (`study`, `patient`), so that equal words stay distinct.
        name: The identifier; an empty one stays empty.

    Raises:
        InputError: If the key is too short to protect anything.
    """
    key = os.environ.get(KEY)
    if key is None or not name:
        return name
    if len(key) < SHORTEST:
        raise InputError(f"{KEY} has fewer than {SHORTEST} characters", "choose a longer key")
    return hmac.new(key.encode(), f"{kind}\0{name}".encode(), "sha256").hexdigest()[:LENGTH]
