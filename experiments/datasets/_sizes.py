"""Published size of each image, from the index of a copy or the image itself."""

from __future__ import annotations

from pathlib import Path

from experiments.datasets._pictures import size
from experiments.datasets._tables import read_header, read_table


class Sizes:
    """Widths and heights as published: from the `index.csv` of a reduced copy, else the header.

    Args:
        root: The data set's root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        index = root / "index.csv"
        columns = ("file", "src_w", "src_h")
        known = index.is_file() and set(columns) <= set(read_header(index))
        rows = read_table(index, columns) if known else []
        self._known = {row["file"]: (row["src_w"], row["src_h"]) for row in rows}

    def metadata(self, path: str) -> dict[str, str]:
        """Width and height of an image in pixels; empty if it states none."""
        if path in self._known:
            width, height = self._known[path]
            return {"width": width, "height": height}
        found = size(self.root / path)
        return {} if found is None else {"width": str(found[0]), "height": str(found[1])}
