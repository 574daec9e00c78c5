"""Files by URL: only from the public internet, whatever redirects and DNS say."""

import asyncio
import ipaddress
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from gateway_world import picture

from paddlex_triton.gateway.errors import ApiError
from paddlex_triton.gateway.fetching import Fetcher, is_public

LIMIT = 100_000


class _Site(BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/slow":
            threading.Event().wait(3)
        if path == "/to":
            self.send_response(302)
            self.send_header("Location", query)
            self.end_headers()
            return
        if path == "/gone":
            self.send_error(404)
            return
        data = b"x" * int(query) if path == "/size" else picture()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format, *arguments):
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """A site on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def fetch(url, *, allows=lambda address: True, **options):
    fetcher = Fetcher(LIMIT, allows=allows, **options)
    try:
        return await fetcher.fetch(url)
    finally:
        await fetcher.close()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_addresses_that_are(address):
    assert is_public(ipaddress.ip_address(address))


async def test_a_file_is_fetched_through_redirects(site):
    assert await fetch(f"{site}/a.png") == picture()
    assert await fetch(f"{site}/to?{site}/to?/a.png") == picture()
    assert await fetch(f"{site}/ä%20ö.png") == picture()


@pytest.mark.parametrize("path", ["/a.png", "/to?http://127.0.0.1:1/"])
async def test_this_machine_is_not_called(site, path):
    for url in (site + path, site.replace("127.0.0.1", "localhost") + path, site.replace("127.0.0.1", "[::1]") + path):
        with pytest.raises(ApiError, match="not public") as refused:
            await fetch(url, allows=is_public)
        assert refused.value.status == 422


async def test_a_redirect_is_checked_too(site):
    asked = []

    def allows(address):
        asked.append(address)
        return len(asked) == 1

    target = site.replace("127.0.0.1", "localhost")
    with pytest.raises(ApiError, match="not public"):
        await fetch(f"{site}/to?{target}/a.png", allows=allows)
    assert len(asked) == 2


async def test_a_name_is_asked_for_once(site, monkeypatch):
    """The second answer of a name server cannot lead elsewhere."""
    asked = []
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def once(host, port, **options):
        asked.append(host)
        return await real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", port, **options)

    monkeypatch.setattr(loop, "getaddrinfo", once)
    port = site.rpartition(":")[2]
    assert await fetch(f"http://example.invalid:{port}/a.png") == picture()
    assert asked == ["example.invalid"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/gone", "the URL answered 404"),
        (f"/size?{LIMIT + 1}", f"more than the {LIMIT} bytes"),
        ("/to?file:///etc/passwd", "no http or https address"),
        ("/to?http://user:word@example.com/", "no http or https address"),
        ("/to?/to?/to?/to?/to?/to?/to?/a.png", "redirects more than 5 times"),
    ],
)
async def test_what_gives_no_file(site, path, says):
    with pytest.raises(ApiError, match=says):
        await fetch(site + path)


async def test_the_limit_itself_is_allowed(site):
    assert len(await fetch(f"{site}/size?{LIMIT}")) == LIMIT


async def test_a_slow_site_is_left(site):
    with pytest.raises(ApiError, match=r"within 0\.3 s"):
        await fetch(f"{site}/slow", timeout_s=0.3)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/a.png", "http://no.such.host.invalid/a.png"])
async def test_nobody_there(url):
    with pytest.raises(ApiError, match="cannot be fetched"):
        await fetch(url)


async def test_a_gateway_that_takes_urls(client, site):
    async with client(allow_urls=True) as gateway:
        response = await gateway.post("/ocr", json={"file": f"{site}/a.png"})
    assert response.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert response.json()["errorMsg"] == "the URL is on an address that is not public"
