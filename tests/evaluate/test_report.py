"""The page about a run: what is on it, that nothing can get in, and that it works in a browser."""

import base64
import hashlib
import json
import re
import tomllib
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from tests.browser import Browser
from tests.small_models import spoiled
from tests.training_runs import RECIPE, make_run, photo

from kakudai.errors import PictureError
from kakudai.evaluate import before_after
from kakudai.evaluate.before_after import compare_picture, progress_group
from kakudai.evaluate.report import make_report
from kakudai.evaluate.report_tables import Key, as_toml, quality_table
from kakudai.evaluate.runs import Run, read_run, read_runs
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture

NASTY = "<img src=x onerror=hacked()>\"'&\u202eevil"


class Page(HTMLParser):
    """Collects the tags, attributes and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def values(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if (t, n) == (tag, name)]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return read_run(make_run(tmp_path / "first"))


def whole(runs: list[Run]) -> str:
    """Return a page with all that it can have."""
    progress = [group for run in runs if (group := progress_group(run))]
    original = runs[0].progress.original
    assert original is not None
    keys = {"name": Key("Name of the `file`.", ...), "epoch": Key("Steps.", 100), "patch": Key("Side.", 48)}
    pictures = [compare_picture(original, runs, 2, "A picture")]
    return make_report(runs, pictures=pictures, progress=progress, keys=keys)


def test_all_that_is_known_is_on_the_page(run: Run) -> None:
    page = Page(whole([run]))
    for words in (
        "first", "35.25 dB", "+1.59 dB", "57,281", "8 min 20 s", "1,000 steps, 10 epochs",
        "Loss (mse) against epoch", "bicubic, Set5 x2", "A picture", "epoch 10",
        "1 more, which stayed at their defaults",
        "36.66 / 0.9542", "36.70 / 0.9551", "+3.04 against bicubic", "+0.04 against print", "My <b>set</b> x2",
        "Name of the", "git checkout abc", "--measure ../shared/data/test/Set5",
        "small.toml: the recipe as it was applied",
    ):  # fmt: skip
        assert words in page.text, words
    assert page.tags.count("img") == 3 + 5
    assert all(page.values("img", "alt"))
    assert len(page.values("img", "width")) == 8


def test_several_runs_share_a_page(tmp_path: Path) -> None:
    other = {**RECIPE, "learning_rate": 0.5, "name": "other"}
    runs = read_runs(
        [make_run(tmp_path / "a"), make_run(tmp_path / "b", recipe=other), make_run(tmp_path / "c", recipe=None)]
    )
    page = Page(whole(runs))
    for words in ("3 training runs", "a, b and c.", "Where they differ", "0.5", "The rest", "The runs"):
        assert words in page.text, words
    assert page.tags.count("img") == 2 + 3 + 3 * 5


def test_a_run_that_has_just_begun_has_a_page(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", recipe=None, model=None, progress=False)
    (folder / "log.jsonl").write_text("")
    page = Page(make_report([read_run(folder)]))
    assert "Nothing is logged yet" in page.text
    assert "img" not in page.tags


def test_the_page_asks_for_nothing_and_only_its_own_script_may_run(run: Run) -> None:
    text = whole([run])
    page = Page(text)
    assert not re.findall(r"(?:src|href)=\"(?!data:)[^\"]*\"", text)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert not [name for _, name, _ in page.attributes if name.startswith("on") or name == "style"]
    policy = page.values("meta", "content")[0]
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind in ("style", "script"):
        body = re.findall(f"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        assert len(body) == 1
        digest = base64.b64encode(hashlib.sha256(body[0].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_what_stands_in_files_cannot_get_in(tmp_path: Path) -> None:
    recipe = {**RECIPE, "network": NASTY, NASTY: NASTY, "validate_on": f"x/{NASTY}".replace("/", "∕"), "loss": NASTY}
    folder = make_run(tmp_path / NASTY.replace("/", "∕"), recipe=recipe, network=NASTY, data=NASTY, commit=NASTY)
    with (folder / "log.jsonl").open("a") as file:
        file.write(json.dumps({"step": 1050, "seconds": 1, NASTY: 1.0}) + "\n{broken\n")
    text = whole([read_run(folder)])
    page, clean = Page(text), Page(whole([read_run(make_run(tmp_path / "clean"))]))
    assert set(page.tags) == set(clean.tags)
    assert {name for _, name, _ in page.attributes} == {name for _, name, _ in clean.attributes}
    assert "<img src=x" not in text
    assert "\u202e" not in text
    assert "onerror=hacked()" in page.text, "it is shown as what it is"


def test_a_recipe_on_a_page_is_the_recipe() -> None:
    values = {
        **RECIPE,
        "nested": {"a b": [1, 2.5], "empty": {}},
        "text": 'a "b" \\ \n \x7f é',
        "yes": True,
        "none": None,
    }
    read = tomllib.loads(as_toml(values))
    assert read == {key: value for key, value in values.items() if value is not None}


@pytest.mark.parametrize(
    "quality", ["[]", "{}", '{"Set5 x2": 5}', '{"Set5 x2": {"psnr": "high"}}', '{"Set5": {"psnr": 1, "ssim": 1}}']
)
def test_figures_that_make_no_sense_are_left_out(tmp_path: Path, quality: str) -> None:
    assert quality_table([read_run(make_run(tmp_path / "run", quality=quality))]) == ""


def test_colours_can_be_told_apart_in_light_and_dark() -> None:
    style = resources.files("kakudai.evaluate").joinpath("report.css").read_text()
    for part in style.split("@media (prefers-color-scheme: dark)")[:2]:
        colors = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6});", part))
        for paper in ("paper", "wash"):
            for name in ("ink", "soft", "accent"):
                assert contrast(colors[name], colors[paper]) >= 4.5, (name, paper)
        for number in range(8):
            assert contrast(colors[f"s{number}"], colors["paper"]) >= 3.0, number


def contrast(a: str, b: str) -> float:
    """Return the contrast of two colours as WCAG 2 defines it."""
    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_a_comparison_shows_what_a_user_gets(run: Run, tmp_path: Path) -> None:
    group = compare_picture(run.progress.original or Path(), [run], 2)
    assert [layer.title for layer in group.layers] == ["original", "bicubic", "first"]
    assert group.layers[0].psnr is None
    assert group.layers[1].psnr is not None
    shown = read_image(base64.b64decode(group.layers[0].address.partition(",")[2])).color
    np.testing.assert_array_equal(shown, photo())


def test_of_a_large_picture_the_middle_is_shown(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_after, "SIDE", 21)
    group = compare_picture(run.progress.original or Path(), [run], 2)
    assert {layer.size for layer in group.layers} == {(20, 20)}
    assert group.notes == ("The middle 20 × 20 of its 64 × 48 pixels are shown.",)
    shown = read_image(base64.b64decode(group.layers[0].address.partition(",")[2])).color
    np.testing.assert_array_equal(shown, photo()[13:33, 21:41])
    slides = progress_group(run)
    assert slides is not None
    assert {layer.size for layer in slides.layers} == {(21, 21)}


def test_transparency_and_depth_of_a_picture(run: Run, tmp_path: Path) -> None:
    deep = photo().astype(np.uint16) * 257
    write_image(Picture(deep, np.full((48, 64, 1), 9, np.uint16)), tmp_path / "deep.png")
    group = compare_picture(tmp_path / "deep.png", [run], 2)
    assert group.notes == ("Its transparency is not shown.",)
    shown = read_image(base64.b64decode(group.layers[0].address.partition(",")[2])).color
    np.testing.assert_array_equal(shown, photo())
    write_image(Picture(photo()[..., :1]), tmp_path / "grey.png")
    assert len(compare_picture(tmp_path / "grey.png", [run], 2).layers) == 3
    write_image(Picture(photo()[:3, :9]), tmp_path / "tiny.png")
    with pytest.raises(PictureError, match="too small"):
        compare_picture(tmp_path / "tiny.png", [run], 2)


def test_a_network_whose_result_is_no_picture_is_left_out_and_named(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "bad", model=spoiled("zeros")))
    group = compare_picture(run.progress.original or Path(), [run], 2)
    assert [layer.title for layer in group.layers] == ["original", "bicubic"]
    assert group.notes[0].startswith("bad is not shown:")


@pytest.fixture
def opened(run: Run, tmp_path: Path):
    """Return a function that opens the page of a run in a browser."""
    path = tmp_path / "page.html"
    path.write_text(whole([run]), encoding="utf-8")
    pages: list[Browser] = []

    def open_page(**options) -> Browser:
        browser = Browser(tmp_path / f"profile{len(pages)}", **options)
        pages.append(browser)
        browser.open(path)
        return browser

    yield open_page
    for page in pages:
        page.__exit__(None, None, None)


CUT = "getComputedStyle(document.querySelector('.divided img + img')).clipPath"
DIVIDER = "document.querySelector('.viewer input[max=\"100\"]')"
EPOCH = "document.querySelector('.viewer input[max=\"4\"]')"
SHOWN = "[...document.querySelectorAll('.stage:not(.divided) img')].filter(i => !i.hidden).map(i => i.alt).join()"


@pytest.mark.browser
def test_the_divider_moves_by_keyboard_and_by_mouse(opened) -> None:
    page = opened()
    before = page.run(CUT)
    assert before == "inset(0px 0px 0px 128px)", "the middle of 64 pixels, four times as large"
    page.run(f"{DIVIDER}.focus()")
    page.press("ArrowRight")
    assert page.run(f"{DIVIDER}.value") == "51"
    assert page.run(CUT) == "inset(0px 0px 0px 130.56px)"
    assert page.run(f"{DIVIDER}.getAttribute('aria-valuetext')") == "51 % bicubic, the rest first"
    page.press("Home")
    assert page.run(CUT) == "inset(0px)"
    page.run("document.querySelector('.divided').scrollIntoView({block: 'center'})")
    box = page.run("(r => [r.left, r.top])(document.querySelector('.divided').getBoundingClientRect())")
    page.drag((box[0] + 10, box[1] + 50), (box[0] + 64, box[1] + 60))
    assert page.run(CUT) == "inset(0px 0px 0px 64px)"
    assert page.run(f"{DIVIDER}.value") == "25"
    assert page.requests() == [page.run("location.href")]
    assert page.complaints() == []


@pytest.mark.browser
def test_other_pictures_and_sizes_can_be_chosen(opened) -> None:
    page = opened()
    page.run("""(() => { const [left, right, size] = document.querySelectorAll('.viewer select');
        left.value = '0'; left.dispatchEvent(new Event('change'));
        size.value = '1'; size.dispatchEvent(new Event('change')); })()""")
    alt = "[...document.querySelectorAll('.divided img')].map(i => i.alt)"
    assert page.run(alt) == ["A picture: original", "A picture: first"]
    assert page.run("document.querySelector('.sign').textContent") == "original"
    assert page.run("document.querySelector('.divided img').getBoundingClientRect().width") == 64
    assert page.run(CUT) == "inset(0px 0px 0px 32px)"
    assert page.complaints() == []


@pytest.mark.browser
def test_the_slider_goes_through_the_epochs(opened) -> None:
    page = opened()
    assert page.run(SHOWN) == "first: epoch 10"
    page.run(f"{EPOCH}.focus()")
    page.press("ArrowLeft")
    assert page.run(SHOWN) == "first: epoch 5"
    assert page.run(f"{EPOCH}.getAttribute('aria-valuetext')").startswith("epoch 5, ")
    page.press("End")
    assert page.run(SHOWN) == "first: original"
    labels = "[...document.querySelectorAll('input, select')].every(e => e.labels.length === 1)"
    assert page.run(labels)
    assert page.run("[...document.images].every(i => i.complete && i.naturalWidth === 64)")


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(opened, scheme: str) -> None:
    page = opened(width=360, height=740, features={"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"})
    assert page.run("document.documentElement.scrollWidth") == 360
    paper = page.run("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(253, 253, 252)" if scheme == "light" else "rgb(22, 24, 27)")
    assert page.run("document.getAnimations().length") == 0
    small = "[...document.querySelectorAll('select, input')].filter(e => e.getBoundingClientRect().height < 40).length"
    assert page.run(small) == 0
    assert page.complaints() == []


@pytest.mark.browser
def test_without_scripts_all_pictures_are_there(opened) -> None:
    page = opened(scripts=False)
    document = page.send("DOM.getDocument", depth=-1)["root"]["nodeId"]
    figures = page.send("DOM.querySelectorAll", nodeId=document, selector=".layers figure")["nodeIds"]
    assert len(figures) == 8
    heights = [page.send("DOM.getBoxModel", nodeId=node)["model"]["height"] for node in figures]
    assert min(heights) > 48


@pytest.mark.browser
def test_a_hostile_run_runs_nothing(tmp_path: Path) -> None:
    name = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>".replace("/", "∕")
    run = read_run(make_run(tmp_path / name, recipe={**RECIPE, "network": name.replace("∕", "/")}))
    text = whole([run]).replace("<main>", "<main><script>window.hacked = 1</script><img src=http://127.0.0.1:9/x>")
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with Browser(tmp_path / "profile") as page:
        page.open(tmp_path / "page.html")
        assert page.run("window.hacked") is None
        assert page.run(f"{DIVIDER}.value") == "50", "the page's own script has run"
        assert len(page.complaints()) == 2, "the policy has stopped what a mistake of ours would have let in"
