"""Exported networks for the eyes of `assemble`: configurations as export renders them, and no model worth running."""

from __future__ import annotations

import json
from pathlib import Path

from paddlex_triton.checksums import sha256_of
from paddlex_triton.export.config_pbtxt import render_config
from paddlex_triton.flavours import FLAVOURS
from paddlex_triton.network import Family

# What the families' templates leave open.
_VALUES = {
    "height": 64,
    "width": 96,
    "anchors": 96,
    "classes": 3,
    "queries": 10,
    "joints": 17,
    "map_height": 16,
    "map_width": 12,
}
_LABELS: dict[Family, list[str]] = {"dense_detection": ["seal"], "image_classification": ["0", "90", "180", "270"]}


def weights_of(name: str) -> bytes:
    """Return what stands for a network's weights."""
    return b"weights of " + name.encode()


def write_network(
    repository: Path, name: str, family: Family, *, flavours: tuple[str, ...] = ("cpu", "gpu"), source: str = "test"
) -> Path:
    """Write a network's folder.

    Args:
        repository: where it goes.
        name: the network.
        family: of it.
        flavours: the configurations it has.
        source: what it was made from, for network.json.
    """
    folder = repository / name
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.onnx").write_bytes(weights_of(name))
    values = {key: str(value) for key, value in _VALUES.items()}
    for flavour in (FLAVOURS[each] for each in flavours):
        path = folder / flavour.config_file
        path.parent.mkdir(exist_ok=True)
        path.write_text(render_config(flavour, family, name, 4, values), encoding="utf-8")
    provenance = {"source": source, "file": "x", "source_sha256": "", "opset": 13, "ir_version": 8}
    info = {"name": name, "family": family, "max_batch_size": 4, "provenance": provenance}
    info["sha256"] = sha256_of(weights_of(name))
    info["labels"] = _LABELS.get(family)
    (folder / "network.json").write_text(json.dumps(info), encoding="utf-8")
    return folder
