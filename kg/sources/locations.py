"""Sites of findings, from boxes on images or from labels that name finding and site."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from kg.bounds import Share, Width
from kg.check.label_tables import training_patients, written_list
from kg.errors import InputError, did_you_mean
from kg.files.tables import cells_of, opened, parsed_json
from kg.model.edges import Edge
from kg.sources import Facts
from kg.sources._mined import MinedOptions, mined
from kg.sources._names import Names

__all__ = ["Locations"]

ZONES = {
    "upper right": "right upper lung", "middle right": "right mid lung",
    "lower right": "right lower lung", "upper left": "left upper lung",
    "middle left": "left mid lung", "lower left": "left lower lung",
}  # fmt: skip


class Seen(NamedTuple):
    """A finding at a site, as the source writes them, and its record."""

    record: str
    finding: str
    place: str


class Locations:
    """Counts the sites of findings and adds `located_in` edges with the share of the finding.

    A box lies in the sixth of a frontal image that holds its centre (thirds of the height, halves
    of the width; the left half of the image is the patient's right). The rule is coarse: it
    ignores the position of the patient.

    Args:
        options: The table, its patients and its origin.
    """

    class Options(MinedOptions):
        """The table, its patients and its origin.

        Args:
            table: `.csv` or `.json` file, also as `.gz`.
            form: `xywh` (picture, finding, x, y, width, height in pixels of a square of
                `size`), `corners` (columns image_id, class_name, x_min, y_min, x_max, y_max,
                width, height), `objects` (JSON objects with file_name, syms and boxes of
                corners), or `sentences` (a column of lists of labels and places, sentence by
                sentence).
            patients: Patients that may be counted: a file of training patients, a split
                manifest, or `all`.
            patient: Column of the patient; a patient named in the image's file name is the text
                before its first `_`.
            size: Side of an image in pixels, where the table states none.
            column: Column of the sentences.
            place_prefix: Prefix of a site, in sentences.
            findings: Concept of a finding whose name is not the concept's.
            places: Concept of a site (`upper right`, or a word of the sentences).
            min_share: Least share of the finding at a site.
        """

        table: str
        form: Literal["xywh", "corners", "objects", "sentences"] = "xywh"
        patients: str
        patient: str = ""
        size: Width = 1024
        column: str = ""
        place_prefix: str = "loc "
        findings: Mapping[str, str] = {}
        places: Mapping[str, str] = ZONES
        min_share: Share = 0.02

    def __init__(self, options: Options) -> None:
        self.options = options

    def read(self, folder: Path, known: Facts) -> Facts:
        """Count the sites.

        Args:
            folder: Folder the table is relative to.
            known: Facts of earlier sources; findings and places are looked up in them.

        Raises:
            InputError: If the table is missing or a row is malformed; names the line.
        """
        chosen, names, dropped = self.options, Names(known.concepts), Counter[str]()
        allowed = training_patients(folder, chosen.patients)
        at: dict[tuple[str, str], set[str]] = defaultdict(set)
        everywhere: dict[str, set[str]] = defaultdict(set)
        for patient, seen in self._seen(folder / chosen.table):
            finding = names.find(chosen.findings.get(seen.finding, seen.finding))
            place = names.find(chosen.places.get(seen.place, seen.place))
            if allowed is not None and patient not in allowed:
                dropped["finding of a patient that may not be counted"] += 1
            elif finding is None:
                dropped[f"finding without a concept: {seen.finding}"] += 1
            else:
                everywhere[finding].add(seen.record)
                if place is None:
                    dropped[f"place without a concept: {seen.place}"] += 1
                else:
                    at[finding, place].add(seen.record)
        edges = []
        for (finding, place), records in sorted(at.items()):
            share = len(records) / len(everywhere[finding])
            if len(records) < chosen.min_count or share < chosen.min_share:
                dropped["finding and place seen together too seldom"] += 1
                continue
            total = len(everywhere[finding])
            evidence = mined(
                chosen, total, weight=share, count=len(records), detail=f"share={share:.3f}"
            )
            # A side or a spread is no site.
            sited = names.concepts[place].kind == "anatomy"
            edges.append(
                Edge(finding, "located_in" if sited else "has_distribution", place, (evidence,))
            )
        return Facts((), edges, dropped=dropped)

    def _seen(self, path: Path) -> Iterator[tuple[str, Seen]]:
        """Every finding at a site, with its patient."""
        with opened(path) as handle:
            if self.options.form == "objects":
                yield from self._objects(handle.read(), path)
                return
            rows = cells_of(handle, path.name)
            header = [cell.strip() for cell in next(rows, (1, []))[1]]
            for line, cells in rows:
                where = f"{path.name}, line {line}"
                if len(cells) != len(header) and self.options.form != "xywh":
                    raise InputError(
                        f"{where}: {len(cells)} cells under {len(header)} columns",
                        "quote cells that hold a comma",
                    )
                row = dict(zip(header, cells, strict=False))
                yield from self._row(cells, row, where)

    def _row(self, cells: list[str], row: dict[str, str], where: str) -> Iterator[tuple[str, Seen]]:
        chosen = self.options
        if chosen.form == "sentences":
            patient = _cell(row, chosen.patient, where)
            for finding, place in _sentences(_cell(row, chosen.column, where), where, chosen):
                yield patient, Seen(where, finding, place)
            return
        try:
            if chosen.form == "xywh":
                name, finding = cells[0], cells[1]
                x, y, wide, high = (float(cell) for cell in cells[2:6])
                middle = (x + wide / 2) / chosen.size, (y + high / 2) / chosen.size
            else:
                name, finding = _cell(row, "image_id", where), _cell(row, "class_name", where)
                if not row["x_min"]:
                    return
                ends = [float(row[key]) for key in ("x_min", "x_max", "y_min", "y_max")]
                wide = float(row.get("width") or chosen.size)
                high = float(row.get("height") or chosen.size)
                middle = (ends[0] + ends[1]) / 2 / wide, (ends[2] + ends[3]) / 2 / high
        except (ValueError, IndexError, KeyError) as error:
            raise InputError(f"{where}: is no box ({error})", "numbers of pixels") from None
        patient = row.get(chosen.patient) or name.partition("_")[0]
        yield patient, Seen(name, finding, _zone(*middle, where))

    def _objects(self, text: str, path: Path) -> Iterator[tuple[str, Seen]]:
        try:
            for item in parsed_json(text, path.name):
                name = item["file_name"]
                for finding, box in zip(item["syms"], item["boxes"], strict=True):
                    size = self.options.size
                    middle = (box[0] + box[2]) / 2 / size, (box[1] + box[3]) / 2 / size
                    yield name.partition("_")[0], Seen(name, finding, _zone(*middle, name))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{path.name}: is no list of boxes ({error})",
                "objects with file_name, syms and boxes",
            ) from None


def _cell(row: Mapping[str, str], column: str, where: str) -> str:
    if column not in row:
        raise InputError(f"{where}: no column {column!r}", did_you_mean(column, row))
    return row[column].strip()


def _zone(x: float, y: float, where: str) -> str:
    """The sixth of the image that holds a point given in [0, 1]."""
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise InputError(f"{where}: the middle of a box lies outside the image", "check size")
    return f"{('upper', 'middle', 'lower')[min(2, int(3 * y))]} {'right' if x < 0.5 else 'left'}"


def _sentences(cell: str, where: str, options: Locations.Options) -> Iterator[tuple[str, str]]:
    """Findings and sites of sentences that name one finding only."""
    prefix = options.place_prefix
    for sentence in written_list(cell, where):
        if not isinstance(sentence, list):
            raise InputError(f"{where}: {cell[:60]!r} is no list of sentences", "[['a', 'loc b']]")
        words = [str(word).strip() for word in sentence]
        places = {word.removeprefix(prefix) for word in words if word.startswith(prefix)}
        findings = {word for word in words if word and not word.startswith(prefix)}
        if len(findings) == 1:
            yield from ((finding, place) for finding in findings for place in sorted(places))
