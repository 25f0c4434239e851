"""Catalogs of parts: the folder is the registry, one part is one file named after it."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar, cast

from kg.errors import InputError, did_you_mean

Kind = TypeVar("Kind")

ENTRY_POINT_GROUP = "kgdx.parts"


@dataclass(frozen=True)
class Catalog(Generic[Kind]):
    """A folder of parts of one kind, looked up by file name.

    The names are read from the folder and each description from the first line of the file's
    docstring, so listing a catalog imports none of its parts. A name may also be
    `my_package.my:Part`, or an entry point of the group `kgdx.parts` named `<noun>.<name>`.

    Args:
        package: Dotted name of the folder, for example `fusion.joins`.
        noun: Word for one part, for example `join`.
        members: Attributes and methods every part must have; checked when it is loaded.
    """

    package: str
    noun: str
    members: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder that holds the parts."""
        root, *rest = self.package.split(".")
        found = importlib.util.find_spec(root)
        if found is None or not found.submodule_search_locations:
            raise InputError(f"the package {root!r} is not installed", "install kgdx again")
        return Path(found.submodule_search_locations[0], *rest)

    def names(self) -> list[str]:
        """Names of the parts: those in the folder, then those of installed packages."""
        inside = sorted(
            path.stem for path in self.folder.glob("*.py") if not path.stem.startswith("_")
        )
        return inside + sorted(set(self._entry_points()) - set(inside))

    def describe(self, name: str) -> str:
        """First docstring line of a part, read without importing it."""
        return next(iter(self.docstring(name).splitlines()), "")

    def docstring(self, name: str) -> str:
        """Docstring of a part's file, read without importing it."""
        path = self.folder / f"{name}.py"
        if not path.is_file():
            self._refuse_unknown(name)
            return self._entry_points()[name]
        return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").strip()

    def load(self, name: str) -> Kind:
        """Import one part and check that it is of this kind.

        Raises:
            InputError: If there is no such part, or it lacks what parts of this kind have.
        """
        part = self._import(name)
        missing = [member for member in self.members if not hasattr(part, member)]
        if missing:
            raise InputError(
                f"{name!r} is not a {self.noun}: it has no {', '.join(missing)}",
                f"see any file in {self.package.replace('.', '/')} for what a {self.noun} has",
            )
        return cast(Kind, part)

    def _import(self, name: str) -> Any:
        if ":" in name:
            module_name, _, attribute = name.partition(":")
            return self._attribute(self._module(module_name, name), attribute, name)
        if (self.folder / f"{name}.py").is_file() and not name.startswith("_"):
            module = importlib.import_module(f"{self.package}.{name}")
            public = list(getattr(module, "__all__", []))
            if len(public) != 1:
                raise InputError(
                    f"{self.package}.{name} must export exactly one name in __all__",
                    f"it exports {public}",
                )
            return getattr(module, public[0])
        self._refuse_unknown(name)
        return self._import(self._entry_points()[name])

    def _module(self, module_name: str, name: str) -> ModuleType:
        try:
            return importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            raise InputError(
                f"{self.noun} {name!r} cannot be imported: {error}",
                "write it as my_package.my_module:Part, with my_package installed",
            ) from None

    def _attribute(self, module: ModuleType, attribute: str, name: str) -> Any:
        if not hasattr(module, attribute):
            raise InputError(
                f"{self.noun} {name!r}: {module.__name__} has no {attribute!r}",
                did_you_mean(attribute, [key for key in vars(module) if key[0] != "_"]),
            )
        return getattr(module, attribute)

    def _entry_points(self) -> dict[str, str]:
        prefix = f"{self.noun}."
        return {
            point.name.removeprefix(prefix): point.value
            for point in _installed_parts()
            if point.name.startswith(prefix)
        }

    def _refuse_unknown(self, name: str) -> None:
        if name not in self._entry_points():
            raise InputError(
                f"there is no {self.noun} called {name!r}", did_you_mean(name, self.names())
            )


@cache
def _installed_parts() -> EntryPoints:
    """Entry points of installed packages, searched once: that reads every package's metadata."""
    return entry_points(group=ENTRY_POINT_GROUP)
