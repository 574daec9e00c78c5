"""Scenes of seals for the text detector."""

from __future__ import annotations

import numpy as np

from paddlex_triton.export.training.scenes import SealScene
from paddlex_triton.export.training.scenes.degradations import degrade, low_resolution, pixelate
from paddlex_triton.export.training.scenes.inks import draw_visible_ink, press
from paddlex_triton.export.training.scenes.papers import draw_paper, draw_rules, print_document, scribble, specks
from paddlex_triton.export.training.scenes.stamps import Stamp, draw_stamp, draw_turn
from paddlex_triton.export.training.scenes.textures import chance


def draw_seal_scene(rng: np.random.Generator, side: int = 576) -> SealScene:
    """A picture with none, one or two seals on a piece of a document.

    Print under and over the seals is no target. A quarter of the pictures is as coarse as a crop of 120 to 260 pixels.

    Args:
        rng: everything is drawn from it.
        side: of the square picture, pixels, at least `MIN_SIDE`.

    Returns:
        The scene; a line keeps its outline even where it has become illegible or is cut by the picture's edge.

    Raises:
        FontsMissing: the system has too few fonts.
    """
    image = draw_paper(rng, side, side)
    if chance(rng, 0.22):
        draw_rules(rng, image)
    if chance(rng, 0.6):
        print_document(rng, image, dense=chance(rng, 0.55))
    if chance(rng, 0.1):
        scribble(rng, image, (rng.uniform(0, side), rng.uniform(0, side)), side * rng.uniform(0.1, 0.4))
    scene = SealScene(image)
    for stamp in _stamps(rng, side):
        press(rng, image, stamp.mask, stamp.origin, draw_visible_ink(rng, image[:: side // 8, :: side // 8]))
        scene.polygons += stamp.polygons
        scene.glyph_heights += stamp.glyph_heights
        scene.texts += stamp.texts
    if chance(rng, 0.32):
        print_document(rng, image, dense=chance(rng, 0.25))
    if chance(rng, 0.18):
        scribble(rng, image, tuple(rng.uniform(0.2, 0.8, 2) * side), side * rng.uniform(0.15, 0.5))
    if chance(rng, 0.12):
        specks(rng, image)
    if chance(rng, 0.03):
        pixelate(rng, image)
    scene.image = degrade(rng, low_resolution(rng, image)) if chance(rng, 0.24) else degrade(rng, image)
    return scene


def _stamps(rng: np.random.Generator, side: int) -> list[Stamp]:
    count = int(rng.choice(3, p=(0.03, 0.86, 0.11)))
    stamps = []
    for index in range(count):
        radius = side * (rng.uniform(0.3, 0.52) if chance(rng, 0.76) else rng.uniform(0.15, 0.32))
        if count == 2:
            radius *= 0.75 if index == 0 else 0.6
        slack = max(0.0, side / 2 - radius) * (1.25 if chance(rng, 0.2) else 0.9)
        centre = side / 2 + rng.uniform(-slack, slack, 2)
        stamps.append(draw_stamp(rng, (float(centre[0]), float(centre[1])), radius, draw_turn(rng)))
    return stamps
