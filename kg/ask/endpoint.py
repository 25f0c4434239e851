"""A remote SPARQL endpoint, queried by the protocol: one request, bounded in time and size."""

from __future__ import annotations

import time
from base64 import b64encode
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kg.ask.query import Answer, QueryTimeout, table_of
from kg.errors import InputError

LARGEST = 256 << 20
"""Largest answer that is read, in bytes."""

_TABLE = "application/sparql-results+json"
_GRAPH = "text/turtle"
_CHUNK = 1 << 16


def query_endpoint(url: str, query: str, *, seconds: float) -> Answer:
    """Answer a query at a remote endpoint.

    Args:
        url: Address of the endpoint, `http` or `https`.
        query: SPARQL 1.1.
        seconds: Time limit.

    Raises:
        InputError: If the endpoint cannot be reached, refuses, or answers with something else; or
            the time is over.
    """
    request, url = _request(url, query)
    until = time.monotonic() + seconds
    try:
        with build_opener(_SameHost).open(request, timeout=seconds) as response:
            kind = response.headers.get_content_type()
            content = _read(response, until, seconds)
    except HTTPError as error:
        said = error.read(500).decode(errors="replace").strip().splitlines()
        hint = said[0][:200] if said else "see the endpoint's own documentation"
        raise InputError(f"{url}: {error.code} {error.reason}", hint) from None
    except TimeoutError:
        raise QueryTimeout(seconds) from None
    except URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise QueryTimeout(seconds) from None
        raise InputError(
            f"{url}: cannot be reached ({error.reason})", "check address and network"
        ) from None
    except (HTTPException, OSError) as error:
        raise InputError(f"{url}: broke off ({error})", "try again") from None
    if kind == _GRAPH:
        return Answer(turtle=content.decode(errors="replace"))
    if "json" not in kind:
        raise InputError(f"{url}: answers with {kind}", f"it must offer {_TABLE} or {_GRAPH}")
    return table_of(content)


def _request(url: str, query: str) -> tuple[Request, str]:
    """The request, and its address for messages: without name, password and parameters."""
    parts = urlsplit(url)
    try:
        place = _place(parts)
    except ValueError:
        place = ""
    if parts.scheme not in ("http", "https") or not place:
        raise InputError("--endpoint: is no address", "write http://... or https://...")
    bare = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    headers = {"Accept": f"{_TABLE}, {_GRAPH};q=0.9", "User-Agent": "kgdx"}
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(known.encode()).decode()}"
    request = Request(bare, urlencode({"query": query}).encode(), headers)  # noqa: S310
    return request, _shown(bare)


def _place(parts: SplitResult) -> str:
    """Host and port."""
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port}" if parts.port is not None else host


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


class _SameHost(HTTPRedirectHandler):
    """Follows the endpoint within its own host, port and scheme; the query goes with it."""

    def redirect_request(  # noqa: PLR0913 - as urllib calls it
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise InputError(
                f"{_shown(req.full_url)}: sends the query on to {_shown(newurl)}, which is not "
                "followed",
                "name that address if you trust it",
            )
        return Request(newurl, req.data, req.headers)  # noqa: S310


def _read(response: object, until: float, seconds: float) -> bytes:
    """The body, within the time and size that are allowed."""
    content = bytearray()
    while chunk := response.read1(_CHUNK):  # type: ignore[attr-defined]
        content += chunk
        if time.monotonic() > until:
            raise QueryTimeout(seconds)
        if len(content) > LARGEST:
            raise InputError(f"the answer is larger than {LARGEST >> 20} MiB", "add LIMIT")
    return bytes(content)
