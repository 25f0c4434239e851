"""Small files that unpack or nest without end: refused by build, query and loading alike."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kg.ask.query import query_file, table_of
from kg.errors import InputError
from kg.files.json_text import json_in, json_of
from kg.files.nesting import DEEPEST, check_json, check_xml
from kg.files.rdf_files import quads_of
from kg.files.store import load
from kg.files.tables import parsed_json
from kg.sources import Facts
from kg.sources.owl import RdfOntology

ALL = "SELECT * { ?s ?p ?o } LIMIT 3"
HEAD = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"'
    ' xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"'
    ' xmlns:owl="http://www.w3.org/2002/07/owl#">'
)
CLASS = '<owl:Class rdf:about="http://e/{}"><rdfs:label>{}</rdfs:label></owl:Class>'


def owl(entities: str, *labels: str, before: str = "") -> str:
    classes = "".join(CLASS.format(number, label) for number, label in enumerate(labels))
    return f"{before}<!DOCTYPE rdf:RDF [{entities}]>{HEAD}{classes}</rdf:RDF>"


def laughs(opening: str) -> str:
    """Nine levels, each ten of the one below; `opening` stands first in each value."""
    levels = [f'<!ENTITY b0 "{"x" * 50}">']
    levels += [f'<!ENTITY b{n + 1} "{opening}{f"&b{n};" * 10}">' for n in range(9)]
    return "".join(levels)


BOMBS: dict[str, Callable[[], str]] = {
    "plain.owl": lambda: owl(laughs(""), "&b9;"),
    "space first.owl": lambda: owl(laughs("&#32;"), "&b9;"),
    "number in hex.rdf": lambda: owl(laughs("&#x58;y"), "&b9;"),
    "ampersand by number.owl": lambda: owl('<!ENTITY a "ab"><!ENTITY b "&#38;a;">', "&b;"),
    "late.owl": lambda: owl(laughs(""), "&b9;", before=f"<!--{'c' * (2 << 20)}-->"),
    "long.owl": lambda: owl(f'<!ENTITY a "{"x" * 200_000}">', "&a;" * 20_000),
    "spread.owl": lambda: owl(f'<!ENTITY a "{"x" * 200_000}">', *["&a;" * 20] * 1000),
    "outside.owl": lambda: owl('<!ENTITY a SYSTEM "file:///etc/passwd">', "&a;"),
    "outside by parameter.owl": lambda: owl('<!ENTITY % a SYSTEM "file:///etc/passwd">%a;', "x"),
    "deep.owl": lambda: HEAD + "<owl:Class><rdfs:label>" * 20_000,
    "deep.jsonld": lambda: '{"@id":"http://e/a","http://e/p":' * 50_000 + '"x"' + "}" * 50_000,
    "lists.jsonld": lambda: '{"@id":"http://e/a","http://e/p":' + "[" * 9_000 + "]" * 9_000 + "}",
    "literal.ttl": lambda: f'<http://e/a> <http://e/p> "{"x" * (17 << 20)}" .',
    "literal.nt": lambda: f'<http://e/a> <http://e/p> "{"x" * (17 << 20)}" .\n',
}


@pytest.fixture
def bomb(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / request.param
    path.write_text(BOMBS[request.param](), encoding="utf-8")
    return path


each_bomb = pytest.mark.parametrize("bomb", BOMBS, indirect=True)


@pytest.fixture
def peak(processes: Any) -> Callable[[str, Path], int]:
    """The most memory that a process which runs some code, or one it started, took in bytes."""
    measured = """
import resource
own = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""

    def measure(code: str, path: Path) -> int:
        done = processes.python(code + measured, path)
        assert done.returncode == 0, done.stderr
        return int(done.stdout) << 10

    return measure


@each_bomb
def test_no_bomb_is_built_into_a_graph(bomb: Path) -> None:
    options = RdfOntology.Options(file=bomb.name, source="test")
    with pytest.raises(InputError, match=bomb.name) as caught:
        RdfOntology(options).read(bomb.parent, Facts())
    assert caught.value.hint


@each_bomb
def test_no_bomb_is_queried(bomb: Path) -> None:
    with pytest.raises(InputError, match=bomb.name):
        query_file(bomb, ALL, seconds=60)


def test_they_take_little_memory(tmp_path: Path, peak: Callable[[str, Path], int]) -> None:
    """All of them in one process of 300 MB, and what it starts."""
    for name, made in BOMBS.items():
        (tmp_path / name).write_text(made(), encoding="utf-8")
    code = """
import sys
from pathlib import Path
from kg.errors import InputError
from kg.files.rdf_files import quads_of
for path in Path(sys.argv[1]).iterdir():
    try:
        list(quads_of(path))
        print("read", path)
    except InputError:
        pass
"""
    assert peak(code, tmp_path) < 300 << 20


@pytest.mark.parametrize("line", ["@base <http://e/{}/> .", "@prefix e: <http://e/{}/> ."])
def test_short_names_for_long_ones_are_not_written_out_without_end(
    tmp_path: Path, line: str
) -> None:
    short = "e:a{0} e:p e:o{0} ." if "prefix" in line else "<a{0}> <p> <o{0}> ."
    content = [line.format("b" * 100_000), *(short.format(n) for n in range(5_000))]
    path = tmp_path / "names.ttl"
    path.write_text("\n".join(content))
    for read in (lambda: list(quads_of(path)), lambda: load(path)):
        with pytest.raises(InputError, match="many times its size"):
            read()


def test_usual_files_are_read(tmp_path: Path) -> None:
    """Namespaces as entities, some levels of nesting, a long text, many prefixed names."""
    names = '<!ENTITY obo "http://purl.obolibrary.org/obo/">'
    path = tmp_path / "a.owl"
    path.write_text(owl(names, *["&obo;HP_1"] * 2_000, "y" * (1 << 20)))
    assert len(list(quads_of(path))) == 2 * 2_001
    deep = tmp_path / "deep.jsonld"
    depth = DEEPEST // 2 - 1
    deep.write_text('{"http://e/p":[' * depth + '"x"' + "]}" * depth)
    assert len(list(quads_of(deep))) == depth
    turtle = tmp_path / "a.ttl"
    turtle.write_text("@prefix e: <http://e/> .\n" + "e:a e:p e:b, e:c .\n" * 1_000)
    assert len(list(quads_of(turtle))) == 2_000


def test_brackets_in_texts_are_no_nesting(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonld"
    path.write_text('{"a": "' + r"[{\"[\\" * 300_000 + '"}')
    check_json(path)
    path.write_text("[" * (DEEPEST + 1))
    with pytest.raises(InputError, match="nested"):
        check_json(path)


def test_xml_that_is_none_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "a.owl"
    path.write_text("<a>\n<b>\n</a>")
    with pytest.raises(InputError, match="a.owl, line 3"):
        check_xml(path)


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("encoding", ["UTF-0-8", "klingon", "shift_jis", "utf-7", "x" * 300])
def test_xml_in_an_encoding_that_is_not_read_is_told(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.owl"
    path.write_text(f'<?xml version="1.0" encoding="{encoding}"?>{HEAD}</rdf:RDF>', "utf-8")
    with pytest.raises(InputError, match="a.owl") as caught:
        list(quads_of(path))
    assert caught.value.hint


def test_json_nested_without_end_is_wrong_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(DEEP)
    for read in (lambda: json_of(DEEP), lambda: json_in(path)):
        with pytest.raises(ValueError, match="nested"):
            read()
    with pytest.raises(InputError, match="nested"):
        parsed_json(DEEP, "a.json")
    with pytest.raises(InputError, match="nested"):
        table_of(DEEP.encode())
    graph = tmp_path / "g.jsonl"
    graph.write_text(DEEP)
    with pytest.raises(InputError, match=r"g\.jsonl, line 1.*nested"):
        load(graph)


def doubling(times: int) -> str:
    steps = "".join(f"BIND(CONCAT(?a{n}, ?a{n}) AS ?a{n + 1}) " for n in range(times))
    return f'SELECT (STRLEN(?a{times}) AS ?n) {{ BIND("0123456789abcdef" AS ?a0) {steps}}}'


def test_a_query_takes_no_more_memory_than_it_may(
    tmp_path: Path, peak: Callable[[str, Path], int]
) -> None:
    (tmp_path / "a.nt").write_text("<http://e/a> <http://e/p> <http://e/b> .\n")
    few = query_file(tmp_path / "a.nt", doubling(3), seconds=60)
    assert few.rows[0][0] is not None
    code = f"""
import sys
from pathlib import Path
from kg.ask.query import query_file
from kg.errors import InputError
try:
    query_file(Path(sys.argv[1]), {doubling(26)!r}, seconds=60, memory=256 << 20)
except InputError as error:
    assert "more than 256 MiB of memory" in error.message
else:
    raise SystemExit("answered")
"""
    assert peak(code, tmp_path / "a.nt") < 400 << 20


def test_a_query_ends_with_its_parent(tmp_path: Path, processes: Any) -> None:
    """Killed outright, the parent cannot end it."""
    triples = "".join(f"<http://e/{n}> <http://e/p> <http://e/b> .\n" for n in range(2_000))
    (tmp_path / "a.nt").write_text(triples)
    code = """
import sys
from pathlib import Path
from kg.ask.query import query_file
long = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
query_file(Path(sys.argv[1]), long, seconds=600)
"""
    parent = processes.start(sys.executable, "-c", code, tmp_path / "a.nt")
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    try:
        found = _soon(lambda: children.read_text().split())
        child = int(found[0])
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert _soon(lambda: not _runs(child))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    return state != "Z"


def _soon(what: Callable[[], object]) -> list[str]:
    """What it gives as soon as it is something; half a minute is waited."""
    for _ in range(300):
        found = what()
        if found:
            return found if isinstance(found, list) else ["yes"]
        time.sleep(0.1)
    return []
