"""The try-it page in a browser: with keys alone, in two languages, on small screens, in the dark."""

import pytest
from fake_gateway import box, lines_result, ocr_result
from playwright.sync_api import expect

PDF = {
    "name": "a very long name without any spaces ".replace(" ", "_") * 3 + ".pdf",
    "mimeType": "",
    "buffer": b"%PDF-1.7",
}
PHONE = {"width": 360, "height": 740}
LINES = [(f"text {number}", 0.9, box(20, 40 * number, 400, 40 * number + 30)) for number in range(4)]


@pytest.fixture
def two_pages(gateway):
    pages = [lines_result(*LINES), lines_result(LINES[0])]
    gateway.reply("OCR", ocr_result(*pages, sizes=[(600, 800), (600, 800)]))


def lit(page) -> list[str | None]:
    return [shape.get_attribute("data-index") for shape in page.locator("#overlay .lit").all()]


def test_arrow_keys_go_through_the_texts(page, two_pages):
    page.set_input_files("#file", PDF)
    rows = page.locator(".entry-button")
    rows.first.focus()
    assert lit(page) == ["0"]
    for key, index in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", 3), ("ArrowDown", 3), ("Home", 0)):
        page.keyboard.press(key)
        expect(rows.nth(index)).to_be_focused()
        assert lit(page) == [str(index)], key
        expect(page.locator("#caption")).to_have_text(f"text {index} · 0.900")


def test_keys_bring_what_they_light_onto_the_screen(page, gateway):
    lines = [(f"text {number}", 0.9, box(20, 50 * number, 400, 50 * number + 40)) for number in range(60)]
    gateway.reply("OCR", ocr_result(lines_result(*lines), sizes=[(1000, 3000)]))
    page.set_input_files("#file", PDF)
    page.locator(".entry-button").first.focus()
    page.keyboard.press("End")
    expect(page.locator("#overlay .lit")).to_be_in_viewport()
    expect(page.locator("#list .lit")).to_be_in_viewport()


def test_the_tab_key_meets_one_text_alone(page, two_pages):
    page.set_input_files("#file", PDF)
    page.locator(".entry-button").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy “text 1”")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Copy all texts")).to_be_focused()


def test_arrow_keys_turn_pages(page, two_pages):
    page.set_input_files("#file", PDF)
    current = page.locator("#pages [aria-current=page]")
    expect(current).to_have_text("1")
    page.locator("#stage").focus()
    page.keyboard.press("ArrowRight")
    expect(current).to_have_text("2")
    page.keyboard.press("ArrowRight")
    expect(current).to_have_text("2")
    current.focus()
    page.keyboard.press("ArrowLeft")
    expect(current).to_have_text("1")
    expect(current).to_be_focused()


def test_the_number_of_the_page_shown_is_in_sight(open_page, gateway):
    gateway.reply("OCR", ocr_result(*[lines_result(*LINES)] * 40, sizes=[(60, 80)] * 40))
    page = open_page(viewport=PHONE)
    page.set_input_files("#file", PDF)
    expect(page.locator("#stage")).to_be_visible()
    page.locator("#stage").focus()
    page.keyboard.press("End")
    expect(page.locator("#pages [aria-current=page]")).to_have_text("40")
    strip, number = page.locator(".numbers").bounding_box(), page.locator("#pages [aria-current=page]").bounding_box()
    assert strip and number
    assert strip["x"] <= number["x"] <= number["x"] + number["width"] <= strip["x"] + strip["width"]


def test_arrow_keys_go_through_the_tabs(page, two_pages):
    page.set_input_files("#file", PDF)
    page.get_by_role("tab", name="Found").focus()
    for key, name in (("ArrowRight", "Times"), ("End", "curl"), ("ArrowLeft", "JSON"), ("Home", "Found")):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tab", selected=True)).to_have_text(name)
        expect(page.get_by_role("tabpanel")).to_have_count(1)


def test_everything_from_choosing_to_copying_works_without_a_pointer(open_page, two_pages):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_label("Text (OCR)")).to_be_checked()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the results")).to_be_focused()
    with page.expect_file_chooser() as chooser:
        page.locator("#file").focus()
        page.keyboard.press("Enter")
    chooser.value.set_files(PDF)
    expect(page.locator("#list .text")).to_have_count(4)
    page.locator("#copy-texts").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == "text 0\ntext 1\ntext 2\ntext 3"


def test_everything_that_can_be_used_has_a_name(page, two_pages):
    page.set_input_files("#file", PDF)
    expect(page.locator("#list .text")).to_have_count(4)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a, summary, [tabindex='0']")]
          .filter((element) => element.checkVisibility() && !element.labels?.length)
          .filter((element) => !(element.getAttribute("aria-label") || element.getAttribute("aria-labelledby")
            || element.textContent.trim() || element.matches("pre")))
          .map((element) => element.outerHTML)"""
    )
    assert nameless == []


def test_the_language_is_the_browsers_until_another_is_chosen(open_page, two_pages):
    page = open_page(locale="zh-TW")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    expect(page.get_by_role("button", name="识别", exact=True)).to_be_visible()
    page.set_input_files("#file", PDF)
    expect(page.locator("#count")).to_have_text("4 条文本")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("#count")).to_have_text("Texts: 4")
    expect(page.locator("#status")).to_contain_text("done in")
    expect(page.get_by_label("Flatten the page")).to_be_visible()
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_an_error_is_translated_too(page):
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_role("alert")).to_have_text("Choose a file first.")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("alert")).to_have_text("请先选择文件。")


def test_other_languages_are_met_in_english(open_page):
    expect(open_page(locale="fr-FR").locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_is_wider_than_a_phone(open_page, gateway, locale):
    long = ("无空格的很长的文本WithoutAnySpacesWhatsoever" * 5, 0.9, box(0, 0, 3000, 90))
    pages = [lines_result(long, *LINES)] * 40
    gateway.reply("OCR", ocr_result(*pages, sizes=[(3000, 4000)] * 40, shown=0.01))
    gateway.info["version"] = "0.1.0.dev12345+local"
    page = open_page(locale=locale, viewport=PHONE, has_touch=True, is_mobile=True)
    page.get_by_role("group").first.wait_for()
    page.locator("summary").first.click()
    assert overflow(page) == []
    page.set_input_files("#file", PDF)
    expect(page.locator("#list .text")).to_have_count(5)
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert overflow(page) == []


def overflow(page) -> list[str]:
    """Return what reaches out of the page to the right; boxes that scroll by themselves may be wide inside."""
    return page.evaluate(
        """() => {
          const wide = document.documentElement.scrollWidth > window.innerWidth || window.innerWidth > 360;
          if (!wide) return [];
          const beyond = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > 360);
          return [`${document.documentElement.scrollWidth}`, ...beyond.map((e) => e.outerHTML.slice(0, 100))];
        }"""
    )


def test_tapping_a_polygon_shows_its_text_below_the_picture(open_page, two_pages):
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    page.set_input_files("#file", PDF)
    page.locator("#overlay .entry").nth(2).tap()
    expect(page.locator("#caption")).to_have_text("text 2 · 0.900")
    expect(page.locator("#caption")).to_be_in_viewport()


def test_the_page_is_dark_where_that_is_wanted(open_page):
    ground = "getComputedStyle(document.body).backgroundColor"
    assert open_page(color_scheme="light").evaluate(ground) == "rgb(243, 245, 248)"
    assert open_page(color_scheme="dark").evaluate(ground) == "rgb(16, 20, 26)"


@pytest.mark.parametrize(("motion", "animation"), [("reduce", "none"), ("no-preference", "turning")])
def test_nothing_moves_where_that_is_not_wanted(open_page, motion, animation):
    page = open_page(reduced_motion=motion)
    page.evaluate("document.getElementById('results').setAttribute('aria-busy', 'true')")
    style = "getComputedStyle(document.getElementById('status'), '::before').animationName"
    assert page.evaluate(style) == animation
