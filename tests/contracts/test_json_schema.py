"""The schema for editors accepts every shipped configuration, and marks what `check` refuses."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from experiments.config.json_schema import json_schema
from experiments.config.load import dump, read_file, resolve, shipped_configs


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("name", shipped_configs())
def test_a_shipped_configuration_is_accepted(name: str, validator: Draft202012Validator) -> None:
    assert not list(validator.iter_errors(read_file(shipped_configs()[name]).values))
    assert not list(validator.iter_errors(yaml.safe_load(dump(resolve(name)))))


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ("{name: own}", ""),
        ("{base: demo, nmae: own}", ""),
        ("{base: demo, split: {folds: 1}}", "split.folds"),
        ("{base: demo, text: {test: ful}}", "text.test"),
        ("{base: demo, text: {encoder: {name: tfdif}}}", "text.encoder.name"),
        ("{base: demo, data: {name: openi, options: {k: 1}}}", "data.options"),
        ("{base: demo, image: {encoder: {name: tiny_cnn, options: {sz: 3}}}}", "image.encoder"),
        ("{base: demo, system: {name: graph_fusion, options: {widht: 3}}}", "system.options"),
        (
            "{base: demo, system: {name: graph_fusion, options: {join: {name: lat}}}}",
            "system.options.join.name",
        ),
        ("{base: demo, stages: [{epochs: 0}]}", "stages.0.epochs"),
        (
            "{base: demo, stages: [{optimiser: {name: sgd, options: {eps: 1}}}]}",
            "stages.0.optimiser.options",
        ),
    ],
)
def test_a_mistake_is_marked_where_it_is(
    values: str, path: str, validator: Draft202012Validator
) -> None:
    errors = list(validator.iter_errors(yaml.safe_load(values)))
    assert [".".join(map(str, error.absolute_path)) for error in errors] == [path]


def test_a_part_of_another_package_is_accepted(validator: Draft202012Validator) -> None:
    values = {"base": "demo", "system": {"name": "my.package:Part", "options": {"a": 1}}}
    assert not list(validator.iter_errors(values))


def test_keys_and_parts_have_their_meaning() -> None:
    schema: Any = json_schema()
    image = schema["$defs"]["ImageSection"]["properties"]
    assert image["grid"]["description"].startswith("Side of the token grid")
    encoders = schema["$defs"]["image_encoder"]["properties"]["name"]["anyOf"]
    assert any(one.get("description", "").startswith("Tiny CNN: ") for one in encoders)
