"""Pseudonyms: identifiers and file names of a user's patients under a secret key, if one is given.

The key is read from the environment, so that no configuration, record or log holds it. The same key
gives the same pseudonyms; only its holder can find a patient again. Identifiers become a keyed
hash. Names that must be read back (the files of a prepared copy) are sealed: encrypted, the same
name always alike, so that whoever holds the key can go on using the copy and nobody else can.
"""

from __future__ import annotations

import base64
import hmac
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from kg.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

__all__ = ["KEY", "is_keyed", "pseudonym", "pseudonym_of_path", "sealed", "unsealed"]

KEY = "KGDX_PSEUDONYM_KEY"
SHORTEST = 16
"""Least length of a key: identifiers are few, and a short key could be guessed."""
LENGTH = 16
"""Hexadecimal digits of a pseudonym: 64 bits, without collisions among a million in practice."""
SEALED = "sealed:"
"""Beginning of a sealed name."""


def is_keyed() -> bool:
    """Whether a key is set.

    Raises:
        InputError: If the key is too short to protect anything.
    """
    return _key() is not None


def pseudonym(kind: str, name: str) -> str:
    """HMAC-SHA256 of an identifier under the key of the environment, or the identifier itself.

    Args:
        kind: Kind of the identifier (`study`, `patient`, `file`), so that equal words stay
            distinct.
        name: The identifier; an empty one stays empty.

    Raises:
        InputError: If the key is too short to protect anything.
    """
    key = _key()
    if key is None or not name:
        return name
    return hmac.new(key.encode(), f"{kind}\0{name}".encode(), "sha256").hexdigest()[:LENGTH]


def pseudonym_of_path(value: object) -> object:
    """The pseudonym of a path; anything else as it is."""
    return pseudonym("file", str(value)) if isinstance(value, Path) else value


def sealed(name: str) -> str:
    """A name encrypted under the key of the environment, or the name itself; equal names alike.

    Raises:
        InputError: If the key is too short to protect anything.
    """
    key = _key()
    if key is None or not name:
        return name
    content = _cipher(key).encrypt(os.fsencode(name), None)
    return SEALED + base64.urlsafe_b64encode(content).decode("ascii")


def unsealed(name: str) -> str:
    """The name that `sealed` was given; one that is not sealed as it is.

    Raises:
        InputError: If there is no key, or it is another one.
    """
    if not name.startswith(SEALED):
        return name
    from cryptography.exceptions import InvalidTag

    key = _key()
    if key is None:
        raise InputError(
            "file names are sealed here", f"set {KEY} to the key they were sealed with"
        )
    try:
        content = base64.urlsafe_b64decode(name.removeprefix(SEALED))
        return os.fsdecode(_cipher(key).decrypt(content, None))
    except (InvalidTag, ValueError):
        raise InputError(
            f"file names are sealed here with another key than {KEY}",
            "set the key they were sealed with",
        ) from None


def _key() -> str | None:
    """The key of the environment.

    Raises:
        InputError: If it is too short to protect anything.
    """
    key = os.environ.get(KEY)
    if key is not None and len(key) < SHORTEST:
        raise InputError(f"{KEY} has fewer than {SHORTEST} characters", "choose a longer key")
    return key


@lru_cache(maxsize=1)
def _cipher(key: str) -> AESSIV:
    """AES-SIV, which encrypts without a random number: the same name is sealed the same way."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    return AESSIV(hmac.new(key.encode(), b"names of files", "sha512").digest())
