"""Files with keys, and the key of Triton's own APIs."""

import pytest

from paddlex_triton.admin_api import (
    RESTRICTED_APIS,
    key_headers,
    new_admin_key,
    read_admin_key,
    restricting_arguments,
)
from paddlex_triton.keys import MIN_KEY_CHARACTERS, KeyFileError, read_keys

KEY = "k" * MIN_KEY_CHARACTERS


@pytest.fixture
def file(tmp_path):
    """Writes a file of keys."""

    def write(content: bytes):
        path = tmp_path / "keys"
        path.write_bytes(content)
        return path

    return write


def test_keys_stand_one_a_line(file):
    content = b"# ours\n\n  a-key-that-is-long \r\nother-key-also-long"
    assert read_keys(file(content)) == {"a-key-that-is-long", "other-key-also-long"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no key"),
        (b"# only\n \n", "holds no key"),
        (KEY[:-1].encode(), "a key has 15 characters; at least 16 are needed"),
        (f"{KEY}\n{KEY[:-1]}".encode(), "a key has 15 characters; at least 16 are needed"),
        (KEY.encode() + b"\xff", "is not UTF-8 text"),
    ],
)
def test_files_that_are_refused_and_not_shown(file, content, says):
    with pytest.raises(KeyFileError, match=says) as refused:
        read_keys(file(content))
    assert KEY[:-1] not in str(refused.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(KeyFileError, match=r"none: No such file or directory"):
        read_keys(tmp_path / "none")


@pytest.mark.parametrize("key", [KEY, "AZaz09._~+/=-AZaz09=="])
def test_the_admin_key(file, key):
    assert read_admin_key(file(f"# of this server\n{key}\n".encode())) == key


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"{KEY}\n{KEY}2", "holds 2 keys; Triton takes one"),
        (f"{KEY} 2", "allowed in a key are letters"),
        (f"{KEY},2", "allowed in a key are letters"),
        (f"{KEY}é", "allowed in a key are letters"),
    ],
)
def test_admin_keys_that_triton_or_a_header_would_not_carry(file, content, says):
    with pytest.raises(KeyFileError, match=says) as refused:
        read_admin_key(file(content.encode()))
    assert KEY not in str(refused.value)


def test_random_keys_differ_and_can_be_carried(file):
    first, second = new_admin_key(), new_admin_key()
    assert first != second
    assert read_admin_key(file(first.encode())) == first


def test_what_tritonserver_is_told():
    http, grpc = restricting_arguments(KEY)
    assert http == f"--http-restricted-api={','.join(RESTRICTED_APIS)}:admin-key={KEY}"
    assert grpc == f"--grpc-restricted-protocol={','.join(RESTRICTED_APIS)}:admin-key={KEY}"
    assert set(RESTRICTED_APIS) == {"model-repository", "shared-memory", "model-config", "logging", "trace"}


def test_headers():
    assert key_headers(KEY) == {"admin-key": KEY}
    assert key_headers(KEY, grpc=True) == {"triton-grpc-protocol-admin-key": KEY}
    assert key_headers(None) == key_headers(None, grpc=True) == {}
