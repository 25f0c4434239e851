"""A finished run that trains in seconds, and a server of it that tests talk to in this process."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from experiments.config.schema import Experiment
from experiments.runner.run import run_experiment
from experiments.serve.app import Settings, application

ADDRESS = "http://127.0.0.1"
Opened = Callable[..., Any]


@pytest.fixture(scope="session")
def run(small: dict[str, Any], small_runs: Path) -> str:
    """Name of the finished run."""
    image = {**small["image"], "frozen": False}
    experiment = Experiment.model_validate({**small, "name": "served", "image": image})
    return run_experiment(experiment, root=Path(), runs=small_runs)


@pytest.fixture(scope="session")
def serving(run: str, small_runs: Path) -> Opened:
    """Opens a server with other settings."""

    @contextmanager
    def give(**settings: Any) -> Iterator[TestClient]:
        app = application(Settings(run, small_runs, **settings))
        with TestClient(app, base_url=ADDRESS) as client:
            yield client

    return give


@pytest.fixture(scope="module")
def client(serving: Opened) -> Iterator[TestClient]:
    """A server as it is by default."""
    with serving(hosts=("127.0.0.1",)) as given:
        yield given


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A PNG picture."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (96, 80), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
