"""Listening beyond this machine, which needs a word of its own."""

from __future__ import annotations

import socket
from ipaddress import ip_address


def is_loopback(address: str) -> bool:
    """Tell whether only this machine reaches what listens at an address.

    Args:
        address: an IP address or a host's name. An empty one is every address of the machine; of a name, all that it
            stands for count.
    """
    if not address:
        return False
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(address, None)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(ip_address(str(each).partition("%")[0]).is_loopback for each in found)
