"""Which addresses are of this machine alone."""

import socket

import pytest

from paddlex_triton.listening import is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_of_this_machine_alone(address):
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "0", "192.168.1.2", "10.0.0.1", "8.8.8.8", "fe80::1%lo"])
def test_others_reach_it(address):
    assert not is_loopback(address)


def test_a_name_that_stands_for_nothing():
    assert not is_loopback("no-such-host.invalid")
    assert not is_loopback("x" * 300)


def test_all_that_a_name_stands_for_counts(monkeypatch):
    entries = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in ("127.0.0.1", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: entries)
    assert not is_loopback("twofold")
