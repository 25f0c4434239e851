"""A join with attention heads refuses a number of them that cannot share its width."""

from __future__ import annotations

import pytest

from fusion.joins import JOINS
from kg.errors import InputError


@pytest.mark.parametrize("name", ["knowledge_attention", "cross_attention"])
def test_heads_that_do_not_divide_the_width_are_named(name: str) -> None:
    join = JOINS.load(name)
    with pytest.raises(InputError, match=f"join.{name}.heads: 3 heads do not divide 32"):
        join(join.Options(heads=3), width=32, kinds=4)
