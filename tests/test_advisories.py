"""The check of installed packages fails for a vulnerable one alone, and never without an index."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci/advisories.py"
SOUND = {"name": "numpy", "version": "2.0.0", "vulns": []}
UNKNOWN = {"name": "scipy", "skip_reason": "not found"}
VULNERABLE = {
    "name": "pillow",
    "version": "12.0.0",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["12.2.0"]}],
}
BEYOND_MENDING = {
    "name": "torch",
    "version": "2.10.0",
    "vulns": [{"id": "PYSEC-2026-2", "fix_versions": []}],
}


@pytest.fixture
def checked(tmp_path: Path, processes: Any) -> Any:
    """The check beside an audit that gives an answer; None = it breaks off without one."""
    python = tmp_path / "python"
    python.symlink_to(sys.executable)

    def check(answer: object) -> Any:
        writes = (
            ""
            if answer is None
            else f"""
path = next(word for word in sys.argv if word.startswith("--output=")).partition("=")[2]
open(path, "w").write({json.dumps({"dependencies": answer})!r})
"""
        )
        audit = tmp_path / "pip-audit"
        audit.write_text(f"#!{shutil.which(sys.executable)}\nimport sys\n{writes}\nsys.exit(1)\n")
        audit.chmod(0o755)
        return processes.run(python, SCRIPT)

    return check


@pytest.mark.parametrize("answer", [None, [], [UNKNOWN]])
def test_without_an_index_one_line_says_so(checked: Any, answer: object) -> None:
    done = checked(answer)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 1
    assert "nothing was checked" in done.stderr


def test_sound_packages_pass(checked: Any) -> None:
    done = checked([SOUND, UNKNOWN])
    assert (done.returncode, done.stderr) == (0, "advisories: 0 of 1 packages are vulnerable\n")


def test_every_vulnerability_is_named_with_its_remedy(checked: Any) -> None:
    done = checked([SOUND, VULNERABLE, BEYOND_MENDING])
    assert done.returncode == 1
    assert "pillow 12.0.0: PYSEC-2026-1, mended in 12.2.0" in done.stderr
    assert "torch 2.10.0: PYSEC-2026-2, mended in no version yet" in done.stderr
    assert "2 of 3" in done.stderr
