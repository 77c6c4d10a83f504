"""Our own engine in this process, from array to array, and from file to file: all but the start of the program."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from kakudai.bench.subject import MIDDLING, Subject
from kakudai.bench.timing import Case, Facts, Kind
from kakudai.engine.batch import upscale_file
from kakudai.engine.runtimes import RuntimeName
from kakudai.engine.upscaler import Upscaler
from kakudai.image.picture import Pixels

WAYS = {"JPEG to PNG": "png", "JPEG to JPEG": "jpg"}
"""What becomes what, and the ending of its target."""


def open_upscaler(subject: Subject, runtime: RuntimeName, threads: int, stack: ExitStack) -> Upscaler:
    """Open a network as the program does; one that takes a strength is told a middling one."""
    return stack.enter_context(
        Upscaler(
            subject.model.scale,
            model=subject.model,
            denoise=MIDDLING if subject.model.takes_strength else "auto",
            runtime=runtime,
            threads=threads,
            precision=subject.numbers,
        )
    )


def engine_case(subject: Subject, upscaler: Upscaler, image: Pixels, threads: int) -> Case:
    """Prepare to enlarge an array, with all checks: what other programs are asked to do, too."""

    def run() -> None:
        upscaler.upscale(image)

    return Case(_facts("engine", subject, upscaler, image, threads), run)


def file_cases(subject: Subject, upscaler: Upscaler, image: Pixels, source: Path, threads: int) -> list[Case]:
    """Prepare to enlarge one JPEG file into files of several formats.

    Args:
        image: What is in the file.
        source: The file; results lie beside it.
    """
    return [_case(subject, upscaler, image, source, way=way, threads=threads) for way in WAYS]


def _case(subject: Subject, upscaler: Upscaler, image: Pixels, source: Path, *, way: str, threads: int) -> Case:
    target = source.with_name(f"{source.stem}_out.{WAYS[way]}")

    def run() -> float:
        report = upscale_file(upscaler, source, target).report
        assert report is not None
        return report.network_seconds

    return Case(replace(_facts("file", subject, upscaler, image, threads), way=way), run)


def _facts(kind: Kind, subject: Subject, upscaler: Upscaler, image: Pixels, threads: int) -> Facts:
    return Facts(
        kind, subject.name, upscaler.runtime, subject.numbers, threads,
        size=f"{image.shape[1]}x{image.shape[0]}", megapixels=subject.megapixels(image), macs=subject.macs(image),
    )  # fmt: skip
