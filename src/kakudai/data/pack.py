"""A pack: many pictures in one file that training maps into memory, with the licence of each inside.

Layout: the line `kakudai pack 1`, a line of JSON (a list with one object per picture: name, folder, licence, height,
width, offset), zero bytes up to a multiple of 4096, then the pixels of each picture as (height, width, 3) uint8 RGB
at its offset from there.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import PictureUnreadable, RecipeError
from kakudai.image.files import read_image
from kakudai.image.picture import Picture, full_scale

MAGIC = b"kakudai pack 1\n"
ALIGNMENT = 4096
SUFFIXES = {".png", ".webp", ".jpg", ".jpeg", ".tif", ".tiff", ".avif", ".bmp"}


@dataclass(frozen=True, slots=True)
class PackedPicture:
    """Where one picture stands in a pack, and where it came from.

    Args:
        name: File name without its ending.
        folder: Name of the folder it was packed from.
        licence: As its folder's SOURCES.tsv states it, or "unknown".
        height: Rows.
        width: Columns.
        offset: Bytes from the start of the pixel part.
    """

    name: str
    folder: str
    licence: str
    height: int
    width: int
    offset: int


@dataclass(frozen=True, slots=True)
class Pack:
    """An opened pack.

    Shape:
        pixels: one (bytes,) uint8 memory map of all pictures.
    """

    pictures: tuple[PackedPicture, ...]
    pixels: NDArray[np.uint8]

    def image(self, picture: PackedPicture) -> NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 RGB pixels of one picture, as a view of the file."""
        end = picture.offset + picture.height * picture.width * 3
        return self.pixels[picture.offset : end].reshape(picture.height, picture.width, 3)

    def licences(self) -> dict[str, int]:
        """Return how many pictures stand under each licence, the commonest first."""
        names = [picture.licence for picture in self.pictures]
        return {name: names.count(name) for name in sorted(set(names), key=lambda n: (-names.count(n), n))}


def pack_folders(folders: Sequence[Path], target: Path, *, progress: Callable[[int, int], None] | None = None) -> Pack:
    """Read every picture directly inside some folders and write them as one pack.

    Args:
        folders: Each may hold a SOURCES.tsv with the columns `stored_as` (or `file`) and `licence`.
        target: The pack; replaced whole, or untouched on any error.
        progress: Called with (pictures done, pictures in all).

    Raises:
        PictureError: A file that looks like a picture cannot be read.
        RecipeError: There is no picture in the folders.
    """
    files = [(folder, path) for folder in folders for path in _picture_files(folder)]
    if not files:
        raise RecipeError(f"no pictures in {', '.join(map(str, folders))}", "name folders that hold pictures directly")
    licences = {folder: _licences(folder) for folder in folders}
    pictures: list[PackedPicture] = []
    offset = 0
    body, temporary = (target.with_name(f".{target.name}.{part}.{os.getpid()}") for part in ("pixels", "part"))
    try:
        with body.open("wb") as pixels:
            for done, (folder, path) in enumerate(files, 1):
                image = _rgb8(read_image(path))
                licence = licences[folder].get(path.stem, "unknown")
                pictures.append(PackedPicture(path.stem, folder.name, licence, image.shape[0], image.shape[1], offset))
                pixels.write(image.tobytes())
                offset += image.nbytes
                if progress:
                    progress(done, len(files))
        with temporary.open("wb") as whole, body.open("rb") as pixels:
            whole.write(_header(pictures))
            while block := pixels.read(1 << 24):
                whole.write(block)
            whole.flush()
            os.fsync(whole.fileno())
        temporary.replace(target)
    finally:
        body.unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)
    return open_pack(target)


def open_pack(path: Path) -> Pack:
    """Map a pack into memory.

    Raises:
        RecipeError: The file is missing, is no pack, or is shorter than its own list of pictures says.
    """
    try:
        with path.open("rb") as file:
            if file.readline(len(MAGIC)) != MAGIC:
                raise RecipeError(f"{path} is not a pack", "make one with: kakudai data pack DIR... -o PACK")
            pictures = tuple(PackedPicture(**entry) for entry in json.loads(file.readline()))
            start = -(-file.tell() // ALIGNMENT) * ALIGNMENT
    except FileNotFoundError as error:
        raise RecipeError(f"no pack at {path}", "make one with: kakudai data pack DIR... -o PACK") from error
    except (ValueError, TypeError) as error:
        raise RecipeError(f"{path}: the list of pictures cannot be read: {error}", "pack the folders again") from error
    pixels = np.memmap(path, np.uint8, mode="r", offset=start)
    if any(p.offset + p.height * p.width * 3 > pixels.size for p in pictures):
        raise RecipeError(f"{path} is truncated", "pack the folders again")
    return Pack(pictures, pixels)


def _picture_files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _licences(folder: Path) -> dict[str, str]:
    """Read file stem -> licence from a folder's SOURCES.tsv, where there is one."""
    table = folder / "SOURCES.tsv"
    if not table.exists():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {Path(row.get("stored_as") or row["file"]).stem: row["licence"] for row in rows}


def _header(pictures: list[PackedPicture]) -> bytes:
    header = MAGIC + json.dumps([asdict(picture) for picture in pictures]).encode() + b"\n"
    return header + bytes(-len(header) % ALIGNMENT)


def _rgb8(picture: Picture) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 pixels; transparent pictures are refused, for their hidden colours would be learnt."""
    if picture.alpha is not None and picture.alpha.min() < full_scale(picture.alpha.dtype):
        raise PictureUnreadable("a transparent picture cannot be packed", "flatten it on a background first")
    color = picture.color
    if color.dtype != np.uint8:
        color = np.floor(color * (255.0 / full_scale(color.dtype)) + 0.5).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(color, (*color.shape[:2], 3)))
