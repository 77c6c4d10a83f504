"""Whole processes: from their start to their end, and the most memory that they hold."""

import json
import os
import subprocess
import sys
from pathlib import Path

from kakudai.bench.subject import MIDDLING, Subject
from kakudai.bench.timing import Case, Facts
from kakudai.errors import KakudaiError
from kakudai.image.picture import Pixels

IMPORTS = "import numpy, onnxruntime"
"""The least that any program has to load that runs a network with ONNX Runtime."""

PYTHON = [sys.executable, "-m"]
"""What runs a module."""


def upscale_words(
    subject: Subject, runtime: str, source: Path, target: Path, *, threads: int | None = None, tile: int | None = None
) -> list[str]:
    """Return the module, and its words, that enlarges a file with a network.

    Args:
        threads: As many as there are if None.
        tile: Side of the tiles; the engine's choice if None.
    """
    words = ["kakudai", "upscale", str(source), "-o", str(target), "--on-exists", "overwrite"]
    words += ["-s", str(subject.model.scale), "-m", subject.source, "--runtime", runtime, "--json", "-q"]
    words += ["--precision", subject.numbers]
    words += ["-d", str(MIDDLING)] if subject.model.takes_strength else []
    words += ["--threads", str(threads)] if threads else []
    return words + (["--tile", str(tile)] if tile else [])


def plain_cases() -> list[Case]:
    """Return the processes that others are compared with: what must be loaded at least, and our own help."""
    return [
        _case("bare import", [sys.executable, "-c", IMPORTS]),
        _case("kakudai --help", [*PYTHON, "kakudai", "--help"]),
    ]


def _case(name: str, words: list[str]) -> Case:
    def run() -> None:
        run_process(words)

    return Case(Facts("process", name), run)


def upscale_case(subject: Subject, runtime: str, image: Pixels, source: Path, threads: int) -> Case:
    """Return a process that enlarges a PNG file to a PNG file and says how long its network took.

    Args:
        image: What is in the file.
        source: The file.
        threads: That it uses.
    """
    words = [*PYTHON, *upscale_words(subject, runtime, source, source.with_name("cold.png"), threads=threads)]

    def run() -> float:
        return float(json.loads(run_process(words).splitlines()[0])["network_seconds"])

    size = f"{image.shape[1]}x{image.shape[0]}"
    facts = Facts(
        "process", subject.name, runtime, subject.numbers, threads,
        size=size, way="PNG to PNG", megapixels=subject.megapixels(image), macs=subject.macs(image),
    )  # fmt: skip
    return Case(facts, run)


def run_process(words: list[str]) -> str:
    """Run a command and return what it printed. It may keep its compiled modules, as an installed program does.

    Raises:
        KakudaiError: It failed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    result = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
    if result.returncode:
        raise KakudaiError(f"a measured process failed: {ended(result.stderr, result.returncode)}", " ".join(words))
    return result.stdout


def peak_memory(words: list[str]) -> int | None:
    """Run a module and return the most memory that its process held, in bytes; None where the system does not say.

    The process itself says so at its end, see `alone.py`: what a system tells a parent about its children may include
    the parent.

    Args:
        words: The module and what it is told.

    Raises:
        KakudaiError: It failed.
    """
    last = run_process([*PYTHON, "kakudai.bench.alone", *words]).splitlines()[-1]
    return int(last) if last.isdecimal() else None


def ended(error: str, code: int) -> str:
    """Say in a line why a process ended that should not have: what it said last, or how it died."""
    if code < 0:
        return f"it was killed by signal {-code}"
    lines = [line for line in error.strip().splitlines() if line.strip()]
    return next((line for line in lines if line.startswith("error:")), lines[-1] if lines else f"exit code {code}")[
        :300
    ]
