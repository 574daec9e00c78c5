"""The try-it page in a browser: files go to the pipelines, and answers are drawn and listed."""

import base64
import json
import re

import pytest
from fake_gateway import PAGE, FakeGateway, Reply, box, data_info, in_base64, lines_result, ocr_result, picture
from playwright.sync_api import FilePayload, Page, expect

FIRST = ("服务器部署说明", 0.998, [[60, 50], [430, 50], [430, 110], [60, 110]])
SECOND = ("Deployment Notes", 0.913, box(60, 130, 440, 170))
SLANTED = ("SAMPLE", 0.25, [[650, 120], [890, 70], [900, 110], [660, 160]])
POINTS = ["60,50 430,50 430,110 60,110", "60,130 440,130 440,170 60,170", "650,120 890,70 900,110 660,160"]
PDF: FilePayload = {"name": "two.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 ..."}
PNG: FilePayload = {"name": "photo.png", "mimeType": "image/png", "buffer": picture(300, 200, "PNG")}


def answer_ocr(gateway: FakeGateway, *lines, size=(960, 640), shown=1.0, **more) -> None:
    gateway.reply("OCR", ocr_result(lines_result(*lines, **more), sizes=[size], shown=shown, kind="image"))


def send(page: Page, file: FilePayload) -> None:
    page.set_input_files("#file", file)


def points(page: Page) -> list[str | None]:
    return [shape.get_attribute("points") for shape in page.locator("#overlay polygon").all()]


def test_a_sample_is_read_and_shown(page, gateway):
    answer_ocr(gateway, FIRST, SECOND, SLANTED)
    page.get_by_role("button", name="Page", exact=True).click()
    expect(page.locator("#status")).to_contain_text(re.compile(r"page\.png: done in \d+\.\d\d s"))
    expect(page.locator("#list .text")).to_have_text([FIRST[0], SECOND[0], SLANTED[0]])
    expect(page.locator("#list .score")).to_have_text(["0.998", "0.913", "0.250"])
    expect(page.locator("#count")).to_have_text("Texts: 3")
    assert points(page) == POINTS
    [(path, body, _)] = gateway.requests
    assert path == "/ocr"
    assert base64.b64decode(body.pop("file")) == (PAGE / "samples" / "page.png").read_bytes()
    assert body == {"fileType": 1, "visualize": True}


def test_outlines_lie_on_a_picture_that_was_scaled_down(page, gateway):
    answer_ocr(gateway, SLANTED, size=(2400, 1600), shown=0.25)
    send(page, PNG)
    expect(page.locator("#overlay")).to_have_attribute("viewBox", "0 0 2400 1600")
    expect(page.locator("#picture")).to_have_js_property("naturalWidth", 600)
    stage, shape = page.locator("#stage").bounding_box(), page.locator("#overlay polygon").bounding_box()
    assert stage and shape
    scale = stage["width"] / 2400
    assert stage["height"] == pytest.approx(1600 * scale, abs=1)
    assert shape["x"] - stage["x"] == pytest.approx(650 * scale, abs=3)
    assert shape["y"] - stage["y"] == pytest.approx(70 * scale, abs=3)
    assert shape["width"] == pytest.approx(250 * scale, abs=6)


def test_hovering_lights_text_and_polygon_both_ways(page, gateway):
    answer_ocr(gateway, FIRST, SECOND, SLANTED)
    send(page, PNG)
    rows, shapes = page.locator("#list li"), page.locator("#overlay .entry")
    rows.nth(1).hover()
    expect(page.locator("#overlay .lit")).to_have_count(1)
    expect(shapes.nth(1)).to_have_class(re.compile("lit"))
    shapes.nth(2).hover()
    expect(rows.nth(2)).to_have_class(re.compile("lit"))
    expect(page.locator("#list .lit")).to_have_count(1)
    expect(page.locator("#caption")).to_have_text("SAMPLE · 0.250")
    page.mouse.move(5, 5)
    expect(page.locator(".lit")).to_have_count(0)


def test_a_polygon_that_is_clicked_stays_lit_and_leads_to_its_text(page, gateway):
    lines = [(f"line {number}", 0.9, box(10, number * 8, 900, number * 8 + 6)) for number in range(70)]
    answer_ocr(gateway, *lines)
    send(page, PNG)
    page.locator("#overlay .entry").nth(69).click()
    expect(page.get_by_role("button", name="line 69 0.900")).to_be_focused()
    expect(page.locator("#list li").nth(69)).to_be_in_viewport()
    page.mouse.move(5, 5)
    expect(page.locator("#list li").nth(69)).to_have_class(re.compile("lit"))


def test_outlines_can_be_hidden(page, gateway):
    answer_ocr(gateway, FIRST)
    send(page, PNG)
    expect(page.locator("#overlay")).to_be_visible()
    page.get_by_label("Outlines").uncheck()
    expect(page.locator("#overlay")).to_be_hidden()


def test_only_what_was_set_is_sent(page, gateway):
    answer_ocr(gateway, FIRST)
    page.get_by_label("Flatten the page").select_option("off")
    page.get_by_label("A box for each word").select_option("on")
    page.get_by_text("Thresholds and limits").click()
    page.get_by_label("Threshold of text pixels").fill("0.45")
    page.get_by_label("Side limit of the detector").fill("960")
    page.get_by_label("Which side is limited").select_option("max")
    send(page, PNG)
    expect(page.locator("#list li")).to_have_count(1)
    [(_, body, _)] = gateway.requests
    expected = {"useDocUnwarping": False, "returnWordBox": True, "textDetThresh": 0.45}
    expected |= {"textDetLimitSideLen": 960, "textDetLimitType": "max"}
    assert {name: value for name, value in body.items() if name not in ("file", "fileType", "visualize")} == expected


def test_settings_are_kept_for_each_pipeline(page, gateway):
    page.get_by_label("Flatten the page").select_option("off")
    page.get_by_label("Seal text").check()
    expect(page.get_by_label("Flatten the page")).to_have_value("")
    expect(page.get_by_label("Find seals on the page")).to_be_visible()
    page.get_by_label("Text (OCR)").check()
    expect(page.get_by_label("Flatten the page")).to_have_value("false")


def test_a_number_out_of_range_is_not_sent(page, gateway):
    page.get_by_text("Thresholds and limits").click()
    page.get_by_label("Threshold of text pixels").fill("1.5")
    page.get_by_text("Thresholds and limits").click()
    send(page, PNG)
    expect(page.get_by_label("Threshold of text pixels")).to_be_visible()
    assert gateway.requests == []


def test_words_are_drawn_in_their_line(page, gateway):
    words = {"text_word": [["服", "务"]], "text_word_boxes": [[[60, 50, 120, 110], [120, 50, 180, 110]]]}
    answer_ocr(gateway, FIRST, **words)
    send(page, PNG)
    drawn = page.locator("#overlay .line rect")
    expect(drawn).to_have_count(2)
    expect(drawn.nth(1)).to_have_attribute("x", "120")
    expect(drawn.nth(1)).to_have_attribute("width", "60")


def test_texts_are_text_and_never_markup(page, gateway):
    nasty = '<img src=x onerror="document.title=1"><b>{count}</b>'
    answer_ocr(gateway, (nasty, 0.9, FIRST[2]), ("", 0.0, SECOND[2]))
    send(page, {**PNG, "name": "<b>x.png"})
    expect(page.locator("#list .text")).to_have_text([nasty, "(no text)"])
    expect(page.locator("#status")).to_contain_text("<b>x.png")
    expect(page.locator("#results b, #list img")).to_have_count(0)


def test_a_page_without_text_says_so(page, gateway):
    answer_ocr(gateway)
    send(page, PNG)
    expect(page.locator("#list")).to_have_text("Nothing was found.")
    expect(page.locator("#copy-texts")).to_be_hidden()


def seal_result(boxes: list | None, *seals: dict) -> dict:
    pruned: dict = {"model_settings": {}, "seal_res_list": list(seals)}
    if boxes is not None:
        names = ("cls_id", "label", "score", "coordinate")
        pruned["layout_det_res"] = {"boxes": [dict(zip(names, each, strict=True)) for each in boxes]}
    page = {"prunedResult": pruned, "outputImages": {}, "inputImage": in_base64(picture(600, 500))}
    return {"sealRecResults": [page], "dataInfo": data_info([(600, 500)], "image")}


def test_seals_are_drawn_where_their_regions_are(page, gateway):
    boxes = [
        (2, "text", 0.8, [10.0, 20.0, 590.0, 80.0]),
        (16, "seal", 0.97, [100.9, 200.2, 300.5, 400.4]),
        (16, "Seal", 0.66, [350.5, 200.0, 550.0, 400.0]),
    ]
    curved = ("示例建设集团", 0.987, [[10, 20], [40, 5], [80, 20], [70, 30], [40, 18], [20, 30]])
    gateway.reply("seal_recognition", seal_result(boxes, lines_result(curved), lines_result()))
    page.get_by_role("button", name="Red seal").click()
    expect(page.get_by_role("heading", level=3)).to_have_text(["Seal 1", "Seal 2", "Regions"])
    expect(page.locator("#list .text")).to_have_text(["seal", curved[0], "Seal", "text"])
    assert points(page) == ["110,220 140,205 180,220 170,230 140,218 120,230"]
    expect(page.locator("#overlay .box rect")).to_have_count(3)
    assert gateway.requests[0][0] == "/seal-recognition"
    # The seal's box lies below its lines: the pointer meets the line.
    page.locator("#overlay polygon").hover()
    expect(page.locator("#list .lit")).to_have_text(re.compile(curved[0]))


def test_without_layout_detection_the_page_is_one_seal(page, gateway):
    line = ("资料专用章", 0.9, box(10, 20, 110, 60))
    gateway.reply("seal_recognition", seal_result(None, lines_result(line)))
    page.get_by_label("Seal text").check()
    page.get_by_label("Find seals on the page").select_option("off")
    send(page, PNG)
    expect(page.get_by_role("heading", level=3)).to_have_text("The whole page")
    assert points(page) == ["10,20 110,20 110,60 10,60"]
    assert gateway.requests[0][1]["useLayoutDetection"] is False


def test_a_page_without_seals_tells_what_may_help(page, gateway):
    gateway.reply("seal_recognition", seal_result([]))
    page.get_by_role("button", name="Grey seal").click()
    expect(page.locator("#list")).to_contain_text("turn “Find seals on the page” off")


def person(x: float, last_score: float = 0.9) -> dict:
    joints = [[x + 3 * number, 20.0 + 8 * number, 0.9] for number in range(16)]
    return {
        "bbox": [x, 10.0, x + 80, 190.0],
        "kpts": [*joints, [x + 50, 180.0, last_score]],
        "detScore": 0.95,
        "kptScore": 0.8,
    }


def test_people_are_drawn_with_their_joints(page, gateway):
    gateway.reply("human_keypoint_detection", {"persons": [person(20), person(150, last_score=0.29)], "image": ""})
    page.get_by_label("Human keypoints").check()
    send(page, PNG)
    people = page.locator("#overlay .person")
    expect(people).to_have_count(2)
    expect(page.locator("#overlay")).to_have_attribute("viewBox", "0 0 300 200")
    expect(people.first.locator(".joint")).to_have_count(17)
    expect(people.first.locator(".bone")).to_have_count(19)
    expect(people.first.locator(".faint")).to_have_count(0)
    expect(people.nth(1).locator(".joint.faint")).to_have_count(1)
    expect(people.nth(1).locator(".bone.faint")).to_have_count(1)
    page.get_by_text("Joints").nth(1).click()
    cells = page.locator("#list li").nth(1).locator("tbody tr").last
    expect(cells).to_have_text("right ankle200.0180.00.290")
    page.locator("#list li").first.hover()
    expect(people.first).to_have_class(re.compile("lit"))
    [(path, body, _)] = gateway.requests
    assert path == "/human-keypoint-detection"
    assert body == {"image": in_base64(PNG["buffer"]), "visualize": True}


def test_a_picture_that_browsers_cannot_show_is_the_servers(page, gateway):
    drawn = in_base64(picture(300, 200))
    gateway.reply("human_keypoint_detection", {"persons": [person(20)], "image": drawn})
    page.get_by_label("Human keypoints").check()
    send(page, {"name": "scan.tiff", "mimeType": "image/tiff", "buffer": picture(300, 200, "TIFF")})
    expect(page.locator("#note")).to_contain_text("the server's drawing")
    expect(page.locator("#picture")).to_have_attribute("src", f"data:image/jpeg;base64,{drawn}")
    expect(page.locator("#overlay")).to_be_hidden()
    expect(page.locator("#list li")).to_have_count(1)


def test_pages_of_a_pdf_are_turned(page, gateway):
    pages = [lines_result(FIRST), lines_result(SECOND, SLANTED)]
    gateway.reply("OCR", ocr_result(*pages, sizes=[(960, 640), (1000, 1400)]))
    send(page, PDF)
    expect(page.locator("#list .text")).to_have_text([FIRST[0]])
    assert gateway.requests[0][1]["fileType"] == 0
    row = page.get_by_role("navigation", name="Pages")
    expect(row.get_by_role("button", name="Previous page")).to_be_disabled()
    row.get_by_role("button", name="Next page").click()
    expect(page.locator("#list .text")).to_have_text([SECOND[0], SLANTED[0]])
    expect(page.locator("#overlay")).to_have_attribute("viewBox", "0 0 1000 1400")
    expect(row.locator("[aria-current=page]")).to_have_text("2")
    expect(row.get_by_role("button", name="Next page")).to_be_disabled()
    row.get_by_role("button", name="Page 1", exact=True).click()
    expect(page.locator("#list .text")).to_have_text([FIRST[0]])


def test_a_page_that_was_turned_is_shown_turned(page, gateway):
    prepared = {"model_settings": {"use_doc_orientation_classify": True, "use_doc_unwarping": False}, "angle": 90}
    result = ocr_result(lines_result(SECOND, doc_preprocessor_res=prepared), sizes=[(1000, 500)], kind="image")
    result["ocrResults"][0]["inputImage"] = in_base64(picture(500, 250, "PNG", corner="red"))
    gateway.reply("OCR", result)
    send(page, PNG)
    expect(page.locator("#note")).to_contain_text("turned by 90°")
    expect(page.locator("#overlay")).to_have_attribute("viewBox", "0 0 500 1000")
    expect(page.locator("#picture")).to_have_js_property("naturalHeight", 500)
    # Counterclockwise: what was at the top left is at the bottom left.
    colours = page.evaluate(
        """() => {
          const image = document.getElementById("picture");
          const canvas = Object.assign(document.createElement("canvas"), { width: 250, height: 500 });
          const context = canvas.getContext("2d", { willReadFrequently: true });
          context.drawImage(image, 0, 0);
          return [[5, 5], [245, 5], [5, 495], [245, 495]].map(([x, y]) => [...context.getImageData(x, y, 1, 1).data]);
        }"""
    )
    white, red = [255, 255, 255, 255], [255, 0, 0, 255]
    assert colours == [white, white, red, white]


def test_a_page_that_was_flattened_has_no_outlines(page, gateway):
    prepared = {"model_settings": {"use_doc_orientation_classify": True, "use_doc_unwarping": True}, "angle": 0}
    result = ocr_result(lines_result(FIRST, doc_preprocessor_res=prepared), sizes=[(960, 640)], kind="image")
    flattened = in_base64(picture(400, 300, "PNG"))
    result["ocrResults"][0]["docPreprocessingImage"] = flattened
    gateway.reply("OCR", result)
    send(page, PNG)
    expect(page.locator("#note")).to_contain_text("The page was flattened.")
    expect(page.locator("#picture")).to_have_attribute("src", f"data:image/png;base64,{flattened}")
    expect(page.locator("#overlay")).to_be_hidden()
    expect(page.locator("#list .text")).to_have_text([FIRST[0]])


def test_a_prepared_page_is_shown_and_can_be_saved(page, gateway):
    output = in_base64(picture(200, 300, "PNG"))
    pruned = {"model_settings": {"use_doc_unwarping": True}, "angle": 270}
    result = {"docPreprocessingResults": [{"outputImage": output, "prunedResult": pruned}]}
    gateway.reply("doc_preprocessor", {**result, "dataInfo": data_info([(300, 200)], "image")})
    page.get_by_label("Page preparation").check()
    send(page, PNG)
    expect(page.locator("#note")).to_contain_text("turned by 270°")
    expect(page.get_by_role("link", name="Save the picture")).to_have_attribute(
        "href", f"data:image/png;base64,{output}"
    )
    expect(page.locator("#list")).to_have_text("The page as prepared.")


def test_without_a_picture_outlines_are_drawn_all_the_same(page, gateway):
    result = ocr_result(lines_result(FIRST), sizes=[(960, 640)])
    del result["ocrResults"][0]["inputImage"]
    gateway.reply("OCR", result)
    send(page, PDF)
    expect(page.locator("#note")).to_contain_text("sent no picture")
    expect(page.locator("#overlay polygon")).to_be_visible()


def test_times_of_the_stages(page, gateway):
    result = ocr_result(lines_result(FIRST), sizes=[(960, 640)])
    timing = "read;dur=1.25, text_detection;dur=40.1, total;dur=99.9, new_stage;dur=3"
    gateway.reply("OCR", Reply(result, headers={"Server-Timing": timing}))
    send(page, PDF)
    page.get_by_role("tab", name="Times").click()
    rows = page.locator("#panel-times tbody tr")
    expect(rows.locator("th")).to_have_text(
        ["Reading the file", "Text detection", "In the server", "new_stage", "With the way there and back"]
    )
    expect(rows.nth(1).locator("td").first).to_have_text("40.1")


def test_json_leaves_pictures_out_and_can_be_downloaded(page, gateway):
    result = ocr_result(lines_result(FIRST), sizes=[(960, 640)])
    result["ocrResults"][0]["inputImage"] += "A" * 40_000
    gateway.reply("OCR", result)
    send(page, PDF)
    page.get_by_role("tab", name="JSON").click()
    shown = json.loads(page.locator("#json").inner_text())
    assert shown["result"]["ocrResults"][0]["prunedResult"] == result["ocrResults"][0]["prunedResult"]
    assert re.fullmatch(r"…\d+(\.\d)? kB", shown["result"]["ocrResults"][0]["inputImage"])
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert json.loads(download.value.path().read_text(encoding="utf-8")) == shown


def test_copying_one_text_and_all(open_page, gateway):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    answer_ocr(gateway, FIRST, SECOND)
    send(page, PNG)
    page.get_by_role("button", name=f"Copy “{SECOND[0]}”").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == SECOND[0]
    page.evaluate("document.getElementById('status').textContent = ''")
    page.get_by_role("button", name="Copy all texts").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f"{FIRST[0]}\n{SECOND[0]}"


def test_copying_without_the_clipboards_api(open_page, gateway):
    """As over http from another machine."""
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    answer_ocr(gateway, FIRST)
    send(page, PNG)
    page.evaluate("navigator.clipboard.writeText = undefined")
    page.get_by_role("button", name=f"Copy “{FIRST[0]}”").click()
    expect(page.locator("#status")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == FIRST[0]


def test_the_curl_command_sends_the_same(page, gateway):
    answer_ocr(gateway, FIRST)
    page.get_by_label("Flatten the page").select_option("off")
    send(page, PNG)
    page.get_by_role("tab", name="curl").click()
    command = page.locator("#curl").inner_text()
    assert command.startswith(f"curl {gateway.url}ocr \\\n")
    assert (
        """{"file": "$(base64 < path/to/image.png | tr -d '\\n')", "fileType":1,"useDocUnwarping":false}""" in command
    )


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_files_can_be_dropped_and_pasted(page, gateway, event):
    answer_ocr(gateway, FIRST)
    page.evaluate(
        """([name, content]) => {
          const data = new DataTransfer();
          const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
          data.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
          const options = { bubbles: true, cancelable: true };
          const event = name === "drop"
            ? new DragEvent(name, { ...options, dataTransfer: data })
            : new ClipboardEvent(name, { ...options, clipboardData: data });
          document.body.dispatchEvent(event);
        }""",
        [event, in_base64(PNG["buffer"])],
    )
    expect(page.locator("#list .text")).to_have_text([FIRST[0]])
    expect(page.locator("#chosen")).to_have_text("dropped.png")
    assert gateway.requests[0][1]["file"] == in_base64(PNG["buffer"])


def test_the_page_works_behind_a_prefix(open_page):
    with FakeGateway(prefix="/triton/demo").serve() as gateway:
        page = open_page(gateway.url)
        answer_ocr(gateway, FIRST)
        page.get_by_role("button", name="Page", exact=True).click()
        expect(page.locator("#list .text")).to_have_text([FIRST[0]])
