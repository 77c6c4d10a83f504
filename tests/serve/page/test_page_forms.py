"""The page in all its forms: without scripts, on a phone, at twice the size, in each language, by keyboard and ear."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.serve.page.opened_page import DONE, IMAGES, PICTURES, READY, SAMPLE, Page, by_command
from tests.serve.running import Running
from tests.serve.site_page import wait_for

from kakudai.serve.routes_page import FOLDER as PAGE

pytestmark = pytest.mark.browser


def test_without_scripts_the_form_does_it(opened: Callable[..., Page], server: Running, small: Path) -> None:
    page = opened(scripts=False)
    page.send("Page.navigate", url=server.address)
    page._until(lambda message: message.get("method") == "Page.loadEventFired")

    def node(selector: str) -> int:
        root = page.send("DOM.getDocument")["root"]["nodeId"]
        return int(page.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"])

    def press(selector: str) -> None:
        corners = page.send("DOM.getBoxModel", nodeId=node(selector))["model"]["content"]
        x, y = (corners[0] + corners[4]) / 2, (corners[1] + corners[5]) / 2
        for kind in ("mousePressed", "mouseReleased"):
            page.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    page.choose(small)
    page.events.clear()
    press("#start")
    page._until(lambda message: message.get("method") == "Page.loadEventFired")
    asked = [event["params"] for event in page.events if event["method"] == "Network.requestWillBeSent"]
    assert [one["request"]["method"] for one in asked if one["request"]["url"].endswith("/v1/jobs")] == ["POST"]
    address = next(one["request"]["url"] for one in asked if "/jobs/" in one["request"]["url"])
    job = address.rpartition("/")[2]
    state = server.finish(job)
    assert (state["state"], state["output_size"]) == ("done", [144, 112])
    assert server.http.get(state["result"]).content == by_command(small)
    text = server.http.get(f"/jobs/{job}", headers={"Accept": "text/html"}).text
    assert f"/v1/jobs/{job}/result" in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(opened: Callable[..., Page], scheme: str) -> None:
    page = opened(width=390, height=844, features={"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
    assert page.run("document.documentElement.scrollWidth") == 390
    page.picture(f"phone-welcome-{scheme}", phone=True)
    page.run(f"{SAMPLE}.click()")
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    assert page.run("document.documentElement.scrollWidth") == 390
    assert page.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(247, 245, 241)" if scheme == "light" else "rgb(23, 22, 21)"
    )
    small = """[...document.querySelectorAll('button:not(.remove), select, .button, .segments label')]
        .filter(e => e.checkVisibility() && e.getBoundingClientRect().height < 36)
        .map(e => e.outerHTML.slice(0, 80))"""
    assert page.run(small) == [], "large enough for a finger"
    action = page.run("document.querySelector('.action').getBoundingClientRect().bottom")
    assert action == 844, "what comes next is at hand without scrolling"
    assert page.run("document.getAnimations().length") == 0
    page.picture(f"phone-{scheme}", phone=True)
    page.run("document.querySelector('details').open = true")
    assert page.run("document.documentElement.scrollWidth") == 390
    assert page.violations() == []


@pytest.mark.parametrize("language", ["de", "es", "fr", "ja", "zh"])
def test_it_speaks_the_browsers_language_and_fits_at_twice_the_size(opened: Callable[..., Page], language: str) -> None:
    page = opened(language, width=720, height=450)
    words = json.loads((PAGE / f"languages/{language}.json").read_text())
    assert page.text("h1") == words["welcome.title"]
    assert page.run("document.documentElement.lang").startswith(language)
    assert page.run("document.documentElement.scrollWidth") == 720
    page.run(f"{SAMPLE}.click()")
    wait_for(page, f"document.querySelector('#strip .state')?.textContent === {json.dumps(words['state.ready'])}")
    page.run("document.querySelector('details').open = true")
    assert page.run("document.documentElement.scrollWidth") == 720
    cut = """[...document.querySelectorAll('.button, .segments label, legend')].filter(e => e.checkVisibility())
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
    assert page.run(cut) == []
    assert page.violations() == []


def test_everything_has_a_name_and_can_be_reached(opened: Callable[..., Page], small: Path) -> None:
    page = opened()
    page.choose(small)
    wait_for(page, READY)
    page.run("document.querySelector('details').open = true")
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    asked = {"button", "checkbox", "combobox", "link", "radio", "slider", "spinbutton", "textbox"}
    nodes = [node for node in tree if not node["ignored"] and node.get("role", {}).get("value") in asked]
    nameless = [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")]
    assert len(nodes) > 25
    assert nameless == []
    roles = [node["role"]["value"] for node in tree if not node["ignored"] and "role" in node]
    assert roles.count("main") == 1
    assert {"banner", "complementary", "navigation", "status"} <= set(roles)
    seen = []
    for _ in range(40):
        page.press("Tab")
        seen.append(
            page.run(
                "(e => [e.id || e.className || e.tagName, getComputedStyle(e).outlineStyle])(document.activeElement)"
            )
        )
    reached = {name for name, _ in seen}
    assert {"skip", "canvas", "pick", "remove", "scale", "format", "start"} <= reached
    bare = {name for name, style in seen if style == "none"}
    inside = {"", "BODY", "INPUT", "file", "camera"}  # radios: their label shows it
    assert bare <= inside, "whatever has the focus shows it"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_for_the_docs(opened: Callable[..., Page], scheme: str) -> None:
    if not os.environ.get(PICTURES):
        pytest.skip(f"set {PICTURES}=1 to make the pictures in docs/images/page anew")
    page = opened(features={"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
    page.picture(f"welcome-{scheme}")
    page.run(f"{SAMPLE}.click()")
    wait_for(page, READY)
    page.click("#start")
    wait_for(page, DONE)
    page.picture(f"compare-{scheme}")
    assert (IMAGES / f"compare-{scheme}.webp").stat().st_size < 100_000
