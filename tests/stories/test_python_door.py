"""The Python interface as an installed package: every function, and the lines of the README."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from experiments import api
from experiments.config.load import shipped_configs
from experiments.datasets import DATASETS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("kg", "encoders", "fusion", "experiments")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what an editable install puts into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    for source, place in wheel["force-include"].items():
        shutil.copytree(ROOT / source, folder / place)
    return folder


@pytest.fixture(scope="module")
def python(site: Path, module_processes: Any) -> Callable[..., CompletedProcess[str]]:
    """Runs Python in a folder, with the package as it was installed."""
    plain = {name: value for name, value in os.environ.items() if name != "KGDX_DATA"}
    there = {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}

    def run(folder: Path, *words: object) -> CompletedProcess[str]:
        done: CompletedProcess[str] = module_processes.run(
            sys.executable, *words, cwd=folder, env={**plain, **there}
        )
        return done

    return run


@pytest.fixture(scope="module")
def elsewhere(
    python: Callable[..., CompletedProcess[str]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder outside the checkout, in which the whole interface was walked through."""
    folder = tmp_path_factory.mktemp("elsewhere")
    done = python(folder, ROOT / "tests" / "stories" / "python_door.py")
    assert done.returncode == 0, done.stderr
    return folder


def test_every_function_works_outside_the_checkout(elsewhere: Path) -> None:
    assert sorted(path.name for path in elsewhere.iterdir()) == ["runs", "table.html"]


def test_the_lines_of_the_readme_run(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    written = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    (block,) = set(re.findall(r"```python\n(.*?)```", written, re.DOTALL))
    assert len(block.strip().splitlines()) <= 6

    def trained(config: str) -> api.Run:
        assert config in shipped_configs()
        return api.load("small")

    DATASETS.load("table")().tiny(elsewhere / "own")
    shutil.copy(elsewhere / "own" / "pictures" / "0.png", elsewhere / "chest.png")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setitem(sys.modules, "kgdx", api)
    monkeypatch.setattr(api, "run", trained)
    exec(compile(block, "README.md", "exec"), {})


def test_the_package_has_the_names_of_the_interface_and_imports_nothing_heavy(
    site: Path, python: Callable[..., CompletedProcess[str]]
) -> None:
    code = (
        "import sys, kgdx, experiments.api as api\n"
        "assert kgdx.__all__ == api.__all__\n"
        "assert all(getattr(kgdx, name) is getattr(api, name) for name in api.__all__)\n"
        "print(*sorted({'torch', 'pandas', 'numpy', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    done = python(site, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"


@pytest.mark.parametrize("name", ["kg", "experiments"])
def test_a_package_that_hides_ours_is_named(
    python: Callable[..., CompletedProcess[str]], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    done = python(tmp_path, "-c", "import kgdx")
    assert done.returncode == 0, "a mere folder hides nothing"
    (tmp_path / name / "__init__.py").touch()
    done = python(tmp_path, "-c", "import kgdx")
    assert f"kgdx cannot import {name}." in done.stderr
    assert "another package of that name comes first" in done.stderr


@pytest.mark.parametrize("kind", ["wheel", "editable"])
def test_both_kinds_of_install_hold_the_package(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = pytest.importorskip("hatchling.build", reason="hatchling is not installed")
    monkeypatch.chdir(ROOT)
    made = getattr(build, f"build_{kind}")(str(tmp_path))
    files = set(zipfile.ZipFile(tmp_path / made).namelist())
    assert {"kgdx/__init__.py", "kgdx/py.typed"} <= files
    rooms = {name.partition("/")[0] for name in files if name.endswith(".py")}
    assert rooms - {"kgdx"} == (set() if kind == "editable" else set(ROOMS))
