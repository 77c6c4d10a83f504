"""What an enlargement costs on this machine: seconds for a megapixel, and memory, in a process of its own.

    python -m kakudai.evaluate.cost MODEL RUNTIME PICTURE.npy

prints one JSON object. A fresh process is what makes peak memory the memory of this model alone. It counts everything
that the process holds: Python, the runtime, the network, tiles and the picture.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from kakudai.errors import KakudaiError
from kakudai.image.picture import Pixels

WIDTH, HEIGHT = 1280, 720
"""The output that times are taken for, and that the literature counts multiply-adds for."""

RUNS, PATIENCE = 5, 30.0
"""Timed runs, and the seconds after which no further one is begun. One more before them is not counted."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured.

    Args:
        seconds: Wall time of each run.
        megapixels: Size of the output, in millions of pixels.
        peak_memory: Most memory that the process ever held, in bytes; None where the system does not say.
        loaded_memory: The same before the first picture, with the network loaded.
        load: What the system was busy with when it began: processes waiting or running, mean of a minute.
        runtime: The runtime that ran.
        processors: How many this process could use.
    """

    seconds: tuple[float, ...]
    megapixels: float
    peak_memory: int | None
    loaded_memory: int | None
    load: float | None
    runtime: str
    processors: int

    @property
    def seconds_per_megapixel(self) -> float:
        """The median over the runs."""
        return median(self.seconds) / self.megapixels


def measure_cost(source: str, runtime: str, low: Pixels) -> Cost:
    """Measure one model in a fresh process.

    Args:
        source: A shipped name or the path of an ONNX file.
        low: The picture to enlarge.

    Raises:
        KakudaiError: The process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "low.npy"
        np.save(picture, low)
        words = [sys.executable, "-m", "kakudai.evaluate.cost", source, runtime, str(picture)]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        raise KakudaiError(f"the speed of {source} cannot be measured: {reason}", "leave --speed out")
    values = json.loads(result.stdout)
    return Cost(**{**values, "seconds": tuple(values["seconds"])})


def picture_for_timing(image: Pixels, scale: int) -> Pixels:
    """Continue a picture by its mirror image, or cut it, to the size that becomes 1280x720."""
    height, width = HEIGHT // scale, WIDTH // scale
    more = [(0, max(0, height - image.shape[0])), (0, max(0, width - image.shape[1])), (0, 0)]
    return np.pad(image, more, mode="symmetric")[:height, :width]


def peak_memory() -> int | None:
    """Return the most memory that this process ever held, in bytes, or None where the system does not say.

    Linux hands what `getrusage` tells on from the process that started this one, so there it is read from /proc.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def run(source: str, runtime: Any, low: Pixels) -> dict[str, Any]:
    """Enlarge a picture a few times in this process and return the arguments of `Cost`."""
    from kakudai.engine.loading import load_model
    from kakudai.engine.runtimes import usable_processors
    from kakudai.engine.upscaler import Upscaler

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    model = load_model(source)
    with Upscaler(model.scale, model=model, runtime=runtime, precision="float32") as upscaler:
        loaded = peak_memory()
        output = upscaler.upscale(low)
        seconds: list[float] = []
        while len(seconds) < RUNS and (not seconds or sum(seconds) < PATIENCE):
            started = time.perf_counter()
            upscaler.upscale(low)
            seconds.append(time.perf_counter() - started)
        name = upscaler.runtime
    return {
        "seconds": seconds,
        "megapixels": output.shape[0] * output.shape[1] / 1e6,
        "peak_memory": peak_memory(),
        "loaded_memory": loaded,
        "load": load,
        "runtime": name,
        "processors": usable_processors(),
    }


def main(words: list[str]) -> None:
    """Measure and print."""
    source, runtime, picture = words
    sys.stdout.write(json.dumps(run(source, runtime, np.load(picture))))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KakudaiError as error:
        sys.exit(error.message)
