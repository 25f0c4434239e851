"""Formats that are fuzzed: sound files of each, how they are changed, and their doors."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from fuzzing import changes_bytes, changes_text, grammars, layouts, seeds_pictures, seeds_texts
from fuzzing.changes_text import Grammar
from fuzzing.doors import Door, command, lines_of, picture, spoken
from fuzzing.layouts import Layout
from kg.model.graph import KnowledgeGraph

_NONE = Layout()


@dataclass
class Input:
    """One changed file.

    Args:
        content: Its bytes.
        sound: The seed it must show or be refused for; None = any picture may come of it.
    """

    content: bytes
    sound: bytes | None = None


@dataclass
class Format:
    """One kind of file.

    Args:
        name: Its name in the table.
        file: Name of the file that is changed.
        seeds: Sound files.
        layout: Finds numbers and blocks in a binary file; None = it is text.
        seal: Puts the checksums of a changed file right.
        grammar: What a text is sensitive to.
        commands: Commands that read it; none = it is a picture.
        beside: Further files in the folder.
        series: Whether the image is the whole folder.
    """

    name: str
    file: str
    seeds: list[bytes]
    layout: Callable[[bytes], Layout] | None = None
    seal: Callable[[bytes], bytes] | None = None
    grammar: Grammar = Grammar()
    commands: tuple[tuple[str, ...], ...] = ()
    beside: Mapping[str, bytes] = field(default_factory=dict)
    series: bool = False

    def input(self, draw: Random) -> Input:
        """A changed file."""
        seed = draw.choice(self.seeds)
        if self.layout is None:
            return Input(self._text(seed, draw))
        if draw.random() < 0.15:
            sound = None if self.series else seed
            return Input(seed[: draw.randrange(len(seed))], sound)
        return self._binary(seed, draw)

    def doors(self, folder: Path) -> list[Door]:
        """Doors of commands, each tried with the first sound file to count what it prints.

        An image goes through its one door once, so that what is imported there is there.
        """
        path = self.put(folder, self.seeds[0])
        if not self.commands:
            self.door([], 0, None)(path)
        made = []
        for words in self.commands:
            code, _, said = spoken(path, words)
            if code:
                raise AssertionError(f"{self.name}: {words} refuses a sound file: {said}")
            made.append(command(*words, lines=lines_of(said)))
        return made

    def door(self, doors: list[Door], number: int, sound: Path | None) -> Door:
        """The door of one input."""
        if self.series:
            return lambda path: picture(None)(path.parent)
        return doors[number % len(doors)] if doors else picture(sound)

    def put(self, folder: Path, content: bytes) -> Path:
        """Write a file and what stands beside it."""
        for name, other in self.beside.items():
            (folder / name).write_bytes(other)
        (folder / self.file).write_bytes(content)
        return folder / self.file

    def _text(self, seed: bytes, draw: Random) -> bytes:
        text = seed.decode("utf-8")
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            text = changes_text.changed(text, self.grammar, draw)
        return changes_text.encoded(text, draw)

    def _binary(self, seed: bytes, draw: Random) -> Input:
        assert self.layout is not None
        packed = self.name.endswith(".gz") and draw.random() < 0.7
        file = gzip.decompress(seed) if packed else seed
        others = [gzip.decompress(one) if packed else one for one in self.seeds]
        layout = self.layout(file) if packed or not self.name.endswith(".gz") else _NONE
        for _ in range(draw.choice((1, 1, 2, 3))):
            file = changes_bytes.changed(file, layout, others, draw)
        if packed:
            return Input(gzip.compress(file, 1, mtime=0))
        if self.seal is not None and draw.random() < 0.7:
            return Input(self.seal(file))
        guarded = self.seal is not None or self.name.endswith(".gz")
        # a block that is gone whole leaves no trace, and the picture is as it was stored
        guarded = guarded and (b"eXIf" in file) == (b"eXIf" in seed)
        return Input(file, sound=seed if guarded else None)


def formats(folder: Path) -> dict[str, Format]:
    """Every format by name.

    Args:
        folder: Place for files that are made on the way.
    """
    made = [*_pictures(folder), *_tables(), *_configurations(), *_graphs(), *_texts()]
    return {each.name: each for each in made}


def _pictures(folder: Path) -> list[Format]:
    files = {**seeds_pictures.stills(), **seeds_pictures.volumes(), "dcm": seeds_pictures.dicoms()}
    files |= seeds_pictures.clips(folder)
    found = {
        **{"jpg": layouts.jpeg, "png": layouts.png, "deep.png": layouts.png, "tif": layouts.tiff},
        **{"bmp": layouts.bmp, "gif": layouts.gif, "webp": layouts.riff, "nii": layouts.nifti},
        **{
            "nii.gz": layouts.nifti,
            "dcm": layouts.dicom,
            "mp4": layouts.boxes,
            "avi": layouts.riff,
            "webm": layouts.matroska,
            "jp2": layouts.boxes,
        },
    }
    slices = seeds_pictures.slices()
    beside = {f"{place}.dcm": each for place, each in enumerate(slices)}
    sealed = {"png": layouts.sealed_png, "deep.png": layouts.sealed_png}
    return [
        *(
            Format(name, f"file.{name}", seeds, found[name], sealed.get(name))
            for name, seeds in files.items()
        ),
        Format("dcm series", "2.dcm", slices, layouts.dicom, beside=beside, series=True),
    ]


def _tables() -> list[Format]:
    images = {f"{place}.png": each for place, each in enumerate(seeds_pictures.stills()["png"])}
    check = ("data", "check", "table", "--root", ".")
    table = partial(Format, grammar=grammars.TSV, commands=(_BUILD,))
    return [
        Format("studies csv", "studies.csv", [seeds_texts.STUDIES.encode()], grammar=grammars.CSV,
               commands=(check,), beside=images),
        Format("reports csv", "file.csv", [seeds_texts.REPORTS.encode()], grammar=grammars.CSV,
               commands=(("data", "label", "FILE"),
                         ("data", "label", "FILE", "--labels", "nih14", "-o", "out.csv"))),
        table("relations tsv", "relations.tsv", [seeds_texts.RELATIONS.encode()], beside=_facts()),
        table("concepts tsv", "concepts.tsv", [seeds_texts.CONCEPTS.encode()],
              beside=_facts()),
        table("triples tsv", "t.tsv", [seeds_texts.TRIPLES.encode()],
              beside={"recipe.yaml": _recipe("triples: {file: t.tsv, source: T, kind: term}")}),
    ]  # fmt: skip


_BUILD = ("graph", "build", "recipe.yaml", "-o", "built.jsonl")


def _recipe(*steps: str) -> bytes:
    """A recipe of sources, each written as `name: {options}`."""
    sources = [f"  - {{name: {name}, options: {options}}}" for name, options in map(_cut, steps)]
    return "\n".join(("name: t", "sources:", *sources, "")).encode()


def _cut(step: str) -> tuple[str, str]:
    name, _, options = step.partition(": ")
    return name, options


def _facts(*further: str, registry: str = "") -> dict[str, bytes]:
    """Tables of facts, and a recipe of them and further sources."""
    known = "concepts: concepts.tsv, relations: relations.tsv"
    return {
        "concepts.tsv": seeds_texts.CONCEPTS.encode(),
        "relations.tsv": seeds_texts.RELATIONS.encode(),
        "recipe.yaml": _recipe(f"facts: {{{known}{registry}}}", *further),
    }


def _configurations() -> list[Format]:
    from experiments.config.load import shipped_configs

    shipped = shipped_configs()
    names = ("demo", "graph_fusion_covid_by_source", "zhang2020_convirt_openi_finetune")
    seeds = [shipped[name].read_bytes() for name in names]
    files = {**_facts(), "t.obo": seeds_texts.OBO.encode()}
    return [
        Format("experiment yaml", "file.yaml", seeds, grammar=grammars.YAML,
               commands=(("experiment", "check", "FILE"),)),
        Format("sources yaml", "sources.yaml", [seeds_texts.SOURCES.encode()],
               grammar=grammars.YAML, commands=(_BUILD,),
               beside=_facts(registry=", registry: sources.yaml")),
        Format("label sets yaml", "sets.yaml", [seeds_texts.LABEL_SETS.encode()],
               grammar=grammars.YAML, commands=(_BUILD,),
               beside=_facts("label_sets: {table: sets.yaml}")),
        Format("recipe yaml", "recipe.yaml", [seeds_texts.RECIPE.encode()], grammar=grammars.YAML,
               commands=(_BUILD,), beside=files),
    ]  # fmt: skip


def _graphs() -> list[Format]:
    from kg.files.store import serialised

    graph = _small_graph()
    lines, turtle, trig = (serialised(graph, ending) for ending in (".jsonl", ".ttl", ".trig"))
    validate = ("graph", "validate", "FILE", "--no-shapes", "--fail-on", "never")
    own = (validate, ("graph", "stats", "--graph", "FILE", "--allow-edited"))
    ask = ("graph", "query", "SELECT * { ?s ?p ?o } LIMIT 3", "--graph", "FILE", "--allow-edited")
    stored = partial(Format, commands=(*own, ask))
    rdf = partial(Format, commands=(_BUILD, _BUILD, ask))
    return [
        stored("graph jsonl", "file.jsonl", [lines], grammar=grammars.JSON._replace(tree="line")),
        stored("graph ttl", "file.ttl", [turtle], grammar=grammars.TURTLE),
        stored("graph trig", "file.trig", [trig], grammar=grammars.TURTLE),
        rdf("ontology ttl", "t.ttl", [seeds_texts.TURTLE.encode()], grammar=grammars.TURTLE,
            beside={"recipe.yaml": _recipe("owl: {file: t.ttl, source: T}")}),
        rdf("skos", "t.ttl", [seeds_texts.SKOS.encode()], grammar=grammars.TURTLE,
            beside={"recipe.yaml": _recipe("owl: {file: t.ttl, source: T, broader: is_a}")}),
        rdf("owl", "t.owl", [seeds_texts.RDF_XML.encode()], grammar=grammars.XML,
            beside={"recipe.yaml": _recipe("owl: {file: t.owl, source: T}")}),
        rdf("json-ld", "t.jsonld", [seeds_texts.JSON_LD.encode()], grammar=grammars.JSON,
            beside={"recipe.yaml": _recipe("owl: {file: t.jsonld, source: T}")}),
        Format("obo", "t.obo", [seeds_texts.OBO.encode()], grammar=grammars.OBO, commands=(_BUILD,),
               beside={"recipe.yaml": _recipe("obo: {file: t.obo, source: T}")}),
        Format("finding model json", "a.fm.json", [seeds_texts.FINDING_MODEL.encode()],
               grammar=grammars.JSON, commands=(_BUILD,),
               beside=_facts("finding_models: {file: .}")),
        Format("definitions json", "d.json", [seeds_texts.DEFINITIONS.encode()],
               grammar=grammars.JSON, commands=(_BUILD,),
               beside=_facts("definitions: {file: d.json, source: T}")),
        Format("obo graph json", "t.json", [seeds_texts.OBO_GRAPH.encode()], grammar=grammars.JSON,
               commands=(_BUILD,),
               beside={"recipe.yaml": _recipe("obographs: {file: t.json, source: T}")}),
    ]  # fmt: skip


def _small_graph() -> KnowledgeGraph:
    from kg.build.recipe import build

    with tempfile.TemporaryDirectory() as name:
        for file, content in _facts().items():
            (Path(name) / file).write_bytes(content)
        return build(Path(name) / "recipe.yaml").graph


def _texts() -> list[Format]:
    reports = [seeds_texts.REPORT, seeds_texts.SPANISH, seeds_texts.CHINESE]
    label = ("data", "label", "FILE")
    return [
        Format("report", "file.txt", [text.encode() for text in reports], grammar=grammars.TEXT,
               commands=(label, (*label, "-o", "out.html"), (*label, "--labels", "chexpert14"))),
        Format("dialogue", "file.txt", [seeds_texts.DIALOGUE.encode()], grammar=grammars.TEXT,
               commands=((*label, "--dialogue"), (*label, "--dialogue", "-o", "out.html"))),
    ]  # fmt: skip
