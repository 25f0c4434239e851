"""Provenance: from a fact's source text and tags to items of evidence with licence and data set."""

from __future__ import annotations

import re
from pathlib import Path

from kg.errors import InputError
from kg.files.tables import Row, read_yaml
from kg.model.edges import Evidence, Status
from kg.options import Options, parse_options

DATA_TAG = "data:"

_DERIVED = ("term decomposition", "disease-name comparison", "derived from")


class Registered(Options):
    """One known source.

    Args:
        match: Text that its source texts contain.
        name: Name in citations.
        licence: Its terms, or empty where none apply or none are stated.
        dataset: Data set whose records gave the concepts and phrases of this source.
        mined_as: Names of this source in `data:` tags.
    """

    match: str
    name: str
    licence: str = ""
    dataset: str | None = None
    mined_as: tuple[str, ...] = ()


class Registry:
    """The known sources, in order; the first that matches a source text describes it."""

    def __init__(self, entries: tuple[Registered, ...] = ()) -> None:
        self.entries = entries

    @classmethod
    def read(cls, path: Path) -> Registry:
        """Read the registry from YAML (`sources:` is a list of entries).

        Raises:
            InputError: If the file or an entry is malformed.
        """
        content = read_yaml(path)
        if not isinstance(content, dict) or not isinstance(content.get("sources"), list):
            raise InputError(f"{path.name}: has no list called sources", "see kg/shipped")
        return cls(
            tuple(
                parse_options(Registered, entry, where=f"{path.name}: sources.{place}")
                for place, entry in enumerate(content["sources"])
            )
        )

    def find(self, source: str) -> Registered:
        """The entry a source text belongs to; an unknown source has no licence and no data set."""
        for entry in self.entries:
            if entry.match in source:
                return entry
        return Registered(match=source, name=source)

    def dataset(self, sources: list[str]) -> str | None:
        """Data set a fact was mined from, or None if any of its sources is not a data set."""
        names = {self.find(source).dataset for source in sources}
        return names.pop() if len(names) == 1 else None

    def names_of(self, dataset: str) -> frozenset[str]:
        """All names of a data set in evidence, the given one included."""
        names = {dataset}
        for entry in self.entries:
            alike = {*entry.mined_as, *([entry.dataset] if entry.dataset else ())}
            if dataset in alike:
                names |= alike
        return frozenset(names)

    def evidence(self, row: Row) -> tuple[Evidence, ...]:
        """Every parallel item of a row as its own evidence.

        A `data:` tag belongs to the source registered under its name, wherever it stands in the
        list; the other sources pair with the other tags in order, or share the only one there is.
        Where all tags are data tags, further sources are only named beside them.

        Raises:
            InputError: If tags, sources, weights and counts cannot be paired.
        """
        sources, tags = row.parallel("source"), row.parallel("evidence")
        weights = _spread(row, "weight", len(tags))
        counts = _spread(row, "count", len(tags))
        mined, plain = {}, []
        for place, tag in enumerate(tags):
            if tag.startswith(DATA_TAG):
                mined[place] = self._table(row, tag, sources)
            else:
                plain.append(place)
        rest = [source for source in sources if source not in mined.values()]
        if not plain:
            # A source without a tag of its own is no evidence of its own: it goes with the data.
            joined = {place: " || ".join((source, *rest)) for place, source in mined.items()}
            pairs = [(joined[place], place) for place in mined]
        else:
            pairs = [(mined[place], place) for place in mined] + _pair(row, rest, plain)
        items = [self._item(source, tags[p], weights[p], counts[p], row) for source, p in pairs]
        return tuple(sorted(set(items), key=evidence_key))

    def _table(self, row: Row, tag: str, sources: list[str]) -> str:
        name = dataset_of(tag)
        for source in sources:
            if name in self.find(source).mined_as:
                return source
        if len(sources) == 1:
            return sources[0]
        raise InputError(
            f"{row.where}: no source of the row is registered as {name!r}",
            "add it to mined_as in the registry of sources",
        )

    def _item(self, source: str, tag: str, weight: str, count: str, row: Row) -> Evidence:
        entry = self.find(source)
        mined = tag.startswith(DATA_TAG)
        derived: Status = "derived" if source.startswith(_DERIVED) else "asserted"
        try:
            return Evidence(
                source=source,
                tag=tag,
                status="mined" if mined else derived,
                dataset=dataset_of(tag) if mined else None,
                licence=entry.licence,
                weight=figure(weight),
                count=int(count) if count else None,
                detail="" if _plain_number(weight) else weight,
            )
        except ValueError as error:
            raise InputError(f"{row.where}: {error}", "correct weight or count") from None


def dataset_of(tag: str) -> str:
    """Name of the data set in a tag such as `data:OpenI-MeSH n/report`."""
    return tag.removeprefix(DATA_TAG).split(" ", 1)[0]


def evidence_key(item: Evidence) -> tuple[str, str, str, float, int]:
    """Sort key of the evidence of an edge."""
    weight = -1.0 if item.weight is None else item.weight
    return item.source, item.tag, item.detail, weight, item.count or 0


def figure(text: str) -> float | None:
    """Number in a weight as a source writes it.

    `lift=4.1;npmi=0.3` gives the normalised pointwise mutual information; percentages,
    `freq=0.4`, `share=0.1` and `3/8` give a proportion, a range its middle, `OR=2.1` the odds
    ratio. Words (`Frequent`, `low`) and the empty text give None.
    """
    if not text:
        return None
    value = re.split(r";npmi=|^\w+=", text)[-1]
    found = re.fullmatch(r"(-?[\d.]+)(?:(-|/)([\d.]+))?(%?)", value)
    if not found:
        return None
    first, sign, second, percent = found.groups()
    number = float(first)
    if sign == "/":
        number /= float(second)
    elif sign == "-":
        number = (number + float(second)) / 2
    return round(number / 100, 6) if percent else round(number, 6)


def _plain_number(text: str) -> bool:
    return not text or re.fullmatch(r"-?[\d.]+", text) is not None


def _spread(row: Row, column: str, number: int) -> list[str]:
    values = row.parallel(column)
    if values == [""]:
        return [""] * number
    if len(values) != number:
        raise InputError(
            f"{row.where}: {len(values)} values of {column} for {number} items of evidence",
            "write one for each, separated by ||",
        )
    return values


def _pair(row: Row, sources: list[str], places: list[int]) -> list[tuple[str, int]]:
    if len(places) == 1:
        return [(source, places[0]) for source in sources]
    if len(sources) == len(places):
        return list(zip(sources, places, strict=True))
    raise InputError(
        f"{row.where}: {len(sources)} sources for {len(places)} evidence tags",
        "write one tag for each source",
    )
