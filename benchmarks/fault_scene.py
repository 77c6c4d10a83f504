"""Pictures, what should become of them, and the program in a process of its own."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kakudai import write_image
from kakudai.image.picture import Picture
from kakudai.jobs.manifest import NAME

WORDS = ("-m", "photo", "-d", "0", "--runtime", "onnxruntime", "--threads", "1", "-q")
"""Network and runtime are named: what is made to fail here is the work with files, and calls of that runtime."""

START = "from kakudai.cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: its exit code, negative where a signal ended it, and what it said on standard error."""

    code: int
    said: str


def names_in(folder: Path) -> set[str]:
    """Return the names of all that lies directly in a folder, but for the manifest, which is other in every run."""
    return {path.name for path in folder.iterdir() if path.name != NAME}


def hear_interrupts() -> None:
    """Let the program hear Ctrl-C, also where this process runs in the background and does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Scene:
    """A folder of pictures and what should become of them.

    Args:
        folder: Empty; everything lies there.
        pictures: How many.
        seed: Of their pixels, and of all moments.
    """

    def __init__(self, folder: Path, pictures: int, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)
        self.inputs, self.output, self.whole = folder / "in", folder / "out", folder / "whole"
        self.inputs.mkdir()
        pixels = np.random.default_rng(seed)
        for number in range(pictures):
            height, width = pixels.integers(20, 120, 2)
            ending = ("png", "jpg", "webp", "tif")[number % 4]
            colors = pixels.integers(0, 256, (height, width, 3), np.uint8)
            write_image(Picture(colors), self.inputs / f"{number:04}.{ending}")
        started = time.perf_counter()
        ended = self.run(self.inputs, "-o", self.whole)
        assert ended.code == 0, ended.said
        self.seconds = time.perf_counter() - started

    def command(self, *words: object, meddling: str = "") -> list[str]:
        """Return the command line of the program; `meddling` is Python that its process runs first."""
        program = ["-c", f"{meddling}\n{START}"] if meddling else ["-m", "kakudai"]
        return [sys.executable, *program, "upscale", *map(str, words), *WORDS]

    def run(self, *words: object, before: Callable[[], None] | None = None, meddling: str = "") -> Ended:
        """Run the program to its end; `before` is called in the new process before Python starts."""
        command = self.command(*words, meddling=meddling)
        done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=before)
        return Ended(done.returncode, done.stderr)

    def struck(self, number: int, *words: object) -> Ended:
        """Run the program, and send it a signal at any moment of its work."""
        process = subprocess.Popen(
            self.command(*words),
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=hear_interrupts,  # noqa: PLW1509 - one call
        )
        try:
            process.wait(self.random.uniform(0, self.seconds))
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        said = process.communicate()[1]
        return Ended(process.returncode, said)

    def empty(self) -> None:
        """Begin again with no results."""
        shutil.rmtree(self.output, ignore_errors=True)

    def lost(self) -> int:
        """Count the results that are not what they should be."""
        return sum(path.read_bytes() != (self.whole / path.name).read_bytes() for path in self.visible())

    def visible(self) -> list[Path]:
        """Return the results that can be seen."""
        return [path for path in self._all() if not path.name.startswith(".")]

    def litter(self) -> int:
        """Count what nobody asked for, in all folders."""
        return len(self._all()) - len(self.visible())

    def _all(self) -> list[Path]:
        return [Path(root) / name for root, _, names in os.walk(self.output) for name in names if name != NAME]
