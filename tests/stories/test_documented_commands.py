"""Every command of README and docs, in the order of its page, in one folder of made-up studies.

A block of commands below `<!-- not run: REASON -->` is only read: its commands, arguments and
options must be there. A command that stands on several pages is run once.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from experiments.cli.arguments import Verbosity
from experiments.cli.main import kgdx, main
from experiments.datasets import DATASETS

ROOT = Path(__file__).resolve().parents[2]
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```sh\n(?P<lines>.*?)```", re.DOTALL
)
YAML = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
ENDS = {
    "graph validate --fail-on warning": 1,  # the shipped graph has warnings
}
"""Exit codes that a page asks for, by the beginning of the command."""
RUN = ("experiment", "run", "own.yaml", "--root", ".")
TRAINED = (RUN, (*RUN, "--set", "seed=1"))
"""Commands of pages that are run first: others need their runs."""


@dataclass(frozen=True)
class Command:
    """A line of a page.

    Args:
        words: The words of the line.
        reason: Why it is not run; None = it is run.
    """

    words: tuple[str, ...]
    reason: str | None


def commands(page: Path) -> Iterator[Command]:
    """Every line of the blocks of commands of a page."""
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        for line in block["lines"].replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield Command(tuple(words), block["reason"])


@dataclass
class Place:
    """The folder in which the commands are run.

    Args:
        folder: Own studies, the same and a tiny Open-i under `DIR`, some texts, two runs.
        stand_for: Words of the pages that stand for others.
        done: Commands that were run.
    """

    folder: Path
    stand_for: dict[str, str]
    done: set[tuple[str, ...]]


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, own_studies: Callable[[Path], None]
) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("documented")
    own_studies(folder)
    (folder / "DIR" / "table").mkdir(parents=True)
    own_studies(folder / "DIR" / "table")
    DATASETS.load("openi")().tiny(folder / "DIR" / "openi")
    (folder / "reports.csv").write_text("id,report\na,Small left effusion.\nb,No pneumothorax.\n")
    (folder / "own.yaml").write_text(YAML.findall((ROOT / "README.md").read_text("utf-8"))[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("KGDX_DATA", raising=False)
        for words in TRAINED:
            assert main(words) == 0
        runs = sorted(path.name for path in (folder / "runs").glob("own-*"))
        yield Place(folder, dict(zip(("RUN", "OTHER"), runs, strict=True)), {*TRAINED})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_work(
    page: Path, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in commands(page):
        name, *words = command.words
        if "kgdx" not in command.words or name == "docker":
            known_elsewhere(name, words)
            continue
        asked = command.words[command.words.index("kgdx") + 1 :]
        if command.reason is not None:
            parse(asked)
        elif asked not in place.done:
            place.done.add(asked)
            code = main([place.stand_for.get(word, word) for word in asked])
            said = capsys.readouterr()
            ends = [ENDS[key] for key in ENDS if shlex.join(asked).startswith(key)]
            assert code == (ends or [0])[0], f"{shlex.join(asked)}: {said.err}"
            assert said.out or said.err


def parse(words: tuple[str, ...]) -> None:
    """Fail where a command, an argument or an option is not there."""
    command: click.Command | None = kgdx
    left = list(words)
    with click.Context(kgdx, obj=Verbosity()) as context:
        while isinstance(command, click.Group):
            _, command, left = command.resolve_command(context, left)
        assert command is not None
        command.make_context(command.name, left, parent=context)


def known_elsewhere(name: str, words: list[str]) -> None:
    """Fail where a line that is no command of kgdx names what is not there."""
    if name == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(f"^{target}:", makefile, re.MULTILINE) for target in words)
    elif name == "docker":
        run = words[words.index("kgdx") + 1 :]  # behind the name of the image
        assert (ROOT / "Dockerfile").is_file()
        if words[0] == "run":
            known_elsewhere(run[0], run[1:])
    elif name == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        known = extras["project"]["optional-dependencies"]
        assert set(re.findall(r"kgdx\[(.+)\]", words[-1])) <= set(known)
    else:
        assert name in ("source", "export", "curl"), f"{name}: what is it?"


def test_the_commands_that_are_run_first_stand_on_a_page() -> None:
    written = {command.words for page in PAGES for command in commands(page)}
    assert {("kgdx", *words) for words in TRAINED} <= written


def test_one_configuration_stands_on_all_pages() -> None:
    found = {block for page in PAGES for block in YAML.findall(page.read_text(encoding="utf-8"))}
    assert len(found) == 1
    assert len(next(iter(found)).splitlines()) <= 15


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
