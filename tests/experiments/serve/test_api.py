"""JSON API: answers, evidence on request, exports, limits, and what is never in an answer."""

from __future__ import annotations

import io
import logging
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from experiments.serve import api
from experiments.serve.limits import Limits

CANARY = "CANARY"
REPORT = "FINDINGS: Large left pleural effusion. No pneumothorax."


def files(*given: tuple[str, bytes]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("pictures", one) for one in given]


def zipped(*given: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in given:
            archive.writestr(name, content)
    return buffer.getvalue()


def kept(client: TestClient) -> list[Path]:
    return list(client.app.state.served.studies.folder.iterdir())  # type: ignore[attr-defined]


def test_a_study_is_answered_and_gone(client: TestClient, picture: bytes) -> None:
    before = kept(client)
    answer = client.post(
        "/api/predict", data={"report": REPORT}, files=files((f"{CANARY}.png", picture))
    )
    assert answer.status_code == 200, answer.text
    findings = answer.json()["findings"]
    assert len(findings) == 11
    assert all(0 < one["certainty"]["probability"] < 1 for one in findings)
    assert not any(one["maps"] for one in findings)
    assert CANARY not in answer.text
    assert kept(client) == before


def test_evidence_is_measured_when_it_is_asked_for(client: TestClient, picture: bytes) -> None:
    made = client.post("/api/answers", files=files(("a.png", picture)))
    assert made.status_code == 201
    where = made.headers["location"]
    assert made.json()["measured"] == []
    question = {"findings": ["pleural effusion"], "evidence": True}
    asked = client.post(f"{where}/findings", json=question).json()
    assert asked["measured"] == ["ckg:pleural_effusion"]
    by = {one["finding"]: one for one in asked["findings"]}
    assert len(by) == 11
    assert by["ckg:pleural_effusion"]["maps"]
    assert not by["ckg:pneumonia"]["maps"]
    before = {one["finding"]: one["certainty"] for one in made.json()["findings"]}
    assert {name: one["certainty"] for name, one in by.items()} == before
    assert client.delete(where).status_code == 204
    assert client.get(where).status_code == 404


def test_a_finding_that_was_not_taught_is_answered_zero_shot(
    client: TestClient, picture: bytes
) -> None:
    found = client.get("/api/concepts", params={"term": "scolio"}).json()
    assert found[0]["label"].lower() == "scoliosis"
    assert found[0]["basis"] == "zero_shot"
    data = {"findings": f"{found[0]['id']}; pleural effusion"}
    answer = client.post("/api/predict", data=data, files=files(("a.png", picture))).json()
    assert {one["basis"] for one in answer["findings"]} == {"zero_shot", "trained"}


def test_completion_begins_with_the_names_that_begin_so(client: TestClient) -> None:
    found = client.get("/api/concepts", params={"term": "Pneumo"}).json()
    assert len(found) == 20
    assert found[0]["label"].lower().startswith("pneumo")
    assert {one["basis"] for one in found} >= {"trained", "zero_shot"}
    assert client.get("/api/concepts").json() == []


def test_exports(client: TestClient, tmp_path: Path, written: Any) -> None:
    pixels = np.random.default_rng(1).integers(0, 4000, (64, 64), dtype=np.uint16)
    uids = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "Modality": "DX"}
    path = written(tmp_path / f"{CANARY}.dcm", pixels, **uids)
    made = client.post("/api/answers", files=files((path.name, path.read_bytes())))
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    for kind in ("html", "json", "fhir.json"):
        file = client.get(f"{where}/export/{kind}")
        assert file.status_code == 200, file.text
        assert CANARY not in file.text
        assert str(client.app.state.served.studies.folder) not in file.text  # type: ignore[attr-defined]
    pytest.importorskip("highdicom")
    packed = client.get(f"{where}/export/dicom.zip")
    assert packed.status_code == 200, packed.text
    archive = zipfile.ZipFile(io.BytesIO(packed.content))
    assert archive.namelist()[0] == "report.dcm"
    assert not [one for one in archive.namelist() if CANARY.encode() in archive.read(one)]
    assert client.get(f"{where}/export/exe").status_code == 404


@pytest.mark.parametrize(
    ("data", "sent", "status", "says"),
    [
        ({}, [], 422, "nothing was sent"),
        ({"report": "x" * 100_001}, [], 413, "100001 letters"),
        ({"report": REPORT, "modality": "mri"}, [], 422, "mri"),
        ({"report": REPORT, "findings": "gibberish"}, [], 422, "no concept is called"),
        ({}, [(f"{CANARY}.png", b"no picture")], 422, "no study is left to read"),
        ({}, [(f"{CANARY}.zip", zipped(("a.png", b""))[:40])], 422, "damaged"),
        ({}, [("a.zip", zipped(*((f"{n}.png", b"") for n in range(601))))], 413, "600 files"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(
    client: TestClient, data: dict[str, str], sent: Any, status: int, says: str
) -> None:
    before = kept(client)
    answer = client.post("/api/predict", data=data, files=files(*sent) or None)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]
    assert CANARY not in answer.text
    assert "/tmp" not in answer.text
    assert kept(client) == before


def test_an_archive_cannot_unpack_to_more_than_its_limit(serving: Any, picture: bytes) -> None:
    bomb = zipped(("a.png", bytes(3 << 20)), ("b.png", bytes(3 << 20)))
    with serving(limits=Limits(unpacked=5, megabytes=1)) as client:
        assert len(bomb) < 1 << 20
        answer = client.post("/api/predict", files=files(("a.zip", bomb)))
        assert (answer.status_code, "5 megabytes" in answer.text) == (413, True)
        # a request without its length is counted as it comes
        part = b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\n'
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        pieces = (bytes(1 << 16) if place else part for place in range(20))
        flood = client.post("/api/predict", content=pieces, headers=kind)
        assert flood.status_code == 413
        assert client.post("/api/predict", content=bytes(2 << 20)).status_code == 413
        assert not kept(client)


def test_archives_are_studies(client: TestClient, picture: bytes) -> None:
    archive = zipped(
        (f"{CANARY}/../../../evil.png", picture),
        (f"{CANARY}/b.png", picture),
        (f"{CANARY}/c.png", picture[:-20] + bytes(20)),
        ("__MACOSX/._b.png", b"x"),
        ("report.txt", REPORT.encode()),
    )
    answer = client.post("/api/predict", files=files(("a.zip", archive)))
    assert answer.status_code == 200, answer.text
    assert CANARY not in answer.text
    assert [one["path"] for one in answer.json()["images"]] == ["picture-0001.png"]
    assert len(answer.json()["refused"]) == 1
    assert not (client.app.state.served.studies.folder.parent / "evil.png").exists()  # type: ignore[attr-defined]


def test_an_archive_of_slices_is_a_series(
    client: TestClient, tmp_path: Path, written: Any, picture: bytes
) -> None:
    members = [("film/a.png", picture)]
    for place in range(3):
        pixels = np.full((32, 32), 100 * place, np.uint16)
        position = {"ImagePositionPatient": [0, 0, place], "InstanceNumber": place + 1}
        image = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"}
        known = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": [1, 1]}
        same = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
        path = written(tmp_path / f"{place}", pixels, **position, **image, **known, **same)
        members.append((f"{CANARY}/{place}", path.read_bytes()))
    answer = client.post("/api/answers", files=files(("a.zip", zipped(*members))))
    assert answer.status_code == 201, answer.text
    folder = client.app.state.served.studies.folder / answer.json()["id"]  # type: ignore[attr-defined]
    series = [one for one in folder.iterdir() if one.is_dir()]
    assert [len(list(one.iterdir())) for one in series] == [3]
    assert CANARY not in answer.text


def test_the_oldest_answers_go_first(serving: Any, picture: bytes) -> None:
    with serving(limits=Limits(kept=2)) as client:
        made = [client.post("/api/answers", files=files(("a.png", picture))) for _ in range(3)]
        found = [client.get(one.headers["location"]).status_code for one in made]
        assert found == [404, 200, 200]
        assert len(kept(client)) == 2
        folder = client.app.state.served.studies.folder
    assert not folder.exists()


def test_nothing_of_a_study_is_logged(
    client: TestClient, picture: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        client.post(
            "/api/predict",
            data={"report": f"Name: {CANARY}. {REPORT}", "findings": CANARY},
            files=files((f"{CANARY}.png", picture)),
        )
    assert not [one for one in caplog.messages if CANARY in one and "httpx" not in one]


def test_a_failure_of_ours_is_logged_by_its_kind_alone(
    client: TestClient,
    picture: bytes,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(answer: Any) -> None:
        raise ValueError(CANARY)

    before = kept(client)
    monkeypatch.setattr(api, "plain", fails)
    answer = client.post("/api/predict", files=files(("a.png", picture)))
    assert (answer.status_code, answer.json()["hint"]) == (500, "report it")
    assert "a request failed: ValueError" in caplog.text
    assert CANARY not in caplog.text + answer.text
    assert kept(client) == before


def test_a_client_that_goes_leaves_nothing(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    begins = b'--x\r\nContent-Disposition: form-data; name="pictures"; filename="a"\r\n\r\nhalf'
    messages = [
        {"type": "http.request", "body": begins, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    kind = (b"content-type", b"multipart/form-data; boundary=x")
    scope = {"type": "http", "method": "POST", "path": "/api/predict", "query_string": b""}
    scope |= {"headers": [(b"host", b"127.0.0.1"), kind], "root_path": ""}
    before = kept(client)
    assert client.portal is not None
    client.portal.call(client.app, scope, receive, send)
    assert (sent, messages, caplog.messages) == ([], [], [])
    assert kept(client) == before


def test_the_document_names_every_route_of_the_api(client: TestClient) -> None:
    document = client.get("/api/openapi.json").json()
    named = {
        (path, method.upper())
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    routes: list[Route] = api.ROUTES
    there = {
        (f"/api{one.path}", how) for one in routes for how in (one.methods or ()) if how != "HEAD"
    }
    assert named == there


def test_a_question_must_be_one(client: TestClient, picture: bytes) -> None:
    where = client.post("/api/answers", files=files(("a.png", picture))).headers["location"]
    bodies: list[Any] = [[], {}, {"findings": []}, {"findings": "edema"}, {"findings": [1]}]
    for body in (*bodies, {"findings": ["edema"], "evidence": "yes"}, "[" * 100_000):
        answer = client.post(f"{where}/findings", json=body)
        assert (answer.status_code, answer.json()["error"]) == (422, "the question cannot be read")
