"""Clean pictures, enlarged: our networks through the real command line, waifu2x's and bicubic beside them."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kakudai import Upscaler, read_image, write_image
from kakudai.degrade.shrink import Downsampling, crop_to_multiple, shrink
from kakudai.evaluate.measure import bicubic, set_files
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import eight_bits
from kakudai.metrics import Protocol, psnr, ssim
from quality_methods import BICUBIC, Method, Methods
from quality_store import Store

PUBLISHED, DRAWN = ("Set5", "Set14", "BSD100"), ("anime", "comic")
KERNELS: tuple[Downsampling, ...] = ("bicubic", "box", "lanczos")
SCALES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class Condition:
    """One set, shrunk in one way."""

    name: str
    kernel: Downsampling
    scale: int

    @property
    def part(self) -> str:
        """Of the results."""
        return f"clean x{self.scale}"


def conditions(scale: int) -> list[Condition]:
    """Return what is measured at a scale: drawings are shrunk in all ways, the others as the literature does."""
    photographs = [Condition(name, "bicubic", scale) for name in PUBLISHED]
    return photographs + [Condition(name, kernel, scale) for name in DRAWN for kernel in KERNELS]


def methods_for(methods: Methods, condition: Condition) -> Iterator[Method]:
    """Yield what is compared; nothing where we have no network of the scale. waifu2x's, which enlarge 2x, are run
    twice for 4x, on drawings.
    """
    ours = methods.clean(condition.scale)
    if not ours:
        return
    yield BICUBIC
    yield from ours
    if condition.scale == 2 or (condition.scale == 4 and condition.name in DRAWN):
        yield from (method for method in methods.waifu2x.values() if "noise" not in method.label)


def measure_clean(shared: Path, methods: Methods, store: Store, pictures: int | None, threads: int | None) -> None:
    """Measure what the results lack."""
    for scale in SCALES:
        for condition in conditions(scale):
            for method in methods_for(methods, condition):
                if store.get(condition.part, condition.name, condition.kernel, method.key) is None:
                    files = set_files(shared / "data/test" / condition.name)[:pictures]
                    scores = _measure(files, condition, method, threads)
                    entry = {
                        "psnr": [round(one, 4) for one, _ in scores],
                        "ssim": [round(one, 5) for _, one in scores],
                    }
                    store.put(condition.part, condition.name, condition.kernel, method.key, entry=entry)
                    mean = store.mean(condition.part, condition.name, condition.kernel, method.key)
                    print(f"{condition.part}, {condition.name}, {condition.kernel}: {method.label} {mean:.2f} dB")


def _measure(files: list[Path], condition: Condition, method: Method, threads: int | None) -> list[tuple[float, float]]:
    scale, protocol = condition.scale, Protocol.published(condition.scale)
    highs = [crop_to_multiple(eight_bits(read_image(file).color), scale) for file in files]
    lows = [shrink(high, scale, condition.kernel) for high in highs]
    scores = []
    for high, output in zip(highs, _outputs(method, lows, scale, threads), strict=True):
        scores.append((psnr(output, high, protocol), ssim(output, high, protocol)))
    return scores


def _outputs(method: Method, lows: list[Pixels], scale: int, threads: int | None) -> Iterator[Pixels]:
    if method.model is None:
        yield from map(bicubic(scale), lows)
    elif method.label.startswith("waifu2x"):
        with Upscaler(scale, model=method.model, threads=threads, precision="float32") as upscaler:
            yield from map(upscaler.upscale, lows)
    else:
        yield from _by_command(method.source, lows, scale, threads)


def _by_command(source: str, lows: list[Pixels], scale: int, threads: int | None) -> Iterator[Pixels]:
    """Enlarge a folder of PNG files by `kakudai upscale`, in a process of its own, and read what it wrote."""
    with tempfile.TemporaryDirectory() as name:
        small, large = Path(name) / "small", Path(name) / "large"
        small.mkdir()
        for number, low in enumerate(lows):
            write_image(Picture(low), small / f"{number:03}.png")
        words: list[str | Path] = [
            "upscale",
            small,
            "-o",
            large,
            "-s",
            str(scale),
            "-m",
            source,
            "--denoise",
            "0",
            "-q",
        ]
        words += ["--threads", str(threads)] if threads else []
        subprocess.run([sys.executable, "-m", "kakudai", *words], check=True)
        for number in range(len(lows)):
            yield read_image(large / f"{number:03}.png").color
