"""Check, before they are parsed, that XML and JSON are not nested without end or full of entities.

Nothing is built: the file is gone through once, whatever its size.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.parsers import expat

from kg.errors import InputError
from kg.files.regular import open_file

DEEPEST = 1_000
"""Levels of nesting; an ontology has some dozen."""

_AMPLIFIED = "limit on input amplification factor (from DTD and entities) breached"
_OUTSIDE, _IN_TEXT = re.compile(rb'["\[{\]}]'), re.compile(rb'["\\]')
_STEPS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}
_CHUNK = 1 << 20


def check_xml(path: Path) -> None:
    """Refuse XML with external, nested or multiplying entities, or nested too deeply.

    Raises:
        InputError: If it does, is no XML, or cannot be read.
    """
    check = _Xml(path.name)
    parser = expat.ParserCreate()
    parser.EntityDeclHandler = check.entity
    parser.StartElementHandler = check.begin
    parser.EndElementHandler = check.end
    with open_file(path) as file:
        try:
            # a long comment is gone through again with every chunk, so these are large
            while chunk := file.read(8 * _CHUNK):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            said = expat.ErrorString(error.code)
            where = f"{path.name}, line {error.lineno}"
            if said == _AMPLIFIED:
                said = "its entities unpack to a hundred times its size"
            raise InputError(f"{where}: {said}", "mend the line") from None
        except (LookupError, ValueError) as error:  # an encoding that is unknown, or of many bytes
            raise InputError(f"{path.name}: {error}", "save it as UTF-8") from None


class _Xml:
    def __init__(self, name: str) -> None:
        self.name, self.depth = name, 0

    def entity(
        self,
        entity: str,
        parameter: bool,  # noqa: FBT001 - as expat calls it
        value: str | None,
        *_: object,
    ) -> None:
        if value is None:
            raise InputError(
                f"{self.name}: entity {entity} lies outside the file and is never fetched",
                "write its text into the file",
            )
        if "&" in value:
            raise InputError(
                f"{self.name}: entity {entity} consists of other entities",
                "write its text in full",
            )

    def begin(self, *_: object) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise too_deep(self.name)

    def end(self, _: str) -> None:
        self.depth -= 1


def check_json(path: Path) -> None:
    """Refuse JSON that is nested too deeply.

    Raises:
        InputError: If it is, or cannot be read.
    """
    depth, inside, at = 0, False, 0
    with open_file(path) as file:
        while chunk := file.read(_CHUNK):
            while found := (_IN_TEXT if inside else _OUTSIDE).search(chunk, at):
                # what follows a backslash is skipped, in the next chunk if need be
                at = found.end() + (found[0] == b"\\")
                inside ^= found[0] == b'"'
                depth += _STEPS.get(found[0], 0)
                if depth > DEEPEST:
                    raise too_deep(path.name)
            at = max(at - len(chunk), 0)


def too_deep(where: str) -> InputError:
    """Error for a file that is nested too deeply."""
    return InputError(f"{where}: is nested too deeply", f"{DEEPEST:,} levels are read")
