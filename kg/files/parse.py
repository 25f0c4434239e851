"""Parses one RDF file to N-Quads, as a process of its own whose memory and time are bounded.

Called by `kg.files.rdf_files`; the statements go to stdout, an error to stderr.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyoxigraph as ox

from kg.errors import InputError
from kg.files.child import confine, refuse
from kg.files.native import native
from kg.files.rdf_files import BASE, rdf_format


class Counted:
    """Standard output up to a number of bytes.

    Args:
        name: The file that is parsed, for messages.
        most: Bytes that are written.
    """

    def __init__(self, name: str, most: int) -> None:
        self.name, self.left = name, most

    def write(self, some: bytes) -> int:
        """Write some of it.

        Raises:
            InputError: If it becomes too much.
        """
        self.left -= len(some)
        if self.left < 0:
            raise InputError(
                f"{self.name}: its short names unpack to many times its size",
                "write names in full, or mend the prefixes",
            )
        return sys.stdout.buffer.write(some)

    def flush(self) -> None:
        """Hand on what is written."""
        sys.stdout.buffer.flush()


def main() -> int:
    """Parse the file that is named."""
    path, most = confine()
    try:
        with native(Path(path).name, "RDF"):
            quads = ox.parse(path=path, format=rdf_format(Path(path)), base_iri=BASE)
            output: Any = Counted(Path(path).name, int(most))
            ox.serialize(quads, output, format=ox.RdfFormat.N_QUADS)
    except InputError as error:
        return refuse(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
