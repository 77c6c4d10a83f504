"""The page where all work is done in the visitor's browser: the static site, and "In this browser" on the server."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.serve.page.opened_page import DONE, READY, STATE, Page, by_command, downloaded
from tests.serve.site_page import Host, visit, wait_for

from kakudai.errors import RuntimeUnavailable
from kakudai.serve.browser import fetch_runtime
from kakudai.serve.site import build

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def runtime() -> Path:
    try:
        return fetch_runtime()
    except RuntimeUnavailable as error:
        pytest.skip(f"the browser's runtime cannot be fetched: {error.message}")


def same(got: bytes, wanted: bytes) -> bool:
    """Say whether two PNG files show the same within one level of 255."""
    one, other = (np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16) for data in (got, wanted))
    return one.shape == other.shape and int(np.abs(one - other).max()) <= 1


def test_the_static_site_enlarges_in_the_browser(runtime: Path, small: Path, tmp_path: Path) -> None:
    build(tmp_path / "site", runtime=runtime)
    with Host(tmp_path / "site") as host, Page(tmp_path / "profile", width=1440) as page:
        page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
        visit(page, host.address)
        wait_for(page, "document.querySelector('#network').options.length > 1")
        assert page.run("document.querySelector('#where').hidden"), "there is nothing to choose"
        page.choose(small)
        wait_for(page, READY)
        assert "do not leave this machine" in page.text("#privacy")
        page.click("#start")
        wait_for(page, DONE)
        assert "in this browser" in page.text("#about .choice")
        page.click("#download")
        assert same(downloaded(tmp_path / "got", "größe 1_2x.png"), by_command(small, "--precision", "float32"))
        assert [address for address in page.requests() if "/v1/" in address] == []
        assert page.violations() == []


def test_the_server_offers_it_too(runtime: Path, opened: Callable[..., Page], small: Path, large: Path) -> None:
    page = opened()
    wait_for(page, "!document.querySelector('#where').hidden")
    place = """(field => {
        field.scrollIntoView(); const box = field.getBoundingClientRect();
        return [box.left + box.width / 2, box.top + box.height / 2];
    })(document.querySelector("input[value='here']"))"""
    x, y = page.run(place)
    page.drag((x, y), (x, y))  # a script's click would not let the page draw between its events
    wait_for(page, "document.querySelector('#privacy').textContent.includes('do not leave this machine')", 10)
    page.choose(large)
    wait_for(page, READY)
    page.run("""(post => Worker.prototype.postMessage = function (message, ...more) {
        self.asked = {region: message.options.region, width: message.picture.width};
        return post.call(this, message, ...more);
    })(Worker.prototype.postMessage)""")
    page.click("#preview")
    wait_for(page, "document.querySelector('.viewer').classList.contains('part')")
    asked = {"region": [472, 322, 256, 256], "width": 1200}
    assert page.run("self.asked") == asked, "the choice is made for the whole picture"
    part = "(i => i.complete && [i.naturalWidth, i.naturalHeight])(document.querySelector('.after img'))"
    assert wait_for(page, part) == [512, 512]
    page.click("#strip .remove")
    page.choose(small)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    page.click("#download")
    assert same(downloaded(small.parent / "got", "größe 1_2x.png"), by_command(small, "--precision", "float32"))
    assert [address for address in page.requests() if "/v1/jobs" in address] == [], "no picture is sent"


def test_cancelling_stops_it(runtime: Path, opened: Callable[..., Page], large: Path) -> None:
    page = opened()
    wait_for(page, "!document.querySelector('#where').hidden")
    page.click("input[value='here']")
    page.choose(large)
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, f"{STATE}.startsWith('Enlarging')")
    page.click("#cancel")
    wait_for(page, f"{STATE} === 'Cancelled'")
