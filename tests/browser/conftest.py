"""A Chromium without a window, and the page in it. Without one these tests are skipped."""

import shutil
from collections.abc import Iterator

import pytest
from fake_gateway import FakeGateway
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")


# Not for the session: while Playwright is there, an event loop runs in this thread, and no other test may start one.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (on Debian: apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    with FakeGateway().serve() as running:
        yield running


@pytest.fixture
def open_page(chromium, gateway):
    """Open the page: open_page(locale=..., viewport=..., ...), with Playwright's options of a context."""
    contexts, complaints = [], []

    def heard(message: ConsoleMessage) -> None:
        # Chromium also reports answers with an error status, which tests ask for.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            complaints.append(message.text)

    def open_page(url: str = "", **options) -> Page:
        defaults = {"locale": "en-US", "viewport": {"width": 1400, "height": 900}, "reduced_motion": "reduce"}
        context = chromium.new_context(**{**defaults, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url or gateway.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Exceptions, and whatever the policy of the page forbids.
    assert complaints == []


@pytest.fixture
def page(open_page) -> Page:
    return open_page()
