"""Forms of `url`."""

import pytest

from paddlex_triton.client.exceptions import InvalidParameterError
from paddlex_triton.client.transports import Endpoint


@pytest.mark.parametrize(
    ("url", "protocol", "expected"),
    [
        ("localhost:8001", None, "grpc://localhost:8001"),
        ("localhost", None, "grpc://localhost:8001"),
        ("localhost", "http", "http://localhost:8000"),
        ("10.0.0.1:9000", "http", "http://10.0.0.1:9000"),
        ("http://host:8000", None, "http://host:8000"),
        ("http://host", "http", "http://host:8000"),
        ("http://host:8000/", None, "http://host:8000"),
        ("https://host", None, "https://host:443"),
        ("https://host/triton/", None, "https://host:443/triton"),
        ("grpc://host:8001", "grpc", "grpc://host:8001"),
        ("grpcs://host:443", None, "grpcs://host:443"),
        ("[::1]:8001", None, "grpc://[::1]:8001"),
    ],
)
def test_forms(url, protocol, expected):
    assert str(Endpoint.parse(url, protocol)) == expected


@pytest.mark.parametrize(
    ("url", "protocol", "says"),
    [
        ("", None, "allowed: host:port"),
        ("ftp://host", None, "unknown scheme 'ftp'"),
        ("host:port", None, "allowed: host:port"),
        ("host:99999", None, "allowed: host:port"),
        ("grpc://host/path", None, "allowed: host:port"),
        ("http://u:p@host", None, "allowed: host:port"),
        ("http://host:8000", "grpc", "is for http, but protocol is 'grpc'"),
        ("host:8001", "rest", "protocol is 'rest'; allowed: grpc, http"),
    ],
)
def test_refusals(url, protocol, says):
    with pytest.raises(InvalidParameterError, match=says):
        Endpoint.parse(url, protocol)


@pytest.mark.parametrize(("host", "local"), [("localhost", True), ("127.0.0.2", True), ("[::1]", True), ("a", False)])
def test_proxies_are_for_others(host, local):
    assert Endpoint.parse(f"{host}:1").is_local is local


def test_default():
    assert str(Endpoint.default()) == "grpc://127.0.0.1:8001"
    assert str(Endpoint.default("http")) == "http://127.0.0.1:8000"
