"""JSON schema of a configuration, by which an editor completes and checks it while it is written.

Made from the classes that check a configuration: keys, values and bounds are theirs, meanings are
those of their docstrings. Every part of a catalog is in it with its own options.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from experiments.config.parts import inner_catalogs
from experiments.config.schema import Experiment
from fusion.stage import OPTIMISERS, SCHEDULES
from kg.catalog import Catalog
from kg.described import meanings

__all__ = ["SCHEMA_FILE", "json_schema"]

SCHEMA_FILE = "kgdx.schema.json"
"""Usual name of the file."""
Schema = dict[str, Any]
_PART = {"$ref": "#/$defs/Part"}


def json_schema() -> Schema:
    """Schema of a configuration file; imports every part."""
    from encoders.image import IMAGE_ENCODERS
    from encoders.text import TEXT_ENCODERS
    from experiments.datasets import DATASETS
    from experiments.systems import SYSTEMS

    schema = _schema_of(Experiment)
    sections: dict[str, Schema] = schema.pop("$defs")
    keys = schema["properties"]
    _name_part(sections["ImageSection"]["properties"]["encoder"], IMAGE_ENCODERS)
    _name_part(sections["TextSection"]["properties"]["encoder"], TEXT_ENCODERS)
    _name_part(keys["system"], SYSTEMS)
    keys["tasks"]["items"] = _names(Catalog[Any]("experiments.tasks", "task"))
    for key, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES)):
        sections["Stage"]["properties"][key]["$ref"] = f"#/$defs/{key}"
        options = {name: _schema_of(kind) for name, kind in known.items()}
        sections[key] = _part({"enum": list(known)}, options)
    keys["base"] = {
        "type": "string",
        "description": "Configuration that this one changes: a shipped name, or a file beside it.",
    }
    catalogs = (IMAGE_ENCODERS, TEXT_ENCODERS, SYSTEMS, *inner_catalogs().values())
    for catalog in {one.noun: one for one in catalogs}.values():
        sections[_section(catalog)] = _part(_names(catalog), _options(catalog, sections))
    data = _part(_names(DATASETS), _options(DATASETS, sections))
    sections["DataSection"]["properties"]["name"] |= data["properties"]["name"]
    sections["DataSection"]["allOf"] = data["allOf"]
    # any key may stand in the base
    for section in sections.values():
        section.pop("required", None)
    schema["anyOf"] = [{"required": ["base"]}, {"required": schema.pop("required")}]
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **schema, "title": "kgdx configuration", "$defs": sections}


class _Described(GenerateJsonSchema):
    """Schemas in which sections and keys have their meaning as description."""

    def model_schema(self, schema: Any) -> Any:
        made = super().model_schema(schema)
        kind: type[BaseModel] = schema["cls"]
        made["description"] = inspect.cleandoc(kind.__doc__ or "").partition("\n")[0]
        about = meanings(kind)
        for name, key in made.get("properties", {}).items():
            key.pop("title", None)
            key["description"] = about.get(name, "")
        return made


def _schema_of(kind: type[BaseModel]) -> Schema:
    return kind.model_json_schema(schema_generator=_Described)


def _options(catalog: Catalog[Any], sections: dict[str, Schema]) -> dict[str, Schema]:
    """Schema of the options of each part; sections that they refer to are added."""
    found = {}
    for name in catalog.names():
        schema = _schema_of(catalog.load(name).Options)
        sections.update(schema.pop("$defs", {}))
        for key, inner in inner_catalogs().items():
            if key in schema["properties"]:
                _name_part(schema["properties"][key], inner)
        schema.pop("required", None)
        found[name] = schema
    return found


def _part(names: Schema, options: Mapping[str, Schema]) -> Schema:
    """Schema of a part: its name, and by that its options."""
    by_name = (
        {
            "if": {"properties": {"name": {"const": name}}, "required": ["name"]},
            "then": {"properties": {"options": schema}},
        }
        for name, schema in options.items()
    )
    return {
        "type": "object",
        "properties": {"name": names, "options": {"type": "object"}},
        "additionalProperties": False,
        "allOf": list(by_name),
    }


def _names(catalog: Catalog[Any]) -> Schema:
    """Names of the parts of a catalog with their first line, or a part of another package."""
    known: Iterable[Schema] = (
        {"const": name, "description": catalog.describe(name)} for name in catalog.names()
    )
    return {"anyOf": [*known, {"type": "string", "pattern": ":"}]}


def _name_part(key: Schema, catalog: Catalog[Any]) -> None:
    """Have a key refer to the parts of a catalog."""
    named = f"#/$defs/{_section(catalog)}"
    if key.get("$ref") == _PART["$ref"]:
        key["$ref"] = named
    if _PART in key.get("anyOf", ()):
        key["anyOf"] = [{"$ref": named} if one == _PART else one for one in key["anyOf"]]


def _section(catalog: Catalog[Any]) -> str:
    """Name of the parts of a catalog among the definitions."""
    return catalog.noun.replace(" ", "_")
