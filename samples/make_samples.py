"""Render the samples: a page of text in Chinese and English, a contract with two seals, and five seals.

The pictures lie beside this script, so nobody needs the fonts; run this again to change them:

    python samples/make_samples.py --font /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc \\
      --bold /usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont
from seals import BLACK, BLUE, Seal, print_seal

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

# A4 at 200 dots per inch. Measures of the contract are for 150 and are enlarged; a seal of 42 mm is 250 of them wide.
CONTRACT_SIZE, SEAL_WIDTH, _ENLARGED = (1654, 2339), 250, 200 / 150
CLAUSES = (
    ("一、服务内容", "乙方为甲方提供文字识别系统的部署、培训与日常维护，具体要求见附件一。"),
    ("二、服务期限", "本合同自二〇二六年十二月一日起生效，有效期为十二个月，期满前可以续签。"),
    ("三、费用与支付", "服务费共计人民币叁万陆仟捌佰元整（¥36,800.00），分两次支付。"),
    ("四、保密", "双方对在合作中知悉的技术资料负有保密义务，合同终止后继续有效。"),
    ("五、争议的解决", "因本合同发生的争议，双方应友好协商；协商不成的，提交仲裁。"),
    ("六、其他", "本合同一式两份，双方各执一份，自双方盖章之日起生效。"),
)
# Text of the signatures and its left top corner; the second seal lies on the right ones.
SIGNATURES = (
    ("甲方（盖章）：", (150, 1250)),
    ("乙方（盖章）：青禾示例科技有限公司", (640, 1250)),
    ("代表签字：", (150, 1440)),
    ("日期：二〇二六年十一月二十日", (640, 1350)),
)
CONTRACT_SEALS = (
    (Seal("明德示例教育中心", ("行政专用章",), turn=-6), (420, 1330)),
    (Seal("青禾示例科技有限公司", ("合同专用章",), turn=5), (965, 1184)),
)
# One of each kind: round, oval, frame, black, turned.
SEALS = (
    Seal("青禾示例科技有限公司", ("合同专用章",), number="3301260011206"),
    Seal("明德示例教育中心", ("财务专用章",), aspect=0.75, ink=BLUE, star=False),
    Seal(lines=("海风示例贸易公司", "业务受理专用章"), square=True, aspect=0.7),
    Seal("锦江示例建设集团", ("资料专用章",), ink=BLACK, strength=0.75),
    Seal("西湖示例文化传媒有限公司", pitch=21, turn=20),
)


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


def draw_contract(font: Path, bold: Path) -> Image.Image:
    """A contract with two seals, one of them on text, RGB."""
    page = Image.new("RGB", CONTRACT_SIZE, PAPER)
    draw = ImageDraw.Draw(page)

    def write(text: str, x: float, y: float, face: Path, height: int, anchor: str = "la") -> None:
        sized = ImageFont.truetype(face, round(height * _ENLARGED))
        draw.text((x * _ENLARGED, y * _ENLARGED), text, font=sized, fill=INK, anchor=anchor)

    write("技术服务合同", 620, 190, bold, 56, "mm")
    write("合同编号：SL-2026-1120", 620, 270, font, 26, "mm")
    for index, (title, clause) in enumerate(CLAUSES):
        write(title, 150, 350 + 132 * index, bold, 30)
        write(clause, 150, 402 + 132 * index, font, 27)
    for text, (x, y) in SIGNATURES:
        write(text, x, y, font, 29)
    for seal, (x, y) in CONTRACT_SEALS:
        print_seal(page, seal, (round(x * _ENLARGED), round(y * _ENLARGED)), round(SEAL_WIDTH * _ENLARGED), bold)
    return page


def draw_seal(seal: Seal, bold: Path, width: int = 400, margin: int = 60) -> Image.Image:
    """A seal alone on paper, RGB."""
    side = width + 2 * margin
    page = Image.new("RGB", (side, side), PAPER)
    print_seal(page, seal, (side // 2, side // 2), width, bold)
    return page


def save(picture: Image.Image, path: Path) -> None:
    """Save as PNG, with a palette where that loses nothing."""
    few = picture.quantize(dither=Image.Dither.NONE)
    same = ImageChops.difference(few.convert("RGB"), picture).getbbox() is None
    (few if same else picture).save(path, optimize=True)


def main() -> None:
    """Write the pictures beside this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--font", type=Path, required=True, help="a font with Chinese glyphs")
    parser.add_argument(
        "--bold", type=Path, required=True, help="a bold one for seals and titles; real seals have serifs"
    )
    fonts = parser.parse_args()
    pictures = {"page.png": draw_page(fonts.font), "contract.png": draw_contract(fonts.font, fonts.bold)}
    for index, seal in enumerate(SEALS, 1):
        pictures[f"seal_{index}.png"] = draw_seal(seal, fonts.bold)
    for name, picture in pictures.items():
        save(picture, Path(__file__).with_name(name))


if __name__ == "__main__":
    main()
