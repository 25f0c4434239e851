"""Pictures that a run flags as unlike those of training: its own test set, and other pictures.

    python -m tests.benchmarks.unusual_pictures RUNS DATA RUN [FOLDER ...]

Each FOLDER holds pictures that should be flagged: photographs, other modalities, changed films.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from encoders.study import Study, StudyImage
from experiments.explanation.unusual import Familiar, write_familiar
from experiments.loading.tolerant import read_tolerantly
from experiments.preparation.open_dataset import open_dataset
from experiments.records.folder import find_run
from experiments.runs.restore import restore
from kg.errors import InputError

MOST = 40
"""Pictures of a folder."""


def main(runs: Path, data: Path, name: str, folders: list[Path]) -> None:
    """Describe the training pictures of a run, and print the share flagged of each folder."""
    restored = restore(find_run(name, runs))
    opened = open_dataset(restored.experiment.data, data, runs / "cache")
    cohorts = {}
    for subset in ("train", "validation", "test"):
        chosen = set(restored.manifest.studies(subset))  # type: ignore[arg-type]
        studies = [study for study in opened.development if study.study in chosen]
        cohorts[subset], _ = read_tolerantly(restored.preprocessor, studies, opened.root)
    context = SimpleNamespace(
        system=restored.system, cohorts=cohorts, experiment=restored.experiment
    )
    write_familiar(restored.folder, context)  # type: ignore[arg-type]
    familiar = Familiar.load(restored.folder)
    assert familiar is not None
    sys.stdout.write(f"test studies flagged: {familiar.false_alarms.words()}\n")
    for folder in folders:
        found = []
        for path in sorted(folder.iterdir())[:MOST]:
            image = StudyImage(str(path.absolute()), "cxr", "frontal")
            try:
                study = Study(path.name, path.name, (image,))
                cohort, _ = read_tolerantly(restored.preprocessor, [study], Path())
            except InputError:  # refused as it is
                found.append(np.inf)
                continue
            unusual = familiar.of(restored.system, cohort.batch([0]))
            assert unusual is not None
            found.append(unusual.distance)
        flagged = np.mean(np.array(found) > familiar.threshold)
        refused = int(np.isinf(found).sum())
        sys.stdout.write(
            f"{folder.name}: {flagged:.0%} of {len(found)} flagged or refused ({refused} refused)\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], [Path(one) for one in sys.argv[4:]])
