"""Protection: token, host, other sites, policies of pages; and the command that starts a server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from experiments.cli.main import main
from experiments.serve.security import page_policy

TOKEN = "a-token-of-twenty-four-x"


def test_a_server_with_a_token_answers_to_its_holder_alone(serving: Any) -> None:
    with serving(token=TOKEN) as client:
        for path in ("/", "/api/model", "/graph", "/answers/x", "/static/answer.js"):
            assert client.get(path).status_code == 401
        assert client.get("/api/model").json()["error"] == "a token is needed"
        wrong = {"Authorization": "Bearer something-else"}
        assert client.get("/api/model", headers=wrong).status_code == 401
        right = {"Authorization": f"Bearer {TOKEN}"}
        assert client.get("/api/model", headers=right).status_code == 200
        assert client.post("/sign-in", data={"token": "no"}).status_code == 401
        assert client.get("/").status_code == 401
        signed = client.post("/sign-in", data={"token": TOKEN}, follow_redirects=False)
        assert signed.status_code == 303
        cookie = signed.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get("/").status_code == 200


def test_other_hosts_and_other_sites_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "elsewhere.example:80"}).status_code == 421
    for site in ("cross-site", "same-site"):
        other = {"Sec-Fetch-Site": site}
        assert client.post("/api/predict", headers=other).status_code == 403
    assert client.post("/api/predict", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 422


@pytest.mark.parametrize("path", ["/", "/api", "/graph", "/sign-in", "/nowhere"])
def test_pages_refer_to_nothing_on_a_network_and_hold_nothing_that_their_policy_refuses(
    client: TestClient, path: str
) -> None:
    shown = client.get(path)
    policy = shown.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    checked(shown.text, policy)


def checked(page: str, policy: str) -> None:
    assert not re.search(r"(?:src|href|action)=\"?(?:https?:)?//", page)
    assert not re.search(r"<[^>]+\s(?:style|on\w+)=", re.sub(r"(?s)<script.*?</script>", "", page))
    assert page_policy(page).partition("script-src")[2].split(";")[0] in policy


def test_an_answer_obeys_its_policy(client: TestClient, picture: bytes) -> None:
    data = {"report": "FINDINGS: The heart is large. Clear <script>lungs</script>."}
    shown = client.post("/answers", data=data, files=[("pictures", ("a.png", picture))])
    assert shown.status_code == 200
    checked(shown.text, shown.headers["content-security-policy"])
    (link,) = re.findall(r'href="([^"]+)" data-evidence', shown.text)[:1]
    measured = client.get(link.replace("&amp;", "&"))
    assert 'class="map"' in measured.text
    checked(measured.text, measured.headers["content-security-policy"])
    study = shown.url.path
    asked = client.get(study, params={"study": "", "finding": "scoliosis"})
    assert "Not taught" in asked.text
    beside = f"/answers?beside={study.split('/')[-1]}"
    second = client.post(beside, files=[("pictures", ("b.png", picture))])
    assert second.text.count('class="study"') == 2
    assert client.post(f"{second.url.path}/forget").url.path == "/"
    assert client.get(study).status_code == 404


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--host", "0.0.0.0"], "no token is set"),
        (["--token-file", "{short}"], "the fewest"),
        ([], "nowhere"),
    ],
)
def test_the_command_says_what_is_wrong(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "token"
    short.write_text("short\n")
    given = [word.format(short=short) for word in words]
    assert main(["serve", "--run", "nowhere", "--runs", str(tmp_path), *given]) == 3
    assert says in capsys.readouterr().err
