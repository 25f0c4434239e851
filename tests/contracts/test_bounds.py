"""Every number in the options of every part has the values that make sense, declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from experiments.ablate.schema import Ablation
from experiments.cli.parts import CATALOGS
from experiments.config.schema import Experiment, Published
from experiments.link_prediction.fit import LinkOptions
from fusion.stage import OPTIMISERS, SCHEDULES
from kg import bounds
from kg.described import meanings
from kg.options import Options
from tests.contracts.test_catalogs import full_catalog

KINDS: dict[str, type[Options]] = {
    **{kind.__name__: kind for kind in (Experiment, Ablation, LinkOptions)},
    **OPTIMISERS,
    **SCHEDULES,
    **{
        f"{catalog.package}.{name}": full_catalog(catalog.package).load(name).Options
        for catalogs in CATALOGS.values()
        for catalog in catalogs
        for name in catalog.names()
    },
}
FREE = {(Published.__name__, "value")}
"""Numbers of a publication, which are only shown."""


def numbers(schema: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every number of a JSON schema with the key it is under."""
    if isinstance(schema, dict):
        if schema.get("type") in ("integer", "number") and "enum" not in schema:
            yield name, schema
        for key, inner in schema.items():
            if key == "properties":
                owner = str(schema.get("title", ""))
                for field, each in inner.items():
                    if (owner, field) not in FREE:
                        yield from numbers(each, field)
            elif key not in ("default", "const", "enum"):
                yield from numbers(inner, name)
    elif isinstance(schema, list):
        for inner in schema:
            yield from numbers(inner, name)


@pytest.mark.parametrize("name", KINDS)
def test_every_number_has_bounds(name: str) -> None:
    for key, schema in numbers(KINDS[name].model_json_schema()):
        below = {"minimum", "exclusiveMinimum"} & set(schema)
        above = {"maximum", "exclusiveMaximum"} & set(schema)
        assert below, f"{key} of {name} may be of any size below 0: use a type of kg/bounds.py"
        assert above or schema["type"] == "number", f"{key} of {name} may be of any size"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (bounds.Seed, (0, 1, 2**32 - 1), (-1, 2**32, 1e20, 1.5)),
        (bounds.Number, (0, 7), (-1, 1e9)),
        (bounds.Count, (1, 7), (0, -4, 1e9)),
        (bounds.Few, (1, 256), (0, 257)),
        (bounds.FewOrNone, (0, 256), (-1, 257)),
        (bounds.Width, (1, 16_384), (0, 1e9)),
        (bounds.Side, (8, 4096), (0, -4, 5000)),
        (bounds.Multiple, (0.5, 2.5), (0, -1, 1e9)),
        (bounds.Share, (0, 0.5, 1), (-0.1, 1.1, float("nan"))),
        (bounds.ShareBelow1, (0, 0.99), (1, -1)),
        (bounds.Positive, (1e-9, 1e300), (0, -1, float("inf"), float("nan"))),
        (bounds.NotNegative, (0, 1e300), (-1e-9, float("inf"), float("nan"))),
    ],
)
def test_bounds(kind: Any, right: tuple[float, ...], wrong: tuple[float, ...]) -> None:
    adapter: TypeAdapter[float] = TypeAdapter(kind)
    assert [adapter.validate_python(value) for value in right] == list(right)
    for value in wrong:
        with pytest.raises(ValueError, match="validation error"):
            adapter.validate_python(value)


@pytest.mark.parametrize("name", KINDS)
def test_every_option_has_a_meaning(name: str) -> None:
    about = meanings(KINDS[name])
    assert set(about) == set(KINDS[name].model_fields), "the docstring documents other options"
    assert all(text.strip() for text in about.values())
