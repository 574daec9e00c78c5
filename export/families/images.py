"""The common parts of families for images of one size: inputs for the proof, and their source's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from paddlex_triton.export.families.base import Case, Run, Tensors, normalized_planar, row_by_row
from paddlex_triton.export.graph.contract import SourceTensor
from paddlex_triton.export.inference_file.inference_settings import InferenceSettings
from paddlex_triton.proof_pictures import fit, noise


def cases_of_one_size(
    size: tuple[int, int],
    draw: Callable[[int, int, int], np.ndarray],
    names: tuple[str, str],
    max_batch_size: int,
    images: Sequence[np.ndarray],
) -> Iterator[Case]:
    """Yield noise, drawings and the given images; batches of 1, 3 and the maximum.

    Args:
        size: height and width of the network's input, pixels.
        draw: seed, height and width to a drawing, uint8 [height, width, 3], BGR.
        names: of the case with one drawing, and of that with many.
        max_batch_size: of the network.
        images: given ones, uint8 [H,W,3], BGR.
    """
    height, width = size
    one, many = names
    yield Case("noise", {"x": noise(1, 1, height, width, 3)})
    yield Case("noise", {"x": noise(2, 3, height, width, 3)})
    yield Case(one, {"x": draw(0, height, width)[None]})
    yield Case(many, {"x": np.stack([draw(seed, height, width) for seed in range(max_batch_size)])})
    for index, image in enumerate(images):
        yield Case(f"image {index}", {"x": fit(image, height, width)[None]})


def answer_for_images(
    run: Run, feeds: Tensors, settings: InferenceSettings, image: SourceTensor, output: SourceTensor
) -> np.ndarray:
    """Return a source's answer to images, of one after the other where it takes one.

    Args:
        run: the source.
        feeds: `x` uint8 [N,H,W,3], BGR.
        settings: what inference.yml says.
        image: the source's input.
        output: the one of its outputs that is wanted.
    """

    def answer(some: Tensors) -> dict[str, np.ndarray]:
        return {output.name: run({image.name: normalized_planar(some["x"], settings)})[output.name]}

    found = row_by_row(answer, feeds) if image.shape[0] == 1 else answer(feeds)
    return found[output.name]
