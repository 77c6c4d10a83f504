"""What the options of `kakudai upscale` say: read, checked, and put into the names of files."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kakudai.cli.endings import extension_of, extensions_of, writable_extensions
from kakudai.cli.inputs import STREAM
from kakudai.errors import UsageError

if TYPE_CHECKING:
    from kakudai.engine.job import FileOptions

STRONGEST = 100
"""The most that --denoise can be told."""


def check_options(options: "FileOptions", on_exists: str, *, as_json: bool, output: str | None) -> None:
    """Refuse values that no picture can make right, before any picture is read.

    Raises:
        UsageError: A value is not accepted, or two of them exclude each other.
    """
    if on_exists not in ("error", "skip", "overwrite", "rename"):
        raise UsageError(f"--on-exists is {on_exists!r}", "accepted are error, skip, overwrite and rename")
    if options.quality is not None and not 1 <= options.quality <= 100:
        raise UsageError(f"the quality is {options.quality}", "accepted are 1 to 100")
    if options.depth not in (None, 8, 10, 12, 16):
        raise UsageError(f"the depth is {options.depth}", "accepted are 8, 10, 12 and 16")
    if options.max_pixels is not None and options.max_pixels < 0:
        raise UsageError(f"--max-pixels is {options.max_pixels}", "accepted are whole numbers from 0")
    if as_json and output == STREAM:
        raise UsageError("--json and -o - both want standard output", "write the picture into a file")
    if options.format and output and output != STREAM and not Path(output).is_dir():
        ending, ours = Path(output).suffix.lower(), extensions_of(options.format)
        if ending in writable_extensions() - ours:
            hint = f"name it {Path(output).stem}{extension_of(options.format)}, or leave --format out"
            raise UsageError(f"--format {options.format} and -o {output} contradict each other", hint)


def parse_fit(text: str | None) -> tuple[int, int] | None:
    """Read "1920x1080"."""
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise UsageError(f"--fit is {text!r}", "accepted is WIDTHxHEIGHT, for example --fit 1920x1080")
    return int(parts[0]), int(parts[1])


def check_size(scale: float | None, width: int | None, height: int | None, fit: str | None) -> None:
    """Refuse a size that is said twice.

    Raises:
        UsageError: It is.
    """
    said = {"--scale": scale, "--width": width, "--height": height, "--fit": fit}
    given = [option for option, value in said.items() if value is not None]
    if len(given) > 1 and given != ["--width", "--height"]:
        raise UsageError(f"{' and '.join(given)} exclude each other", "give one of them")


def parse_denoise(text: str) -> Any:
    """Read "auto" or a number."""
    if text == "auto":
        return text
    if not text.isdecimal() or int(text) > STRONGEST:
        raise UsageError(f"--denoise is {text!r}", "accepted are auto, and whole numbers from 0 for none to 100")
    return int(text)


def check_strength(model: str, strength: int | Literal["auto"]) -> None:
    """Refuse a strength for one of the shipped networks that only enlarge.

    Raises:
        UsageError: It is told one.
    """
    from kakudai.models.catalogue import find_model
    from kakudai.models.shipped import STYLES, is_shipped

    if strength in ("auto", 0) or not is_shipped(model) or find_model(model).takes_strength:
        return
    style = next((known for known in STYLES if model.startswith(known)), "auto")
    hint = f"-m {style} finds the network that does: -m {style} -d {strength}; or leave -d out"
    raise UsageError(f"{model} enlarges, and takes no --denoise", hint)


def parse_tile(text: str) -> Any:
    """Read "auto", "whole" or a number; 0 is the whole picture, too."""
    from kakudai.engine.memory import SMALLEST_TILE

    if text in ("auto", "whole"):
        return "auto" if text == "auto" else 0
    if not text.isdecimal() or 0 < int(text) < SMALLEST_TILE:
        hint = f"accepted are auto, whole, and pixels from {SMALLEST_TILE}, for example --tile 192"
        raise UsageError(f"--tile is {text!r}", hint)
    return int(text)


def size_label(scale: float | None, width: int | None, height: int | None, fit: str | None) -> str:
    """Name a size for file names: 2x, 1.5x, 1920w, 1080h, 1920x1080; what keeps its size is clean."""
    if fit:
        return fit.lower()
    if width and height:
        return f"{width}x{height}"
    if width or height:
        return f"{width}w" if width else f"{height}h"
    return "clean" if scale == 1 else f"{scale or 2:g}x"
