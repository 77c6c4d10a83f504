"""The methods that `benchmarks/quality.py` compares: our networks, waifu2x's, and what needs no network."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx

from foreign import model_files
from kakudai import list_models
from kakudai.engine.ensemble import turns_for
from kakudai.engine.loaded import Loaded, Run
from kakudai.engine.loading import load_model
from kakudai.engine.machine import Machine
from kakudai.engine.runtimes import usable_processors
from kakudai.image.picture import Pixels
from kakudai.models import Model
from kakudai.models.shipped import STYLES, Style

SHORT = 12
"""Hexadecimal digits of a fingerprint."""

MATTERS = ("scale", "halo", "multiple", "color", "strength", "border", "pools")
"""What of a card decides how a network is run; the rest may change and figures stay."""

WAIFU2X: dict[str, tuple[str, Style]] = {
    "upconv_7 photo": ("models-upconv_7_photo-scale2.0x_model", "photo"),
    "upconv_7 photo, noise 0": ("models-upconv_7_photo-noise0_scale2.0x_model", "photo"),
    "upconv_7 photo, noise 1": ("models-upconv_7_photo-noise1_scale2.0x_model", "photo"),
    "upconv_7 photo, noise 3": ("models-upconv_7_photo-noise3_scale2.0x_model", "photo"),
    "upconv_7 art": ("models-upconv_7_anime_style_art_rgb-scale2.0x_model", "art"),
    "upconv_7 art, noise 1": ("models-upconv_7_anime_style_art_rgb-noise1_scale2.0x_model", "art"),
    "cunet art": ("models-cunet-scale2.0x_model", "art"),
}
"""Name here -> file in shared/models/waifu2x-ncnn, and the pictures that it is for."""


@dataclass(frozen=True, slots=True, eq=False)
class Method:
    """One way to make a picture better. There is one object of each.

    Args:
        label: What to call it.
        fingerprint: Of its network; "" where it has none.
        model: The network.
        source: What `kakudai upscale -m` takes for it: a shipped name or a path.
        style: Pictures that it is for; None for all.
    """

    label: str
    fingerprint: str = ""
    model: Model | None = None
    source: str = ""
    style: Style | None = None

    @property
    def key(self) -> str:
        """Its name in the results."""
        return f"{self.label} #{self.fingerprint}" if self.fingerprint else self.label

    def at(self, strength: int | str) -> str:
        """Return its name in the results when it is told a strength, 0 to 100."""
        return f"{self.key} @{strength}"

    def multiply_adds(self, scale: int) -> float | None:
        """Return the multiply-adds for each pixel of the output; a network of 2x that is run twice for 4x does a
        quarter of its work in the first run.
        """
        if self.model is None:
            return None
        once = float(self.model.card["macs_per_output_pixel"])
        return once * 1.25 if self.model.scale == 2 and scale == 4 else once


BICUBIC, NOTHING = Method("bicubic"), Method("as it is")
MEDIAN, BLUR = Method("Pillow, median of 3x3"), Method("Pillow, Gaussian blur 0.6")


@dataclass(frozen=True, slots=True)
class Methods:
    """All networks that are compared.

    Args:
        ours: By shipped name, the cheap ones first.
        waifu2x: By name, see `WAIFU2X`.
        stand_ins: The names of ours that other files stand for.
    """

    ours: dict[str, Method]
    waifu2x: dict[str, Method]
    stand_ins: tuple[str, ...] = ()

    def clean(self, scale: int) -> list[Method]:
        """Return our networks that only enlarge, by a scale."""
        return [method for name, method in self.ours.items() if name.endswith(f"-x{scale}") and "-restore-" not in name]

    def usual(self, style: Style, scale: int) -> Method | None:
        """Return our network that a clean picture of a style gets."""
        return NOTHING if scale == 1 else self.ours.get(f"{style}-x{scale}") or self.ours.get(f"photo-x{scale}")

    def restoring(self, style: Style, scale: int) -> Method | None:
        """Return our network that is told a strength, or None."""
        return self.ours.get(f"{style}-restore-x{scale}")

    def levels(self, style: Style) -> list[Method]:
        """Return waifu2x's networks for a style at all of its noise levels, the one without first."""
        return [m for m in self.waifu2x.values() if m.style == style and "upconv_7" in m.label]


def find_methods(shared: Path, stand_ins: Mapping[str, str]) -> Methods:
    """Load everything that there is.

    Args:
        shared: The folder with models/.
        stand_ins: Shipped name -> the file that is measured in its place.
    """
    found = {model.name: (model, model.name) for model in list_models()}
    for name, source in stand_ins.items():
        found[name] = (replace(load_model(source), name=name), source)
    order = sorted(found, key=lambda name: (found[name][0].scale, float(found[name][0].card["macs_per_output_pixel"])))
    ours = {}
    for name in order:
        model, source = found[name]
        style: Style = next((style for style in STYLES if name.startswith(style)), "photo")
        ours[name] = Method(name, fingerprint(model), model, source, style)
    files = {file.stem: file for file in model_files(shared / "models")}
    waifu2x = {}
    for label, (stem, style) in WAIFU2X.items():
        if stem in files:
            digest = hashlib.sha256(files[stem].with_suffix(".bin").read_bytes()).hexdigest()[:SHORT]
            waifu2x[label] = Method(f"waifu2x {label}", digest, load_model(files[stem]), str(files[stem]), style)
    return Methods(ours, waifu2x, tuple(stand_ins))


def fingerprint(model: Model) -> str:
    """Return what changes with a network and with how it is run, and not with what else its card says."""
    graph = onnx.load_from_string(model.data)
    del graph.metadata_props[:]
    digest = hashlib.sha256(graph.SerializeToString(deterministic=True))
    digest.update(repr([(key, model.card.get(key)) for key in MATTERS]).encode())
    return digest.hexdigest()[:SHORT]


class Running:
    """Networks that stay open: what `Upscaler` does in one pass, without opening a session for every strength."""

    def __init__(self, threads: int | None) -> None:
        self._threads = threads
        self._open: dict[str, Loaded] = {}
        self._pool = ThreadPoolExecutor(threads or usable_processors())

    def run(self, method: Method, image: Pixels, strength: int | None = None) -> Pixels:
        """Run a network once: (H, W, 1 | 3) uint8 -> (scale H, scale W, 1 | 3) uint8.

        Args:
            strength: What it is told, 0 to 100; None where it takes none.
        """
        assert method.model is not None
        if method.key not in self._open:
            self._open[method.key] = Loaded.open(method.model, Machine(threads=self._threads, precision="float32"))
        loaded = self._open[method.key]
        if strength is not None:
            loaded = replace(loaded, strength=strength / 100)
        tile = loaded.first_tile(image.shape[0], image.shape[1], None)
        return loaded.run(image, tile, np.uint8, Run(turns_for(1), self._pool, lambda _: None))
