"""Texts of seals and documents: random characters and the usual words of firms and offices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


def _words(*lines: str) -> tuple[str, ...]:
    return tuple(word for line in lines for word in line.split())


_REGIONS = _words(
    "北京 上海 天津 重庆 广东 深圳 浙江 江苏 山东 四川 成都 湖北 湖南 河南 河北 辽宁 福建 厦门 贵州 云南 西安",
    "陕西 山西 广西 海南 甘肃 新疆 内蒙古 黑龙江 吉林 江西 安徽 中国 宁夏 青海 苏州 杭州 宁波 青岛 大连 佛山",
    "无锡 温州",
)
_TRADES = _words(
    "信息 科技 贸易 文化传播 机械设备 物流 汽车 环保 化工 建筑 装饰 服装 电子 食品 医药 农业 旅游 教育 人力资源",
    "网络 投资 能源 家具 纺织 咨询 广告 印刷 通信 金属 制冷 农林 安全 工程 地产 酒店 信息技术 新材料 生物",
    "供应链 工贸 实业",
)
_SUFFIXES = _words(
    "有限公司 股份有限公司 有限责任公司 集团有限公司 分公司 总公司 人民政府 人民法院 派出所 委员会 管理局 中学",
    "中心医院 研究所 办事处 学校 大学 律师事务所 服务中心 合作社 协会 管理处 经营部 公证处 税务局 银行 事务所",
    "人民医院 幼儿园 工厂",
)
_BUSINESS = _words(
    "合同专用章 财务专用章 发票专用章 业务专用章 行政专用章 检验专用章 投标专用章 受理专用章 资料专用章",
    "医疗业务章 项目部 办公室 教务处 财务处 人事章 现金付讫 现金收讫 收讫 付讫 已审核 作废 验讫 专用章 公章",
    "骑缝章 收发章 报关专用章 电子专用章 质检章 确认章",
)
_LATIN_WORDS = _words(
    "CO LTD LIMITED TRADING INTERNATIONAL GROUP SHANGHAI CHINA COMPANY OFFICIAL SEAL TECHNOLOGY HOLDINGS",
    "FACTORY HONG KONG ASIA PACIFIC COFFEE NANJING SERVICE NOTARY PUBLIC CERTIFIED CORPORATION INDUSTRIAL BANK",
)


@lru_cache(maxsize=1)
def common_characters() -> str:
    """Return the 3755 characters of GB 2312's first level."""
    codes = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    return "".join(code.decode("gb2312", errors="ignore") for code in codes)


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]


def characters(rng: np.random.Generator, count: int) -> str:
    """Make up random common characters."""
    table = common_characters()
    return "".join(table[index] for index in rng.integers(len(table), size=count))


def digits(rng: np.random.Generator, count: int) -> str:
    """Make up random digits."""
    return "".join(map(str, rng.integers(10, size=count)))


def firm(rng: np.random.Generator) -> str:
    """Make up a name as on the upper arc of a seal: region, random characters, trade, kind of office."""
    parts = [
        _pick(rng, _REGIONS) + ("市" if rng.random() < 0.15 else "") if rng.random() < 0.75 else "",
        characters(rng, int(rng.integers(1, 6))),
        _pick(rng, _TRADES) if rng.random() < 0.7 else "",
        _pick(rng, _SUFFIXES) if rng.random() < 0.88 else "",
    ]
    return "".join(parts)


def purpose(rng: np.random.Generator) -> str:
    """Make up a short line inside of a seal."""
    chance = rng.random()
    if chance < 0.62:
        return _pick(rng, _BUSINESS)
    if chance < 0.82:
        return characters(rng, int(rng.integers(2, 7)))
    if chance < 0.9:
        return date(rng)
    return f"（{int(rng.integers(1, 30))}）" if chance < 0.95 else digits(rng, int(rng.integers(4, 14)))


def date(rng: np.random.Generator) -> str:
    """Make up a date, printed or stamped; not always one of the calendar."""
    year, month, day = int(rng.integers(1980, 2040)), int(rng.integers(1, 13)), int(rng.integers(1, 32))
    form = int(rng.integers(3))
    return (f"{year}年{month:02d}月{day:02d}日", f"{year}.{month}.{day}", f"{year}-{month:02d}-{day:02d}")[form]


def latin(rng: np.random.Generator, words: int) -> str:
    """Make up English words of firms in capitals."""
    return " ".join(_pick(rng, _LATIN_WORDS) for _ in range(words))


def gibberish(rng: np.random.Generator, count: int) -> str:
    """Make up small Latin letters with spaces, as long as asked."""
    letters = rng.integers(97, 123, size=count)
    letters[rng.random(count) < 0.16] = 32
    return bytes(letters.astype(np.uint8)).decode("ascii")


def sentence(rng: np.random.Generator, count: int) -> str:
    """Make up running Chinese text of a document with some punctuation, as long as asked."""
    text = list(characters(rng, count))
    for index in np.flatnonzero(rng.random(count) < 0.09):
        text[index] = "，。、；：（）《》"[int(rng.integers(9))]
    return "".join(text)
