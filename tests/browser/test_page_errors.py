"""The try-it page in a browser: what goes wrong is said in words, and nothing old is shown for it."""

import json
import threading

import pytest
from fake_gateway import Reply, box, lines_result, ocr_result, picture
from playwright.sync_api import expect

PNG = {"name": "photo.png", "mimeType": "image/png", "buffer": picture(300, 200, "PNG")}
OTHER = {"name": "other.png", "mimeType": "image/png", "buffer": picture(310, 200, "PNG")}


def result(text: str = "read at last") -> dict:
    return ocr_result(lines_result((text, 0.9, box(10, 10, 90, 40))), sizes=[(300, 200)], kind="image")


def test_a_sentence_of_the_server_is_shown(page, gateway):
    gateway.reply("OCR", Reply(status=422, message="useDocUnwarping: the server has no network for it"))
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert")).to_contain_text("The server cannot read this request.")
    expect(page.get_by_role("alert").locator("li")).to_have_text(["useDocUnwarping: the server has no network for it"])
    expect(page.locator("#again")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("")


@pytest.mark.parametrize("encode", [json.dumps, lambda message: message], ids=["as text", "as a list"])
def test_wrong_fields_are_listed(page, gateway, encode):
    wrong = [
        {"type": "float_parsing", "loc": "body.textDetThresh", "msg": "Input should be a valid number"},
        {"type": "missing", "loc": ["body", "file"], "msg": "Field required"},
    ]
    gateway.reply("OCR", Reply(status=422, message=encode(wrong)))
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert").locator("li")).to_have_text(
        ["textDetThresh: Input should be a valid number", "file: Field required"]
    )


def test_a_busy_server_can_be_asked_again(page, gateway):
    gateway.reply("OCR", Reply(status=503, message="queue full", headers={"Retry-After": "7"}), Reply(result()))
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert")).to_contain_text("Try again in 7 s.")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#list .text")).to_have_text(["read at last"])
    expect(page.get_by_role("alert")).to_be_hidden()
    assert gateway.requests[0][1] == gateway.requests[1][1]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=503), "Try again in a while."),
        (Reply(status=504, message="deadline"), "The server took too long."),
        (Reply(status=500, message="internal error, id 7"), "The server failed (status 500)."),
        (Reply(b"<h1>Bad gateway</h1>", status=502), "The server failed (status 502)."),
        (Reply(status=404, message="Not Found"), "does not have this pipeline"),
        (Reply(status=413, message="too large"), "request is too large"),
        (Reply(breaks=True), "The server cannot be reached."),
        (Reply(b"{]"), "an answer that this page cannot read"),
        (Reply(json.dumps({"errorCode": 500, "errorMsg": "failed inside"}).encode()), "failed inside"),
    ],
    ids=["503", "504", "500", "502", "404", "413", "breaks", "no JSON", "code in 200"],
)
def test_every_failure_is_told_in_words(page, gateway, reply, words):
    gateway.reply("OCR", reply)
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator("#answer")).to_be_hidden()


def test_an_answer_of_another_shape_is_an_error(open_page, gateway):
    page = open_page()
    gateway.reply("OCR", {"texts": []})
    # The exception is logged for developers; it is not left unhandled.
    page.evaluate("console.error = () => {}")
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert")).to_contain_text("an answer that this page cannot read")


def test_an_error_takes_the_place_of_the_last_answer(page, gateway):
    gateway.reply("OCR", Reply(result("old")), Reply(status=422, message="no"))
    page.set_input_files("#file", PNG)
    expect(page.locator("#list .text")).to_have_text(["old"])
    page.set_input_files("#file", OTHER)
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()


def test_a_request_can_be_cancelled(page, gateway):
    held = threading.Event()
    gateway.reply("OCR", Reply(result("too late"), wait=held), Reply(result("second")))
    page.set_input_files("#file", PNG)
    expect(page.locator("#status")).to_have_text("Reading photo.png …")
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#status")).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
    held.set()
    page.get_by_role("button", name="Read").click()
    expect(page.locator("#list .text")).to_have_text(["second"])


def test_a_newer_request_takes_the_place_of_an_older_one(page, gateway):
    held = threading.Event()
    gateway.reply("OCR", Reply(result("old"), wait=held), Reply(result("new")))
    page.set_input_files("#file", PNG)
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    while not gateway.requests:
        page.wait_for_timeout(20)
    page.set_input_files("#file", OTHER)
    expect(page.locator("#list .text")).to_have_text(["new"])
    held.set()
    page.wait_for_timeout(300)
    expect(page.locator("#list .text")).to_have_text(["new"])
    expect(page.locator("#status")).to_contain_text("other.png: done")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_a_picture_that_loads_slowly_does_not_take_the_place_of_a_later_page(page, gateway):
    line = box(10, 10, 90, 40)
    pages = [lines_result((text, 0.9, line)) for text in ("first", "slow", "third")]
    gateway.reply("OCR", ocr_result(*pages, sizes=[(100, 100), (2000, 2000), (100, 100)]))
    page.evaluate(
        """() => {
          const { decode } = HTMLImageElement.prototype;
          HTMLImageElement.prototype.decode = async function () {
            if (this.src.length > 20000) await new Promise((resolve) => setTimeout(resolve, 500));
            return decode.call(this);
          };
        }"""
    )
    page.set_input_files("#file", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    expect(page.locator("#list .text")).to_have_text(["first"])
    page.locator("#pages [aria-label='Next page']").evaluate("next => { next.click(); }")
    page.locator("#pages [aria-label='Next page']").evaluate("next => { next.click(); }")
    expect(page.locator("#list .text")).to_have_text(["third"])
    page.wait_for_timeout(1000)
    expect(page.locator("#list .text")).to_have_text(["third"])


def test_a_sample_that_comes_late_does_not_take_the_place_of_a_file(page, gateway):
    held = []

    def hold(route) -> None:
        held.append(route)

    page.route("**/samples/seal_1.png", hold)
    gateway.reply("OCR", result("the file's"))
    gateway.reply("seal_recognition", Reply(status=500))
    page.get_by_role("button", name="Red seal").click()
    page.set_input_files("#file", PNG)
    expect(page.locator("#list .text")).to_have_text(["the file's"])
    with page.expect_event("requestfinished"):
        held[0].continue_()
    page.wait_for_timeout(300)
    expect(page.locator("#list .text")).to_have_text(["the file's"])
    assert [path for path, _, _ in gateway.requests] == ["/ocr"]


def largest(limit: int) -> int:
    return (limit - 4096) // 4 * 3


@pytest.mark.parametrize("over", [0, 1], ids=["as large as allowed", "a byte more"])
def test_a_file_too_large_is_not_sent(open_page, gateway, over):
    gateway.info["maxBodyBytes"] = 60_000
    gateway.reply("OCR", result())
    page = open_page()
    expect(page.locator("#accepted")).to_contain_text("Up to 41.9 kB.")
    content = PNG["buffer"].ljust(largest(60_000) + over, b"\0")
    page.set_input_files("#file", {**PNG, "buffer": content})
    if over:
        expect(page.get_by_role("alert")).to_have_text("The file is too large: 42 kB. At most 41.9 kB are allowed.")
        assert gateway.requests == []
    else:
        expect(page.locator("#list .text")).to_have_text(["read at last"])
        assert len(json.dumps(gateway.requests[0][1])) < 60_000


@pytest.mark.parametrize("content", [b"hello", b"", b"GIF89a..."], ids=["text", "empty", "gif"])
def test_a_file_of_another_kind_is_not_sent(page, gateway, content):
    page.set_input_files("#file", {"name": "x.bin", "mimeType": "", "buffer": content})
    expect(page.get_by_role("alert")).to_contain_text("“x.bin” is none of the kinds")
    assert gateway.requests == []


def test_people_are_not_looked_for_in_pdfs(page, gateway):
    page.get_by_label("Human keypoints").check()
    page.set_input_files("#file", {"name": "a.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4"})
    expect(page.get_by_role("alert")).to_have_text("This pipeline reads images, not PDFs.")
    assert gateway.requests == []


def test_reading_without_a_file(page):
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_role("alert")).to_have_text("Choose a file first.")


def test_a_key_is_asked_for_sent_and_kept_for_the_session(open_page, gateway):
    gateway.info["keyNeeded"] = True
    gateway.reply("OCR", Reply(status=401, message="wrong key"), Reply(result()))
    page = open_page()
    page.set_input_files("#file", PNG)
    expect(page.get_by_role("alert")).to_have_text("The server wants an API key.")
    expect(page.get_by_label("API key")).to_be_focused()
    assert gateway.requests == []
    page.get_by_label("API key").fill("first")
    page.get_by_role("button", name="Read").click()
    expect(page.get_by_role("alert")).to_contain_text("does not accept this API key")
    page.get_by_label("API key").fill("second")
    page.get_by_label("API key").press("Enter")
    expect(page.locator("#list .text")).to_have_text(["read at last"])
    assert [headers["X-API-Key"] for _, _, headers in gateway.requests] == ["first", "second"]
    expect(page.locator("#curl")).to_contain_text('-H "X-API-Key: $API_KEY"')
    page.reload()
    expect(page.get_by_label("API key")).to_have_value("second")


def test_without_a_key_no_field_for_it_is_shown(page, gateway):
    gateway.reply("OCR", result())
    page.set_input_files("#file", PNG)
    expect(page.locator("#list .text")).to_have_count(1)
    expect(page.get_by_label("API key")).to_be_hidden()
    assert "X-API-Key" not in gateway.requests[0][2]


def test_a_server_that_is_not_ready_is_asked_again(open_page, gateway):
    for pipeline in gateway.info["pipelines"]:
        pipeline["ready"] = False
    page = open_page()
    expect(page.locator("#status")).to_contain_text("not ready yet")
    expect(page.get_by_label("Text (OCR) not ready")).to_be_visible()
    gateway.info["pipelines"][1]["ready"] = True
    expect(page.get_by_label("Seal text")).to_be_checked(timeout=10_000)
    expect(page.locator("#status")).to_have_text("Choose a file to begin.")


def test_a_server_that_is_away_is_asked_again(page, gateway):
    page.route("**/pipelines", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("alert")).to_have_text("The server cannot be reached.")
    page.unroute("**/pipelines")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#status")).to_have_text("Choose a file to begin.")
    expect(page.get_by_role("alert")).to_be_hidden()
