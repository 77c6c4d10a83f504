"""What is to be done to one file, and what became of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from os import PathLike
from typing import BinaryIO

from kakudai.engine.upscaler import Report

Source = str | PathLike[str] | bytes
Target = str | PathLike[str] | BinaryIO


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are read and written.

    Args:
        format: Name of the output format; None takes it from the target's ending.
        quality: 1 to 100 for lossy formats; None is the format's default.
        depth: 8, 10, 12 or 16 bits; None keeps the picture's where the format can.
        strip: Leave EXIF, XMP and resolution out; the colour profile stays, for without it the colours would be others.
        max_pixels: Larger inputs are refused; 0 accepts any, None what can be done with bounded memory, see
            `read_image`, `open_animation` and `check_costs`. Animations may have 16 times as many in all frames.
        dither: For GIF: colours that the palette lacks become patterns; None where they would show as bands.
        still: Of animations only the first frame is taken.
    """

    format: str | None = None
    quality: int | None = None
    depth: int | None = None
    strip: bool = False
    max_pixels: int | None = None
    dither: bool | None = None
    still: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to do: where it comes from, where it goes, and what to call it."""

    source: Source
    target: Target
    name: str


@dataclass(frozen=True, slots=True)
class FailedPage:
    """A page of a book that could not be enlarged.

    Args:
        name: In the book.
        error: Why.
        kept: It is in the new book as it was; else it was so damaged that it could not be copied.
    """

    name: str
    error: Exception
    kept: bool


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one picture.

    Args:
        job: What was asked.
        error: Why there is no output, or None.
        input_size: (width, height), or None where the picture could not be read.
        output_size: (width, height), or None on an error.
        seconds: Reading, enlarging and writing it, without the time in which it waited for the picture before it.
        report: What the engine did, or None on an error.
        notes: What could not be kept, and what is done otherwise than for most pictures, one sentence each.
        frames: Of an animation; 1 for a picture.
        pages: Of a book; 0 for all else. A book has neither sizes nor a report.
        failed: Pages of a book that could not be enlarged.
        networks: That were used for the pages of a book.
    """

    job: Job
    error: Exception | None = None
    input_size: tuple[int, int] | None = None
    output_size: tuple[int, int] | None = None
    seconds: float = 0.0
    report: Report | None = None
    notes: tuple[str, ...] = field(default=())
    frames: int = 1
    pages: int = 0
    failed: tuple[FailedPage, ...] = ()
    networks: tuple[str, ...] = ()


Progress = Callable[[Job, int, int], None]
"""Called with the job, the pixels of its result that are done, and all that it will have; from several threads."""
