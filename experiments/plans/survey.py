"""Survey rows: which file implements each, how near to its paper, how it is run, what it scored."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.config.load import read_file, resolve, shipped_configs
from experiments.config.mistakes import check_values
from experiments.config.schema import Experiment
from kg.catalog import Catalog
from kg.options import Options

__all__ = ["SurveyRow", "fidelity", "read_survey", "scores_in", "survey_page"]

SYSTEMS: Catalog[Any] = Catalog("experiments.systems", "system")
"""Named by its package, since importing it imports torch."""

STATED = re.compile(r"\bFidelity:\s+(paper|reconstruction|interpretation)\b")
FILE = Path(__file__).parent / "survey.yaml"
ROOT = Path(__file__).parents[2]
NOT_YET = "not yet"
HEAD = (
    "| row | work | file | fidelity | configurations by tier | scored |",
    "|---|---|---|---|---|---|",
)


class SurveyRow(Options):
    """A work of a row of the survey.

    Args:
        row: Number of the row; one row may name several works.
        work: The work.
        files: Systems that implement it, or other files; empty = configurations of others alone.
        configs: What the names of its configurations begin with.
        results: Committed tables with its scores, where no plan has them.
    """

    row: int
    work: str
    files: tuple[str, ...]
    configs: str = ""
    results: tuple[str, ...] = ()

    @property
    def there(self) -> list[str]:
        """Paths of its files that exist."""
        paths = (name if "/" in name else f"experiments/systems/{name}.py" for name in self.files)
        return [path for path in paths if (ROOT / path).is_file()]


class _Survey(Options):
    rows: tuple[SurveyRow, ...]


def read_survey() -> tuple[SurveyRow, ...]:
    """All rows of the survey, in order."""
    document = read_file(FILE)
    places = {key: f"{FILE}:{line}" for key, line in document.lines.items()}
    return check_values(_Survey, document.values, places=places).rows


def fidelity(*systems: str) -> str:
    """How near to its paper the first of the systems is whose docstring says so; else `own`.

    Args:
        systems: A system of the catalog, then those that it starts from.
    """
    found = (STATED.search(SYSTEMS.docstring(name)) for name in systems if ":" not in name)
    return next((match[1] for match in found if match), "own")


def scores_in(folder: Path) -> dict[str, list[str]]:
    """Scores by row of a plan, from the csv tables that plans wrote into a folder."""
    scores: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.csv")):
        for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            if line.get("value") and line.get("system"):
                interval = f"{line['value']} [{line['low']}, {line['high']}]"
                said = f"{line['metric']} {interval} (`{path.stem}`)"
                scores.setdefault(line["system"], []).append(said)
    return scores


def survey_page(scores: Mapping[str, list[str]]) -> str:
    """The table of all rows as a Markdown page.

    Args:
        scores: Scores by configuration (see `scores_in`).
    """
    configs = {name: resolve(name) for name in shipped_configs()}
    lines = [_line(row, configs, scores) for row in read_survey()]
    return "\n".join((*TITLE, *HEAD, *lines)) + "\n"


TITLE = (
    "# The works of the survey, and where they are",
    "",
    "Made by `python tests/benchmarks/survey_table.py` from the docstrings of the systems, the",
    "shipped configurations and the tables of plans (`tests/benchmarks/results/*.csv`).",
    "Tiers: *frozen*, all systems on the same cached features; *pixels*, a small backbone that",
    "trains; *paper*, as printed, checked and given one step here; *text*, no picture is read.",
    "",
)


def _line(
    row: SurveyRow, configs: Mapping[str, Experiment], scores: Mapping[str, list[str]]
) -> str:
    own = {name: one for name, one in configs.items() if _begins(name, row.configs)}
    tiers: dict[str, list[str]] = {}
    for name, one in own.items():
        tiers.setdefault(_tier(name, one), []).append(f"`{name}`")
    listed = "; ".join(f"{tier}: {', '.join(names)}" for tier, names in tiers.items())
    systems = [Path(path).stem for path in row.there if path.startswith("experiments/systems/")]
    cells = (
        str(row.row),
        row.work,
        ", ".join(f"`{path}`" for path in row.there) or NOT_YET,
        fidelity(*systems).replace("own", "not stated") if systems else "",
        listed or ("" if row.there and not row.configs else NOT_YET),
        "; ".join(_scored(row, own, scores)) or NOT_YET,
    )
    return f"| {' | '.join(cells)} |"


def _begins(name: str, start: str) -> bool:
    return bool(start) and name.rpartition("/")[2].startswith(start)


def _tier(name: str, experiment: Experiment) -> str:
    if "/" in name:
        return "paper"
    if experiment.image.encoder is None:
        return "text"
    return "frozen" if experiment.image.frozen else "pixels"


def _scored(
    row: SurveyRow, configs: Mapping[str, Experiment], scores: Mapping[str, list[str]]
) -> Iterator[str]:
    """Scores of the rows of plans whose name begins like the configurations, else other tables."""
    found = [
        f"{name}: {', '.join(said)}" for name, said in scores.items() if _begins(name, row.configs)
    ]
    yield from found or (f"`tests/benchmarks/results/{name}`" for name in row.results)
