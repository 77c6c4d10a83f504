"""The static site, in a browser: the same pixels as the command line's, without a network, and never two versions."""

import base64
import itertools
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tests.browser
from tests.browser import Browser
from tests.serve.site_page import (
    ENGINE,
    Host,
    bare_page,
    complaints,
    result_of,
    start,
    visit,
    wait_for,
    wait_until_kept,
)
from tests.small_models import told

import kakudai
from kakudai.data.drawn import draw_picture
from kakudai.errors import OutputError, RuntimeUnavailable
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture, Pixels
from kakudai.models.catalogue import model_from_bytes
from kakudai.serve import browser as serve_browser
from kakudai.serve.browser import RUNTIME_FILES, catalogue, fetch_runtime, page_file, runtime_folder
from kakudai.serve.site import build, static_page


@pytest.fixture(scope="session")
def runtime() -> Path:
    try:
        return fetch_runtime()
    except RuntimeUnavailable as error:
        pytest.skip(f"the browser's runtime cannot be fetched: {error.message}")


@pytest.fixture(scope="session")
def site(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    strong = model_from_bytes(told(2, "told-x2"), "told-x2")
    build(folder / "site", page=bare_page(folder / "page"), models=[*kakudai.list_models(), strong], runtime=runtime)
    return folder / "site"


@pytest.fixture(scope="module")
def opened(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A page of the site, on its first visit: one thread."""
    with Host(site) as host, Browser(tmp_path_factory.mktemp("profile")) as page:
        visit(page, host.address)
        yield page


def photo(height: int, width: int) -> Pixels:
    """Return a photograph drawn by our generators. Shape: (height, width, 4), opaque."""
    image = draw_picture("photo", 7, 1, max(height, width, 64))[:height, :width]
    return np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])


def sticker() -> Pixels:
    """Return a drawing with a soft outline on nothing; what is hidden is noise. Shape: (61, 40, 4)."""
    rows, columns = np.mgrid[:61, :40]
    alpha = np.clip(260 - 14 * np.hypot(rows - 30, columns - 18), 0, 255).astype(np.uint8)
    image = draw_picture("art", 7, 2, 64)[:61, :40]
    hidden = np.random.default_rng(0).integers(0, 256, image.shape).astype(np.uint8)
    return np.dstack([np.where(alpha[..., None] > 0, image, hidden), alpha])


PICTURES: dict[str, tuple[Pixels, float]] = {
    "a photograph": (photo(200, 230), 2),
    "thrice": (photo(64, 50), 3),
    "one and a half": (photo(67, 45), 1.5),
    "smaller": (photo(120, 90), 0.4),
    "tall and one pixel wide": (photo(97, 1), 2),
    "one pixel": (photo(1, 1), 3),
    "with alpha": (sticker(), 2),
    "with alpha, to an odd size": (sticker(), 1.7),
}


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_of_the_command_line(opened: Browser, name: str, tmp_path: Path) -> None:
    image, scale = PICTURES[name]
    write_image(Picture(image[..., :3], image[..., 3:]), tmp_path / "small.png")
    kakudai.upscale(tmp_path / "small.png", tmp_path / "large.png", scale=scale, precision="float32")
    wanted = read_image(tmp_path / "large.png")
    assert wanted.alpha is not None
    start(opened, image, {"scale": scale})
    got, _ = result_of(opened)
    whole = np.concatenate([wanted.color, wanted.alpha], axis=2).astype(int)
    assert got.shape == whole.shape
    difference = np.abs(got - whole)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01
    shares = opened.run("self.shares")
    assert shares == sorted(shares)
    assert not shares or shares[-1] == pytest.approx(1)


@pytest.mark.browser
@pytest.mark.slow
def test_files_are_read_and_written_without_loss(opened: Browser, tmp_path: Path) -> None:
    """What is hidden or nearly so keeps its colours, which a canvas would lose."""
    for number, image in enumerate((sticker(), photo(30, 20))):
        path = tmp_path / f"{number}.png"
        write_image(Picture(image[..., :3], image[..., 3:]), path)
        data = base64.b64encode(path.read_bytes()).decode()
        opened.run(f"""(async () => {{
            const engine = await {ENGINE};
            const bytes = Uint8Array.from(atob('{data}'), (letter) => letter.charCodeAt(0));
            const pixels = await engine.readPixels(new Blob([bytes], {{type: 'image/png'}}));
            const written = await engine.writePixels(pixels);
            const text = String.fromCharCode(...new Uint8Array(await written.arrayBuffer()));
            self.result = {{pixels, written: btoa(text)}};
        }})()""")
        got, said = result_of(opened)
        np.testing.assert_array_equal(got, image)
        path.write_bytes(base64.b64decode(said["written"]))
        found = read_image(path)
        assert found.alpha is not None
        np.testing.assert_array_equal(np.concatenate([found.color, found.alpha], axis=2), image)


@pytest.mark.browser
@pytest.mark.slow
def test_a_network_is_told_the_strength(opened: Browser) -> None:
    image = photo(40, 30)
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    for strength in (0, 50, 100):
        start(opened, image, {"scale": 2, "model": "told-x2", "denoise": strength})
        got, said = result_of(opened)
        wanted = np.floor(large[..., :3] * (1 - 0.03 * strength / 100) + 0.5)
        assert np.abs(got[..., :3] - wanted).max() <= 1
        assert said == {
            "model": f"told-x2, strength {strength}" if strength else "told-x2", "strength": strength, "reason": "",
            "notes": [],
        }  # fmt: skip


GPU = (
    "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
    "--use-vulkan=swiftshader", "--ignore-gpu-blocklist",
)  # fmt: skip
"""Chromium's own graphics card, made of software: slow, and everywhere the same."""


@pytest.mark.browser
@pytest.mark.slow
def test_a_graphics_card_gives_the_same(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = tuple(option for option in tests.browser.OPTIONS if option != "--disable-gpu")
    monkeypatch.setattr(tests.browser, "OPTIONS", (*options, *GPU))
    image = photo(21, 17)
    with Host(site) as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        if not page.run("(async () => Boolean(await navigator.gpu?.requestAdapter()))()"):
            pytest.skip("this Chromium has no WebGPU, not even of software")
        assert page.run(f"{ENGINE}.then((engine) => engine.available())")["webgpu"] is False, "it only pretends"
        start(page, image, {"scale": 2, "device": "gpu", "model": "told-x2", "denoise": 50})
        got, _ = result_of(page)
        wanted = np.floor(image.repeat(2, axis=0).repeat(2, axis=1)[..., :3] * (1 - 0.03 / 2) + 0.5)
        assert np.abs(got[..., :3] - wanted).max() <= 1
        assert complaints(page) == [], "nothing is said of a processor that stands in"


@pytest.mark.browser
@pytest.mark.slow
def test_it_works_offline_with_threads_after_the_first_visit(site: Path, tmp_path: Path) -> None:
    image = photo(60, 50)
    with Host(site) as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        assert page.run("crossOriginIsolated") is False
        wait_until_kept(page)
        host.close()
        visit(page, host.address)
        assert page.run("navigator.serviceWorker.controller !== null")
        known = page.run(f"{ENGINE}.then((engine) => engine.available())")
        assert known["ok"]
        assert known["threads"] == page.run("Math.min(8, navigator.hardwareConcurrency)")
        assert {model["name"] for model in known["models"]} >= {model.name for model in kakudai.list_models()}
        start(page, image, {"scale": 2})
        got, _ = result_of(page)
        wanted = kakudai.upscale(np.ascontiguousarray(image[..., :3]), scale=2, precision="float32").astype(int)
        assert np.abs(got[..., :3] - wanted).max() <= 1
        assert [address for address in page.requests() if not address.startswith(host.address)] in ([], ["about:blank"])
        assert complaints(page) == []


@pytest.mark.browser
@pytest.mark.slow
def test_the_page_itself_works_offline_below_a_folder_of_the_host(runtime: Path, tmp_path: Path) -> None:
    build(tmp_path / "host/tools/kakudai", runtime=runtime)
    with Host(tmp_path / "host") as host, Browser(tmp_path / "profile") as page:
        address = f"{host.address}tools/kakudai/"
        visit(page, address)
        wait_until_kept(page)
        host.close()
        page.events.clear()
        visit(page, address)
        assert page.run("crossOriginIsolated")
        assert page.run("document.documentElement.dataset.site") == "static"
        wait_for(page, "[...document.images].filter((image) => image.src).every((image) => image.naturalWidth > 0)")
        assert {asked.startswith(address) for asked in page.requests()} == {True}
        assert complaints(page) == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_picture_can_be_cancelled_and_the_next_one_is_done(opened: Browser) -> None:
    start(opened, np.tile(photo(250, 250), (4, 4, 1)), {"scale": 4})  # minutes of work
    wait_for(opened, "self.shares.length > 0")
    opened.run("self.stop()")
    wait_for(opened, "self.result !== null", 2)
    assert opened.run("self.result.problem.name") == "AbortError"
    assert opened.run("self.shares.at(-1)") < 1
    start(opened, photo(20, 30), {"scale": 2})
    got, _ = result_of(opened, 40)
    assert got.shape == (40, 60, 4)


@pytest.mark.browser
@pytest.mark.slow
def test_pictures_wait_for_each_other_and_each_can_be_cancelled(opened: Browser) -> None:
    opened.run(f"""(async () => {{
        const engine = await {ENGINE};
        const control = new AbortController();
        const ask = (side, signal) => engine.upscale(new ImageData(side, side), {{scale: 2}}, {{signal}})
          .then((found) => found.pixels.width, (error) => error.name);
        self.result = null;
        const all = [ask(10), ask(500, control.signal), ask(12)];
        control.abort();
        self.result = await Promise.all(all);
    }})()""")
    wait_for(opened, "self.result !== null")
    assert opened.run("self.result") == [20, "AbortError", 24]


@pytest.mark.browser
@pytest.mark.slow
def test_wrong_wishes_are_told_in_words(opened: Browser) -> None:
    start(opened, photo(8, 8), {"scale": 2, "model": "no-such"})
    wait_for(opened, "self.result !== null")
    problem = opened.run("self.result.problem")
    assert problem["title"] == "Unknown model"
    assert "photo-x2" in problem["hint"]


@pytest.mark.browser
@pytest.mark.slow
def test_a_damaged_network_is_never_run(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns("service-worker.js"))
    network = tmp_path / "site/page/networks/photo-x2.onnx"
    network.write_bytes(network.read_bytes()[:-1] + b"\0")
    with Host(tmp_path / "site") as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        start(page, photo(8, 8), {"scale": 2})
        wait_for(page, "self.result !== null")
        assert page.run("self.result.problem.title") == "Network damaged"


@pytest.mark.browser
@pytest.mark.slow
def test_where_the_runtime_was_not_fetched_the_engine_says_so(site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "site", ignore=shutil.ignore_patterns("service-worker.js", "onnxruntime"))
    known = catalogue(kakudai.list_models(), runtime=False)
    (tmp_path / "site/page/models.json").write_text(json.dumps(known))
    with Host(tmp_path / "site") as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        assert page.run(f"{ENGINE}.then((engine) => engine.available())")["ok"] is False
        start(page, photo(8, 8), {"scale": 2})
        wait_for(page, "self.result !== null")
        assert page.run("self.result.problem.title") == "Not in this browser"


@pytest.fixture
def versions(tmp_path: Path) -> Any:
    """Return a function that puts version "one", "two" ... of a site without networks into the same folder.

    All files but the worker keep their times, as copying and unpacking often have it: the host then says of changed
    files that they have not changed.
    """
    fake = tmp_path / "runtime"
    fake.mkdir()
    for name in RUNTIME_FILES:
        (fake / name).write_text("// nothing")
    page = bare_page(tmp_path / "page")
    seconds = itertools.count(1_700_000_000)

    def put(version: str) -> Path:
        (page / "version.js").write_text(f"export default '{version}';")
        index = (page / "index.html").read_text()
        (page / "index.html").write_text(index.partition("<body")[0] + f'<body data-version="{version}"></body></html>')
        site = tmp_path / "site"
        build(site, page=page, models=[], runtime=fake)
        for path in site.rglob("*"):
            os.utime(path, (0, 1_700_000_000))
        os.utime(site / "service-worker.js", (0, next(seconds)))
        return site

    return put


SHOWN = "document.body?.dataset.version"
LOADED = "import(new URL('page/version.js', location.href)).then((found) => found.default)"
UPDATED = "navigator.serviceWorker.ready.then((found) => found.update()).then(() => true, () => true)"
WAITS = f"{UPDATED}.then(() => navigator.serviceWorker.ready).then((found) => found.waiting !== null)"
"""Asks for the new version each time: a look that the browser takes by itself may meet half of it, and fail."""

CACHES = "caches.keys().then((names) => names.length)"


@pytest.mark.browser
@pytest.mark.slow
def test_a_new_version_takes_over_as_a_whole(versions: Any, tmp_path: Path) -> None:
    with Host(versions("one")) as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        wait_until_kept(page)
        visit(page, host.address)
        versions("two")
        wait_for(page, WAITS)
        assert page.run(LOADED) == "one", "a page keeps the version that it began with"
        visit(page, host.address)
        wait_for(page, f"{SHOWN} === 'two'")
        assert page.run(LOADED) == "two"
        wait_for(page, f"{CACHES}.then((count) => count === 1)")


@pytest.mark.browser
@pytest.mark.slow
def test_half_a_version_is_not_taken(versions: Any, tmp_path: Path) -> None:
    """A host that has some files of the old version and some of the new one: the old one stays, whole."""
    with Host(versions("one")) as host, Browser(tmp_path / "profile") as page:
        visit(page, host.address)
        wait_until_kept(page)
        visit(page, host.address)
        old = (tmp_path / "site/page/version.js").read_text()
        versions("two")
        (tmp_path / "site/page/version.js").write_text(old)
        page.run(UPDATED)
        gone = "navigator.serviceWorker.ready.then((found) => !found.installing && !found.waiting)"
        wait_for(page, gone)
        visit(page, host.address)
        assert page.run(SHOWN) == "one"
        assert page.run(LOADED) == "one"


def test_the_version_is_that_of_the_content(versions: Any, tmp_path: Path) -> None:
    def worker() -> str:
        return (tmp_path / "site/service-worker.js").read_text()

    versions("one")
    first = worker()
    versions("two")
    assert worker() != first
    versions("one")
    assert worker() == first


def test_the_page_of_the_site_is_static_and_may_lie_in_a_folder(versions: Any) -> None:
    site = versions("one")
    text = (site / "index.html").read_text()
    assert '<html data-site="static" lang="en">' in text
    assert 'href="page/mark.svg"' in text
    assert "connect-src 'self'" in text
    assert json.loads((site / "manifest.webmanifest").read_text())["start_url"] == "./"
    for icon in json.loads((site / "manifest.webmanifest").read_text())["icons"]:
        side = int(icon["sizes"].partition("x")[0])
        assert read_image(site / icon["src"]).color.shape == (side, side, 3)
    assert static_page('<html><head></head><a href="//x">').endswith('<a href="//x">')
    with pytest.raises(ValueError, match="no <html>"):
        static_page("<p>")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="no site of ours"):
        build(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_without_npm_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime_folder() is None
    with pytest.raises(RuntimeUnavailable, match="npm is not installed") as caught:
        fetch_runtime()
    assert "apt-get install npm" in caught.value.hint


@pytest.mark.parametrize("kind", ["another archive", "no archive"])
def test_an_archive_that_is_not_the_pinned_one_is_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "npm"
    act = 'echo foreign > "$6/onnxruntime-web.tgz"' if kind == "another archive" else "echo no registry >&2; exit 1"
    program.write_text(f"#!/bin/sh\n{act}\n")
    program.chmod(0o755)
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    words = "not the archive that was pinned" if kind == "another archive" else "no registry"
    with pytest.raises(RuntimeUnavailable, match=words):
        fetch_runtime()
    assert runtime_folder() is None
    assert list((tmp_path / "home").rglob("*.tgz")) == []


def test_the_server_finds_what_the_page_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKUDAI_HOME", str(tmp_path))
    network = page_file("networks/photo-x2.onnx")
    assert network == kakudai.find_model("photo-x2").data
    known = page_file("models.json")
    assert isinstance(known, bytes)
    assert json.loads(known)["runtime"] is None
    for path in ("networks/../photo-x2.onnx", "networks/none.onnx", "onnxruntime/x", f"onnxruntime/{RUNTIME_FILES[0]}"):
        assert page_file(path) is None
    folder = tmp_path / "browser" / f"onnxruntime-web-{serve_browser.RUNTIME_VERSION}"
    folder.mkdir(parents=True)
    for name in RUNTIME_FILES:
        (folder / name).write_text("x")
    assert page_file(f"onnxruntime/{RUNTIME_FILES[0]}") == folder / RUNTIME_FILES[0]
    assert json.loads(page_file("models.json") or b"")["runtime"]["version"] == serve_browser.RUNTIME_VERSION
