"""The image is built from what is there: its build context, its targets of make, its arguments."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = {"ARG", "FROM", "RUN", "WORKDIR", "COPY", "ENV", "CMD"}


def lines() -> list[str]:
    """The instructions, each on one line."""
    joined = DOCKERFILE.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and line[0] != "#"]


def test_every_line_is_an_instruction_and_the_base_is_an_argument() -> None:
    assert {line.split()[0] for line in lines()} == INSTRUCTIONS
    assert lines()[0].startswith("ARG BASE=")
    assert lines()[1] == "FROM ${BASE}"


def test_what_make_is_asked_for_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    variables = dict(re.findall(r"^(\w+) := (\S+)$", makefile, re.MULTILINE))
    targets = {
        variables.get(name.strip("$()"), name)
        for name in re.findall(r"^([\w$().]+):(?!=)", makefile, re.MULTILINE)
    }
    words = set(re.findall(r"kgdx make (\w+)|(\.venv/\.\w+)", DOCKERFILE))
    asked = {command or stamp for command, stamp in words}
    assert asked == {"demo", "test", ".venv/.ready", ".venv/.extras"}
    assert asked <= targets


def test_the_build_context_has_what_the_package_is_built_from() -> None:
    listed = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    kept = {line[1:] for line in listed if line[0] == "!"}
    assert all((ROOT / name).exists() for name in kept)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]
    project = settings["project"]
    needed = {*wheel["packages"], project["readme"], *project["license-files"]}
    assert {*needed, "Makefile", "pyproject.toml", "tests"} <= kept
