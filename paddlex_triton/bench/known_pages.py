"""Pages with known text: the samples, and pages that are drawn, a little blurred, noisy and compressed as scans are.

Nothing on them is copied from a page of somebody's: names, numbers and sentences are made of the words below.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paddlex_triton.client.results.fonts import FontFace, find_font

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
Box = tuple[float, float, float, float]
# Text, left top corner and height of the font, pixels.
_Entry = tuple[str, int, int, int]

_PLACES = ("杭州萧山", "成都双流", "西安咸阳", "昆明长水", "青岛胶东", "厦门高崎", "长沙黄花", "大连周水子")
_PLACES_LATIN = ("HANGZHOU", "CHENGDU", "XI'AN", "KUNMING", "QINGDAO", "XIAMEN", "CHANGSHA", "DALIAN")
_FAMILY, _GIVEN = "王李赵陈林郭何高罗郑", "明华芳伟静磊娜洋勇艳杰霞"
_LABELS = (
    "航班 FLIGHT", "日期 DATE", "舱位 CLASS", "座位号 SEAT NO.", "登机口 GATE", "登机时间 BDT", "目的地 TO",
    "始发地 FROM", "序号 SERIAL NO.", "身份识别 ID NO.", "姓名 NAME", "票号 TKT NO.", "票价 FARE", "行李 BAGGAGE",
)  # fmt: skip
_TESTS = (
    "白细胞计数", "红细胞计数", "血红蛋白", "血小板计数", "淋巴细胞百分比", "总胆红素", "谷丙转氨酶", "尿酸", "肌酐",
    "葡萄糖", "总胆固醇", "甘油三酯", "钾", "钠", "钙", "铁蛋白",
)  # fmt: skip
_UNITS = ("10^9/L", "g/L", "%", "μmol/L", "U/L", "mmol/L", "ng/mL", "fL")
_GOODS = ("无线蓝牙耳机", "不锈钢保温杯", "纯棉四件套", "便携式充电宝", "儿童绘本", "陶瓷餐具", "折叠雨伞", "护手霜")
_OFFERS = ("包邮", "满300减40", "限时特价", "七天无理由退换", "新品上市", "第2件半价", "赠运费险", "正品保障")
_SUBJECTS = ("本公司", "承租人", "项目负责人", "有关部门", "乙方", "审计委员会", "技术人员", "各分支机构")
_VERBS = ("应当按照", "可以根据", "必须遵守", "已经完成", "将继续执行", "不得违反", "负责组织", "认真落实")
_OBJECTS = (
    "合同约定的付款期限", "国家规定的质量标准", "年度预算的调整方案", "设备的日常维护与检修", "信息安全管理制度",
    "原材料的采购计划", "员工培训的具体安排", "工程验收的书面记录",
)  # fmt: skip
_ENDS = ("，并在三十日内书面通知对方。", "；逾期的，按日支付违约金。", "，确保各项工作顺利进行。", "（详见附件二）。")
_CHARACTERS = "012345678901234567890123456789ABEHKMNRWXY%男女是否有无元张"
_WORDS = (
    "the", "of", "and", "to", "in", "for", "is", "on", "that", "by", "with", "as", "be", "are", "this", "from", "any",
    "such", "shall", "which", "service", "provider", "liability", "warranty", "damages", "agreement", "termination",
    "information", "equipment", "personal", "refund", "payment", "notice", "written", "within", "days", "limited",
    "temperature", "humidity", "maintenance", "battery", "instructions", "surface", "children", "storage", "original",
)  # fmt: skip


@dataclass(frozen=True)
class KnownLine:
    """A line as it was written.

    Attributes:
        text: the line.
        box: left, top, right, bottom of the part of the page that it is in, pixels; it may be alone in there or not.
    """

    text: str
    box: Box


@dataclass(frozen=True)
class KnownPage:
    """A page, and what stands on it.

    Attributes:
        kind: pages of a kind are counted together.
        image: uint8 [H, W, 3] BGR.
        lines: all of it; none where nothing is known.
        seal: whether it is one seal and nothing else.
    """

    kind: str
    image: np.ndarray
    lines: tuple[KnownLine, ...]
    seal: bool = False


def draw_pages(count: int, seed: int) -> Iterator[KnownPage]:
    """Draw pages of short lines, of long ones and of mixed ones.

    Args:
        count: pages of each kind.
        seed: of everything random.
    """
    kinds: dict[str, Callable[[np.random.Generator], tuple[tuple[int, int], list[_Entry]]]] = {
        "boarding pass": _boarding_pass,
        "form of short lines": _form,
        "single characters": _single_characters,
        "shop page": _shop_page,
        "small English print": _small_print,
        "Chinese paragraphs": _paragraphs,
    }
    face = find_font()
    for kind, entries_of in kinds.items():
        for number in range(count):
            rng = np.random.default_rng([seed, number])
            size, entries = entries_of(rng)
            yield _draw(kind, size, entries, face, rng)


def read_samples() -> Iterator[KnownPage]:
    """Read the samples: a page, a contract without its seals' text, and the seals by themselves.

    Raises:
        FileNotFoundError: this is not a checkout.
    """
    samples = _import_samples("make_samples")
    contract = ["技术服务合同", "合同编号：SL-2026-1120", *(text for clause in samples.CLAUSES for text in clause)]
    texts = {
        "page.png": [line[0] for line in (*samples.LINES, samples.TURNED)],
        "contract.png": [*contract, *(text for text, _ in samples.SIGNATURES)],
    }
    for name, lines in texts.items():
        yield _with_texts("samples", _read(SAMPLES / name), lines)
    for number, seal in enumerate(samples.SEALS, 1):
        yield _with_texts("sample seals", _read(SAMPLES / f"seal_{number}.png"), seal.texts, seal=True)


def draw_seals(count: int, seed: int) -> Iterator[KnownPage]:
    """Draw round and oval seals with `samples/seals.py`, each on a page of its own.

    Args:
        count: how many.
        seed: of everything random.

    Raises:
        FileNotFoundError: this is not a checkout, or there is no font with Chinese glyphs.
    """
    seals = _import_samples("seals")
    face = find_font()
    if face.path is None:
        raise FileNotFoundError("there is no font with Chinese glyphs; install the extra fonts")
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        place, trade = str(rng.choice(_PLACES))[:2], str(rng.choice(_GOODS))[-2:]
        lines = (
            (str(rng.choice(["合同专用章", "财务专用章", "行政专用章", "发票专用章"])),) if rng.random() < 0.6 else ()
        )
        seal = seals.Seal(
            f"{place}{_name(rng)}{trade}有限公司",
            lines,
            number="" if lines else _digits(rng, 13),
            aspect=float(rng.choice([1.0, 1.0, 0.75])),
            ink=(seals.RED, seals.BLUE, seals.BLACK)[int(rng.integers(3))],
            strength=float(rng.uniform(0.7, 0.95)),
            turn=float(rng.uniform(-20, 20)),
        )
        width = int(rng.integers(280, 480))
        page = Image.new("RGB", (width + 120, width + 120), (252, 251, 247))
        seals.print_seal(page, seal, (page.width // 2, page.height // 2), width, face.path)
        yield _with_texts("drawn seals", _scan(np.asarray(page)[..., ::-1], rng), seal.texts, seal=True)


def _import_samples(module: str):
    if not SAMPLES.is_dir():
        raise FileNotFoundError(f"{SAMPLES} is not there: samples and seals need a checkout of this product")
    if str(SAMPLES) not in sys.path:
        sys.path.append(str(SAMPLES))
    return __import__(module)


def _read(path: Path) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)


def _with_texts(kind: str, image: np.ndarray, texts: Sequence[str], *, seal: bool = False) -> KnownPage:
    """Make a page of texts of which only that they are on it is known."""
    everywhere = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    return KnownPage(kind, image, tuple(KnownLine(text, everywhere) for text in texts), seal)


def _draw(
    kind: str, size: tuple[int, int], entries: Sequence[_Entry], face: FontFace, rng: np.random.Generator
) -> KnownPage:
    page = Image.new("RGB", size, (252, 251, 247))
    draw = ImageDraw.Draw(page)
    lines = []
    for text, x, y, height in entries:
        font = face.at(height)
        draw.text((x, y), text, font=font, fill=(30, 34, 42))
        lines.append(KnownLine(text, draw.textbbox((x, y), text, font=font)))
    return KnownPage(kind, _scan(np.asarray(page)[..., ::-1], rng), tuple(lines))


def _scan(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur a page, add noise, compress it as JPEG."""
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.1)).astype(np.float32)
    noisy = np.clip(blurred + rng.normal(0, rng.uniform(1, 12), image.shape), 0, 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])[1]
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def _boarding_pass(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """34 lines, most of a few characters."""
    place = int(rng.integers(len(_PLACES)))
    values = [
        f"MU {_digits(rng, 4)}", f"{rng.integers(1, 29):02d}DEC", "W", f"{rng.integers(1, 60):03d}", "A12",
        f"{rng.integers(6, 23):02d}:{rng.integers(0, 60):02d}", _PLACES[place], _PLACES[place - 1], _digits(rng, 3),
        _digits(rng, 8), _name(rng), f"781{_digits(rng, 10)}", f"CNY{_digits(rng, 3)}.00", f"{_digits(rng, 2)}KG",
    ]  # fmt: skip
    entries = [("登机牌", 330, 20, 44), ("BOARDING PASS", 480, 28, 36)]
    for index, (label, value) in enumerate(zip(_LABELS, values, strict=True)):
        x, y = 40 + index % 4 * 215, 110 + index // 4 * 92
        entries += [(label, x, y, 18), (value, x, y + 30, 26)]
    entries += [(_PLACES_LATIN[place], 470, 386, 20), (_PLACES_LATIN[place - 1], 685, 386, 20)]
    entries += [("登机口于起飞前10分钟关闭 GATES CLOSE 10 MINUTES BEFORE DEPARTURE TIME", 40, 478, 18)]
    return (896, 528), entries


def _form(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """68 lines, a laboratory's table."""
    columns = (40, 110, 340, 480, 640)
    entries = [
        ("检验报告单", 330, 24, 34),
        (f"姓名：{_name(rng)}", 40, 80, 20),
        (f"编号：{_digits(rng, 9)}", 340, 80, 20),
    ]
    heads = ("序号", "检验项目", "结果", "单位", "参考区间")
    entries += [(text, x, 124, 20) for text, x in zip(heads, columns, strict=True)]
    for row, test in enumerate(rng.permutation(_TESTS)[:12], 1):
        low = rng.uniform(0.5, 90)
        values = (str(row), str(test), f"{low * rng.uniform(0.7, 2.2):.2f}", str(rng.choice(_UNITS)))
        cells = (*values, f"{low:.2f}-{low * 1.8:.2f}")
        entries += [(text, x, 128 + 36 * row, 19) for text, x in zip(cells, columns, strict=True)]
    return (820, 620), entries


def _single_characters(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """80 cells of one or two characters, digits most of all."""
    cells = ["".join(rng.choice(list(_CHARACTERS), rng.choice([1, 2], p=[0.6, 0.4]))) for _ in range(80)]
    entries = [
        (text, 30 + index % 10 * 62, 25 + index // 10 * 44, int(rng.integers(16, 24)))
        for index, text in enumerate(cells)
    ]
    return (660, 400), entries


def _shop_page(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """18 lines with prices and signs."""
    entries = []
    for index, (goods, offer) in enumerate(zip(rng.permutation(_GOODS)[:6], rng.permutation(_OFFERS), strict=False)):
        x, y = 40 + index % 2 * 400, 40 + index // 2 * 190
        price = f"¥{rng.integers(5, 2000)}.{rng.integers(0, 100):02d}"
        entries += [(f"{goods} {rng.integers(100, 900)}ml【{offer}】", x, y, 24), (price, x, y + 48, 34)]
        entries += [(f"月销{rng.integers(1, 99) * 100}+ 好评{rng.integers(90, 100)}%", x, y + 106, 20)]
    return (840, 620), entries


def _small_print(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """40 lines of 9 to 14 pixels, of 60 to 110 characters."""
    height = int(rng.integers(9, 15))
    entries = []
    for index in range(40):
        length, line = int(rng.integers(60, 110)), ""
        while len(line) < length:
            word = str(rng.choice(_WORDS))
            start = not line or line.endswith(". ")
            ends = rng.choice([" ", ", ", ". ", f" {rng.integers(1, 100)} "], p=[0.8, 0.09, 0.08, 0.03])
            line += (word.capitalize() if start else word) + str(ends)
        entries.append((line.strip(), 40, 30 + index * (height + 9), height))
    return (1000, 60 + 40 * (height + 9)), entries


def _paragraphs(rng: np.random.Generator) -> tuple[tuple[int, int], list[_Entry]]:
    """20 lines of 12 to 40 characters."""
    height = int(rng.integers(18, 27))
    entries = []
    for index in range(20):
        line = "".join(str(rng.choice(part)) for part in (_SUBJECTS, _VERBS, _OBJECTS, _ENDS))
        start = f"第{index + 1}条 " if rng.random() < 0.3 else ""
        entries.append((start + line[: int(rng.integers(12, 40))], 50, 40 + index * (height + 18), height))
    return (1120, 80 + 20 * (height + 18)), entries


def _name(rng: np.random.Generator) -> str:
    return str(rng.choice(list(_FAMILY))) + "".join(rng.choice(list(_GIVEN), 2))


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(map(str, rng.integers(0, 10, count)))
