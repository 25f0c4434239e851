"""Grammars of text formats: what is put into their files."""

from __future__ import annotations

from fuzzing.changes_text import Grammar

_JSON_NESTS = (("[", "]"), ('{"a":', "}"), ('{"@id":"x","http://e/p":', "}"))
XML = Grammar(
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
TURTLE = Grammar(
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
YAML = Grammar(
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
OBO = Grammar(
    nests=(("{", "}"), ("(", ")"), ('"', '"')),
    snippets=(
        *("[Term]", "[Typedef]", "[Instance]", "[Nothing]", "id: T:9", "is_a: T:2", "is_a: T:404"),
        *("import: http://x/", "xref: x y", 'synonym: "a" WRONG []', "is_obsolete: yes", "id: \\"),
        *('def: "', "creation_date: 2020-99-99", "relationship: a", "union_of: T:1", "T:1 \\n"),
        *("alt_id: T:1", "property_value: a b", "format-version: 9", 'name: "', "is_a: T:1 {a}"),
    ),
)
JSON = Grammar(nests=_JSON_NESTS, tree="whole", snippets=("NaN", "-Infinity", "1e999", "\\ud800"))
CSV = Grammar(
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
TSV = Grammar(
    nests=(('"', '"'), ("\t", ""), ("||", "")),
    snippets=(
        *('"', "\t", "||", " || ", "|", "ckg:opacity", "is_a", "skos:broader", "no_such", "1e999"),
        *("nan", "-1", "curated", '"a\tb"', "ckg:", ":", "HP:0000001", "\0", "a" * 200_000),
    ),
)
TEXT = Grammar(
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
