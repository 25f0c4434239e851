"""Protection of a server: hosts, other sites, the token, the size of requests, policy, log.

The policy of a page (Content-Security-Policy) allows what the page holds, by its hash, and what the
server itself serves; nothing of a network.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from experiments.serve.limits import Limits
from experiments.serve.refused import Refused
from experiments.serve.replies import refusal
from experiments.serve.upload import MEGABYTE

__all__ = ["COOKIE", "Guard", "key_of", "page_policy"]

log = logging.getLogger(__name__)

COOKIE = "kgdx"
OPEN = ("/sign-in", "/static/serve.css", "/static/page.css", "/favicon.ico")
"""Paths that are served without the token."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_INLINE = re.compile(r"<(script|style)(?: id=\"\w+\")?>(.*?)</\1>", re.DOTALL)


def page_policy(page: str, further_styles: tuple[str, ...] = ()) -> str:
    """Content-Security-Policy of a page with the scripts and styles that it holds.

    Args:
        page: The page.
        further_styles: Style sheets that its scripts add.
    """
    hashes: dict[str, str] = {"script": "", "style": ""}
    found = [*_INLINE.findall(page), *(("style", text) for text in further_styles)]
    for kind, text in found:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind] += f" 'sha256-{digest}'"
    return (
        "default-src 'none'; img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; "
        f"script-src 'self'{hashes['script']}; style-src 'self'{hashes['style']}"
    )


def key_of(token: str) -> str:
    """What the cookie of a signed-in browser holds instead of the token itself."""
    return hmac.new(token.encode(), b"kgdx serve", "sha256").hexdigest()


class Guard:
    """Checks each request before anything reads it, and adds the headers of each response.

    Args:
        app: The application.
        hosts: Names that the server answers to; empty = any.
        token: Token that requests need; empty = none.
        limits: Limits of the server.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...], token: str, limits: Limits) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token
        self._most = limits.megabytes * MEGABYTE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", page_policy(""))
            await send(message)

        try:
            self._check(scope, Headers(scope=scope))
            await self._app(scope, self._counted(receive), send_with_headers)
        except Refused as refused:
            await refusal(scope, refused)(scope, receive, send_with_headers)
        except ClientDisconnect:
            return
        except Exception as error:
            # by its kind alone: its words may be those of a study
            log.error("a request failed: %s", type(error).__name__)
            if not begun:
                failed = Refused(500, "the server has failed at this", "report it")
                await refusal(scope, failed)(scope, receive, send_with_headers)

    def _counted(self, receive: Receive) -> Receive:
        """Receive that ends at the largest size of a request, whatever its header says."""
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._most:
                raise self._too_large()
            return message

        return counted

    def _check(self, scope: Scope, headers: Headers) -> None:
        """Raise for a request that is not for this server, not signed in, or too large."""
        host = headers.get("host", "").rsplit(":", 1)[0].strip("[]")
        if self._hosts and host not in self._hosts:
            raise Refused(421, "this server does not answer to that name", "use its own address")
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "the request comes from another site", "use the pages of the server")
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self._most:
            raise self._too_large()
        if self._token and scope["path"] not in OPEN and not self._signed_in(headers):
            raise Refused(401, "a token is needed", "sign in, or send Authorization: Bearer TOKEN")

    def _signed_in(self, headers: Mapping[str, str]) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        bearer = kind.lower() == "bearer" and _same(token, self._token)
        return bearer or _same(cookie, key_of(self._token))

    def _too_large(self) -> Refused:
        return Refused(
            413, f"a request of more than {self._most // MEGABYTE} megabytes is not read"
        )


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
