"""Keep libraries from repeating what a file says: their logs and warnings may quote who it is of.

Importing this is enough. A filter for one library and not `warnings.catch_warnings`, which is not
safe in threads.
"""

from __future__ import annotations

import logging
import warnings

LIBRARIES = ("PIL", "pydicom", "tifffile", "nibabel", "libav")

for _name in LIBRARIES:
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)
    # pydicom sets its own level when it is imported, a filter stays
    logging.getLogger(_name).addFilter(lambda _: False)
    warnings.filterwarnings("ignore", module=rf"{_name}\b")
