"""Write `docs/survey.md`: which file implements which row of the survey, and what it scored.

python tests/benchmarks/survey_table.py
"""

from __future__ import annotations

from pathlib import Path

from experiments.plans.survey import scores_in, survey_page

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parents[2] / "docs" / "survey.md"


def main() -> None:
    """Write the page anew."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(survey_page(scores_in(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
