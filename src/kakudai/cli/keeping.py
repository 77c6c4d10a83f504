"""Whether a manifest is kept, and where."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kakudai.cli.assigning import Naming, output_folder
from kakudai.cli.inputs import Found
from kakudai.cli.order import Order
from kakudai.errors import UsageError
from kakudai.jobs.manifest import NAME, Manifest

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions
    from kakudai.engine.upscaler import Upscaler
    from kakudai.jobs.keeper import Keeper


@dataclass(frozen=True, slots=True)
class Again:
    """What is done again that a manifest has already.

    Args:
        verify: Read all bytes to see what is done, rather than believe sizes and times.
        failed: Try again what failed in an earlier run.
    """

    verify: bool = False
    failed: bool = False


def damage(corrupt: list[int]) -> list[str]:
    """Say which lines of a manifest cannot be read, by their numbers; nothing where all can."""
    if not corrupt:
        return []
    numbers = ", ".join(map(str, corrupt[:10])) + (", ..." if len(corrupt) > 10 else "")
    return [f"damaged in line {numbers}: the pictures that it told of there are done again"]


def manifest_path(named: str | None, found: list[Found], naming: Naming, *, is_off: bool) -> Path | None:
    """Return where the manifest is: as it was named, or in the output folder where an input is a folder, too.

    Raises:
        UsageError: It is named, and to be left out; results are DeepZooms, whose thousands of files it does not know;
            or the options of -o exclude each other, see `output_folder`.
    """
    path = _manifest_path(named, found, naming, is_off=is_off)
    if path is not None and _is_deepzoom(naming):
        raise UsageError(
            "a manifest cannot keep DeepZooms, which are many files each",
            "make them with kakudai upscale --no-manifest",
        )
    return path


def _is_deepzoom(naming: Naming) -> bool:
    """Say whether all results are DeepZooms; no input has that ending."""
    named = naming.template.fill("picture", naming.extension or ".png") if naming.template else naming.output or ""
    return naming.extension == ".dzi" or Path(named).suffix.lower() == ".dzi"


def _manifest_path(named: str | None, found: list[Found], naming: Naming, *, is_off: bool) -> Path | None:
    if is_off:
        if named is not None:
            raise UsageError("--manifest and --no-manifest exclude each other", "leave one of them out")
        return None
    if named is not None:
        return Path(named)
    folder = output_folder(found, naming)
    return folder / NAME if folder is not None and any(picture.root is not None for picture in found) else None


@contextlib.contextmanager
def keeping(
    path: Path | None, order: Order, upscaler: "Upscaler", options: "FileOptions", *, reading: bool = False
) -> Iterator["Keeper | None"]:
    """Open the manifest, and let nobody else have it meanwhile; without a path there is none.

    Args:
        path: Where it is.
        order: What is asked.
        upscaler: What does it.
        options: How files are written.
        reading: Nothing will be written down, and another run may have it.

    Raises:
        UsageError: It is another kind of file, or another run has it.
        OutputError: It cannot be read.
    """
    if path is None:
        yield None
        return
    from kakudai.jobs.keeper import Keeper

    with Manifest(path, reading=reading) as manifest:
        yield Keeper(manifest, order.run(upscaler, options))
