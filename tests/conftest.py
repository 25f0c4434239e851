"""One thread a process: threads of OpenMP do not survive the forks of some tests."""

from __future__ import annotations

import os

# before torch is imported, which reads it once
os.environ["OMP_NUM_THREADS"] = "1"
