"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("kg", "encoders", "fusion", "experiments")
CATALOGS = (
    "encoders/image",
    "encoders/text",
    "encoders/graph",
    "encoders/decoders",
    "fusion/joins",
    "fusion/heads",
    "fusion/losses",
    "fusion/objectives",
    "experiments/systems",
    "experiments/datasets",
    "kg/sources",
    "kg/render",
)
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
PARTS = sorted(
    path for folder in CATALOGS for path in (ROOT / folder).glob("*.py") if path.stem[0] != "_"
)
LONGEST_FILE, LONGEST_FUNCTION = 400, 50
BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
NOT_IN_TESTS = {
    *("subprocess.run", "subprocess.Popen", "subprocess.check_output", "subprocess.check_call"),
    *("os.fork", "os.system", "os.popen", "multiprocessing.Process", "multiprocessing.get_context"),
    *("time.time", "time.monotonic", "time.perf_counter", "time.process_time"),
}
"""Processes are started by the fixture that ends them; what is bounded is counted, not timed."""

each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
each_part = pytest.mark.parametrize("path", PARTS, ids=lambda path: str(path.relative_to(ROOT)))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path: Path) -> set[str]:
    """First words of every import in a file, also those inside functions."""
    found = set()
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@each_module
def test_a_file_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    first = (ast.get_docstring(parse(path)) or "").partition("\n")[0]
    assert len(first.split()) >= 2, "the first line says in plain words what the file is for"
    assert text.startswith(('"""', 'r"""'))


@each_module
def test_functions_are_short(path: Path) -> None:
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # A docstring is no code: the longer it explains, the better.
            described = ast.get_docstring(node) is not None
            first = node.body[0].end_lineno or 0 if described else node.lineno
            length = (node.end_lineno or first) - first
            assert length <= LONGEST_FUNCTION, f"{node.name}: {length} lines"


@each_module
def test_imports_only_go_left(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    right = set(ROOMS[ROOMS.index(room) + 1 :])
    assert not imported(path) & right


@pytest.mark.parametrize("path", sorted((ROOT / "kg").rglob("*.py")), ids=lambda p: p.name)
def test_the_graph_needs_no_torch(path: Path) -> None:
    assert not imported(path) & {"torch", "torch_geometric", "lightning", "transformers", "timm"}


@each_module
def test_nothing_is_unpickled(path: Path) -> None:
    assert not imported(path) & {"pickle", "joblib", "dill", "cloudpickle", "shelve"}
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"weights_only\s*=\s*False|allow_pickle\s*=\s*True", text)
    for call in re.findall(r"torch\.load\([^)]*\)?", text):
        assert "weights_only=True" in call


def test_names_say_something() -> None:
    files = [path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*")]
    vague = [str(path) for path in files if path.stem.lower() in BANNED]
    assert not vague


@each_part
def test_a_part_exports_one_name(path: Path) -> None:
    exports = [
        ast.literal_eval(node.value)
        for node in parse(path).body
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    ]
    assert len(exports) == 1
    assert len(exports[0]) == 1


def test_the_rooms_are_the_ones_agreed() -> None:
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and path.name[0] not in "._" and any(path.rglob("*.py"))
    }
    assert folders - {"build", "dist"} == {*ROOMS, "tests"}


def test_import_linter_agrees(processes: Any) -> None:
    command = shutil.which("lint-imports", path=os.path.dirname(sys.executable))  # noqa: PTH120
    if command is None:
        pytest.skip("import-linter is not installed")
    done = processes.run(command, "--no-cache", cwd=ROOT)
    assert done.returncode == 0, done.stdout


def test_tests_start_processes_that_end_with_them_and_read_no_clock() -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "benchmarks" not in path.parts]
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node.func)}"
        for path in tests
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in NOT_IN_TESTS
    ]
    assert tests
    assert not found


def test_the_wheel_holds_the_four_rooms_with_their_tables_and_the_package_kgdx() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    # hatchling takes every file of a named package unless it is told or ignored otherwise.
    assert wheel.pop("packages") == list(ROOMS)
    # beside them stands `import kgdx`, a folder of names alone; an editable install has it too
    assert wheel.pop("force-include") == {"experiments/api/kgdx": "kgdx"}
    assert {path.name for path in (ROOT / "experiments/api/kgdx").glob("*.*")} == {
        "__init__.py",
        "py.typed",
    }
    # the compiled reader is built only where it is asked for
    assert wheel.pop("hooks")["custom"].pop("enable-by-default") is False
    assert wheel == {"dev-mode-dirs": ["."]}
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    # a line that begins with a slash speaks of the top folder alone
    names = {line.strip("/") for line in ignored if line[0] != "/"} - {"__pycache__"}
    paths = [path for room in ROOMS for path in (ROOT / room).rglob("*")]
    assert not [path for path in paths if path.name in names]
    assert not [line for line in ignored if line.startswith("*") and line != "*.egg-info/"]
