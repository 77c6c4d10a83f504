"""The page, opened before the server of the module, and pictures to give to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serve.page.opened_page import Page
from tests.serve.running import Running, drawing, encoded
from tests.serve.site_page import visit, wait_for


@pytest.fixture
def opened(server: Running, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Return a function that opens the page."""
    pages: list[Page] = []

    def open_page(language: str = "en", **options: Any) -> Page:
        page = Page(tmp_path / f"profile{len(pages)}", **{"width": 1440, "height": 900, **options})
        pages.append(page)
        page.send("Emulation.setLocaleOverride", locale=language)
        page.send("Network.setUserAgentOverride", userAgent="test", acceptLanguage=language)
        page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "got"))
        if options.get("scripts", True):
            visit(page, server.address)
            wait_for(page, "document.querySelector('#language').options.length === 6")
            wait_for(page, "document.querySelector('#network').options.length > 1")
        return page

    yield open_page
    for page in pages:
        page.__exit__(None, None, None)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small picture on disk, whose name has more than ASCII."""
    path = tmp_path / "größe 1.png"
    path.write_bytes(encoded(drawing(72, 56)))
    return path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A picture that takes a while."""
    path = tmp_path / "large.png"
    path.write_bytes(encoded(drawing(1200, 900)))
    return path
