"""Build hook: compiles the reader of reports into the wheel, where that is asked for.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip install .

Without it kgdx is plain Python, which needs no compiler and reads the same. Nothing is compiled
beside the sources: a module compiled there would still be imported after its source has changed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPILED = (
    *("abbreviations", "answers", "as_read", "assertion", "coordination", "cues", "denials"),
    *("denied_words", "dialogue", "lexicon", "linker", "matcher", "memory", "modifiers", "scope"),
    *("spelling", "statement", "structures", "tokens", "vocabulary"),
)
"""Modules of `kg.mentions` that are compiled: those every English sentence passes through."""

SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
options = ["--ignore-missing-imports", "--follow-imports=silent"]
modules = mypycify([*options, *sys.argv.pop().split(",")])
setup(name="reader", packages=[], ext_modules=modules)
"""


class CompiledReader(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the compiled modules beside their sources in the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in a folder of its own, never for an editable install."""
        if version == "editable":
            return
        self._folder = Path(tempfile.mkdtemp(prefix="kgdx"))
        shutil.copytree(Path(self.root) / "kg", self._folder / "kg")
        modules = ",".join(f"kg/mentions/{name}.py" for name in COMPILED)
        command = [sys.executable, "-c", SETUP, "build_ext", "--inplace", modules]
        subprocess.run(command, cwd=self._folder, check=True)
        for made in [*self._folder.glob("*__mypyc.*"), *(self._folder / "kg/mentions").glob("*")]:
            if made.suffix in (".so", ".pyd"):
                build_data["force_include"][str(made)] = str(made.relative_to(self._folder))
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder."""
        if version != "editable":
            shutil.rmtree(self._folder)
