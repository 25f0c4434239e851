"""Where a remote endpoint may send a query, and what of its address may be shown."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kg.ask.endpoint import query_endpoint
from kg.errors import InputError

YES = b'{"head": {}, "boolean": true}'
Serve = Callable[[dict[str, tuple[int, str]]], str]


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    """Path and authorization of each request that arrived."""
    return []


@pytest.fixture
def serve(asked: list[tuple[str, str]]) -> Iterator[Serve]:
    """Serves answers by path: a status, and where a redirection leads."""
    running = []

    def begin(answers: dict[str, tuple[int, str]]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                asked.append((self.path, self.headers.get("Authorization", "")))
                status, place = answers.get(self.path.partition("?")[0], (200, ""))
                self.send_response(status)
                if place:
                    self.send_header("Location", place)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(YES)

            do_GET = do_POST  # noqa: N815 - as the library calls it

            def log_message(self, *_: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield begin
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_another_host_is_not_asked(serve: Serve, asked: list[tuple[str, str]], status: int) -> None:
    other = serve({})
    port = other.rpartition(":")[2]
    for place in (f"http://{other}/x", f"http://localhost:{port}/x", f"//{other}/x"):
        here = serve({"/a": (status, place)})
        with pytest.raises(InputError, match="not followed") as caught:
            query_endpoint(f"http://{here}/a", "ASK {}", seconds=10)
        assert port in str(caught.value)
    assert {path for path, _ in asked} == {"/a"}


@pytest.mark.parametrize("place", ["https://{}/b", "file:///etc/passwd", "ftp://{}/b"])
def test_another_scheme_is_not_followed(serve: Serve, place: str) -> None:
    answers: dict[str, tuple[int, str]] = {}
    here = serve(answers)
    answers["/a"] = 307, place.format(here)
    with pytest.raises(InputError):
        query_endpoint(f"http://{here}/a", "ASK {}", seconds=10)


@pytest.mark.parametrize("status", [302, 307, 308])
def test_the_same_host_is_asked_again(
    serve: Serve, asked: list[tuple[str, str]], status: int
) -> None:
    here = serve({"/a": (status, "/b")})
    assert query_endpoint(f"http://{here}/a", "ASK {}", seconds=10).yes is True
    assert [path for path, _ in asked] == ["/a", "/b"]


def test_name_and_password_are_sent_and_never_shown(
    serve: Serve, asked: list[tuple[str, str]]
) -> None:
    here = serve({"/no": (403, ""), "/on": (307, "http://example.org/x")})
    known = f"http://annabel:s%40cret@{here}"
    assert query_endpoint(f"{known}/a?key=tok3n", "ASK {}", seconds=10).yes is True
    kind, _, sent = asked[0][1].partition(" ")
    assert (kind, base64.b64decode(sent).decode()) == ("Basic", "annabel:s@cret")
    closed = "http://annabel:s%40cret@127.0.0.1:1/a?key=tok3n"
    wrong = "http://annabel:s%40cret@127.0.0.1:port/a?key=tok3n"
    for url in (f"{known}/no?key=tok3n", f"{known}/on?key=tok3n", closed, wrong, f"ftp{known}"):
        with pytest.raises(InputError) as caught:
            query_endpoint(url, "ASK {}", seconds=10)
        for secret in ("s%40cret", "s@cret", "tok3n", "annabel"):
            assert secret not in str(caught.value)
