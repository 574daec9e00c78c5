"""Parameters of config.pbtxt, read with the C++ backend's leniency and texts."""

import pytest

from paddlex_triton.server.backends.common.errors import LoadError
from paddlex_triton.server.backends.common.parameters import parse_bool, parse_int


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4), ("4x", 4), (" \t7", 7), ("+2", 2), ("-3", -3), ("0x10", 0), ("2147483647", 2147483647), ("1.9", 1)],
)
def test_integers_are_read_as_stoi_does(text, number):
    assert parse_int(text) == number


@pytest.mark.parametrize("text", ["abc", "", " ", "-", "x4", "2147483648", "-2147483649", "٣"])
def test_what_is_no_integer(text):
    with pytest.raises(LoadError, match=f"^failed to convert '{text}' to integral number$"):
        parse_int(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("ON", True), ("1", True), ("False", False), ("off", False), ("0", False)],
)
def test_booleans(text, value):
    assert parse_bool(text) is value


@pytest.mark.parametrize("text", ["maybe", "", "2", "true "])
def test_what_is_no_boolean(text):
    with pytest.raises(LoadError, match=f"^failed to convert '{text}' to boolean$"):
        parse_bool(text)
