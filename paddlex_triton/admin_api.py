"""Triton's APIs that are for whoever runs a server, and the key that they ask for.

Inference, health, metadata and statistics are for every caller. The other ones read where files lie, change what is
logged and traced, load and unload models, and map memory of the machine.
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from paddlex_triton.keys import KeyFileError, read_keys

# As Triton names them, over HTTP and gRPC alike. `shared-memory` is the system's and CUDA's.
RESTRICTED_APIS = ("model-repository", "shared-memory", "model-config", "logging", "trace")
# Header of a request over HTTP, and what gRPC's metadata have in front of it.
KEY_HEADER = "admin-key"
_GRPC_PREFIX = "triton-grpc-protocol-"
# Where tools look for the file if no option names it.
KEY_FILE_VARIABLE = "PADDLEX_TRITON_ADMIN_KEY_FILE"
# What an option of Triton's and a header carry unchanged.
_KEY = re.compile(r"[A-Za-z0-9._~+/=-]+")


def new_admin_key() -> str:
    """Return a key that nobody guesses."""
    return secrets.token_hex(32)


def read_admin_key(path: Path) -> str:
    """Read the one key in a file.

    Raises:
        KeyFileError: the file cannot be read, or does not hold exactly one key that a header can carry.
    """
    keys = read_keys(path)
    if len(keys) > 1:
        raise KeyFileError(f"{path} holds {len(keys)} keys; Triton takes one")
    (key,) = keys
    if not _KEY.fullmatch(key):
        raise KeyFileError(f"{path}: allowed in a key are letters, digits and . _ ~ + / = -")
    return key


def restricting_arguments(key: str) -> tuple[str, str]:
    """Return the arguments by which tritonserver asks for the key in front of `RESTRICTED_APIS`."""
    restriction = f"{','.join(RESTRICTED_APIS)}:{KEY_HEADER}={key}"
    return f"--http-restricted-api={restriction}", f"--grpc-restricted-protocol={restriction}"


def key_headers(key: str | None, *, grpc: bool = False) -> dict[str, str]:
    """Return the headers with which a request may call those APIs; none without a key."""
    return {(_GRPC_PREFIX if grpc else "") + KEY_HEADER: key} if key else {}
