"""Prepared copies under a key: no text, sealed names, and use by the key's holder alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.datasets.folder import Folder
from experiments.datasets.table import Table
from experiments.preparation.copy import PreparedCopy
from experiments.preparation.image_scan import JOURNAL
from experiments.preparation.open_dataset import OpenDataset
from experiments.preparation.plan import Plan
from experiments.preparation.prepare import prepare
from experiments.privacy.pseudonyms import KEY
from kg.errors import InputError

PLAN = Plan(side=32, shards=2, duplicates="list")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Table().tiny(tmp_path / "table")
    return tmp_path / "table"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "a key of some length")


def copy_of(root: Path, out: Path, plan: Plan = PLAN) -> OpenDataset:
    prepare("table", Table(), root, out, plan=plan)
    return OpenDataset.open("table", Table(), out)


@pytest.mark.usefixtures("key")
def test_the_keys_holder_reads_the_same_studies_without_text(root: Path, tmp_path: Path) -> None:
    opened = copy_of(root, tmp_path / "out")
    raw = Table().studies(root, labels="own")
    assert [(one.study, one.patient, one.images) for one in opened.studies] == [
        (one.study, one.patient, one.images) for one in raw
    ]
    assert any(one.report for one in raw)
    assert not any(one.report for one in opened.studies)
    assert opened.root == root.resolve()
    copy = opened.copy
    assert copy is not None
    assert copy.store is not None
    paths = [image.path for one in raw for image in one.images]
    assert (copy.store.rows(paths) >= 0).all()
    assert set(copy.store.hashes) == set(paths)
    assert not prepare("table", Table(), root, tmp_path / "out", plan=PLAN).changed


@pytest.mark.usefixtures("key")
def test_a_run_that_reads_text_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="were left out") as caught:
        copy_of(root, tmp_path / "out").check_text()
    assert "--free-text" in caught.value.hint
    copy_of(root, tmp_path / "all", Plan(text="all", duplicates="list")).check_text()
    OpenDataset.open("table", Table(), root).check_text()


@pytest.mark.usefixtures("key")
def test_studies_that_have_no_text_lack_none(root: Path, tmp_path: Path) -> None:
    kept = [line for line in (root / "studies.csv").read_text().splitlines()]
    cells = [line.split(",") for line in kept]
    (root / "studies.csv").write_text("\n".join(",".join((*c[:3], *c[4:])) for c in cells) + "\n")
    opened = copy_of(root, tmp_path / "out")
    opened.check_text()
    assert opened.copy is not None
    assert not opened.copy.record["warnings"]


def test_text_is_written_where_it_is_asked_for(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {}
    for place, secret in (("open", ""), ("asked", "a key of some length")):
        if secret:
            monkeypatch.setenv(KEY, secret)
        else:
            monkeypatch.delenv(KEY, raising=False)
        opened = copy_of(root, tmp_path / place, Plan(text="all", duplicates="list"))
        texts[place] = [one.report for one in opened.studies]
    assert texts["open"] == texts["asked"]
    assert any(texts["open"])
    monkeypatch.delenv(KEY)
    bare = copy_of(root, tmp_path / "bare", Plan(text="none", duplicates="list"))
    assert not any(one.report for one in bare.studies)


def test_others_cannot_read_it(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, "a key of some length")
    copy_of(root, tmp_path / "out")
    copy = PreparedCopy.find(tmp_path / "out")
    assert copy is not None
    for secret, message in (
        ("", "set KGDX_PSEUDONYM_KEY"),
        ("a second key, as long", "another key"),
    ):
        if secret:
            monkeypatch.setenv(KEY, secret)
        else:
            monkeypatch.delenv(KEY)
        for use in (lambda: list(copy.studies), lambda: copy.raw, lambda: copy.store._rows):
            with pytest.raises(InputError, match=message):
                use()


def test_a_copy_made_without_a_key_is_made_anew_under_one(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.delenv(KEY, raising=False)
    copy_of(root, out)
    assert "pictures/0.png" in (out / JOURNAL).read_text()
    for secret in ("a key of some length", "another key of some length"):
        monkeypatch.setenv(KEY, secret)
        assert prepare("table", Table(), root, out, plan=PLAN).changed
        assert list(PreparedCopy.find(out).studies)  # type: ignore[union-attr]
        for path in out.rglob("*.*"):
            assert b"pictures/0.png" not in path.read_bytes()
            assert b"Enlarged heart" not in path.read_bytes()


def test_folders_are_named_by_pseudonyms_in_their_split_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Folder().tiny(tmp_path)
    monkeypatch.setenv(KEY, "a key of some length")
    studies = {one.study: one.patient for one in Folder().studies(tmp_path, labels="own")}
    assert set(Folder().official_split(tmp_path)) == set(studies)
    assert "made-up" not in str(studies)
    assert "patient" not in str(studies)
