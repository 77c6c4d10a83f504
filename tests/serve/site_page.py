"""A static site on a host of its own, and its engine called from a browser."""

import base64
import http.server
import json
import shutil
import threading
import time
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from tests.browser import Browser

from kakudai.image.picture import Pixels
from kakudai.serve.site import PAGE

INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>test</title>
<link rel="icon" href="/page/mark.svg">
</head>
<body></body>
</html>
"""
"""A page of nothing: these tests are about what lies behind it."""

ENGINE = "import(new URL('page/browser/engine.js', location.href))"


def bare_page(folder: Path) -> Path:
    """Make a page folder of the engine alone, and return it."""
    shutil.copytree(PAGE / "browser", folder / "browser")
    shutil.copyfile(PAGE / "mark.svg", folder / "mark.svg")
    (folder / "index.html").write_text(INDEX)
    return folder


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves files as simple static hosts do: no headers of its own."""

    extensions_map = {  # noqa: RUF012 - that is how the base class has it
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
        ".webmanifest": "application/manifest+json",
    }

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


class Host:
    """A folder at an address, until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> "Host":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Answer no more; may be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def wait_for(browser: Browser, expression: str, seconds: float = 120.0) -> Any:
    """Return the value of an expression as soon as it is true."""
    end = time.monotonic() + seconds
    while not (value := _value_of(browser, expression)):
        assert time.monotonic() < end, f"not in {seconds} s: {expression}; {browser.complaints()[-3:]}"
        time.sleep(0.05)
    return value


def _value_of(browser: Browser, expression: str) -> Any:
    """Return the value of an expression; None on a page that is just being replaced by another."""
    try:
        return browser.run(expression)
    except AssertionError as error:
        if any(words in str(error) for words in ("context", "navigated")):
            return None
        raise


def visit(browser: Browser, address: str) -> None:
    """Load a page, or load it again, and wait until it is there."""
    browser.run("window.left = true")
    browser.send("Page.navigate", url=address)
    wait_for(browser, "!window.left && document.readyState === 'complete' && location.protocol !== 'about:'")


def wait_until_kept(browser: Browser) -> None:
    """Wait until the service worker has all files."""
    wait_for(browser, "navigator.serviceWorker.ready.then(() => true)")


def start(browser: Browser, image: Pixels, options: dict[str, Any]) -> None:
    """Have the engine enlarge an RGBA picture. `self.result` tells how it ended; `self.stop()` cancels it."""
    height, width = image.shape[:2]
    data = base64.b64encode(image.tobytes()).decode()
    browser.run(f"""(async () => {{
        const engine = await {ENGINE};
        const raw = Uint8ClampedArray.from(atob('{data}'), (letter) => letter.charCodeAt(0));
        const control = new AbortController();
        self.result = null;
        self.shares = [];
        self.stop = () => control.abort();
        const progress = (share) => self.shares.push(share);
        const picture = new ImageData(raw, {width}, {height});
        engine.upscale(picture, {json.dumps(options)}, {{progress, signal: control.signal}})
          .then((found) => (self.result = found))
          .catch(({{name, title, detail, hint}}) => (self.result = {{problem: {{name, title, detail, hint}}}}));
    }})()""")


def result_of(browser: Browser, seconds: float = 120.0) -> tuple[Pixels, dict[str, Any]]:
    """Wait for the result. Shape: (H, W, 4) uint8, and what is said of it."""
    wait_for(browser, "self.result !== null", seconds)
    problem = browser.run("self.result.problem")
    assert problem is None, (problem, browser.complaints())
    code = """(({pixels, ...said}) => {
        let text = '';
        for (let at = 0; at < pixels.data.length; at += 32768)
          text += String.fromCharCode(...pixels.data.subarray(at, at + 32768));
        return [[pixels.height, pixels.width, 4], btoa(text), said];
    })(self.result)"""
    shape, data, said = browser.run(code)
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(shape), dict(said)


def complaints(browser: Browser) -> list[str]:
    """Return what the console says, but for advice, and for the note that there is no graphics card."""
    harmless = ('"level": "verbose"', "No available adapters")
    return [words for words in browser.complaints() if not any(part in words for part in harmless)]
