"""Example studies of a run: text and images as the configuration asks for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from experiments.explanation.examples import write_examples
from experiments.privacy import free_text
from experiments.privacy.pseudonyms import KEY
from experiments.records.folder import RunFolder
from experiments.runs.build import RunContext
from experiments.tasks.classification import Classification


@pytest.mark.parametrize(
    ("secret", "examples", "text", "images"),
    [
        ("", None, True, True),
        ("", "none", False, False),
        ("", "text", True, False),
        ("", "all", True, True),
        ("a key of some length", None, False, False),
        ("a key of some length", "none", False, False),
    ],
)
def test_examples_show_what_was_asked_for(
    secret: str,
    examples: str | None,
    text: bool,
    images: bool,
    make: Callable[..., RunContext],
    new_folder: Callable[[], RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = _written(make(), examples, new_folder(), secret, monkeypatch)
    assert len(written) > 1
    assert all(one["findings"] for one in written)
    assert any(one["text"] for one in written) == text
    assert any(one["images"] for one in written) == images


@pytest.mark.parametrize(("examples", "images"), [("text", False), ("all", True)])
def test_under_a_key_the_text_of_examples_is_deidentified(
    examples: str,
    images: bool,
    make: Callable[..., RunContext],
    new_folder: Callable[[], RunFolder],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from experiments.privacy import deidentify

    monkeypatch.setattr(
        deidentify, "deidentified", lambda passages: [replace(one, text="cut") for one in passages]
    )
    written = _written(make(), examples, new_folder(), "a key of some length", monkeypatch)
    lines = [line for one in written for line in one["text"].splitlines()]
    assert lines
    assert all(line.endswith(": cut") for line in lines)
    assert any(one["images"] for one in written) == images
    assert free_text.text_of_examples(examples) == "deidentified"  # type: ignore[arg-type]


def _written(
    context: RunContext,
    examples: str | None,
    folder: RunFolder,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
) -> list[dict[str, Any]]:
    """Examples that a run writes."""
    result = Classification().measure(folder, context)
    if secret:
        monkeypatch.setenv(KEY, secret)
    else:
        monkeypatch.delenv(KEY, raising=False)
    experiment = context.experiment.model_copy(update={"examples": examples})
    write_examples(folder, replace(context, experiment=experiment), result)
    rows: list[dict[str, Any]] = json.loads((folder.path / "examples.json").read_text())
    return rows
