"""The common base of the three families of object detectors: a page stretched to the network's size goes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto

from paddlex_triton.export.errors import GraphError, InferenceFileError
from paddlex_triton.export.families.base import Case, FormError, NetworkFamily, Tensors, normalized_planar
from paddlex_triton.export.graph.builder import GraphBuilder
from paddlex_triton.export.graph.contract import SourceGraph, SourceTensor, require_dims, require_float, tensor_info
from paddlex_triton.export.graph.edits import feed_planar_float, normalize_affine
from paddlex_triton.export.inference_file.detector_section import DetectionSettings
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.proof_pictures import blank_page, noise, people_page, seal_page, text_page

# What PaddleDetection calls the inputs that tell sizes.
_SCALE_FACTOR = "scale_factor"
_IM_SHAPE = "im_shape"

# Width and height of the pages that the proof's pictures stand for, pixels: none has the form of a network's input.
_PAGE_SIZES = ((1240, 1754), (417, 301), (640, 2000), (3000, 1100))

_INTEGERS = (TensorProto.INT32, TensorProto.INT64)
# Class, score, x1, y1, x2, y2.
ROW_LENGTH = 6


@dataclass(frozen=True)
class DetectorInputs:
    """The inputs of a detector, None for those it does not have.

    Attributes:
        image: [N,3,H,W].
        scale_factor: [N,2], network height / page height, network width / page width.
        im_shape: [N,2], height and width of the network's input.
    """

    image: SourceTensor
    scale_factor: SourceTensor | None
    im_shape: SourceTensor | None

    @property
    def takes_one(self) -> bool:
        """Whether the graph is for a batch of 1."""
        return self.image.shape[0] == 1


class Detector(NetworkFamily):
    """Base of the families of object detectors."""

    def complete(self, settings: InferenceSettings, source: onnx.ModelProto, origin: str) -> InferenceSettings:
        """Return the settings as they are.

        Raises:
            InferenceFileError: inference.yml does not tell the network's size and classes.
        """
        del source
        if settings.detection is None:
            raise InferenceFileError(
                f"{origin}: a {self.name} network needs an inference.yml that has Preprocess and label_list"
            )
        return settings

    def advice(self, source: SourceGraph) -> str | None:
        """Advise to serve a graph that has its own NMS, or needs none, by itself: it always can be."""
        if self.name == "nms_detection" or rows_and_count(source) is None:
            return None
        return (
            "If batches or the NMS stand in the way, `--family nms_detection` exports the graph as it is, for one page "
            "at a time"
        )

    def feed(self, builder: GraphBuilder, inputs: DetectorInputs, settings: InferenceSettings) -> None:
        """Make the source's image of `x`."""
        planar = feed_planar_float(builder, "x", settings.img_mode)
        normalize_affine(builder, planar, settings.normalization, output=inputs.image.inner)

    def source_feeds(
        self, image: np.ndarray, scale_factor: np.ndarray, settings: InferenceSettings, source: SourceGraph
    ) -> Tensors:
        """Return what PaddleX feeds the source.

        Args:
            image: uint8 [N,H,W,3], BGR.
            scale_factor: float32 [N,2].
            settings: how the source wants its input.
            source: the source graph.
        """
        inputs = detector_inputs(source, detection_of(settings))
        feeds: dict[str, np.ndarray] = {inputs.image.name: normalized_planar(image, settings)}
        if inputs.scale_factor is not None:
            feeds[inputs.scale_factor.name] = scale_factor
        if inputs.im_shape is not None:
            shape = np.array([detection_of(settings).target_size], np.float32)
            feeds[inputs.im_shape.name] = shape.repeat(len(image), 0)
        return feeds

    def cases(self, settings: InferenceSettings, images: Sequence[np.ndarray]) -> Iterator[Case]:
        """Yield noise, pages of text, seals and people, an empty one, given images; batches of 1, 3 and the most."""
        height, width = detection_of(settings).target_size
        yield self.case("noise", [noise(1, height, width, 3)])
        yield self.case("empty", [blank_page(height, width)], page=1)
        yield self.case("text", [text_page(1, height, width)], page=2)
        yield self.case("seals", [seal_page(2, height, width)], page=3)
        yield self.case("people", [people_page(3, height, width)])
        if self.max_batch_size:
            yield self.case("noise", [noise(seed, height, width, 3) for seed in range(3)])
            yield self.case("seals", [seal_page(seed, height, width) for seed in range(self.max_batch_size)])
        for index, image in enumerate(images):
            resized = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC))
            yield self.case(f"image {index}", [resized], sizes=[(image.shape[1], image.shape[0])])

    def case(
        self, name: str, pictures: Sequence[np.ndarray], page: int = 0, sizes: Sequence[tuple[int, int]] | None = None
    ) -> Case:
        """Return one case of pictures of the network's own size.

        Args:
            name: what to call it.
            pictures: uint8 [H,W,3], BGR, one per row.
            page: which of the pages' sizes the first row takes; the next take the next ones.
            sizes: widths and heights of the pages, in their place.
        """
        chosen = sizes or [_PAGE_SIZES[(page + row) % len(_PAGE_SIZES)] for row in range(len(pictures))]
        height, width = pictures[0].shape[:2]
        scale = np.array([[height / page_height, width / page_width] for page_width, page_height in chosen], np.float32)
        return Case(name, {"x": np.stack(pictures), _SCALE_FACTOR: scale})

    def geometry(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the size pages are stretched to, and how."""
        detection = detection_of(settings)
        return {"target_size": list(detection.target_size), "interpolation": detection.interpolation}

    def labels(self, settings: InferenceSettings) -> list[str]:
        """Return one name per class."""
        return list(detection_of(settings).labels)

    def postprocess(self, settings: InferenceSettings) -> dict[str, Any]:
        """Return the threshold PaddleX takes where none is asked for."""
        return {"draw_threshold": detection_of(settings).draw_threshold}

    def config_values(self, settings: InferenceSettings, output_dims: Mapping[str, Sequence[int]]) -> dict[str, str]:
        """Return the size of the input, and how many classes there are."""
        del output_dims
        height, width = detection_of(settings).target_size
        return {"height": str(height), "width": str(width), "classes": str(len(self.labels(settings)))}


def page_tensors(detection: DetectionSettings) -> list[onnx.ValueInfoProto]:
    """Return the inputs of a network that gives boxes in pixels of the page: picture, and the page's scale."""
    height, width = detection.target_size
    return [
        tensor_info("x", TensorProto.UINT8, ["N", height, width, 3]),
        tensor_info("scale_factor", TensorProto.FLOAT, ["N", 2]),
    ]


def detection_of(settings: InferenceSettings) -> DetectionSettings:
    """Return a detector's part of the settings, which `Detector.complete` made sure of."""
    assert settings.detection is not None
    return settings.detection


def page_side(detection: DetectionSettings, scale_factor: np.ndarray) -> float:
    """Return the longer side of the page that a scale factor (float32 [2]) stands for, pixels."""
    return float(np.max(np.array(detection.target_size) / scale_factor))


def detector_inputs(source: SourceGraph, detection: DetectionSettings) -> DetectorInputs:
    """Tell a detector's inputs.

    Raises:
        GraphError: there is no single image, one of another size than inference.yml says, or another input.
    """
    by_name = {tensor.name: tensor for tensor in source.inputs}
    scale_factor, im_shape = by_name.pop(_SCALE_FACTOR, None), by_name.pop(_IM_SHAPE, None)
    if len(by_name) != 1:
        raise GraphError(
            f"the graph has {source.outside()}; one image, and {_SCALE_FACTOR} and {_IM_SHAPE} where it needs them, "
            "are the inputs expected"
        )
    (image,) = by_name.values()
    height, width = detection.target_size
    require_dims("the image", image.shape, (1, 3, height, width), f"[N,3,{height},{width}] as inference.yml says")
    for tensor in (scale_factor, im_shape):
        if tensor is not None:
            require_dims(tensor.name, tensor.shape, (1, 2), "[N,2]")
    for tensor in source.inputs:
        require_float("input", tensor)
    return DetectorInputs(image, scale_factor, im_shape)


def page_inputs(source: SourceGraph, detection: DetectionSettings) -> tuple[DetectorInputs, SourceTensor]:
    """Return `detector_inputs` of a graph that answers in pixels of the page, and its input of the page's size.

    Raises:
        GraphError: see `detector_inputs`, or nothing tells the page's size.
    """
    inputs = detector_inputs(source, detection)
    if inputs.scale_factor is None:
        raise GraphError(f"the graph has {source.outside()}; without {_SCALE_FACTOR} its rows are not on the page")
    return inputs, inputs.scale_factor


def rows_and_count(source: SourceGraph) -> tuple[SourceTensor, SourceTensor] | None:
    """Return the outputs of a graph that ends in its own choice of boxes: rows [M,6] and how many each page has."""
    rows = [tensor for tensor in source.outputs if len(tensor.shape) == 2 and tensor.shape[1] in (None, ROW_LENGTH)]
    counts = [tensor for tensor in source.outputs if len(tensor.shape) == 1 and tensor.dtype in _INTEGERS]
    if len(rows) != 1 or len(counts) != 1 or rows[0].dtype != TensorProto.FLOAT:
        return None
    return rows[0], counts[0]


def require_rows_and_count(source: SourceGraph) -> tuple[SourceTensor, SourceTensor]:
    """Return `rows_and_count`, or refuse a graph without.

    Raises:
        GraphError: the graph does not end in them.
    """
    found = rows_and_count(source)
    if found is None:
        raise GraphError(f"the graph has {source.outside()}; rows FLOAT [M,6] and an integer count [N] are expected")
    return found


def check_rows(rows: np.ndarray, labels: Sequence[str]) -> None:
    """Refuse rows that are not class, score and box, or name a class that inference.yml has no label for.

    Raises:
        FormError: they do.
    """
    if rows.ndim != 2 or rows.shape[1] != ROW_LENGTH:
        raise FormError(f"the rows are {list(rows.shape)}; [M,{ROW_LENGTH}] is expected")
    # Paddle marks rows that hold nothing by class -1.
    if len(rows) and not -1 <= rows[:, 0].min() <= rows[:, 0].max() < len(labels):
        worst = rows[:, 0].max() if rows[:, 0].max() >= len(labels) else rows[:, 0].min()
        raise FormError(f"a row is of class {worst:g}; label_list has {len(labels)} classes")
