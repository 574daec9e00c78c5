"""The networks of contestants: those of this package, and the ONNX files they were exported from for the others."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from paddlex_triton.bench.compare.peer_graphs import append_nms, put_heatmaps_first
from paddlex_triton.export.api import Options, export_network, sources_of
from paddlex_triton.export.errors import ExportError, SourceError
from paddlex_triton.export.lookup import find_network
from paddlex_triton.export.sources.directory import DirectorySource
from paddlex_triton.export.sources.shipped import NETWORKS
from paddlex_triton.export.sources.weights import Weights
from paddlex_triton.network import FILE_NAME, NetworkInfo
from paddlex_triton.paths import networks_repository
from paddlex_triton.zoo import load_zoo

# Where a network's name says nothing to PaddleX, a network of the same build stands for it: it has to have some name.
_STANDS_FOR = {"layout_detection": "PicoDet-S_layout_3cls", "human_detection": "PicoDet-S"}


@dataclass(frozen=True)
class Network:
    """One network, for those that are not this package.

    Attributes:
        name: as PaddleX knows it.
        folder: with inference.onnx and inference.yml.
    """

    name: str
    folder: Path


def served_network(name: str, repositories: Sequence[Path]) -> NetworkInfo:
    """Return what is known of an exported network; those of the zoo are exported if they are not yet.

    Args:
        name: its name.
        repositories: folders with networks; the usual one is looked into last.

    Raises:
        ExportError: it cannot be exported.
    """
    for repository in (*repositories, networks_repository()):
        if (repository / name / FILE_NAME).is_file():
            return NetworkInfo.load(repository / name / FILE_NAME)
    return NetworkInfo.load(export_network(name) / FILE_NAME)


def original_network(step: str, info: NetworkInfo, own: Sequence[Path], folder: Path) -> Network:
    """Write the files that PaddleX and others load: the weights that a network was exported from.

    Args:
        step: of the pipeline.
        info: the exported network.
        own: folders of own weights, `<network>/model.onnx` and inference.yml.
        folder: where to write.

    Raises:
        ExportError: the weights cannot be had, or are others.
    """
    weights = _fetch(info, own)
    if weights.sha256 != info.provenance.source_sha256:
        raise SourceError(
            f"{info.name} was exported from {info.provenance.source} (SHA-256 {info.provenance.source_sha256[:12]}), "
            f"{weights.label} is other weights ({weights.sha256[:12]})"
        )
    zoo = load_zoo().networks
    known = info.name in zoo and zoo[info.name].official is not None
    name = info.name if known else _STANDS_FOR.get(step, info.name)
    target = folder / info.name
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    content, settings = weights.model, _inference_file(info, name, own)
    if (nms := info.postprocess.get("nms")) is not None:
        content = append_nms(content, nms)
    if info.family == "heatmap_keypoints":
        content = put_heatmaps_first(content)
    (target / "inference.onnx").write_bytes(content)
    (target / "inference.yml").write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
    return Network(name, target)


def _fetch(info: NetworkInfo, own: Sequence[Path]) -> Weights:
    folder = _own_folder(info.name, own)
    if folder is not None:
        return DirectorySource(folder).fetch()
    if info.name not in load_zoo().networks:
        raise SourceError(f"{info.name} was exported from own weights; name the folder they lie in with --weights")
    failures: list[ExportError] = []
    for source in sources_of(find_network(info.name), Options()):
        if source.label != info.provenance.source:
            continue
        try:
            return source.fetch()
        except ExportError as error:
            failures.append(error)
    raise SourceError(f"{info.name}: {'; '.join(map(str, failures)) or f'no source {info.provenance.source}'}")


def _inference_file(info: NetworkInfo, name: str, own: Sequence[Path]) -> dict[str, Any]:
    """What PaddleX reads about the network, under the name that it knows."""
    folder = _own_folder(info.name, own)
    kind, _, name_of_source = info.provenance.source.partition(":")
    if folder is None and kind == "shipped":
        folder = NETWORKS / name_of_source
    if folder is not None:
        settings = yaml.safe_load((folder / "inference.yml").read_text(encoding="utf-8"))
    else:
        settings = dict(find_network(info.name).inference)
    settings["Global"] = {"model_name": name}
    # As PaddleDetection writes it: PaddleX asks for both.
    settings.setdefault("mode", "paddle")
    if info.characters:
        # PaddleX puts the blank in front and the space behind.
        characters = info.characters[1:-1] if info.characters[-1] == " " else info.characters[1:]
        settings["PostProcess"] = {"name": "CTCLabelDecode", "character_dict": list(characters)}
    return settings


def _own_folder(name: str, own: Sequence[Path]) -> Path | None:
    return next((folder / name for folder in own if (folder / name / "inference.yml").is_file()), None)
