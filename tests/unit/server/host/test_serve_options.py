"""`serve`: who may reach what, decided before anything starts."""

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from paddlex_triton.cli import app
from paddlex_triton.gateway import running
from paddlex_triton.server.host import launcher
from paddlex_triton.server.host.errors import HostError, ServerStartError
from paddlex_triton.server.host.launcher import EmbeddedServer

KEY = "a-key-for-whoever-runs-it"
NEEDS_A_WORD = "is no loopback address"


@pytest.fixture
def made():
    """What the server and the gateway of `serve` were made with."""
    return SimpleNamespace(server=None, gateway=None)


@pytest.fixture
def serve(monkeypatch, made):
    """`serve(*options)` -> what the command says before it would start anything."""

    class Server(EmbeddedServer):
        def __init__(self, *arguments, **options):
            made.server = options
            super().__init__(*arguments, **options)

        def start(self):
            raise HostError("far enough")

    class Gateway(running.Gateway):
        def __init__(self, settings, address, port, **options):
            made.gateway = (settings, address)
            super().__init__(settings, address, port, **options)
            self._socket.close()

    monkeypatch.setattr(launcher, "EmbeddedServer", Server)
    monkeypatch.setattr(running, "Gateway", Gateway)

    def run(*options):
        arguments = ["serve", "--pipeline", "OCR", "--rest-port", "0", *map(str, options)]
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "400", "TERM": "dumb"})
        assert done.exit_code == 1
        return done.output

    return run


@pytest.fixture
def keys(tmp_path):
    """A file with one key."""
    path = tmp_path / "keys"
    path.write_text(f"{KEY}\n")
    return path


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", ""])
def test_tritons_ports_are_for_others_if_that_is_said(serve, made, keys, address):
    said = serve("--address", address, "--api-key-file", keys)
    assert NEEDS_A_WORD in said
    assert "--rest-address" in said
    assert "or say --publish" in said
    assert made.gateway is None


def test_published_with_a_word(serve, made):
    assert "far enough" in serve("--address", "0.0.0.0", "--publish")
    assert made.gateway[1] == "0.0.0.0"


def test_rest_is_for_others_with_keys(serve, made, keys):
    assert "far enough" in serve("--rest-address", "0.0.0.0", "--api-key-file", keys)
    settings, address = made.gateway
    assert (address, settings.api_keys) == ("0.0.0.0", {KEY})
    assert made.server["address"] == "127.0.0.1"


def test_rest_is_not_for_others_without(serve):
    said = serve("--rest-address", "0.0.0.0")
    assert NEEDS_A_WORD in said
    assert "give it --api-key-file FILE, or say --publish" in said


def test_on_this_machine_nothing_needs_to_be_said(serve, made):
    assert "far enough" in serve()
    assert made.gateway[1] == "127.0.0.1"
    assert "far enough" in serve("--address", "localhost", "--no-rest")


@pytest.mark.parametrize("option", ["--api-key-file", "--admin-key-file"])
@pytest.mark.parametrize(("content", "says"), [("", "holds no key"), ("short", "at least 16 are needed")])
def test_files_of_keys_that_cannot_be(serve, tmp_path, option, content, says):
    path = tmp_path / "keys"
    path.write_text(content)
    assert says in serve(option, path)
    assert "No such file" in serve(option, tmp_path / "none")


def test_the_admin_key_is_the_files_or_random_and_never_shown(serve, made, keys):
    said = serve("--admin-key-file", keys)
    assert made.server["admin_key"] == KEY
    assert KEY not in said
    first, second = EmbeddedServer(["OCR"]), EmbeddedServer(["OCR"])
    assert first.admin_key != second.admin_key
    assert len(first.admin_key) == 64


def test_a_server_of_the_library_does_not_listen_for_others_either():
    with pytest.raises(ServerStartError, match=NEEDS_A_WORD):
        EmbeddedServer(["OCR"], address="0.0.0.0")
    EmbeddedServer(["OCR"], address="0.0.0.0", publish=True)
