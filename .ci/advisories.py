"""Check of the installed packages against the advisories of the package index.

Ends with 1 where one of them has a known vulnerability. Where the index cannot be asked, or gives
no advisories, one line says so and nothing fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_AUDIT = ("--local", "--skip-editable", "--progress-spinner=off", "--timeout=10", "--format=json")


def main() -> int:
    """Ask for advisories and say what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        command = [str(Path(sys.executable).with_name("pip-audit")), *_AUDIT, f"--output={answer}"]
        subprocess.run(command, capture_output=True, check=False)
        # without an index there is no answer: the audit itself ends with an error then
        found = json.loads(answer.read_text()) if answer.is_file() else {"dependencies": []}
    return _told([one for one in found["dependencies"] if "vulns" in one])


def _told(audited: list[dict[str, Any]]) -> int:
    """Print the result for the packages that the index knows advisories of, or none."""
    if not audited:
        sys.stderr.write("advisories: the package index gives none here, nothing was checked\n")
        return 0
    for package in audited:
        for one in package["vulns"]:
            mended = ", ".join(one["fix_versions"]) or "no version yet"
            what = f"{package['name']} {package['version']}: {one['id']}, mended in {mended}"
            sys.stderr.write(f"{what}\n")
    vulnerable = sum(bool(package["vulns"]) for package in audited)
    sys.stderr.write(f"advisories: {vulnerable} of {len(audited)} packages are vulnerable\n")
    return int(vulnerable > 0)


if __name__ == "__main__":
    sys.exit(main())
