"""The cockpit's web server: viser, behind a check of who asks.

Whoever can open the page can move the robot. So each request needs the secret token of this server, which the
address that `khz view` prints contains; a cookie carries it from then on. A page of another site in the same
browser cannot connect either: the browser states the site in the header `Origin`, which must be this server.
The header `Host` must be a name of this computer or the address that the server was bound to, so that a name
that someone else controls cannot lead here.
"""

from __future__ import annotations

import contextlib
import hmac
import io
import ipaddress
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from websockets.asyncio.server import ServerConnection
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

if TYPE_CHECKING:
    import viser

LARGEST_MESSAGE = 1 << 20
_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_REFUSAL = "Open the address that the command printed: it contains a token, which this page needs.\n"
_starting = threading.Lock()

Answer: TypeAlias = "Response | None"


class FrontDoor:
    """Decides which requests reach the cockpit.

    Args:
        host: address that the server is bound to.
        token: the secret token.
    """

    def __init__(self, host: str, token: str) -> None:
        self._names = {*_LOCAL_NAMES, f"[{host}]" if ":" in host else host}
        self._any_name = ipaddress.ip_address(host).is_unspecified
        self._token = token

    def refusal(self, request: Request) -> Answer:
        """Returns the answer to a request that is refused; None to let it pass."""
        host = request.headers.get("Host", "")
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "80")
        if not port.isdecimal() or not (self._any_name or name in self._names):
            return _refused("This is not an address of the cockpit.\n")
        origin = request.headers.get("Origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return _refused("Another site may not use the cockpit.\n")
        if origin is None and "websocket" in request.headers.get("Upgrade", "").lower():
            return _refused("A connection without an Origin may not use the cockpit.\n")
        given = self._in_cookie(request, port) or _in_address(request)
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return _refused(_REFUSAL)
        return None

    def _in_cookie(self, request: Request, port: str) -> str:
        for line in request.headers.get_all("Cookie"):
            for pair in line.split(";"):
                key, _, value = pair.strip().partition("=")
                if key == _cookie(port) and hmac.compare_digest(value.encode(), self._token.encode()):
                    return str(value)
        return ""

    def welcome(self, request: Request, answer: Answer) -> Answer:
        """Adds the cookie, and headers that keep the token and the page to themselves, to an answer."""
        if answer is not None:
            port = request.headers.get("Host", "").rpartition(":")[2]
            answer.headers["Set-Cookie"] = f"{_cookie(port)}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            answer.headers["Referrer-Policy"] = "no-referrer"
            answer.headers["X-Frame-Options"] = "DENY"
        return answer


def _cookie(port: str) -> str:
    # Cookies do not tell ports of a host apart.
    return f"kilohertz-{port if port.isdecimal() else '80'}"


def _in_address(request: Request) -> str:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)
    return str(query.get("token", [""])[0])


def _refused(text: str) -> Response:
    body = text.encode()
    headers = Headers({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
    return Response(HTTPStatus.FORBIDDEN, "Forbidden", headers, body)


def open_server(host: str, port: int, token: str, title: str) -> viser.ViserServer:
    """Starts the web server.

    Args:
        host: IP address to bind.
        port: port; if it is in use, the next free one. 0 lets the system choose.
        token: the secret token.
        title: title of the page.

    Returns:
        The server; only requests that pass the front door reach it.
    """
    # Imported here, because other servers are behind this door, too.
    import viser

    door = FrontDoor(host, token)
    # viser prints its own address, without the token, whatever it is told.
    with _starting, _every_server_behind(door), contextlib.redirect_stdout(io.StringIO()):
        server = viser.ViserServer(host=host, port=port, label=title, verbose=False)
    # Without its tunnel, through which a page could make itself reachable from the Internet.
    server.request_share_url = lambda verbose=True: None
    return server


def guarded(serve: Callable[..., Any], door: FrontDoor) -> Callable[..., Any]:
    """Returns a function that opens a server as `serve` of websockets does, but behind a door.

    Args:
        serve: opens a server; its option `process_request` answers requests.
        door: decides which requests reach the server.
    """

    def serve_guarded(*arguments: Any, **options: Any) -> Any:
        inner: Callable[[ServerConnection, Request], Answer] = options["process_request"]

        def process_request(connection: ServerConnection, request: Request) -> Answer:
            return door.refusal(request) or door.welcome(request, inner(connection, request))

        limited = options | {"process_request": process_request, "max_size": LARGEST_MESSAGE}
        return serve(*arguments, **limited)

    return serve_guarded


@contextmanager
def _every_server_behind(door: FrontDoor) -> Iterator[None]:
    """Puts the door in front of the server that viser opens; viser has no option for this."""
    import viser.infra._infra as viser_infra

    servers = viser_infra.websockets.asyncio.server
    serve = servers.serve
    servers.serve = guarded(serve, door)
    try:
        yield
    finally:
        servers.serve = serve
