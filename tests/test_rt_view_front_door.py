from __future__ import annotations

import http.client
import socket

import pytest

pytest.importorskip("viser")

import numpy as np
import viser
import zstandard
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kilohertz.rt.view.front_door import open_server

pytestmark = pytest.mark.host

TOKEN = "0123456789abcdef-token"
PROTOCOL = f"viser-v{viser.__version__}"


@pytest.fixture(scope="module")
def port():
    server = open_server("127.0.0.1", 0, TOKEN, "test")
    yield server.get_port()
    server.stop()


def get(port, path="/", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(
        "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer, body


def cookie_of(port):
    answer, _ = get(port, f"/?token={TOKEN}")
    return answer.getheader("Set-Cookie")


def test_without_the_token_the_page_is_closed(port):
    for path in ("/", "/?token=", "/?token=wrong", f"/?token={TOKEN}x", f"/?Token={TOKEN}"):
        answer, body = get(port, path)
        assert answer.status == 403, path
        assert b"token" in body
        assert answer.getheader("Set-Cookie") is None


def test_with_the_token_the_page_opens_and_gives_a_cookie_that_opens_it_too(port):
    answer, body = get(port, f"/?token={TOKEN}")
    assert answer.status == 200
    assert b"<html" in body.lower()
    cookie = answer.getheader("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert get(port, Cookie=cookie.split(";")[0])[0].status == 200
    assert get(port, Cookie=cookie.split("=")[0] + "=wrong")[0].status == 403


def test_a_name_that_leads_here_from_elsewhere_is_refused(port):
    assert get(port, f"/?token={TOKEN}", Host="evil.example.org")[0].status == 403
    assert get(port, f"/?token={TOKEN}", Host="")[0].status == 403
    assert get(port, f"/?token={TOKEN}", Host=f"localhost:{port}")[0].status == 200


def opened(port, origin, **headers):
    return connect(
        f"ws://127.0.0.1:{port}/",
        origin=origin,
        additional_headers=headers,
        subprotocols=[PROTOCOL],
        open_timeout=30,
    )


@pytest.mark.parametrize("origin", ["http://evil.example.org", "http://127.0.0.1:1", "null", None])
def test_another_site_cannot_connect_with_the_users_cookie(port, origin):
    with pytest.raises(InvalidStatus) as caught:
        opened(port, origin, Cookie=cookie_of(port).split(";")[0])
    assert caught.value.response.status_code == 403


def test_the_page_itself_can_connect_and_without_its_cookie_not(port):
    origin = f"http://127.0.0.1:{port}"
    with opened(port, origin, Cookie=cookie_of(port).split(";")[0]) as connection:
        assert connection.recv(timeout=30)
    with pytest.raises(InvalidStatus):
        opened(port, origin)


def test_only_the_loopback_address_is_bound(port):
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip("this computer has no other address")
    with pytest.raises(ConnectionError), socket.create_connection((own, port), timeout=5):
        pass


def test_nothing_is_printed_and_the_tunnel_to_the_internet_is_closed(capsys):
    server = open_server("127.0.0.1", 0, TOKEN, "test")
    assert server.request_share_url() is None
    server.stop()
    assert "http" not in capsys.readouterr().out


def test_servers_that_are_opened_elsewhere_are_not_changed():
    import websockets.asyncio.server

    before = websockets.asyncio.server.serve
    open_server("127.0.0.1", 0, TOKEN, "test").stop()
    assert websockets.asyncio.server.serve is before


def test_a_page_that_never_reads_holds_up_neither_the_others_nor_the_memory():
    server = open_server("127.0.0.1", 0, TOKEN, "test")
    port = server.get_port()
    cookie = cookie_of(port).split(";")[0]
    points = np.zeros((20_000, 3), np.float32)
    drawn = server.scene.add_mesh_simple("/mesh", points, np.array([[0, 1, 2]], np.uint32))
    marked = server.gui.add_markdown("begin")
    with (
        opened(port, f"http://127.0.0.1:{port}", Cookie=cookie),
        opened(port, f"http://127.0.0.1:{port}", Cookie=cookie) as reader,
    ):
        for number in range(100):
            # 24 MB, of which the system holds a few for a page that does not read.
            drawn.vertices = points + np.float32(number)
            marked.content = f"number {number} is here"
        received = b""
        while b"number 99 is here" not in received:
            frame = reader.recv(timeout=60)
            size = int.from_bytes(frame[8:16], "little")
            received = zstandard.ZstdDecompressor().decompress(frame[16 : 16 + size])
        assert len(server._websock_server._broadcast_buffer.message_from_id) < 50
    server.stop()
