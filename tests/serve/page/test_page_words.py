"""The page's words in all languages, its files without what the policy forbids, and its colours."""

import json
import re
from itertools import pairwise, product
from pathlib import Path

import pytest

from kakudai.serve import routes_page

PAGE = Path(routes_page.__file__).parent / "page"
LANGUAGES = sorted(PAGE.glob("languages/*.json"))
MODULES = sorted(PAGE.glob("*.js"))
INDEX = (PAGE / "index.html").read_text()
STYLE = (PAGE / "style.css").read_text()
ENGLISH: dict[str, str] = json.loads((PAGE / "languages/en.json").read_text())

KEY = re.compile(r"""["'`]([a-z]+(?:\.[a-z]+(?:-[a-z]+)*)+)["'`]""")
FILES = {"strip.js", "index.html"}
ASKED = re.compile(r'data-word(?:-label)?="([^"]+)"')
COUNTED = re.compile(r"""words\.count\(["']([^"']+)["']""")
PROBLEM = re.compile(r"""new Problem\(["']([a-z-]+)["']""")


def used() -> set[str]:
    """Return all keys that the page asks for; problems of the server are in problems.py."""
    code = "\n".join(path.read_text() for path in MODULES)
    kinds = "|".join(sorted({re.escape(key.partition(".")[0]) for key in ENGLISH}))
    keys = {key for key in KEY.findall(code) if re.match(rf"(?:{kinds})\.", key) and not key.endswith((".js", ".json"))}
    counted = set(COUNTED.findall(code))
    keys = (keys - counted) | {f"{key}.{form}" for key in counted for form in ("one", "other")}
    keys |= {f"problem.{kind}{end}" for kind in PROBLEM.findall(code) for end in ("", ".hint")}
    return keys | set(ASKED.findall(INDEX))


def test_every_language_has_every_word() -> None:
    assert [path.stem for path in LANGUAGES] == ["de", "en", "es", "fr", "ja", "zh"]
    for path in LANGUAGES:
        words = json.loads(path.read_text())
        assert list(words) == list(ENGLISH), path.stem
        assert all(text.strip() for text in words.values()), path.stem


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_translations_name_the_same_values(path: Path) -> None:
    words = json.loads(path.read_text())
    named = {key: sorted(set(re.findall(r"\{(\w+)\}", text))) for key, text in words.items()}
    wanted = {key: sorted(set(re.findall(r"\{(\w+)\}", text))) for key, text in ENGLISH.items()}
    one = {key for key in ENGLISH if key.endswith(".one")}
    assert {key: values for key, values in named.items() if key not in one} == {
        key: values for key, values in wanted.items() if key not in one
    }


def test_every_word_that_is_asked_for_exists_and_none_is_left_over() -> None:
    from kakudai.serve.problems import KINDS

    keys = used()
    assert keys - set(ENGLISH) == set()
    left = {key for key in set(ENGLISH) - keys if not key.startswith("problem.")}
    assert left == set()
    own = set(PROBLEM.findall("\n".join(path.read_text() for path in MODULES)))
    told = {key.split(".")[1] for key in ENGLISH if key.startswith("problem.")}
    assert told <= own | set(KINDS) | {"scale-too-large"}
    assert all(f"problem.{name}.hint" in ENGLISH for name in told)


def test_the_page_says_in_english_what_the_language_file_says() -> None:
    found = re.findall(r'<(\w+)[^>]*\sdata-word="([^"]+)"[^>]*>([^<]*)</\1>', INDEX)
    assert len(found) > 50
    assert {key: text for _, key, text in found} == {key: ENGLISH[key] for _, key, _ in found}
    labels = re.findall(r'aria-label="([^"]+)" data-word-label="([^"]+)"', INDEX)
    assert len(labels) > 10
    assert [(text, key) for text, key in labels if ENGLISH[key] != text] == []


def test_nothing_comes_from_elsewhere_and_nothing_is_inline() -> None:
    assert re.findall(r"<script(?![^>]*\ssrc=)", INDEX) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=", INDEX) == []
    for path in [*MODULES, PAGE / "index.html", PAGE / "style.css"]:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"""(?:https?:)?//[a-z0-9]+\.[a-z]{2,}""", text) == [], path.name
    for address in re.findall(r'(?:src|href)="([^"#]+)"', INDEX):
        assert address == "./" or (PAGE / address.removeprefix("page/")).is_file(), address
    assert "innerHTML" not in "".join(path.read_text() for path in MODULES)


def test_modules_stay_readable() -> None:
    sizes = {path.name: path.read_text().count("\n") for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > 400} == {}


def test_every_module_that_is_imported_is_there() -> None:
    for path in MODULES:
        for name in re.findall(r"""from ["']\./([\w.]+)["']""", path.read_text()):
            assert (PAGE / name).is_file(), f"{path.name} imports {name}"


def colours(scheme: str) -> dict[str, str]:
    """Return the custom colours of a scheme."""
    light, dark = re.findall(r":root \{(.*?)\n\s*\}", STYLE, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found if scheme == "light" else {**found, **dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark))}


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours. Source: WCAG 2.2."""

    def luminance(colour: str) -> float:
        values = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_counted_as_the_standard_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


TEXT = [
    *product(("ink", "soft"), ("paper", "sheet", "stage")),
    *product(("ink",), ("wash", "rule")),
    ("paper", "ink"),
    *pairwise(("accent", "on-accent", "accent-deep")),
]
"""What is written on what."""

SHAPES = [*product(("edge", "accent"), ("paper", "sheet", "stage"))]
"""Borders of fields, the focus ring and the marks that say something."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(scheme: str) -> None:
    found = colours(scheme)
    poor = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in TEXT}
    assert {pair: ratio for pair, ratio in poor.items() if ratio < 4.5} == {}
    faint = {pair: round(contrast(found[pair[0]], found[pair[1]]), 2) for pair in SHAPES}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 3.0} == {}
