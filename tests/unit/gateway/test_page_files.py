"""The try-it page's files: whole, of one piece with the repository, and in need of nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "paddlex_triton" / "gateway" / "page"
SAMPLES = sorted((PAGE / "samples").iterdir())
TEXT_FILES = sorted(file for file in PAGE.iterdir() if file.is_file())
SCRIPTS = [file for file in TEXT_FILES if file.suffix == ".js"]
# A line of the words of a language.
WORD = re.compile(r'^  (\w+): "(.*)",$', re.MULTILINE)
# W3C's relative luminance and the least contrast of normal text (AA) and of what one has to see of a control.
TEXT_CONTRAST, CONTROL_CONTRAST = 4.5, 3


class Elements(HTMLParser):
    """Collects (tag, attributes) of index.html, and the text inside of scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self.feed((PAGE / "index.html").read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if self.cdata_elem is not None:
            self.inline += data

    def values(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.elements if (value := attributes.get(attribute)) is not None]


@pytest.fixture(scope="module")
def html() -> Elements:
    return Elements()


def words(language: str) -> dict[str, str]:
    pairs = WORD.findall((PAGE / f"strings_{language}.js").read_text(encoding="utf-8"))
    assert len(pairs) == len(dict(pairs)), "a key twice"
    return dict(pairs)


def test_every_file_that_is_named_exists(html):
    named = {value.removeprefix("page/") for value in html.values("src") + html.values("href") if "page/" in value}
    for script in SCRIPTS:
        named |= set(re.findall(r'from "\./([^"]+)"', script.read_text(encoding="utf-8")))
    named |= {f"samples/{name}" for name in re.findall(r'file: "([^"]+)"', (PAGE / "fields.js").read_text())}
    there = {file.relative_to(PAGE).as_posix() for file in PAGE.rglob("*") if file.is_file()}
    assert named == there - {"index.html"}


@pytest.mark.parametrize("file", TEXT_FILES, ids=lambda file: file.name)
def test_nothing_comes_from_elsewhere(file: Path):
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:|['\"(]//|@import|wss?://)", text)


def test_the_page_has_no_inline_scripts_styles_or_handlers(html):
    assert html.inline.strip() == ""
    assert not [
        name for _, attributes in html.elements for name in attributes if name == "style" or name.startswith("on")
    ]
    assert all(attributes.get("src") for tag, attributes in html.elements if tag == "script")
    assert "style" not in {tag for tag, _ in html.elements}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda file: file.name)
def test_scripts_are_small_and_write_no_markup(script: Path):
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 300
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_both_languages_say_the_same_things():
    english, chinese = words("en"), words("zh")
    assert list(english) == list(chinese)
    assert all(english.values()) and all(chinese.values())
    holes = {name: [sorted(re.findall(r"\{(\w+)\}", said[name])) for said in (english, chinese)] for name in english}
    assert {name for name, (first, second) in holes.items() if first != second} == set()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_language_names_17_joints(language):
    text = (PAGE / f"strings_{language}.js").read_text(encoding="utf-8")
    assert len(set(re.findall(r'"([^"]+)"', text.partition("export const joints")[2]))) == 17


def test_what_is_said_has_words_and_all_words_are_said(html):
    code = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS if not file.name.startswith("strings_"))
    said = set(html.values("data-text") + html.values("data-label"))
    assert said <= words("en").keys()
    # In scripts a key is a string, or the name of a stage in `Server-Timing`.
    stages = {"read", "doc_preprocessor", "layout_detection", "text_detection", "seal_text_detection"}
    stages |= {"text_recognition", "human_detection", "keypoint_detection", "draw", "total"}
    assert stages <= words("en").keys()
    in_code = set(re.findall(r'"(\w+)"', code)) | set(re.findall(r"^  (\w+): \{$", code, re.MULTILINE))
    assert words("en").keys() - said - in_code - stages - {"human_keypoint_detection"} == set()
    asked_for = set(re.findall(r'(?:say|setStatus|Problem)\("(\w+)"', code)) | set(re.findall(r'\["(\w+)", \{', code))
    assert asked_for <= words("en").keys()


def test_ids_that_scripts_ask_for_are_there(html):
    ids = html.values("id")
    assert len(ids) == len(set(ids))
    asked_for = {
        name for file in SCRIPTS for name in re.findall(r'byId\("([^"]+)"\)', file.read_text(encoding="utf-8"))
    }
    assert asked_for <= set(ids)
    assert set(html.values("for") + html.values("aria-controls") + html.values("aria-labelledby")) <= set(ids)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.name)
def test_samples_are_those_of_the_repository(sample: Path):
    assert sample.read_bytes() == (ROOT / "samples" / sample.name).read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(scheme):
    css = (PAGE / "page.css").read_text(encoding="utf-8")
    blocks = [
        dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{([^}]+)\}", css)
    ]
    colours = blocks[0] if scheme == "light" else blocks[0] | blocks[1]
    for ground in ("ground", "panel", "chosen"):
        for colour in ("text", "muted", "accent"):
            assert contrast(colours[colour], colours[ground]) >= TEXT_CONTRAST, (colour, ground)
    assert contrast(colours["on-accent"], colours["accent"]) >= TEXT_CONTRAST
    assert contrast(colours["alarm"], colours["alarm-ground"]) >= TEXT_CONTRAST
    assert contrast(colours["edge"], colours["panel"]) >= CONTROL_CONTRAST


def contrast(first: str, second: str) -> float:
    """Return WCAG's contrast of two colours such as #1b5fc1, 1 to 21."""
    darker, lighter = sorted(luminance(colour) for colour in (first, second))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
