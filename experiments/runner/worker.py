"""Worker process of a run, started once for each further device."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.runner.run import run_worker
from experiments.workers import end_with_input

__all__: list[str] = []

if __name__ == "__main__":
    end_with_input()
    run_worker(Path(sys.argv[1]))
