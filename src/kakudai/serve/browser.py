"""What the page needs to do a picture inside the browser: the shipped networks, what JavaScript must know of them, and
onnxruntime-web, which runs them there.

onnxruntime-web is no part of the package: 31 MB that most people never need. It is fetched from the npm registry
once, by `make site` or `python -m kakudai.serve.site`, checked, and kept in the user's cache folder, where
`kakudai serve` finds it.
"""

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from kakudai.errors import RuntimeUnavailable
from kakudai.models import Model, list_models
from kakudai.models.shipped import LARGEST_SCALE, STYLES, WORDS
from kakudai.models.store import cache_folder

RUNTIME_VERSION = "1.30.0"
RUNTIME_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the package's archive, as the npm registry states it in `dist.integrity`."""

CPU_FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""The part that runs networks on the processor."""

GPU_FILES = ("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm")
"""The part that runs them on the graphics card: only fetched by browsers that can use it. Of the builds with WebGPU the
smallest, 17 MB; it needs a browser whose WebAssembly can wait for promises, which those with WebGPU learn first."""

RUNTIME_FILES = (*CPU_FILES, *GPU_FILES)

FETCH_SECONDS = 600

LIMITS: dict[str, Any] = {
    "bytes": 100_000_000,
    "input_pixels": 24_000_000,
    "input_side": 16_384,
    "output_pixels": 64_000_000,
    "formats_in": ["png", "jpeg", "webp", "avif", "gif", "bmp"],
    "formats_out": ["png", "jpeg", "webp"],
    "queue": None,
    "life_seconds": None,
}
"""What a browser can be asked: as much as the server allows, in the formats that browsers read and write."""


def catalogue(models: Sequence[Model], *, runtime: bool) -> dict[str, Any]:
    """Say what JavaScript must know: the answer of `/v1/models`, with which word each network is for, and what its
    tiles need.

    Networks that look at a whole picture, or go on with its edge pixels, are left out: tiles in the browser follow the
    rules of our own.

    Args:
        models: What can be used.
        runtime: Whether onnxruntime-web's files are there, too.
    """
    usable = [model for model in models if model.halo is not None and model.border == "mirror"]
    names = {model.name for model in usable}

    def scales(stem: str, first: int = 2) -> list[int]:
        return [scale for scale in range(first, LARGEST_SCALE + 1) if f"{stem}-x{scale}" in names]

    stems = {
        word: {style: f"{style}-{grade}" if grade else style for style in styles}
        for word, (styles, grade) in WORDS.items()
    }
    styles = [style for style in STYLES if scales(style)]
    return {
        "models": [_entry(model) for model in usable],
        "words": [word for word in WORDS if any(map(scales, stems[word].values()))],
        "stems": stems,
        "scales": {style: scales(style) for style in styles},
        "restores": {style: scales(f"{style}-restore", 1) for style in styles},
        "limits": LIMITS,
        "runtime": {"name": "onnxruntime-web", "version": RUNTIME_VERSION} if runtime else None,
        "drawn": tomllib.loads(files("kakudai.analyse").joinpath("drawn.toml").read_text(encoding="utf-8")),
    }


def _entry(model: Model) -> dict[str, Any]:
    return {
        "name": model.name,
        "scale": model.scale,
        "task": model.card["task"],
        "style": model.name.partition("-")[0],
        "parameters": model.parameters,
        "licence": model.card["licence"],
        "quality": model.quality,
        "halo": model.halo,
        "multiple": model.multiple,
        "color": model.color,
        "strength": model.card.get("strength", "none"),
        "bytes": len(model.data),
        "sha256": hashlib.sha256(model.data).hexdigest(),
    }


def runtime_folder() -> Path | None:
    """Return the folder of onnxruntime-web's files, or None where they were not fetched."""
    folder = _place()
    return folder if all((folder / name).is_file() for name in RUNTIME_FILES) else None


def fetch_runtime() -> Path:
    """Return the folder of onnxruntime-web's files; they are fetched by npm where that has not happened.

    Raises:
        RuntimeUnavailable: There is no npm, it cannot fetch, or what it fetched is not what was pinned.
    """
    known = runtime_folder()
    if known is not None:
        return known
    place = _place()
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            _unpack(_checked(_packed(Path(folder))), fresh)
        shutil.rmtree(place, ignore_errors=True)
        fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return place


def page_file(path: str) -> bytes | Path | None:
    """Return what the page asks for below `/page/` and what does not lie in the folder `page`: `models.json`,
    `networks/NAME.onnx` and `onnxruntime/FILE`. None where there is no such thing.
    """
    folder, _, name = path.rpartition("/")
    if path == "models.json":
        return json.dumps(catalogue(list_models(), runtime=runtime_folder() is not None)).encode()
    if folder == "networks":
        return next((model.data for model in list_models() if f"{model.name}.onnx" == name), None)
    if folder == "onnxruntime" and name in RUNTIME_FILES and (place := runtime_folder()):
        return place / name
    return None


def _place() -> Path:
    return cache_folder().parent / "browser" / f"onnxruntime-web-{RUNTIME_VERSION}"


def _packed(folder: Path) -> Path:
    """Fetch the package's archive into a folder."""
    package = f"onnxruntime-web@{RUNTIME_VERSION}"
    hint = "install Node.js with npm (apt-get install npm), then try again"
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeUnavailable(f"{package} is needed for the browser, and npm is not installed", hint)
    words = [npm, "pack", package, "--ignore-scripts", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeUnavailable(f"npm does not fetch {package} in {FETCH_SECONDS} s", "try again later") from error
    found = list(folder.glob("*.tgz"))
    if done.returncode or len(found) != 1:
        said = (done.stderr.strip().splitlines() or ["it says nothing"])[-1][:300]
        raise RuntimeUnavailable(f"npm cannot fetch {package}: {said}", "check its registry: npm ping")
    return found[0]


def _checked(archive: Path) -> Path:
    """Return the archive if it is the one that was pinned."""
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != RUNTIME_SHA512:
        raise RuntimeUnavailable(
            f"onnxruntime-web {RUNTIME_VERSION} is not the archive that was pinned: its SHA-512 is {found}",
            "somebody has changed it on the way; check npm's registry: npm config get registry",
        )
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    """Take the files that are needed out of the archive."""
    folder.mkdir()
    with tarfile.open(archive, "r:gz") as inside:
        for name in RUNTIME_FILES:
            file = inside.extractfile(f"package/dist/{name}")
            if file is None:
                raise RuntimeUnavailable(f"onnxruntime-web {RUNTIME_VERSION} has no {name}", "report it")
            with (folder / name).open("wb") as copy:
                shutil.copyfileobj(file, copy)
