"""Formats that are fuzzed: sound files of each, how they are changed, how they are read."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from fuzzing import changes_bytes, changes_text, layouts, seeds_pictures, seeds_texts
from fuzzing.changes_text import Grammar
from fuzzing.doors import Door, command, lines_of, picture, spoken
from fuzzing.layouts import Layout

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
    """

    name: str
    file: str
    seeds: list[bytes]
    layout: Callable[[bytes], Layout] | None = None
    seal: Callable[[bytes], bytes] | None = None
    grammar: Grammar = Grammar()
    commands: tuple[tuple[str, ...], ...] = ()
    beside: Mapping[str, bytes] = field(default_factory=dict)

    def input(self, draw: Random) -> Input:
        """A changed file."""
        seed = draw.choice(self.seeds)
        if self.layout is None:
            return Input(self._text(seed, draw))
        if draw.random() < 0.15:
            return Input(seed[: draw.randrange(len(seed))], sound=seed)
        return self._binary(seed, draw)

    def doors(self, folder: Path) -> list[Door]:
        """Doors of commands, each tried with the first sound file to count what it prints."""
        made = []
        for words in self.commands:
            path = self.put(folder, self.seeds[0])
            code, _, said = spoken(path, words)
            if code:
                raise AssertionError(f"{self.name}: {words} refuses a sound file: {said}")
            made.append(command(*words, lines=lines_of(said)))
        return made

    def door(self, doors: list[Door], number: int, sound: Path | None) -> Door:
        """The door of one input."""
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
        return Input(file, sound=seed if guarded else None)


_JSON_NESTS = (("[", "]"), ('{"a":', "}"), ('{"@id":"x","http://e/p":', "}"))
_XML = Grammar(
    nests=(("<rdf:Description>", "</rdf:Description>"), ("<a>", "</a>"), ("<!--", "-->")),
    snippets=(
        '<!DOCTYPE a [<!ENTITY b "xx"><!ENTITY c "&b;&b;">]>',
        *('<!ENTITY x SYSTEM "file:///etc/passwd">', "<!ENTITY % p SYSTEM 'http://x/'> %p;"),
        *("&owl;", "&undeclared;", "&#0;", "&#xD800;", "&#x110000;", "<![CDATA[", "]]>", "<?x y?>"),
        *('rdf:ID="a"', 'rdf:parseType="Literal"', 'rdf:nodeID="x"', 'xml:lang="-"', "xmlns:a=''"),
        *('rdf:datatype="x"', 'rdf:about="http://[::1"', 'xml:base="::"', "</rdf:RDF>"),
        *('<?xml version="1.1"?>', '<?xml version="1.0" encoding="utf-7"?>', "<owl:imports/>"),
        '<owl:imports rdf:resource="http://example.invalid/x"/>',
    ),
)
_TURTLE = Grammar(
    nests=(("[ :p ", "]"), ("( ", ") "), ("<< ", ">>"), ("{", "}")),
    snippets=(
        *(
            "@base <http://x/> .",
            "@prefix : <x> .",
            "PREFIX a: <http://a/>",
            "@prefix a: <http://[>.",
        ),
        *('"a"@x-', '"a"^^<x>', '"""', "_:b", "<http://[::1>", "<a b>", "<\\u0000>", "<\\uD800>"),
        *(":1 :p 1e400 .", ":a :b :c .", "a a a .", "=>", "?x", "@forAll", "{ :a :b :c }", "<>"),
        ":1 <http://www.w3.org/2002/07/owl#imports> <http://example.invalid/> .",
        ":1 <http://www.w3.org/2000/01/rdf-schema#subClassOf> :1 .",
    ),
)
_YAML = Grammar(
    nests=(("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", ""), (" ", "")),
    snippets=(
        *(
            "&a [*a]",
            "*a",
            "<<: *a",
            "!!python/object:os.system x",
            "!!binary =",
            "!!int x",
            "!a b",
        ),
        *("2001-99-99", "2001-01-01T99:99:99Z", "!!timestamp x", "0o9", "0x", "1_0", "190:20:30"),
        *(
            "---",
            "...",
            "%YAML 9.9",
            "? [a]",
            "? {a: b}: c",
            "name: x",
            "sources: []",
            "~: ~",
            "\t",
        ),
        *(
            "a: !!float .inf",
            ".nan",
            "seed: 1e999",
            "!!set {a}",
            "!!omap [a: b]",
            "!!null ''",
            "@x",
        ),
        *("&a", "|9", ">-", "'", "`", "%", "!", "!!"),
    ),
)
_OBO = Grammar(
    nests=(("{", "}"), ("(", ")"), ('"', '"')),
    snippets=(
        *("[Term]", "[Typedef]", "[Instance]", "[Nothing]", "id: T:9", "is_a: T:2", "is_a: T:404"),
        *("import: http://x/", "xref: x y", 'synonym: "a" WRONG []', "is_obsolete: yes", "id: \\"),
        *('def: "', "creation_date: 2020-99-99", "relationship: a", "union_of: T:1", "T:1 \\n"),
        *("alt_id: T:1", "property_value: a b", "format-version: 9", 'name: "', "is_a: T:1 {a}"),
    ),
)
_JSON = Grammar(nests=_JSON_NESTS, tree="whole", snippets=("NaN", "-Infinity", "1e999", "\\ud800"))
_CSV = Grammar(
    nests=(('"', '"'), (",", "")),
    snippets=(
        *(
            '"',
            '""',
            '"a\nb"',
            ";",
            "\t",
            "study",
            "s0,p9,0.png,x,cxr,frontal,F,1,1,1",
            "=1+1",
            "'",
        ),
        *("0.png;../x", "/dev/zero", "no.png", "reports/1.txt", "nan", "1.0", "Yes", "-1", "1e3"),
        *("\0", "\x1a", "sep=;", "#", "a" * 200_000, '"' + "a" * 200_000 + '"', "Cardiomegaly"),
    ),
)
_TSV = Grammar(
    nests=(('"', '"'), ("\t", ""), ("||", "")),
    snippets=(
        *('"', "\t", "||", " || ", "|", "ckg:opacity", "is_a", "skos:broader", "no_such", "1e999"),
        *("nan", "-1", "curated", '"a\tb"', "ckg:", ":", "HP:0000001", "\0", "a" * 200_000),
    ),
)
_TEXT = Grammar(
    nests=(("(", ")"), ("[", "]"), ("no ", ""), ("<b>", "</b>"), ("not ", ""), ("\n", "")),
    snippets=(
        *(
            "FINDINGS:",
            "IMPRESSION:",
            "Doctor:",
            "Patient:",
            "Nurse:",
            "XXXX",
            "___",
            "&lt;",
            "<p>",
        ),
        *("no evidence of", "cannot exclude", "effusion", "pneumothroax", "PE", "of the", "-", "?"),
        *(
            "no " * 3000,
            "effusion and " * 3000,
            "a" * 50_000,
            "\u4e00" * 5000,
            "(" * 5000,
            "\x1b[2J",
        ),
        *("either or neither nor " * 500, "x." * 20_000, "?" * 5000, "1. " * 3000, "Any fever? "),
    ),
)


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
        },
    }
    sealed = {"png": layouts.sealed_png, "deep.png": layouts.sealed_png}
    return [
        Format(name, f"file.{name}", seeds, found[name], sealed.get(name))
        for name, seeds in files.items()
    ]


def _tables() -> list[Format]:
    image = seeds_pictures.stills()["png"][0]
    check = ("data", "check", "table", "--root", ".")
    recipe = _recipe("facts", "concepts: concepts.tsv, relations: relations.tsv")
    facts = {"concepts.tsv": seeds_texts.CONCEPTS.encode(), "recipe.yaml": recipe}
    table = partial(Format, grammar=_TSV, commands=(_BUILD,))
    return [
        Format("studies csv", "studies.csv", [seeds_texts.STUDIES.encode()], grammar=_CSV,
               commands=(check,), beside={"0.png": image}),
        Format("reports csv", "file.csv", [seeds_texts.REPORTS.encode()], grammar=_CSV,
               commands=(("data", "label", "FILE"),
                         ("data", "label", "FILE", "--labels", "nih14", "-o", "out.csv"))),
        table("relations tsv", "relations.tsv", [seeds_texts.RELATIONS.encode()], beside=facts),
        table("concepts tsv", "concepts.tsv", [seeds_texts.CONCEPTS.encode()],
              beside={**facts, "relations.tsv": seeds_texts.RELATIONS.encode()}),
        table("triples tsv", "t.tsv", [seeds_texts.TRIPLES.encode()],
              beside={"recipe.yaml": _recipe("triples", "file: t.tsv, source: T, kind: term")}),
    ]  # fmt: skip


_BUILD = ("graph", "build", "recipe.yaml", "-o", "built.jsonl")


def _recipe(source: str, options: str) -> bytes:
    return f"name: t\nsources:\n  - {{name: {source}, options: {{{options}}}}}\n".encode()


def _configurations() -> list[Format]:
    from experiments.config.load import shipped_configs

    shipped = shipped_configs()
    names = ("demo", "graph_fusion_covid_by_source", "zhang2020_convirt_openi_finetune")
    seeds = [shipped[name].read_bytes() for name in names]
    files = {"t.obo": seeds_texts.OBO, "concepts.tsv": seeds_texts.CONCEPTS}
    files["relations.tsv"] = seeds_texts.RELATIONS
    return [
        Format("experiment yaml", "file.yaml", seeds, grammar=_YAML,
               commands=(("experiment", "check", "FILE"),)),
        Format("recipe yaml", "recipe.yaml", [seeds_texts.RECIPE.encode()], grammar=_YAML,
               commands=(_BUILD,), beside={name: text.encode() for name, text in files.items()}),
    ]  # fmt: skip


def _graphs() -> list[Format]:
    from kg.build.recipe import build
    from kg.files.store import serialised

    graph = _small_graph(build)
    lines, turtle, trig = (serialised(graph, ending) for ending in (".jsonl", ".ttl", ".trig"))
    validate = ("graph", "validate", "FILE", "--no-shapes", "--fail-on", "never")
    own = (validate, ("graph", "stats", "--graph", "FILE", "--allow-edited"))
    ask = ("graph", "query", "SELECT * { ?s ?p ?o } LIMIT 3", "--graph", "FILE", "--allow-edited")
    stored = partial(Format, commands=(*own, ask))
    rdf = partial(Format, commands=(_BUILD, _BUILD, ask))
    return [
        stored("graph jsonl", "file.jsonl", [lines], grammar=_JSON._replace(tree="line")),
        stored("graph ttl", "file.ttl", [turtle], grammar=_TURTLE),
        stored("graph trig", "file.trig", [trig], grammar=_TURTLE),
        rdf("ontology ttl", "t.ttl", [seeds_texts.TURTLE.encode()], grammar=_TURTLE,
            beside={"recipe.yaml": _recipe("owl", "file: t.ttl, source: T")}),
        rdf("skos", "t.ttl", [seeds_texts.SKOS.encode()], grammar=_TURTLE,
            beside={"recipe.yaml": _recipe("owl", "file: t.ttl, source: T, broader: is_a")}),
        rdf("owl", "t.owl", [seeds_texts.RDF_XML.encode()], grammar=_XML,
            beside={"recipe.yaml": _recipe("owl", "file: t.owl, source: T")}),
        rdf("json-ld", "t.jsonld", [seeds_texts.JSON_LD.encode()], grammar=_JSON,
            beside={"recipe.yaml": _recipe("owl", "file: t.jsonld, source: T")}),
        Format("obo", "t.obo", [seeds_texts.OBO.encode()], grammar=_OBO, commands=(_BUILD,),
               beside={"recipe.yaml": _recipe("obo", "file: t.obo, source: T")}),
        Format("obo graph json", "t.json", [seeds_texts.OBO_GRAPH.encode()], grammar=_JSON,
               commands=(_BUILD,),
               beside={"recipe.yaml": _recipe("obographs", "file: t.json, source: T")}),
    ]  # fmt: skip


def _small_graph(build: Callable[[Path], object]) -> object:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "concepts.tsv").write_text(seeds_texts.CONCEPTS, encoding="utf-8")
        (folder / "relations.tsv").write_text(seeds_texts.RELATIONS, encoding="utf-8")
        recipe = _recipe("facts", "concepts: concepts.tsv, relations: relations.tsv")
        (folder / "recipe.yaml").write_bytes(recipe)
        return build(folder / "recipe.yaml").graph


def _texts() -> list[Format]:
    reports = [seeds_texts.REPORT, seeds_texts.SPANISH, seeds_texts.CHINESE]
    label = ("data", "label", "FILE")
    return [
        Format("report", "file.txt", [text.encode() for text in reports], grammar=_TEXT,
               commands=(label, (*label, "-o", "out.html"), (*label, "--labels", "chexpert14"))),
        Format("dialogue", "file.txt", [seeds_texts.DIALOGUE.encode()], grammar=_TEXT,
               commands=((*label, "--dialogue"), (*label, "--dialogue", "-o", "out.html"))),
    ]  # fmt: skip
