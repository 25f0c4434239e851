"""A finished run that a test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from experiments.records.folder import RunFolder


@pytest.fixture
def copied(finished_copy: Callable[[str], RunFolder]) -> Iterator[RunFolder]:
    """A copy of the finished small run, beside its caches."""
    folder = finished_copy("verified")
    yield folder
    shutil.rmtree(folder.path)
