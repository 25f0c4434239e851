from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from encoders.study import Study
from experiments.config.schema import SplitSection
from experiments.datasets._pictures import draw
from experiments.datasets.folder import Folder
from experiments.splits.manifest import make_manifest, official_subsets
from kg.errors import InputError

RNG = np.random.default_rng(0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for place in (
        "Pneumonia/a.png",
        "no finding/b.jpg",
        "Edema + Effusion/patient 7/front.png",
        "Edema + Effusion/patient 7/side.png",
        "Edema + Effusion/patient 7/2021-03-02/front.png",
        "not Pneumonia/patient 7/c.png",
        "_aside/d.png",
        ".cache/e.png",
    ):
        draw(tmp_path / place, RNG)
    (tmp_path / "Pneumonia/a.txt").write_text("FINDINGS: Opacity.\nIMPRESSION: Pneumonia.")
    (tmp_path / "Pneumonia/a.dialogue.txt").write_text("Patient: I cough.\nDoctor: Fever?")
    (tmp_path / "Edema + Effusion/patient 7/report.txt").write_text("Large heart.")
    (tmp_path / "kg").mkdir()
    (tmp_path / "kg/notes.md").write_text("nothing to read")
    (tmp_path / "runs.csv").write_text("a,b\n")
    return tmp_path


def studies(root: Path, **options: object) -> dict[str, Study]:
    folder = Folder(Folder.Options(**options))  # type: ignore[arg-type]
    return {study.study: study for study in folder.studies(root, labels="own")}


def test_the_folders_of_the_module_are_read(root: Path) -> None:
    found = studies(root)
    assert set(found) == {
        "Pneumonia/a",
        "no finding/b",
        "Edema + Effusion/patient 7",
        "Edema + Effusion/patient 7/2021-03-02",
        "not Pneumonia/patient 7",
    }
    alone = found["Pneumonia/a"]
    assert [(p.name, p.text) for p in alone.report] == [
        ("findings", "Opacity."),
        ("impression", "Pneumonia."),
    ]
    assert [turn.name for turn in alone.dialogue] == ["patient", "doctor"]
    assert (alone.patient, alone.stated) == ("Pneumonia/a", {"ckg:pneumonia": "present"})
    both = found["Edema + Effusion/patient 7"]
    assert [Path(image.path).name for image in both.images] == ["front.png", "side.png"]
    assert both.report[0].text == "Large heart."
    assert both.stated == {"ckg:pulmonary_edema": "present", "ckg:pleural_effusion": "present"}
    assert found["not Pneumonia/patient 7"].stated == {"ckg:pneumonia": "absent"}
    assert {s.patient for name, s in found.items() if "patient 7" in name} == {"patient 7"}


def test_options_say_what_folders_cannot(root: Path) -> None:
    study = studies(root, modality="ct", view="axial")["Pneumonia/a"]
    assert (study.images[0].modality, study.images[0].view) == ("ct", "axial")
    folder = Folder(Folder.Options(label_source=("image",), exclusive=True))
    assert folder.label_choices[0].origin == ("image",)
    label_set = folder.label_set(root, "own")
    assert label_set.exclusive
    assert label_set.no_finding == "ckg:no_finding"
    assert set(label_set.findings) == {
        "ckg:no_finding",
        "ckg:pleural_effusion",
        "ckg:pneumonia",
        "ckg:pulmonary_edema",
    }


def test_a_folder_that_names_no_finding_is_named(root: Path) -> None:
    draw(root / "Pnuemonia" / "x.png", RNG)
    with pytest.raises(InputError, match="the folder 'Pnuemonia' holds images") as error:
        studies(root)
    assert "neumonia" in error.value.hint
    assert "begin its name with _" in error.value.hint


def test_parts_are_an_official_split_and_never_part_a_patient(tmp_path: Path) -> None:
    folder = Folder()
    for part in ("train", "validation", "test"):
        assert official_subsets(folder, tmp_path) == {}
        draw(tmp_path / part / "Pneumonia" / f"{part}.png", RNG)
        draw(tmp_path / part / "no finding" / f"p-{part}" / "x.png", RNG)
    found = folder.studies(tmp_path, labels="own")
    official = official_subsets(folder, tmp_path)
    split = SplitSection(kind="official")
    manifest = make_manifest(found, split, dataset="folder", official=official)
    assert manifest.assignments["test/Pneumonia/test"] == "test"
    assert len(manifest.studies("validation")) == 2
    draw(tmp_path / "test" / "Pneumonia" / "p-train" / "y.png", RNG)
    found = folder.studies(tmp_path, labels="own")
    official = official_subsets(folder, tmp_path)
    with pytest.raises(InputError, match="leakage: .*group p-train"):
        make_manifest(found, split, dataset="folder", official=official)
