"""Measure the feature cache: pictures a second on the first and the second pass, peak memory.

python tests/benchmarks/feature_cache.py --pictures ../shared/data/openi/images
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from encoders.study import Study, StudyImage
from experiments.config.schema import ImageSection
from experiments.loading.images import ImageLoader


def main() -> None:
    """Encode the same pictures twice into an empty cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--count", type=int, default=512)
    given = parser.parse_args()
    names = sorted(path.name for path in given.pictures.iterdir())[: given.count]
    studies = [Study(name, name, (StudyImage(name, "cxr", "frontal"),)) for name in names]
    rates = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            reader = ImageLoader(ImageSection(reduce=0), Path(cache), seed=0)
            began = time.perf_counter()
            reader.read(studies, given.pictures)
            rates.append(len(studies) / (time.perf_counter() - began))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    sys.stdout.write(
        f"first pass {rates[0]:.1f} pictures/s, second pass {rates[1]:.0f} pictures/s "
        f"({rates[1] / rates[0]:.0f} times), peak memory {peak:.2f} GiB\n"
    )


if __name__ == "__main__":
    main()
