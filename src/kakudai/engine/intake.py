"""Read one file and look what it needs, what it will become, and whether that can be done at all."""

import contextlib
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from kakudai.engine.estimate import Estimate, check_costs, folder_of
from kakudai.engine.frame_costs import check_frames
from kakudai.engine.frames import choose_for
from kakudai.engine.job import FileOptions, Job, Source
from kakudai.engine.toolbox import Chosen
from kakudai.engine.upscaler import Report, Upscaler
from kakudai.errors import UsageError
from kakudai.image.animation import Animation, open_animation
from kakudai.image.animation_writing import ANIMATED
from kakudai.image.archive import is_book
from kakudai.image.files import read_image
from kakudai.image.formats import Format, find_output_format, output_formats
from kakudai.image.picture import Picture
from kakudai.image.spool import Room
from kakudai.image.writing import check_size


@dataclass(frozen=True, slots=True)
class Read:
    """A picture that was read, or an animation that was opened, with its networks, and how long that took."""

    picture: Picture | Animation
    chosen: Chosen
    seconds: float = 0.0

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.picture.width, self.picture.height


def lasting(source: Source) -> Source:
    """Return what can be opened more than once: of a pipe, what it gives; all else as it is."""
    with contextlib.suppress(OSError, ValueError):  # whoever reads it as a picture will say so
        if isinstance(source, str | PathLike) and stat.S_ISFIFO(Path(source).stat().st_mode):
            return Path(source).read_bytes()
    return source


def pieces_of(source: Source) -> Iterator[bytes]:
    """Yield the bytes of a file, a megabyte at a time."""
    if isinstance(source, bytes):
        yield source
        return
    with Path(source).open("rb") as file:
        while piece := file.read(1 << 20):
            yield piece


def read(job: Job, upscaler: Upscaler, options: FileOptions) -> Read | None:
    """Read a picture and look what it needs; of an animation that its target can hold, only the first frames.

    Returns: None for a book: it is opened later, for there is nothing to see but its pages.

    Raises:
        PictureError: It cannot be read.
        UsageError: There is no format of the target's name.
    """
    if is_book(job.source):
        return None
    started = time.perf_counter()
    moving = open_animation(job.source, max_pixels=options.max_pixels) if _holds_frames(job, options) else None
    if moving and target_format(job, options, moving).name in ANIMATED:
        return Read(moving, choose_for(upscaler, moving), time.perf_counter() - started)
    picture = read_image(job.source, max_pixels=options.max_pixels, room=room_of(job))
    chosen = upscaler.choose(picture)
    return Read(picture, chosen, time.perf_counter() - started)


def _holds_frames(job: Job, options: FileOptions) -> bool:
    """Say whether all frames of an animation are wanted, as far as that is known before it is opened."""
    named = options.format or (Path(job.target).suffix if isinstance(job.target, str | PathLike) else "")
    with contextlib.suppress(UsageError):  # by the format of the input, or it will be said later
        return not options.still and find_output_format(named).name in ANIMATED
    return not options.still


def room_of(job: Job) -> Room:
    """Return where the arrays of a job go that are too large for memory: beside its result."""
    return Room(folder_of(job.target))


def target_format(job: Job, options: FileOptions, picture: Picture | Animation) -> Format:
    """Return the format of the result: what was asked for, or by the target's ending, or that of the input."""
    own = picture.metadata.format if picture.metadata.format in output_formats() else "png"
    ending = Path(job.target).suffix if isinstance(job.target, str | PathLike) else own
    return find_output_format(options.format or ending)


def check(job: Job, found: Read, upscaler: Upscaler, options: FileOptions) -> Format:
    """Refuse, before any work, what its format, its disk or memory cannot hold; return the format of the result.

    Raises:
        OutputError: One of them cannot.
        UsageError: There is no such format, or the result would be too many times larger.
    """
    picture = found.picture
    entry = target_format(job, options, picture)
    plan, tools = upscaler.plan_size(picture.height, picture.width, found.chosen).plan, found.chosen.tools
    check_size(entry, plan.size[1], plan.size[0])
    if isinstance(picture, Animation):
        check_frames(picture, plan, tools, entry=entry, options=options)
    else:
        check_costs(picture, plan, tools, entry=entry, target=job.target, options=options)
    return entry


def estimate(job: Job, found: Read, upscaler: Upscaler, options: FileOptions) -> Estimate | None:
    """Say what a picture that was read will cost; None for animations.

    Raises:
        OutputError: Its disk cannot hold it, or its format cannot.
        WrongResult: A network does not even enlarge a piece of it.
    """
    entry = check(job, found, upscaler, options)
    if isinstance(found.picture, Animation):
        return None
    return upscaler.estimate(found.picture, found.chosen, entry, options)


def new_notes(report: Report, upscaler: Upscaler) -> tuple[str, ...]:
    """Return what is to be said of the networks of a picture, and has not been said of all."""
    return tuple(note for note in report.notes if note not in upscaler.notes)
