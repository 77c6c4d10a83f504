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
    out_of_range = "field.value = '40'; field.dispatchEvent(new Event('change', {bubbles: true})); return field.value"
    assert page.run(f"(field => {{ {out_of_range} }})(document.querySelector('#scale'))") == "16"
    page.fill("#scale", "7.6")
    assert page.run("document.querySelector('#size-problem').hidden && !document.querySelector('#start').disabled")
    asked = [address for address in page.requests() if "/v1/jobs" in address]
    assert asked == [], "all of that was found before anything was sent"


def test_what_the_server_refuses_is_said_in_words(opened: Callable[..., Page], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(encoded(drawing(700, 600))[:2000])
    page = opened()
    page.choose(broken)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, f"{STATE} === 'Failed'")
    said = page.run("document.querySelector('#problem').innerText")
    assert said.startswith("The picture is a damaged or unsupported PNG file")
    assert "again in another program" in said
    assert page.text("#start") == "Enlarge again"
    sent = [address for address in page.requests() if address.endswith("/v1/jobs")]
    assert len(sent) == 1, "what fails in its middle is not sent again"
    page.fill("#language", "de")
    page.run("document.querySelector('#language').dispatchEvent(new Event('change'))")
    wait_for(page, "document.querySelector('#problem').innerText.startsWith('Das Bild ist beschädigt')")


SAID = """(own => window.fetch = async (address, ...more) => {
    const answer = await own(address, ...more);
    if (address !== 'v1/models') return answer;
    const known = await answer.json();
    return new Response(JSON.stringify({...known, words: ['auto', 'art', 'art-fast'], keeps_place: true,
        limits: {...known.limits, life_seconds: 7200, formats_out: ['png', 'jpeg']}}));
})(window.fetch)"""
"""A server that has other networks and settings."""


def test_what_the_server_says_of_itself_is_believed(opened: Callable[..., Page], server: Running) -> None:
    page = opened()
    assert "without the GPS position" in page.text("#privacy")
    page.send("Page.addScriptToEvaluateOnNewDocument", source=SAID)
    visit(page, server.address)
    wait_for(page, "document.querySelector('#privacy').textContent.includes('after 2 hours')")
    assert "also the GPS position" in page.text("#privacy")
    page.click("#strip-metadata")
    assert "EXIF" not in page.text("#privacy")
    assert page.run("document.querySelector('input[value=art]').disabled") is False
    names = page.run("[...document.querySelector('#network').options].map(option => option.value)")
    assert names[:2] == ["", "art-fast"]
    assert "photo-x2" in names
    formats = "[...document.querySelector('#format').options].filter(one => !one.disabled).map(one => one.value)"
    assert page.run(formats) == ["", "png", "jpeg"]


def test_numbers_and_the_engines_problems_are_told_in_the_visitors_language(opened: Callable[..., Page]) -> None:
    page = opened("de")
    code = """(async () => {
        const [{createWords}, {asProblem, explain}, {choiceWords}] = await Promise.all(
            ['words', 'problems', 'reasons'].map(name => import(`/page/${name}.js`)));
        const words = createWords();
        await words.use(LANGUAGE);
        const problem = asProblem({title: 'Out of memory', detail: 'alloc failed', hint: 'close other pages'});
        const done = {model: 'a-x1 + a-x2, strength 53', strength: 53, reason: 'drawn, JPEG quality 35, 4:2:0',
                      options: {model: 'auto', denoise: 'auto'}};
        const counts = [1e6, 1.04e6, 0.07e6, 2e6].map(words.megapixels);
        return [explain(problem, words).detail, choiceWords(done, words), ...counts];
    })()"""
    assert page.run(code.replace("LANGUAGE", "'de'"))[:2] == [
        "Für dieses Bild reicht der Speicher nicht.",
        "Gesehen: eine Zeichnung, JPEG-Qualität 35, 4:2:0. Netz a-x1 + a-x2, gereinigt mit Stärke 53.",
    ]
    assert page.run(code.replace("LANGUAGE", "'en'")) == [
        "Alloc failed.",
        "Seen: a drawing, JPEG quality 35, 4:2:0. Network a-x1 + a-x2, cleaning with strength 53.",
        "1 megapixel", "1 megapixel", "0.07 megapixels", "2 megapixels",
    ]  # fmt: skip


def test_progress_is_asked_for_where_it_cannot_be_listened_to(opened: Callable[..., Page], small: Path) -> None:
    page = opened()
    page.run("""(own => window.fetch = (address, ...more) => String(address).endsWith('/events')
        ? Promise.resolve(new Response('{}', {status: 503})) : own(address, ...more))(window.fetch)""")
    page.choose(small)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)


def test_a_trial_that_the_server_cannot_make_is_left_out(opened: Callable[..., Page], tmp_path: Path) -> None:
    """As where the browser has read another size from the file than the server."""
    path = tmp_path / "turned.png"
    path.write_bytes(encoded(drawing(500, 420)))
    page = opened()
    page.run("""(send => XMLHttpRequest.prototype.send = function (form) {
        if (form.get('region')) form.set('region', '9000,0,256,256');
        return send.call(this, form);
    })(XMLHttpRequest.prototype.send)""")
    page.choose(path)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    sent = [address for address in page.requests() if address.endswith("/v1/jobs")]
    assert len(sent) == 2, "the trial, and the whole"


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
