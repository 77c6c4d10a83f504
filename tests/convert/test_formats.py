"""docs/reference/model-formats.md: each file it names is written and loaded, and its row is what came out."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.convert.formats import CASES, FOOT, HEAD, PAGE, Case

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_file_loads_and_the_page_says_how(case: Case, tmp_path: Path) -> None:
    if case.program == "spandrel" and find_spec("spandrel") is None:
        pytest.skip("spandrel is not installed")
    assert case.row(tmp_path) in PAGE.read_text().splitlines(), "run: python docs/make_formats.py"


def test_the_page_is_current() -> None:
    text = PAGE.read_text()
    assert text.startswith(HEAD)
    assert text.endswith(FOOT)
    assert len([line for line in text.splitlines() if line.startswith("|")]) == len(CASES) + 2
