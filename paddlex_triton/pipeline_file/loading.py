"""YAML of a pipeline file, as PaddleX reads it, within bounds."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import yaml

from paddlex_triton.limits import MAX_PIPELINE_FILE_BYTES, MAX_PIPELINE_FILE_VALUES
from paddlex_triton.pipeline_file.model import PipelineFileError

# Longer texts are no literals that anyone means.
_MAX_LITERAL_CHARACTERS = 1000


def load_yaml(path: Path) -> dict[Any, Any]:
    """Read the mapping in a YAML file. As in PaddleX, texts that are Python literals become their values: `1e-3`.

    Raises:
        PipelineFileError: it is no file, too large, no YAML of one mapping, or names a key twice.
    """
    text = _read(path)
    try:
        values = _parse(text, str(path))
    except yaml.YAMLError as error:
        raise PipelineFileError(f"{path}: not YAML that is read here: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise PipelineFileError(f"{path}: not YAML that is read here: nested too deeply") from None
    except (ValueError, OverflowError) as error:
        if isinstance(error, PipelineFileError):
            raise
        raise PipelineFileError(f"{path}: not YAML that is read here: {error}") from None
    if not isinstance(values, dict):
        raise PipelineFileError(f"{path}: it holds no keys; a pipeline file of PaddleX's is a mapping")
    return {key: _read_literals(value) for key, value in values.items()}


def _read(path: Path) -> str:
    if not path.is_file():
        raise PipelineFileError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_PIPELINE_FILE_BYTES + 1)
    except OSError as error:
        raise PipelineFileError(f"{path}: {error.strerror}") from None
    if len(raw) > MAX_PIPELINE_FILE_BYTES:
        raise PipelineFileError(f"{path}: more than {MAX_PIPELINE_FILE_BYTES} bytes, which is the most that is read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PipelineFileError(f"{path}: not YAML that is read here: it is not UTF-8") from None


def _parse(text: str, origin: str) -> Any:
    # The graph of nodes is looked at before anything is made of it: aliases can make a small text huge.
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _measure(root, {}, origin)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _measure(node: yaml.Node, sizes: dict[int, int | None], origin: str) -> int:
    """How many values a node stands for once aliases are followed. `sizes` has None for nodes that are being counted.

    Raises:
        PipelineFileError: too many, a node inside itself, or a key twice.
    """
    known = sizes.get(id(node), 0)
    if known is None:
        raise PipelineFileError(f"{origin}: {_line(node)}: an alias inside what it stands for")
    if known:
        return known
    sizes[id(node)] = None
    if isinstance(node, yaml.MappingNode):
        _check_keys(node, origin)
        children = [child for pair in node.value for child in pair]
    else:
        children = node.value if isinstance(node, yaml.SequenceNode) else []
    size = 1
    for child in children:
        size += _measure(child, sizes, origin)
        if size > MAX_PIPELINE_FILE_VALUES:
            raise PipelineFileError(
                f"{origin}: more than {MAX_PIPELINE_FILE_VALUES} values, which is the most that is read"
            )
    sizes[id(node)] = size
    return size


def _check_keys(node: yaml.MappingNode, origin: str) -> None:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode):
            if (name := (key.tag, key.value)) in seen:
                raise PipelineFileError(f"{origin}: {_line(key)}: the key {key.value[:60]!r} is there twice")
            seen.add(name)


def _line(node: yaml.Node) -> str:
    return f"line {node.start_mark.line + 1}"


def _read_literals(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _read_literals(item) for key, item in value.items()}
    if not isinstance(value, str) or len(value) > _MAX_LITERAL_CHARACTERS:
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return value
