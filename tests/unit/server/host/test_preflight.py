"""Refusals before a server starts."""

import socket

import pytest

from paddlex_triton.server.host import preflight
from paddlex_triton.server.host.errors import ServerStartError


@pytest.mark.parametrize("version", [(3, 9), (3, 13), (4, 0)])
def test_wrong_python(version):
    with pytest.raises(ServerStartError, match=r"runs on Python 3\.10, 3\.11, 3\.12; this is"):
        preflight._check_python(version)


@pytest.mark.parametrize("version", preflight.PYTHON_VERSIONS)
def test_right_python(version):
    preflight._check_python(version)


@pytest.mark.parametrize(
    ("platform", "expected"),
    [
        (("Darwin", "arm64", ("", "")), "this is Darwin arm64"),
        (("Linux", "aarch64", ("glibc", "2.36")), "this is Linux aarch64"),
        (("Linux", "x86_64", ("glibc", "2.34")), "needs glibc 2.35 or newer"),
        (("Linux", "x86_64", ("", "")), "needs glibc"),
    ],
)
def test_wrong_platform(platform, expected):
    with pytest.raises(ServerStartError, match=expected):
        preflight._check_platform(*platform)


@pytest.mark.parametrize("version", ["2.35", "2.36", "2.41"])
def test_right_platform(version):
    preflight._check_platform("Linux", "x86_64", ("glibc", version))


@pytest.mark.parametrize("version", ["2.0.0", "2.3.5", "3.0"])
def test_numpy_2(version):
    with pytest.raises(ServerStartError, match="numpy<2"):
        preflight._check_numpy(version)


def test_numpy_1():
    preflight._check_numpy("1.26.4")


@pytest.mark.parametrize("package", ["pytriton", "onnxruntime"])
def test_missing_package_names_the_extra(monkeypatch, package):
    real = preflight.importlib.util.find_spec
    monkeypatch.setattr(preflight.importlib.util, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(ServerStartError, match=r"pip install 'paddlex-triton\[serve\]'"):
        preflight.check_environment()


def test_port_in_use_names_the_option():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerStartError, match=rf"127\.0\.0\.1:{port} .*--http-port"):
            preflight.check_ports("127.0.0.1", {"--http-port": port})


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_no_such_port(port):
    with pytest.raises(ServerStartError, match="from 1 to 65535"):
        preflight.check_ports("127.0.0.1", {"--http-port": port})


def test_same_port_twice():
    port = preflight.free_ports("127.0.0.1", 1)[0]
    with pytest.raises(ServerStartError, match="--grpc-port and --http-port are both"):
        preflight.check_ports("127.0.0.1", {"--http-port": port, "--grpc-port": port})


@pytest.mark.parametrize("count", [0, 1, 3])
def test_free_ports_are_different_and_free(count):
    ports = preflight.free_ports("127.0.0.1", count)
    assert len(set(ports)) == count
    preflight.check_ports("127.0.0.1", {f"--port-{port}": port for port in ports})


def test_ipv6_is_refused_by_name():
    with pytest.raises(ServerStartError, match="::1 is an IPv6 address"):
        preflight.check_ports("::1", {"--http-port": 8000})


@pytest.mark.parametrize("flavour", [None, "cpu", "openvino", "unknown"])
def test_an_engine_that_is_there(flavour):
    preflight.check_engine(flavour)


def test_an_engine_that_is_not_there(monkeypatch):
    monkeypatch.setattr(preflight, "is_there", lambda flavour: flavour.package is None)
    preflight.check_engine("cpu")
    preflight.check_engine(None)
    with pytest.raises(ServerStartError, match=r"--flavour openvino needs the package openvino. Run: pip install"):
        preflight.check_engine("openvino")
