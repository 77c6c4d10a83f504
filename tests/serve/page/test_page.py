"""The page in a browser, in front of a real server: every step that a visitor takes."""

import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serve.page.opened_page import DONE, READY, STATE, Page, by_command, downloaded, nothing_more
from tests.serve.running import Running, drawing, encoded
from tests.serve.site_page import visit, wait_for

pytestmark = pytest.mark.browser

SLIDER = "document.querySelector('.split')"


def test_a_picture_is_chosen_enlarged_compared_and_downloaded(opened: Callable[..., Page], small: Path) -> None:
    page = opened()
    assert page.run("document.querySelector('#start').disabled"), "nothing to do yet"
    page.choose(small)
    wait_for(page, READY)
    assert page.text("#about .name") == small.name
    assert page.text("#about .facts").startswith("72 × 56 · ")
    assert page.text("#size-help") == "72 × 56 becomes 144 × 112, 0.02 megapixels."
    page.click("[data-scale='3']")
    assert page.text("#size-help") == "72 × 56 becomes 216 × 168, 0.04 megapixels."
    page.click("#start")
    wait_for(page, DONE)
    assert re.fullmatch(r"(Seen: .+\. )?Network [\w-]+\. Took .+", page.text("#about .choice"))
    assert page.text(".before-label") == "Before · 72 × 56"
    assert page.text(".after-label") == "After · 216 × 168"
    sizes = "[...document.querySelectorAll('.world img')].map(i => [i.naturalWidth, i.naturalHeight])"
    assert page.run(sizes) == [[72, 56], [216, 168]]
    page.click("#download")
    assert downloaded(small.parent / "got", "größe 1_3x.png") == by_command(small, "-s", "3")
    assert wait_for(page, "document.querySelector('#status').textContent.includes('Done')")
    assert page.violations() == []


def test_the_slider_moves_by_keyboard_and_by_mouse(opened: Callable[..., Page], small: Path) -> None:
    page = opened(features={"prefers-reduced-motion": "reduce"})
    page.choose(small)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    cut = "parseFloat(getComputedStyle(document.querySelector('.viewer')).getPropertyValue('--cut'))"
    box = "(r => [r.left, r.top, r.width, r.height])(document.querySelector('.after .world').getBoundingClientRect())"
    left, top, width, height = page.run(box)
    stage = page.run("document.querySelector('.canvas').getBoundingClientRect().left")
    assert page.run(cut) == pytest.approx(left - stage + width / 2, abs=1), "it begins in the middle"
    page.run(f"{SLIDER}.focus()")
    page.press("ArrowRight")
    assert page.run(f"{SLIDER}.value") == "51"
    assert page.run(f"{SLIDER}.getAttribute('aria-valuetext')") == "51 % before, the rest after"
    page.press("Home")
    assert page.run(cut) == pytest.approx(left - stage, abs=1)
    page.press("End")
    assert page.run(cut) == pytest.approx(left - stage + width, abs=1)
    page.drag((left + width - 5, top + 20), (left + width / 4, top + height / 2))
    assert page.run(f"{SLIDER}.valueAsNumber") == pytest.approx(25, abs=1)


def test_both_sides_zoom_and_move_together_to_exact_pixels(opened: Callable[..., Page], small: Path) -> None:
    page = opened(features={"prefers-reduced-motion": "reduce"})
    page.choose(small)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    places = "[...document.querySelectorAll('.world')].map(w => w.style.transform)"
    page.click("[data-zoom='exact']")
    assert page.text(".zoom") == "100 %"
    box = "document.querySelector('.after img').getBoundingClientRect()"
    rectangle = f"(r => [r.width, r.height, r.left % 1, r.top % 1])({box})"
    assert page.run(rectangle) == [144, 112, 0, 0], "one pixel of the result on one of the screen"
    for _ in range(4):
        page.click("[data-zoom='in']")
    assert page.text(".zoom") == "1,600 %"
    rendering = "getComputedStyle(document.querySelector('.after img')).imageRendering"
    assert page.run(rendering) == "pixelated"
    before = page.run(places)
    page.run("document.querySelector('.canvas').focus()")
    page.press("ArrowRight")
    after = page.run(places)
    assert before[0] == before[1] != after[0] == after[1]
    page.click("[data-mode='difference']")
    assert page.run("getComputedStyle(document.querySelector('.side.after')).mixBlendMode") == "difference"
    assert page.run("getComputedStyle(document.querySelector('.difference-note')).display") != "none"


def test_progress_is_told_and_work_can_be_cancelled(opened: Callable[..., Page], server: Running, large: Path) -> None:
    before = server.files()
    page = opened()
    page.fill("#scale", "4")
    page.choose(large)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, f"{STATE}.startsWith('Enlarging') && document.querySelector('progress').value > 0")
    assert page.run("document.querySelector('#start').hidden")
    page.run("document.querySelector('#cancel').focus()")
    page.click("#cancel")
    wait_for(page, f"{STATE} === 'Cancelled'")
    assert page.run("document.querySelector('#progress').hidden")
    assert page.text("#start") == "Enlarge again"
    assert page.run("document.activeElement.id") == "start", "whoever uses the keyboard is not sent back to the top"
    assert nothing_more(server, before), "nothing is left of it on the server"


def test_the_middle_is_shown_before_the_whole(opened: Callable[..., Page], server: Running, large: Path) -> None:
    before = server.files()
    page = opened()
    page.choose(large)
    wait_for(page, READY)
    page.click("#preview")
    wait_for(page, "document.querySelector('.viewer').classList.contains('part')")
    assert page.text(".after-label") == "The middle, as a trial"
    assert page.text(".zoom") == "100 %"
    part = "(i => [i.naturalWidth, i.naturalHeight, i.style.left, i.style.top])(document.querySelector('.after img'))"
    across, down, left, top = wait_for(page, f"document.querySelector('.after img').complete && {part}")
    assert (across, down) == (512, 512)
    assert float(left.rstrip("%")) == pytest.approx(100 * 472 / 1200)
    assert float(top.rstrip("%")) == pytest.approx(100 * 322 / 900)
    assert nothing_more(server, before), "the trial is deleted at once"
    sent = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/v1/jobs')).length"
    assert page.run(sent) == 1
    page.click("#start")
    wait_for(page, DONE)
    assert page.run(sent) == 2, "the same trial is not made twice"
    assert page.text(".after-label") == "After · 2400 × 1800"


def test_many_pictures_come_back_as_one_archive(opened: Callable[..., Page], tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    paths = [tmp_path / "one.png", tmp_path / "two.png", folder / "one.png"]
    for seed, path in enumerate(paths):
        path.write_bytes(encoded(drawing(40, 30, seed)))
    refused = tmp_path / "three.png"
    refused.write_text("no picture")
    page = opened()
    page.choose(*paths, refused)
    wait_for(page, "document.querySelectorAll('#strip [data-state=ready]').length === 3")
    wait_for(page, "document.querySelector('#strip li:last-child .state').textContent === 'Not accepted'")
    assert page.text("#start") == "Enlarge 3 pictures"
    page.click("#start")
    wait_for(page, "document.querySelectorAll('#strip [data-state=done]').length === 3")
    page.click("#zip")
    got = downloaded(tmp_path / "got", "kakudai pictures.zip")
    with zipfile.ZipFile(io.BytesIO(got)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["one_2x (2).png", "one_2x.png", "two_2x.png"]
        assert archive.read("two_2x.png") == by_command(paths[1])


def test_settings_and_results_are_remembered(opened: Callable[..., Page], server: Running, small: Path) -> None:
    before = server.files()
    page = opened()
    page.choose(small)
    wait_for(page, READY)
    page.fill("#scale", "1.5")
    page.fill("#format", "webp")
    page.click("#start")
    wait_for(page, DONE)
    page.fill("#scale", "2")
    assert page.text("#start") == "Enlarge again"
    page.click("#start")
    wait_for(page, "document.querySelector('#history-open .number').textContent === '2'")
    page.click("#history-open")
    names = "[...document.querySelectorAll('#history li .name')].map(e => e.textContent)"
    assert page.run(names) == ["größe 1_2x.webp", "größe 1_1.5x.webp"]
    page.click("#history li:last-child .show")
    wait_for(page, "document.querySelector('.after-label').textContent === 'After · 108 × 84'")
    visit(page, server.address)
    wait_for(page, "document.querySelector('#history-open .number').textContent === '2'")
    assert page.run("[document.querySelector('#scale').value, document.querySelector('#format').value]") == [
        "2",
        "webp",
    ]
    page.click("#history-open")
    page.click("#history li:last-child .get")
    assert downloaded(small.parent / "got", "größe 1_1.5x.webp")[8:12] == b"WEBP"
    page.click("#history .forget")
    assert nothing_more(server, before), "deleted at once"
    assert page.violations() == []


def test_what_is_removed_is_deleted_and_freed(opened: Callable[..., Page], server: Running, small: Path) -> None:
    before = server.files()
    page = opened()
    count = """self.kept = new Set();
        (make => URL.createObjectURL = blob => (address => (self.kept.add(address), address))(make(blob)))(
            URL.createObjectURL.bind(URL));
        (free => URL.revokeObjectURL = address => (self.kept.delete(address), free(address)))(
            URL.revokeObjectURL.bind(URL));"""
    page.send("Page.addScriptToEvaluateOnNewDocument", source=count)
    visit(page, server.address)
    wait_for(page, "document.querySelector('#network').options.length > 1")
    page.choose(small)
    wait_for(page, READY)
    assert page.run("self.kept.size") > 0
    page.click("#strip .remove")
    wait_for(page, "self.kept.size === 0")
    page.choose(small)
    wait_for(page, READY)
    for scale in ("2", "3"):
        page.fill("#scale", scale)
        page.click("#start")
        wait_for(page, DONE)
    page.click("#strip .remove")
    assert nothing_more(server, before), "both results are deleted on the server"
    page.click("#history-open")
    page.click("#history .forget")
    wait_for(page, "self.kept.size === 0")


def test_pictures_come_by_paste_and_drop(opened: Callable[..., Page]) -> None:
    page = opened()
    page.run("""(async () => {
        const canvas = Object.assign(document.createElement('canvas'), {width: 20, height: 10});
        const blob = await new Promise(resolve => canvas.toBlob(resolve));
        const carrier = new DataTransfer();
        carrier.items.add(new File([blob], 'image.png', {type: 'image/png'}));
        dispatchEvent(new ClipboardEvent('paste', {clipboardData: carrier, cancelable: true}));
        const other = new DataTransfer();
        other.items.add(new File([blob], 'dropped.png', {type: 'image/png'}));
        for (const kind of ['dragenter', 'drop']) document.body.dispatchEvent(
            new DragEvent(kind, {dataTransfer: other, bubbles: true, cancelable: true}));
    })()""")
    wait_for(page, "document.querySelectorAll('#strip [data-state=ready]').length === 2")
    names = page.run("[...document.querySelectorAll('#strip .name')].map(e => e.textContent)")
    assert names[0].startswith("pasted ")
    assert names[1] == "dropped.png"
    assert page.run("document.body.classList.contains('held')") is False
    page.click("#strip li:first-child .remove")
    wait_for(page, "document.querySelectorAll('#strip li').length === 1")
