"""Render the sample page: text in Chinese and English, in several sizes, one line turned.

The picture lies beside this script, so nobody needs the font; run this again to change it:

    python samples/make_samples.py --font /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = (960, 640)
INK, ACCENT, RULE, PAPER = (30, 34, 42), (20, 80, 150), (170, 176, 186), (252, 251, 247)
# Text, position of its left top corner (px), height of the font (px), colour.
LINES = (
    ("服务器部署说明", (60, 40), 52, ACCENT),
    ("Deployment Notes 2026", (62, 120), 34, INK),
    ("文字识别流水线由三个模块组成", (62, 200), 28, INK),
    ("Page decoding, text detection, text recognition", (62, 250), 28, INK),
    ("每个网络都是一个独立的模型", (62, 300), 28, INK),
    ("Order No. 20261121-0042", (62, 372), 24, INK),
    ("合计金额：¥3,680.50", (560, 372), 24, INK),
    ("Questions? support@example.com", (62, 440), 22, INK),
    ("地址：和平路128号", (560, 440), 22, INK),
    ("小字也要能读：第一章 概述 Chapter 1", (62, 540), 18, INK),
)
TURNED = ("仅供测试 SAMPLE", (640, 60), 30, (160, 40, 40), 12)


def draw_page(font_path: Path) -> Image.Image:
    """The sample page, RGB."""
    page = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(page)
    for text, position, height, colour in LINES:
        draw.text(position, text, font=ImageFont.truetype(font_path, height), fill=colour)
    for y in (180, 350, 500):
        draw.line([(60, y), (SIZE[0] - 60, y)], fill=RULE, width=2)
    text, position, height, colour, degrees = TURNED
    font = ImageFont.truetype(font_path, height)
    box = font.getbbox(text)
    stamp = Image.new("RGBA", (int(box[2]) + 20, int(box[3]) + 20))
    ImageDraw.Draw(stamp).text((10, 5), text, font=font, fill=colour)
    stamp = stamp.rotate(degrees, expand=True, resample=Image.Resampling.BICUBIC)
    page.paste(stamp, position, stamp)
    return page


def main() -> None:
    """Write `page.png` beside this script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", type=Path, required=True, help="a font with Chinese glyphs")
    page = draw_page(parser.parse_args().font)
    page.save(Path(__file__).with_name("page.png"), optimize=True)


if __name__ == "__main__":
    main()
