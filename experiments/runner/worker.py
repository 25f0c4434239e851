"""Follow a run that another process leads: what a run starts for each further device."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.runner.run import follow_run
from experiments.workers import end_with_input

__all__: list[str] = []

if __name__ == "__main__":
    end_with_input()
    follow_run(Path(sys.argv[1]))
