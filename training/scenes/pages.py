"""Pages to train on."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from training.inputs import SIDE
from training.scenes import IMAGE, SEAL, TABLE, PageScene
from training.scenes.decoys import add_decoys, letterhead, red
from training.scenes.degradations import degrade
from training.scenes.desk import photograph
from training.scenes.figures import draw_figure, photo
from training.scenes.inks import draw_visible_ink, press
from training.scenes.papers import (
    any_face,
    dark_colour,
    draw_paper,
    print_line,
    print_text,
    scribble,
)
from training.scenes.stamps import Stamp, draw_stamp, draw_turn
from training.scenes.tables import draw_table
from training.scenes.textures import chance, log_uniform
from training.scenes.words import characters

# Of a box, the part that must be on the picture, and its least side in pixels, to be one.
_VISIBLE, _LEAST_SIDE = 0.35, 7.0
_SEAL_COUNTS = (0.05, 0.37, 0.27, 0.18, 0.13)
# Of the pages: those that come from a computer.
_DRAWN = 0.1


class _Sheet:
    """A page that is being printed: the picture and what is on it so far, in its own pixels.

    Attributes:
        drawn: whether it comes from a computer, not from a scanner or camera: plain paper, even ink, no damage.
    """

    def __init__(self, rng: np.random.Generator, side: int, aspect: float | None = None) -> None:
        if aspect is None:
            aspect = 1.414 if chance(rng, 0.5) else log_uniform(rng, 0.6, 1.8)
        area = side * side * log_uniform(rng, 1.2, 2.6)
        self.width, self.height = int(np.sqrt(area / aspect)), int(np.sqrt(area * aspect))
        self.drawn = chance(rng, _DRAWN)
        self.image = draw_paper(rng, self.height, self.width, plain=self.drawn)
        self.outlines: list[np.ndarray] = []
        self.classes: list[int] = []

    def add(self, kind: int, outline: np.ndarray) -> None:
        """Note what was printed: a box of four numbers, or points."""
        if outline.ndim == 1:
            x1, y1, x2, y2 = outline
            outline = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
        self.outlines.append(outline)
        self.classes.append(kind)

    def of(self, kind: int) -> list[np.ndarray]:
        """Return the bounds of what was printed of a kind: low and high x, y, float [2, 2] each."""
        return [
            np.stack([outline.min(axis=0), outline.max(axis=0)])
            for outline, was in zip(self.outlines, self.classes, strict=True)
            if was == kind
        ]


def draw_page_scene(rng: np.random.Generator, side: int = SIDE) -> PageScene:
    """Draw a page with text, tables, pictures and none to four seals, or one seal close by, squeezed into a square.

    Args:
        rng: everything is drawn from it.
        side: of the picture, pixels, at least `MIN_SIDE`.

    Raises:
        FontsMissing: the system has too few fonts.
    """
    if chance(rng, 0.08):
        return _row_of_seals(rng, side)
    sheet = _Sheet(rng, side)
    close = chance(rng, 0.2)
    if not close or chance(rng, 0.65):
        _print(rng, sheet, busy=0.35 if close else 1.0)
    if chance(rng, 0.2):
        add_decoys(rng, sheet.image, 1)
    for _ in range(1 if close else int(rng.choice(5, p=_SEAL_COUNTS))):
        _seal(rng, sheet, close)
    if chance(rng, 0.08):
        _cover(rng, sheet)
    if chance(rng, 0.05):
        _pixelate(rng, sheet)
    if chance(rng, 0.55):
        _sign(rng, sheet)
    if chance(rng, 0.12):
        _overprint(rng, sheet)
    return _finish(rng, sheet, side)


def draw_page_without_seals(rng: np.random.Generator, side: int = SIDE) -> PageScene:
    """Draw a page without a seal, with codes, emblems, logos, letterheads, red print and marks of scanners.

    Args:
        rng: everything is drawn from it.
        side: of the picture, pixels, at least `MIN_SIDE`.

    Raises:
        FontsMissing: the system has too few fonts.
    """
    sheet = _Sheet(rng, side)
    top = letterhead(rng, sheet.image) if chance(rng, 0.4) else 0
    _print(rng, sheet, busy=float(rng.uniform(0.5, 1.0)), top=top, figures=2.0)
    for _ in range(int(rng.integers(1, 5))):
        _decoy_figure(rng, sheet)
    add_decoys(rng, sheet.image, int(rng.integers(1, 5)))
    if chance(rng, 0.4):
        _sign(rng, sheet)
    return _finish(rng, sheet, side)


def draw_photograph(rng: np.random.Generator, side: int = SIDE) -> PageScene:
    """Draw a picture of anything but a page: a photograph with large letters, figures and emblems, and no seal.

    Args:
        rng: everything is drawn from it.
        side: of the picture, pixels, at least `MIN_SIDE`.

    Raises:
        FontsMissing: the system has too few fonts.
    """
    sheet = _Sheet(rng, side)
    sheet.image = photo(rng, sheet.width, sheet.height)
    for _ in range(int(rng.integers(0, 5))):
        size = int(sheet.width * log_uniform(rng, 0.03, 0.25))
        place = (int(rng.uniform(0, 0.8) * sheet.width), int(rng.uniform(0, 0.9) * sheet.height))
        colour = red(rng) if chance(rng, 0.3) else tuple(rng.integers(0, 256, 3).tolist())
        print_text(sheet.image, characters(rng, int(rng.integers(1, 9))), place, size, any_face(rng, 0.0), colour)
    for _ in range(int(rng.integers(0, 3))):
        _decoy_figure(rng, sheet)
    if chance(rng, 0.4):
        add_decoys(rng, sheet.image, 1)
    sheet.add(IMAGE, np.array([0, 0, sheet.width, sheet.height], np.float32))
    return _finish(rng, sheet, side)


def _row_of_seals(rng: np.random.Generator, side: int) -> PageScene:
    """Draw a wide or tall picture of two to five seals beside each other, as cut out of pages."""
    count = int(rng.integers(2, 6))
    across = chance(rng, 0.7)
    sheet = _Sheet(rng, side, rng.uniform(0.9, 1.5) / count if across else rng.uniform(0.6, 1.1) * count)
    _print(rng, sheet, busy=0.3)
    sizes = np.array([sheet.width, sheet.height], np.float64)
    slots = np.array([count, 1] if across else [1, count])
    if chance(rng, 0.3):
        _paste_papers(rng, sheet, slots)
    fill = (0.3, 0.52) if chance(rng, 0.5) else (0.43, 0.5)
    for index in range(count):
        radius = float((sizes / slots).min()) * rng.uniform(*fill)
        place = (np.array([index + 0.5, 0.5] if across else [0.5, index + 0.5]) + rng.normal(0, 0.03, 2)) / slots
        _press(
            rng,
            sheet,
            draw_stamp(rng, (float(place[0] * sizes[0]), float(place[1] * sizes[1])), radius, draw_turn(rng)),
        )
    if chance(rng, 0.3):
        _sign(rng, sheet)
    if chance(rng, 0.3):
        _pixelate(rng, sheet)
    return _finish(rng, sheet, side)


def _paste_papers(rng: np.random.Generator, sheet: _Sheet, slots: np.ndarray) -> None:
    """Lay a paper of its own under most of the slots, as where pieces of several pages are put together."""
    wide, tall = (np.array([sheet.width, sheet.height]) // slots).tolist()
    for index in range(int(slots.max())):
        x, y = (index * wide, 0) if slots[0] > 1 else (0, index * tall)
        if chance(rng, 0.7):
            sheet.image[y : y + tall, x : x + wide] = draw_paper(rng, tall, wide)


def _pixelate(rng: np.random.Generator, sheet: _Sheet) -> None:
    """Make parts of the seals unreadable, as where names are hidden."""
    for low, high in sheet.of(SEAL):
        for _ in range(int(rng.integers(0, 4))):
            half = (high - low).max() * rng.uniform(0.04, 0.14)
            x, y = (low + (high - low) * rng.uniform(0.1, 0.9, 2)).tolist()
            x1, y1, x2, y2 = (max(0, int(edge)) for edge in (x - half, y - half, x + half, y + half))
            region = sheet.image[y1:y2, x1:x2]
            if min(region.shape[:2]) > 3:
                blocks = int(rng.integers(2, 6))
                small = cv2.resize(region, (blocks, blocks), interpolation=cv2.INTER_AREA)
                region[:] = cv2.resize(small, region.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def _print(rng: np.random.Generator, sheet: _Sheet, busy: float, top: int = 0, figures: float = 1.0) -> None:
    """Fill a sheet from top to bottom with titles, paragraphs, tables and figures; `busy` of all are printed."""
    margin = int(sheet.width * rng.uniform(0.04, 0.18))
    room = sheet.width - 2 * margin
    y = top or int(sheet.height * rng.uniform(0.03, 0.12))
    if not top and chance(rng, 0.65 * busy):
        y = _title(rng, sheet, y)
    size, face, colour = int(sheet.width * rng.uniform(0.012, 0.024)), any_face(rng, 0.2), dark_colour(rng)
    shares = np.array([0.55, 0.27, 0.18 * figures])
    while y < sheet.height * 0.93:
        left = sheet.height * 0.96 - y
        kind = int(rng.choice(3, p=shares / shares.sum()))
        tall = int(min(left, sheet.height * rng.uniform(0.05, 0.55 if kind == 1 else 0.36)))
        if tall < 24 or not chance(rng, busy):
            y += max(24, tall // 2)
        elif kind == 0:
            y = _paragraph(rng, sheet, (margin, y, room, tall), (size, face, colour))
        elif kind == 1:
            wide = room if chance(rng, 0.7) else int(room * rng.uniform(0.4, 1.0))
            box = draw_table(rng, sheet.image, margin + int(rng.integers(room - wide + 1)), y, wide, tall)
            sheet.add(TABLE, box)
            y = int(box[3])
        else:
            y = _figure(rng, sheet, (margin, y, room, tall), (size, face, colour))
        y += int(sheet.height * log_uniform(rng, 0.012, 0.12))


def _title(rng: np.random.Generator, sheet: _Sheet, y: int) -> int:
    size = int(sheet.width * rng.uniform(0.025, 0.055))
    text = characters(rng, int(rng.integers(4, 14)))
    x = (sheet.width - size * len(text)) // 2 if chance(rng, 0.8) else int(sheet.width * 0.06)
    colour = red(rng) if chance(rng, 0.18) else dark_colour(rng)
    print_text(sheet.image, text, (x, y), size, any_face(rng, 0.0), colour)
    if chance(rng, 0.15):
        cv2.line(
            sheet.image, (40, y + size * 3 // 2), (sheet.width - 40, y + size * 3 // 2), colour, int(rng.integers(1, 4))
        )
    return y + int(size * rng.uniform(1.6, 2.6))


def _paragraph(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], style: tuple) -> int:
    """Print lines into a box x, y, width, height and return where they end."""
    x, y, room, tall = box
    size, face, colour = style
    if chance(rng, 0.15):
        size, face = int(size * rng.uniform(0.8, 1.3)), any_face(rng, 0.3)
    step = int(size * rng.uniform(1.3, 2.1))
    lines = max(1, tall // step)
    for index in range(lines):
        indent = 2 * size if index == 0 else 0
        width = room - indent if index < lines - 1 else int((room - indent) * rng.uniform(0.1, 1.0))
        print_line(rng, sheet.image, (x + indent, y + index * step), (width, size), face, colour)
    return y + lines * step


def _figure(rng: np.random.Generator, sheet: _Sheet, box: tuple[int, int, int, int], style: tuple) -> int:
    """Print a picture, with a paragraph to its right now and then, and return where it ends."""
    x, y, room, tall = box
    wide = max(24, int(room * rng.uniform(0.2, 0.95)))
    beside = wide < room * 0.6 and chance(rng, 0.5)
    left = x if beside else x + int(rng.integers(room - wide + 1))
    sheet.add(IMAGE, draw_figure(rng, sheet.image, (left, y, wide, tall)))
    if beside:
        _paragraph(rng, sheet, (x + wide + 12, y, room - wide - 12, tall), style)
    return y + tall


def _decoy_figure(rng: np.random.Generator, sheet: _Sheet) -> None:
    """Put a mark, a code or a picture where there is none yet."""
    size = int(sheet.width * log_uniform(rng, 0.06, 0.3))
    for _ in range(6):
        x, y = (int(rng.integers(0, length - size)) for length in (sheet.width, sheet.height))
        boxes = [np.concatenate([there.min(axis=0), there.max(axis=0)]) for there in sheet.outlines]
        if not any(x < box[2] and box[0] < x + size and y < box[3] and box[1] < y + size for box in boxes):
            sheet.add(IMAGE, draw_figure(rng, sheet.image, (x, y, size, size), marks=0.6))
            return


def _seal(rng: np.random.Generator, sheet: _Sheet, close: bool) -> None:
    """Press a seal somewhere: on a table or a picture, over another seal, low on the page, anywhere."""
    if close:
        radius = min(sheet.width, sheet.height) * rng.uniform(0.25, 0.52)
    else:
        radius = sheet.width * log_uniform(rng, 0.045, 0.36) / 2
    spot = _spot(rng, sheet, radius)
    if close and chance(rng, 0.6):
        middle = rng.normal(0.5, 0.04, 2)
        spot = (float(middle[0] * sheet.width), float(middle[1] * sheet.height))
    _press(rng, sheet, draw_stamp(rng, spot, float(radius), draw_turn(rng)))


def _press(rng: np.random.Generator, sheet: _Sheet, stamp: Stamp) -> None:
    ink = draw_visible_ink(rng, _under(sheet.image, stamp))
    press(rng, sheet.image, stamp.mask, stamp.origin, replace(ink, worn=0.0) if sheet.drawn else ink)
    sheet.add(SEAL, stamp.outline)


def _under(image: np.ndarray, stamp: Stamp) -> np.ndarray:
    """Return some pixels of the page where a stamp is going to be."""
    x1, y1, x2, y2 = np.clip(stamp.box, 0, (*image.shape[1::-1], *image.shape[1::-1])).astype(int)
    pixels = image[y1:y2:5, x1:x2:5]
    return pixels if pixels.size else image[::40, ::40]


def _spot(rng: np.random.Generator, sheet: _Sheet, radius: float) -> tuple[float, float]:
    kind = rng.random()
    for wanted, share in ((TABLE, 0.25), (SEAL, 0.45), (IMAGE, 0.6)):
        there = sheet.of(wanted)
        if there and kind < share:
            low, high = there[int(rng.integers(len(there)))]
            spot = low + (high - low) * rng.uniform(0.0, 1.0, 2)
            return float(spot[0]), float(spot[1])
    slack = -0.4 * radius if chance(rng, 0.12) else radius
    sizes = np.array([sheet.width, sheet.height], np.float64)
    share = rng.beta(1.4, 1.0, 2) if chance(rng, 0.5) else rng.uniform(0, 1, 2)
    spot = np.minimum(slack, sizes / 2) + share * np.maximum(sizes - 2 * slack, 0.0)
    return float(spot[0]), float(spot[1])


def _sign(rng: np.random.Generator, sheet: _Sheet) -> None:
    """Draw signatures: anywhere, or across a seal and over its edge, where they are no part of its box."""
    seals = sheet.of(SEAL)
    for _ in range(int(rng.integers(1, 4))):
        spot = rng.uniform(0.1, 0.9, 2) * (sheet.width, sheet.height)
        size = sheet.width * log_uniform(rng, 0.04, 0.25)
        if seals and chance(rng, 0.6):
            low, high = seals[int(rng.integers(len(seals)))]
            spot = low + (high - low) * rng.uniform(-0.2, 1.2, 2)
            size = float((high - low).max()) * log_uniform(rng, 0.4, 2.0)
        scribble(rng, sheet.image, (float(spot[0]), float(spot[1])), size)


def _cover(rng: np.random.Generator, sheet: _Sheet) -> None:
    """Put a code or a picture over one side of a seal, at most half of it."""
    seals = sheet.of(SEAL)
    if not seals:
        return
    low, high = seals[int(rng.integers(len(seals)))]
    sides = (np.exp(rng.uniform(np.log(0.5), np.log(2.5), 2)) * (high - low)).astype(int)
    along, hidden = int(rng.integers(2)), rng.uniform(0.1, 0.5)
    corner = low + (high - low) * rng.uniform(-0.3, 0.7, 2)
    corner[along] = (
        low[along] + hidden * (high - low)[along] - sides[along]
        if chance(rng, 0.5)
        else high[along] - hidden * (high - low)[along]
    )
    x, y = corner.astype(int).tolist()
    wide, tall = sides.tolist()
    if min(x, y) >= 0 and x + wide <= sheet.width and y + tall <= sheet.height and min(wide, tall) >= 24:
        sheet.add(IMAGE, draw_figure(rng, sheet.image, (x, y, wide, tall)))


def _overprint(rng: np.random.Generator, sheet: _Sheet) -> None:
    """Print some lines over everything, seals included."""
    size = int(sheet.width * rng.uniform(0.012, 0.028))
    box = (int(sheet.width * rng.uniform(0, 0.4)), int(sheet.height * rng.uniform(0.1, 0.8)))
    _paragraph(
        rng, sheet, (*box, sheet.width // 2, int(size * rng.integers(2, 12))), (size, any_face(rng), dark_colour(rng))
    )


def _finish(rng: np.random.Generator, sheet: _Sheet, side: int) -> PageScene:
    if chance(rng, 0.3) and not sheet.drawn:
        image, outlines = photograph(rng, sheet.image, sheet.outlines, side)
    else:
        image = np.asarray(cv2.resize(sheet.image, (side, side), interpolation=_way_down(rng)))
        factor = np.array([side / sheet.width, side / sheet.height], np.float32)
        outlines = [outline * factor for outline in sheet.outlines]
    boxes, classes = _boxes(outlines, sheet.classes, side)
    return PageScene(image if sheet.drawn else degrade(rng, image), boxes, classes)


def _way_down(rng: np.random.Generator) -> int:
    """Choose an interpolation: pages come to a network averaged, or with the steps of one that skips pixels."""
    return (cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LINEAR)[int(rng.choice(3, p=(0.6, 0.3, 0.1)))]


def _boxes(outlines: list[np.ndarray], kinds: list[int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of the outlines, cut to the picture; those hardly on it are left out."""
    kept = []
    for outline, kind in zip(outlines, kinds, strict=True):
        whole = np.concatenate([outline.min(axis=0), outline.max(axis=0)])
        cut = np.clip(whole, 0, side)
        size, full = cut[2:] - cut[:2], whole[2:] - whole[:2]
        if size.min() >= _LEAST_SIDE and size.prod() >= _VISIBLE * full.prod():
            kept.append((cut, kind))
    boxes = np.array([box for box, _ in kept], np.float32).reshape(-1, 4)
    return boxes, np.array([kind for _, kind in kept], np.int64)
