"""A remote SPARQL endpoint, asked by the protocol: one request, bounded in time and size."""

from __future__ import annotations

import time
from http.client import HTTPException
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from kg.ask.query import Answer, QueryTimeout, table_of
from kg.errors import InputError

LARGEST = 256 << 20
"""Bytes of the largest answer that is read."""

_TABLE = "application/sparql-results+json"
_GRAPH = "text/turtle"
_CHUNK = 1 << 16


def query_endpoint(url: str, query: str, *, seconds: float) -> Answer:
    """Answer a query at a remote endpoint.

    Args:
        url: Address of the endpoint, `http` or `https`.
        query: SPARQL 1.1.
        seconds: Longest that it may take.

    Raises:
        InputError: If the endpoint cannot be reached, refuses, or answers with something else; or
            time is up.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"{url}: is no address of an endpoint", "write http://... or https://...")
    request = Request(  # noqa: S310
        url,
        data=urlencode({"query": query}).encode(),
        headers={"Accept": f"{_TABLE}, {_GRAPH};q=0.9", "User-Agent": "kgdx"},
    )
    until = time.monotonic() + seconds
    try:
        with urlopen(request, timeout=seconds) as response:  # noqa: S310
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
