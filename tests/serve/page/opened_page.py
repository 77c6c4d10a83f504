"""The page in a browser of its own, and what its tests share."""

import base64
import io
import json
import os
import subprocess
import sys
from pathlib import Path

from PIL import Image
from tests.browser import Browser
from tests.serve.running import Running, wait_until

DONE = "document.querySelector('#download:not([hidden])') && document.querySelector('#cancel').hidden"
STATE = "document.querySelector('#strip .state')?.textContent"
READY = f"{STATE} === 'Ready'"
SAMPLE = "document.querySelector('[data-sample*=cat]')"
IMAGES = Path(__file__).parents[3] / "docs/images/page"
PICTURES = "KAKUDAI_PAGE_PICTURES"
"""Where this variable is set, the pictures of the docs are made anew."""


class Page(Browser):
    """The page, opened in a browser of its own."""

    def choose(self, *paths: Path, field: str = "#file") -> None:
        """Give files to a field, as its dialog does."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=field)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(path) for path in paths])

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.run(f"document.querySelector({json.dumps(selector)}).textContent"))

    def click(self, selector: str) -> None:
        """Press an element."""
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def fill(self, selector: str, value: str) -> None:
        """Set a field as typing does."""
        self.run(f"""(field => {{
            field.value = {json.dumps(value)}; field.dispatchEvent(new Event('input', {{bubbles: true}}));
        }})(document.querySelector({json.dumps(selector)}))""")

    def violations(self) -> list[str]:
        """Return what the console says but for what Chromium says of itself."""
        ours = ("No available adapters", "Password forms")
        return [line for line in self.complaints() if not any(words in line for words in ours)]

    def picture(self, name: str, *, phone: bool = False) -> None:
        """Take a picture for the docs, where that is asked for."""
        if os.environ.get(PICTURES):
            IMAGES.mkdir(parents=True, exist_ok=True)
            shot = self.send("Page.captureScreenshot", format="png")["data"]
            image = Image.open(io.BytesIO(base64.b64decode(shot))).convert("RGB")
            small = image if phone else image.resize((960, 600), Image.Resampling.LANCZOS)
            small.save(IMAGES / f"{name}.webp", quality=88, method=6)


def downloaded(folder: Path, name: str) -> bytes:
    """Wait for a downloaded file."""
    assert wait_until((folder / name).is_file), [path.name for path in folder.glob("*")]
    return (folder / name).read_bytes()


def nothing_more(server: Running, before: list[str]) -> bool:
    """Wait until nothing lies on the server but what lay there before; say whether that happened."""
    return wait_until(lambda: set(server.files()) <= set(before), 20.0)


def by_command(source: Path, *words: str) -> bytes:
    """Return what `kakudai upscale` writes."""
    target = source.with_name(f"command{source.suffix}")
    command = [sys.executable, "-m", "kakudai", "upscale", str(source), "-o", str(target), "-q", *words]
    subprocess.run([*command, "--on-exists", "overwrite"], check=True)
    return target.read_bytes()
