"""What is asked of pictures, the same for `kakudai upscale` and `kakudai watch`."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kakudai.cli.endings import writable_extensions
from kakudai.cli.template import Template
from kakudai.cli.wishes import check_size, check_strength, parse_denoise, parse_fit, parse_tile, size_label
from kakudai.image.formats import BOOKS

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.jobs.lines import Run


@dataclass(frozen=True, slots=True)
class Order:
    """Options as they were given, see `kakudai.cli.options`."""

    scale: float | None
    width: int | None
    height: int | None
    fit: str | None
    model: str
    denoise: str
    tile: str
    tta: int
    runtime: str
    precision: str
    device: str = "auto"
    threads: int | None = None

    @property
    def label(self) -> str:
        """What the size is called in the names of files."""
        return size_label(self.scale, self.width, self.height, self.fit)

    def template(self, text: str | None, format: str | None) -> Template | None:  # noqa: A002
        """Read --name.

        Raises:
            UsageError: It is no template, or its ending is to decide the format and is that of none.
        """
        if text is None:
            return None
        in_pixels = self.width or self.height or self.fit
        template = Template(text, self.label, None if in_pixels else self.scale or 2.0)
        if format is None:
            template.check(writable_extensions() | BOOKS)
        return template

    def open(self) -> "Upscaler":
        """Load what is needed for it.

        Raises:
            UsageError: An option is out of range.
            ModelError: The model cannot be found or used.
            RuntimeUnavailable: The runtime or the device is not there.
        """
        from kakudai.engine.upscaler import Upscaler

        return Upscaler(**self.wish())

    def wish(self) -> dict[str, Any]:
        """Return the arguments of `Upscaler`.

        Raises:
            UsageError: An option is out of range.
        """
        check_size(self.scale, self.width, self.height, self.fit)
        denoise = parse_denoise(self.denoise)
        check_strength(self.model, denoise)
        return {
            "scale": self.scale, "width": self.width, "height": self.height, "fit": parse_fit(self.fit),
            "model": self.model, "denoise": denoise, "tile": parse_tile(self.tile), "tta": self.tta,
            "runtime": self.runtime, "device": self.device, "threads": self.threads, "precision": self.precision,
        }  # fmt: skip

    def run(self, upscaler: "Upscaler", options: "FileOptions") -> "Run":
        """Return what a manifest says of a run.

        What changes no byte of a result is left out: tile and threads; and the limit on pixels, which only
        decides whether there is one.
        """
        from kakudai import __version__
        from kakudai.jobs.fingerprint import hash_bytes
        from kakudai.jobs.lines import Run

        asked: dict[str, Any] = {
            "scale": None if self.width or self.height or self.fit else self.scale or 2.0,
            "width": self.width,
            "height": self.height,
            "fit": self.fit,
            "denoise": self.denoise,
            "tta": self.tta,
            "runtime": upscaler.runtime,
            "precision": upscaler.numbers,
            "format": options.format,
            "quality": options.quality,
            "depth": options.depth,
            "strip": options.strip,
            "dither": options.dither,
            "still": options.still,
        }
        networks = {name: hash_bytes(data) for name, data in upscaler.contents()}
        return Run(__version__, asked, networks, upscaler.runtime, time.time_ns())
