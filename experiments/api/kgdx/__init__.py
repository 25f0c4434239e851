"""The package `kgdx` of an installed distribution: the names of the Python interface.

This folder is installed as `kgdx`, beside `experiments`. It holds nothing of its own, so that
`import kgdx` and `import experiments.api` give the same classes.
"""

from __future__ import annotations

try:
    from experiments.api import (
        ComparedRuns,
        Evaluation,
        Graph,
        InputError,
        Predictions,
        Run,
        compare,
        evaluate,
        graph,
        label,
        load,
        predict,
        run,
    )
except ModuleNotFoundError as error:
    # a folder beside the caller's script may be called like one of our packages
    if (error.name or "").partition(".")[0] in ("kg", "encoders", "fusion", "experiments"):
        raise ImportError(
            f"kgdx cannot import {error.name}: another package of that name comes first on "
            "sys.path; rename it, or start Python in another folder"
        ) from error
    raise

__all__ = [
    "ComparedRuns",
    "Evaluation",
    "Graph",
    "InputError",
    "Predictions",
    "Run",
    "compare",
    "evaluate",
    "graph",
    "label",
    "load",
    "predict",
    "run",
]
