"""Whole processes: from their start to their end, and the most memory that they hold."""

import json
import subprocess
import sys
import time
from pathlib import Path

from kakudai.bench.subject import MIDDLING, Subject
from kakudai.bench.timing import Case, Facts
from kakudai.errors import KakudaiError
from kakudai.image.picture import Pixels

IMPORTS = "import numpy, onnxruntime"
"""The least that any program has to load that runs a network with ONNX Runtime."""

SAMPLED = 0.005
"""Seconds between two looks at the memory of a process. The system keeps its peak; the last look may miss its end."""


def upscale_words(
    subject: Subject, runtime: str, source: Path, target: Path, *, threads: int | None = None, tile: int | None = None
) -> list[str]:
    """Return the command that enlarges a file with a network.

    Args:
        threads: As many as there are if None.
        tile: Side of the tiles; the engine's choice if None.
    """
    words = [sys.executable, "-m", "kakudai", "upscale", str(source), "-o", str(target), "--on-exists", "overwrite"]
    words += ["-s", str(subject.model.scale), "-m", subject.source, "--runtime", runtime, "--json", "-q"]
    words += ["-d", str(MIDDLING)] if subject.model.takes_strength else []
    words += ["--threads", str(threads)] if threads else []
    return words + (["--tile", str(tile)] if tile else [])


def plain_cases() -> list[Case]:
    """Return the processes that others are compared with: what must be loaded at least, and our own help."""
    return [
        _case("bare import", [sys.executable, "-c", IMPORTS]),
        _case("kakudai --help", [sys.executable, "-m", "kakudai", "--help"]),
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
    words = upscale_words(subject, runtime, source, source.with_name("cold.png"), threads=threads)

    def run() -> float:
        return float(json.loads(run_process(words).splitlines()[0])["network_seconds"])

    size = f"{image.shape[1]}x{image.shape[0]}"
    facts = Facts(
        "process", subject.name, runtime, subject.model.precision, threads,
        size=size, way="PNG to PNG", megapixels=subject.megapixels(image), macs=subject.macs(image),
    )  # fmt: skip
    return Case(facts, run)


def run_process(words: list[str]) -> str:
    """Run a command and return what it printed.

    Raises:
        KakudaiError: It failed.
    """
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    if result.returncode:
        raise KakudaiError(f"a measured process failed: {_reason(result.stderr, result.returncode)}", " ".join(words))
    return result.stdout


def peak_memory(words: list[str]) -> int | None:
    """Run a command and return the most memory that it held, in bytes; None where the system does not say.

    Linux keeps the figure for each process in /proc; what it tells a parent about its children includes the parent.

    Raises:
        KakudaiError: The command failed.
    """
    peak = None
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as child:
        while child.poll() is None:
            peak = max(filter(None, (peak, _held(child.pid))), default=None)
            time.sleep(SAMPLED)
        _, error = child.communicate()
    if child.returncode:
        raise KakudaiError(f"a measured process failed: {_reason(error, child.returncode)}", " ".join(words))
    return peak


def _held(process: int) -> int | None:
    """Return the most memory that a process has held so far, in bytes."""
    try:
        lines = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace").splitlines()
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:")), None)
    except OSError:
        return None


def _reason(error: str, code: int) -> str:
    return (error.strip().splitlines() or [f"exit code {code}"])[0][:300]
