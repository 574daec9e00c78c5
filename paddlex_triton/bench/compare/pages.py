"""What is read: drawn pages, the samples of the repository, drawn seals, and one's own pictures."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from paddlex_triton.client.results.fonts import find_font
from paddlex_triton.paths import checkout

PAPER, INK = (252, 251, 247), (30, 34, 42)
SEALS = 130
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_ANALYTES = (
    "Haemoglobin Erythrocytes Leukocytes Platelets Glucose Creatinine Sodium Potassium Calcium Albumin Bilirubin "
    "Ferritin Cholesterol Triglycerides Lactate"
)
_UNITS = ("g/L", "mmol/L", "umol/L", "10^9/L", "U/L")
_HEAD = (
    ("Central Laboratory", "Report 20441"),
    ("Patient: A. Example", "Born: 12.03.1971"),
    ("Taken: 07:45", "Printed: 11:20"),
    ("Sample: serum", "Station: 4 West"),
)
_PROSE = (
    "the server reads every page once and hands its lines to the network that knows most about them while others wait "
    "for their turn because two runs at a time would only slow each other down on a machine with few cores and what is "
    "gained by joining lines of equal width depends on the engine below more than on anything that is written above it"
)


@dataclass(frozen=True)
class Case:
    """Pictures that are measured together: their times are one distribution.

    Attributes:
        name: in reports.
        files: pictures.
    """

    name: str
    files: tuple[Path, ...]


def ocr_cases(folder: Path, own: Sequence[Path]) -> list[Case]:
    """Draw the pages of text, and add the sample page and one's own.

    Args:
        folder: where to write drawn ones.
        own: folders and files.
    """
    drawn: dict[str, Callable[[], Image.Image]] = {
        "form, 69 short lines": draw_form,
        "dense page, 28 long lines": draw_dense,
        "product, 4 lines": draw_product,
    }
    cases = [_drawn(name, draw, folder) for name, draw in drawn.items()]
    return [*cases, *_samples("page"), *own_cases(own)]


def seal_cases(folder: Path, own: Sequence[Path], seals: int = SEALS) -> list[Case]:
    """The sample contract, a clean seal, so many drawn seals, and one's own pictures.

    Raises:
        ValueError: no checkout with the script that draws seals, or no font with Chinese glyphs.
    """
    found = find_font()
    root = checkout()
    if root is None or found.path is None:
        raise ValueError("seals are drawn in a clone of the repository, in a font with Chinese glyphs: extra `fonts`")
    script = _load(root / "samples" / "seals.py")
    files = []
    for index in range(seals):
        files.append(folder / f"seal_{index:03}.png")
        _draw_seal(script, index, found.path).save(files[-1])
    drawn = Case(f"{seals} drawn seals", tuple(files))
    return [*_samples("contract"), *_samples("seal_1"), drawn, *own_cases(own)]


def keypoint_cases(folder: Path, own: Sequence[Path]) -> list[Case]:
    """One's own pictures, and all of them side by side until nine stand there: nobody can draw people.

    Raises:
        ValueError: there are none.
    """
    cases = own_cases(own)
    if not cases:
        raise ValueError("pictures of people are needed: name a folder with --images")
    tiles = [case.files[0] for case in cases]
    side = 480
    page = Image.new("RGB", (3 * side, 3 * side), PAPER)
    for index in range(9):
        with Image.open(tiles[index % len(tiles)]) as picture:
            tile = picture.convert("RGB")
            tile.thumbnail((side, side))
            page.paste(tile, (index % 3 * side, index // 3 * side))
    path = folder / "nine_pictures.png"
    page.save(path)
    return [Case("nine pictures side by side", (path,)), *cases]


def draw_form() -> Image.Image:
    """A laboratory's form, 900x1240: 69 short lines, the same ones always."""
    page, rng = Image.new("RGB", (900, 1240), PAPER), random.Random(69)
    draw = ImageDraw.Draw(page)
    for row, (left, right) in enumerate(_HEAD):
        draw.text((50, 40 + 48 * row), left, font=_font(26), fill=INK)
        draw.text((560, 40 + 48 * row), right, font=_font(26), fill=INK)
    draw.line([(50, 245), (850, 245)], fill=INK, width=2)
    for row, analyte in enumerate(_ANALYTES.split()):
        low = rng.randint(10, 90)
        cells = (analyte, f"{low + rng.randint(0, 40)}.{rng.randint(0, 9)}", rng.choice(_UNITS), f"{low} - {low + 45}")
        for x, text in zip((50, 370, 540, 700), cells, strict=True):
            draw.text((x, 275 + 59 * row), text, font=_font(25), fill=INK)
    draw.text((50, 1180), "Approved by B. Sample", font=_font(25), fill=INK)
    return page


def draw_dense(lines: int = 28) -> Image.Image:
    """A page full of prose, 1000x1180, its lines as wide as the page."""
    page, rng = Image.new("RGB", (1000, 1180), PAPER), random.Random(28)
    draw, font, words = ImageDraw.Draw(page), _font(26), _PROSE.split()
    for row in range(lines):
        text = ""
        while font.getlength(text) < 800:
            text = f"{text} {rng.choice(words)}".strip()
        draw.text((60, 40 + 40 * row), text, font=font, fill=INK)
    return page


def draw_product() -> Image.Image:
    """A picture of a box with four lines, 800x800."""
    y, x = np.mgrid[:800, :800]
    shade = np.stack([170 + 60 * np.sin(x / 170), 150 + 50 * np.cos(y / 140), 120 + (x + y) / 16], axis=2)
    page = Image.fromarray(shade.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(page)
    draw.rectangle([140, 120, 660, 700], fill=(245, 240, 225), outline=(90, 60, 40), width=6)
    for (text, size), top in zip(
        (("GREEN TEA", 72), ("Mountain harvest", 44), ("Net weight 250 g", 36), ("Best before 2027-08", 30)),
        (180, 320, 470, 600),
        strict=True,
    ):
        draw.text((400, top), text, font=_font(size), fill=(60, 45, 30), anchor="mt")
    return page


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's own font: the same everywhere."""
    return ImageFont.load_default(size)


def _draw_seal(script: ModuleType, index: int, font: Path) -> Image.Image:
    """One seal on paper, RGB, 520x520; a number is a seal."""
    rng = random.Random(index)
    places, trades = ("青禾", "明德", "锦江", "西湖", "海风", "云山"), ("科技", "建设", "贸易", "教育", "文化")
    arc = f"{rng.choice(places)}示例{rng.choice(trades)}{rng.choice(('有限公司', '集团', '中心'))}"
    seal = script.Seal(
        arc,
        (f"{rng.choice(('合同', '财务', '行政', '资料'))}专用章",),
        number="".join(str(rng.randint(0, 9)) for _ in range(13)) if rng.random() < 0.5 else "",
        aspect=rng.choice((1.0, 1.0, 0.75)),
        ink=rng.choice((script.RED, script.RED, script.BLUE)),
        strength=rng.uniform(0.7, 0.95),
        turn=rng.uniform(-15, 15),
    )
    page = Image.new("RGB", (520, 520), PAPER)
    script.print_seal(page, seal, (260, 260), 400, font)
    return page


def _drawn(name: str, draw: Callable[[], Image.Image], folder: Path) -> Case:
    path = folder / f"{name.partition(',')[0].replace(' ', '_')}.png"
    draw().save(path)
    return Case(name, (path,))


def _samples(name: str) -> list[Case]:
    root = checkout()
    path = root / "samples" / f"{name}.png" if root else None
    return [Case(f"sample {name}", (path,))] if path is not None and path.is_file() else []


def own_cases(own: Sequence[Path]) -> list[Case]:
    """One's own pictures, a case each.

    Raises:
        ValueError: a path does not exist.
    """
    files: list[Path] = []
    for place in own:
        if not place.exists():
            raise ValueError(f"{place} is not there")
        files += sorted(place.iterdir()) if place.is_dir() else [place]
    return [Case(file.stem, (file.resolve(),)) for file in files if file.suffix.lower() in _SUFFIXES]


def _load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("drawn_seals", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
