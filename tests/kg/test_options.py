"""Options from a file: what has no keys is told like a wrong key."""

from __future__ import annotations

from typing import Any

import pytest

from kg.errors import InputError
from kg.options import Options, parse_options


class Chosen(Options):
    size: int = 1


@pytest.mark.parametrize("values", [None, "abc", ["abc"], [["size", 2]], 7, True])
def test_values_without_keys_are_refused(values: Any) -> None:
    with pytest.raises(InputError, match="here: has no keys"):
        parse_options(Chosen, values, where="here")


def test_keys_are_read_and_a_wrong_one_is_named() -> None:
    assert parse_options(Chosen, {"size": 2}, where="here") == Chosen(size=2)
    with pytest.raises(InputError, match="here.sizes: there is no such key"):
        parse_options(Chosen, {"sizes": 2}, where="here")
