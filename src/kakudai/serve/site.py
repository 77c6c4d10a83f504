"""The page as a folder of files for any static host: kakudai wholly inside the visitor's browser.

    python -m kakudai.serve.site FOLDER

What is in it: index.html, the page and its engine, the shipped networks with models.json, onnxruntime-web, a web app
manifest with icons, and a service worker that keeps all of it for later visits without a network.
"""

import hashlib
import json
import re
import secrets
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kakudai.errors import KakudaiError, OutputError
from kakudai.image.vips import libvips
from kakudai.models import Model, list_models
from kakudai.serve.browser import GPU_FILES, RUNTIME_FILES, RUNTIME_VERSION, catalogue, fetch_runtime

PAGE = Path(__file__).parent / "page"

WORKER = "service-worker.js"

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'"
)
"""What the page may do, said in the page because static hosts cannot be told to say it: nothing leaves the machine."""

ICON_SIDES = (192, 512)
RED = (199, 62, 29)
"""Behind the mark, out to the edge where a system cuts icons to its own shape."""

MANIFEST: dict[str, Any] = {
    "name": "kakudai",
    "short_name": "kakudai",
    "description": "Makes small, noisy pictures large and clean. Everything stays on this machine.",
    "start_url": "./",
    "scope": "./",
    "display": "standalone",
    "background_color": "#ffffff",
    "theme_color": "#c73e1d",
    "icons": [
        {"src": f"icons/{kind}-{side}.png", "sizes": f"{side}x{side}", "type": "image/png", "purpose": purpose}
        for kind, purpose in (("mark", "any"), ("whole", "maskable"))
        for side in ICON_SIDES
    ],
}

NOTICES = f"""kakudai, its page and its networks: see https://www.apache.org/licenses/LICENSE-2.0 for the program, and
page/models.json for the licence of each network.

onnxruntime-web {RUNTIME_VERSION}, in page/onnxruntime: Copyright (c) Microsoft Corporation, MIT License.
"""


def build(
    folder: Path, *, page: Path = PAGE, models: Sequence[Model] | None = None, runtime: Path | None = None
) -> str:
    """Write the site into a folder, which is replaced as a whole, and return its version.

    Args:
        folder: New, empty, or an earlier site.
        page: The page: index.html and what it needs.
        models: The networks; None takes all that are shipped.
        runtime: The folder of onnxruntime-web's files; None fetches them where that has not happened.

    Raises:
        OutputError: The folder holds something else, or cannot be written.
        RuntimeUnavailable: onnxruntime-web cannot be fetched.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / WORKER).is_file():
        raise OutputError(f"{folder} holds something that is no site of ours", "name a new folder")
    runtime = runtime or fetch_runtime()
    fresh = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    try:
        fresh.mkdir(parents=True)
        _fill(fresh, page, list_models() if models is None else models, runtime)
        version = _write_worker(fresh)
        if folder.exists():
            shutil.rmtree(folder)
        fresh.rename(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}", "check the folder and the disk") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return version


def _fill(site: Path, page: Path, models: Sequence[Model], runtime: Path) -> None:
    """Write all files but the service worker."""
    shutil.copytree(page, site / "page", ignore=shutil.ignore_patterns("index.html", WORKER, ".*", "__pycache__"))
    (site / "index.html").write_text(static_page((page / "index.html").read_text(encoding="utf-8")), encoding="utf-8")
    networks = site / "page/networks"
    networks.mkdir()
    for model in models:
        (networks / f"{model.name}.onnx").write_bytes(model.data)
    (site / "page/onnxruntime").mkdir()
    for name in RUNTIME_FILES:
        shutil.copyfile(runtime / name, site / "page/onnxruntime" / name)
    (site / "page/models.json").write_text(json.dumps(catalogue(models, runtime=True)), encoding="utf-8")
    (site / "manifest.webmanifest").write_text(json.dumps(MANIFEST, indent=1), encoding="utf-8")
    (site / "NOTICES.txt").write_text(NOTICES, encoding="utf-8")
    _draw_icons(site / "icons", page / "mark.svg")


def static_page(text: str) -> str:
    """Return index.html as the site has it: said to be static, with its policy, the manifest, and addresses that also
    hold below a folder of the host.

    Raises:
        ValueError: It has no <html> or no <head>.
    """
    head = (
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<link rel="manifest" href="manifest.webmanifest">\n'
        '<link rel="apple-touch-icon" href="icons/whole-192.png">\n'
        '<script type="module" src="page/browser/offline.js"></script>\n'
    )
    text, places = re.subn(r"<html\b", '<html data-site="static"', text, count=1)
    text, heads = re.subn(r"(<head\b[^>]*>\s*(?:<meta charset=[^>]*>\s*)?)", rf"\g<1>{head}", text, count=1)
    if not places or not heads:
        raise ValueError("index.html has no <html> or no <head>")
    return re.sub(r'((?:href|src|srcset|action|poster)=["\'])/(?!/)', r"\1", text)


def _draw_icons(folder: Path, mark: Path) -> None:
    """Draw the page's mark in the sizes that systems want: as it is, and smaller on a whole square of its colour."""
    vips = libvips()
    folder.mkdir()
    for side in ICON_SIDES:
        vips.Image.thumbnail(str(mark), side).pngsave(str(folder / f"mark-{side}.png"))
        small = vips.Image.thumbnail(str(mark), side * 4 // 5).flatten(background=list(RED))
        edge = (side - small.width) // 2
        whole = small.embed(edge, edge, side, side, extend="background", background=list(RED))
        whole.pngsave(str(folder / f"whole-{side}.png"))


def _write_worker(site: Path) -> str:
    """Write the service worker: which files there are, each with its SHA-256, and the version that these make."""
    hashes = {
        path.relative_to(site).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(site.rglob("*"))
        if path.is_file() and path.name != "NOTICES.txt"
    }
    code = (PAGE / "browser" / WORKER).read_text(encoding="utf-8")
    version = hashlib.sha256((json.dumps(hashes, sort_keys=True) + POLICY + code).encode()).hexdigest()[:16]
    later = [f"page/onnxruntime/{name}" for name in GPU_FILES]
    constants = {"VERSION": version, "POLICY": POLICY, "LATER": later, "FILES": hashes}
    head = "".join(f"const {name} = {json.dumps(value, indent=1)};\n" for name, value in constants.items())
    (site / WORKER).write_text(head + code, encoding="utf-8")
    return version


def main() -> None:
    """Build the site into the folder that is named on the command line."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m kakudai.serve.site FOLDER")
    folder = Path(sys.argv[1])
    try:
        version = build(folder)
    except KakudaiError as error:
        sys.exit(f"error: {error}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    sys.stderr.write(f"{folder}: version {version}, {size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
