"""The page where something is wrong: what it says, and beside which field."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.serve.page.opened_page import DONE, READY, STATE, Page
from tests.serve.running import Running, drawing, encoded, start_server
from tests.serve.site_page import visit, wait_for

pytestmark = pytest.mark.browser


def test_what_cannot_be_done_is_said_beside_the_field(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened()
    notes, empty = tmp_path / "notes.txt", tmp_path / "empty.png"
    notes.write_text("no picture")
    empty.write_bytes(b"")
    page.choose(notes)
    problem = "!document.querySelector('#file-problem').hidden && document.querySelector('#file-problem').innerText"
    assert wait_for(page, problem).split("\n")[:2] == ["notes.txt", "This is no picture in a format that is read here."]
    page.choose(empty)
    wait_for(page, f"({problem} || '').includes('The file is empty.')")
    bomb = tmp_path / "bomb.png"
    head = bytearray(encoded(drawing(8, 8)))
    head[16:24] = (30_000).to_bytes(4, "big") * 2
    bomb.write_bytes(head)
    page.choose(bomb)
    assert "30000 × 30000 pixels; at most 24 megapixels" in wait_for(
        page, f"({problem} || '').includes('30000') && {problem}"
    )
    assert page.run("document.querySelector('#welcome').checkVisibility()"), "there is nothing to look at"
    large = tmp_path / "large.png"
    large.write_bytes(encoded(np.zeros((900, 1200, 3), np.uint8)))
    page.choose(large)
    wait_for(page, READY)
    page.fill("#scale", "16")
    told = page.run("document.querySelector('#size-problem').innerText").split("\n")
    assert told == [
        "The result would have 276 megapixels; the limit is 64 megapixels.",
        "Choose a factor of 7.6 or less.",
    ]
    assert page.run("document.querySelector('#scale').getAttribute('aria-invalid')") == "true"
    assert page.run("document.querySelector('#start').disabled")
    page.fill("#scale", "7.6")
    assert page.run("document.querySelector('#size-problem').hidden && !document.querySelector('#start').disabled")
    asked = [address for address in page.requests() if "/v1/jobs" in address]
    assert asked == [], "all of that was found before anything was sent"


def test_what_the_server_refuses_is_said_in_words(opened: Callable[..., Page], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(encoded(drawing(64, 64))[:900])
    page = opened()
    page.choose(broken)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, f"{STATE} === 'Failed'")
    said = page.run("document.querySelector('#problem').innerText")
    assert said.startswith("The picture is a damaged or unsupported PNG file")
    assert "again in another program" in said
    assert page.text("#start") == "Enlarge again"
    page.fill("#language", "de")
    page.run("document.querySelector('#language').dispatchEvent(new Event('change'))")
    wait_for(page, "document.querySelector('#problem').innerText.startsWith('Das Bild ist beschädigt')")


def test_storage_that_is_forbidden_hurts_nothing(opened: Callable[..., Page], server: Running, small: Path) -> None:
    page = opened()
    code = """for (const name of ['localStorage', 'sessionStorage'])
        Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError') }})"""
    page.send("Page.addScriptToEvaluateOnNewDocument", source=code)
    visit(page, server.address)
    wait_for(page, "document.querySelector('#network').options.length > 1")
    page.choose(small)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    assert page.violations() == []


def test_a_server_with_a_token_is_asked_with_it(small: Path, tmp_path: Path) -> None:
    with start_server(tmp_path / "files", token="long-random-word") as server, Page(tmp_path / "profile") as page:
        visit(page, server.address)
        for token in ("wrong", "long-random-word"):
            wait_for(page, "document.querySelector('#token').open")
            page.run(f"document.querySelector('#token-value').value = '{token}'")
            page.click("#token .primary")
        wait_for(page, "document.querySelector('#network').options.length > 1")
        page.choose(small)
        wait_for(page, READY)
        page.click("#start")
        wait_for(page, DONE)
        assert page.run("sessionStorage.getItem('kakudai.token')") == '"long-random-word"'
        assert page.run("localStorage.getItem('kakudai.token')") is None


def test_a_server_that_has_gone_is_told_of_and_nothing_is_lost(small: Path, tmp_path: Path) -> None:
    with Page(tmp_path / "profile", width=1440) as page:
        with start_server(tmp_path / "files") as server:
            visit(page, server.address)
            wait_for(page, "document.querySelector('#network').options.length > 1")
            page.choose(small)
            wait_for(page, READY)
        page.click("#start")
        wait_for(page, f"{STATE} === 'Failed'")
        assert page.run("document.querySelector('#problem').innerText").startswith("The server does not answer.")
        assert page.text("#start") == "Enlarge again"
        assert page.run("document.querySelector('.before img').naturalWidth") == 72
