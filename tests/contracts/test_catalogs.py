"""Every part of every catalog, found the moment its file exists."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.parts import CATALOGS
from experiments.config.mistakes import check_values
from kg.catalog import ENTRY_POINT_GROUP, Catalog, _installed_parts
from kg.errors import InputError, did_you_mean
from kg.options import Options, parse_options

EVERY = [
    (catalog, name)
    for catalogs in CATALOGS.values()
    for catalog in catalogs
    for name in catalog.names()
]
each_part = pytest.mark.parametrize(
    ("catalog", "name"), EVERY, ids=[f"{catalog.package}.{name}" for catalog, name in EVERY]
)


def full_catalog(package: str) -> Catalog[Any]:
    """The catalog as its own package declares it, with the members its parts must have."""
    module = importlib.import_module(package)
    (found,) = [value for value in vars(module).values() if isinstance(value, Catalog)]
    return found


@each_part
def test_it_says_in_one_line_what_it_is(catalog: Catalog[Any], name: str) -> None:
    line = catalog.describe(name)
    assert len(line.split()) >= 3
    assert line.rstrip().endswith((".", "`"))


@each_part
def test_it_loads_and_has_what_its_kind_has(catalog: Catalog[Any], name: str) -> None:
    full = full_catalog(catalog.package)
    assert full.noun == catalog.noun
    part = full.load(name)
    assert issubclass(part.Options, Options)


@each_part
def test_it_refuses_a_wrong_option(catalog: Catalog[Any], name: str) -> None:
    options = full_catalog(catalog.package).load(name).Options
    known = list(options.model_fields)
    wrong = f"{known[0]}_x" if known else "depth"
    values = {**_required(options), wrong: 1}
    for check in (
        lambda: parse_options(options, values, where=name),
        lambda: check_values(options, values, places={(): "file.yaml"}),
    ):
        with pytest.raises(InputError) as caught:
            check()
        assert wrong in caught.value.message
        assert caught.value.hint == did_you_mean(wrong, known)


@pytest.mark.parametrize("package", sorted({c.package for cs in CATALOGS.values() for c in cs}))
def test_an_unknown_part_is_refused_with_the_closest(package: str) -> None:
    catalog = full_catalog(package)
    names = catalog.names()
    with pytest.raises(InputError) as caught:
        catalog.load(f"{names[0]}z" if names else "none_such")
    if names:
        assert names[0] in caught.value.hint or "did you mean" in caught.value.hint


def test_a_part_of_an_installed_package_is_listed_described_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = tmp_path / "ward_parts-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Name: ward_parts\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[{ENTRY_POINT_GROUP}]\njoin.ours = ward_parts:Ours\nhead.other = ward_parts:Other\n"
    )
    (tmp_path / "ward_parts.py").write_text("class Ours: ...\n")
    catalog: Catalog[Any] = Catalog("fusion.joins", "join")
    monkeypatch.syspath_prepend(tmp_path)
    _installed_parts.cache_clear()
    try:
        assert catalog.names()[-1] == "ours"
        assert "other" not in catalog.names()
        assert catalog.describe("ours") == "ward_parts:Ours"
        assert catalog.load("ours").__name__ == "Ours"
    finally:
        _installed_parts.cache_clear()


def _required(options: type[Options]) -> dict[str, Any]:
    """A word for every option that must be given."""
    return {name: "x" for name, field in options.model_fields.items() if field.is_required()}
