"""The reader that may be compiled: its modules, and what a compiled module would do otherwise.

That both read the same is measured by `tests/benchmarks/reader_speed.py`, which compiles one.
"""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
MENTIONS = ROOT / "kg" / "mentions"


def build_hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOK = build_hook()


@pytest.mark.parametrize("name", HOOK.COMPILED)
def test_a_compiled_class_remembers_what_it_makes(name: str) -> None:
    # a compiled class makes a cached_property anew each time, which took reading for ever
    tree = ast.parse((MENTIONS / f"{name}.py").read_text(encoding="utf-8"))
    assert "cached_property" not in {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    assert "cached_property" not in {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}


def test_nothing_is_compiled_for_an_editable_install() -> None:
    made: dict[str, object] = {"force_include": {}}
    hook = HOOK.CompiledReader(str(ROOT), {}, None, None, "", "wheel")
    hook.initialize("editable", made)
    hook.finalize("editable", made, "")
    assert made == {"force_include": {}}


def test_nothing_compiled_lies_beside_the_sources() -> None:
    assert [path for path in MENTIONS.iterdir() if path.suffix in (".so", ".pyd")] == []
