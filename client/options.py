"""Command-line options from a pipeline's schema: help, and PaddleX's forms of values."""

from __future__ import annotations

import ast
import json
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paddlex_triton.params import ALLOWED

_WORDS = {"true": True, "false": False, "none": None, "null": None}
_NUMBERS_AS_BOOL = {"1": True, "0": False}
_METAVARS: dict[Any, str] = {bool: "True|False", int: "INT", float: "FLOAT", str: "TEXT"}


def parse_option(schema: type[BaseModel], name: str, text: str) -> Any:
    """Read a value as it is written on a command line.

    Args:
        schema: the pipeline's parameters.
        name: one of them.
        text: `True`, `false`, `736`, `0.3`, `min`, `None`; `{"2": 0.5}` and `[1.1, 1.2]` as JSON or as Python writes
            them, `{2: 0.5}` and `(1.1, 1.2)`.

    Returns:
        The value; the text itself if it is no literal, for the schema to refuse.
    """
    kinds = _kinds(schema.model_fields[name].annotation)
    word = text.strip().lower()
    if kinds & {bool} and word in _NUMBERS_AS_BOOL:
        return _NUMBERS_AS_BOOL[word]
    if word in _WORDS:
        return _WORDS[word]
    if kinds == {str}:
        return text
    return _literal(text)


def _literal(text: str) -> Any:
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return text


def option_help(field: FieldInfo) -> str:
    """Describe what a parameter does, what it may be and what it is by default."""
    choices = [repr(choice) for choice in _choices(field.annotation)]
    bounds = [text for text in map(_bound, field.metadata) if text]
    extra = field.json_schema_extra
    if isinstance(extra, dict) and ALLOWED in extra:
        allowed = f" Allowed: {extra[ALLOWED]}."
    else:
        allowed = f" One of {', '.join(choices)}." if choices else f" {' and '.join(bounds)}." if bounds else ""
    default = "" if field.default is None else f" Default: {field.default}."
    return f"{field.description}{allowed}{default}"


def option_metavar(field: FieldInfo) -> str:
    """Name the kind of a parameter in a word."""
    kinds = _kinds(field.annotation)
    if {int, float} <= kinds:
        kinds = kinds - {int}
    words = [_METAVARS[kind] for kind in sorted(kinds & _METAVARS.keys(), key=str)]
    return "|".join([*words, "JSON"] if kinds - _METAVARS.keys() else words)


def _parts(annotation: Any) -> list[Any]:
    """Return the alternatives of a type, without None and without annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _parts(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [part for choice in get_args(annotation) for part in _parts(choice)]
    return [] if annotation is type(None) else [annotation]


def _kinds(annotation: Any) -> set[Any]:
    """Return the Python types that a value may have; literals count as theirs."""
    return {kind for part in _parts(annotation) for kind in _types_of(part)}


def _types_of(part: Any) -> set[Any]:
    return {type(value) for value in get_args(part)} if get_origin(part) is Literal else {get_origin(part) or part}


def _choices(annotation: Any) -> list[Any]:
    return [value for part in _parts(annotation) if get_origin(part) is Literal for value in get_args(part)]


def _bound(constraint: Any) -> str:
    names = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    for attribute, words in names.items():
        value = getattr(constraint, attribute, None)
        if value is not None:
            return f"{words[:1].upper()}{words[1:]} {value}" if attribute in ("ge", "gt") else f"{words} {value}"
    return ""
