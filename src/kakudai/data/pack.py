"""A pack: many pictures in one file that training maps into memory, with the licence of each inside.

Layout: the line `kakudai pack 1`, a line of JSON (a list with one object per picture: name, folder, licence, height,
width, offset), zero bytes up to a multiple of 4096, then the pixels of each picture as (height, width, 3) uint8 RGB
at its offset from there.
"""

import contextlib
import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakudai.errors import KakudaiError, OutputError, PictureUnreadable, RecipeError
from kakudai.image.files import read_image
from kakudai.image.picture import Picture, full_scale
from kakudai.image.resize import eight_bits

FORMAT = b"kakudai pack "
VERSION = 1
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


def pack_folders(
    folders: Sequence[Path],
    target: Path,
    *,
    without: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    skip: Callable[[Path, KakudaiError], None] | None = None,
) -> Pack:
    """Read every picture directly inside some folders and write them as one pack.

    Args:
        folders: Each may hold a SOURCES.tsv with the columns `stored_as` (or `file`) and `licence`.
        target: The pack; replaced whole, or untouched on any error.
        without: Pictures whose licence has one of these in it are left out: "SA", "unknown".
        progress: Called with (pictures done, pictures in all).
        skip: Called with each file that is broken, transparent or no picture in spite of its name, and why; such files
            are left out. Without it the first of them is an error.

    Raises:
        PictureError: A file that looks like a picture cannot be used, and `skip` is not given.
        RecipeError: There is no usable picture in the folders, or a SOURCES.tsv cannot be read.
        OutputError: The pack cannot be written.
    """
    files = [(folder, path) for folder in folders for path in _picture_files(folder)]
    if not files:
        raise RecipeError(f"no pictures in {', '.join(map(str, folders))}", "name folders that hold pictures directly")
    stated = {folder: _licences(folder) for folder in folders}
    licences = {path: stated[folder].get(path.stem, "unknown") for folder, path in files}
    files = [(folder, path) for folder, path in files if not any(part in licences[path] for part in without)]
    if not files:
        raise RecipeError(f"every picture is under a licence with {' or '.join(without)} in it", "name other folders")
    body, temporary = (target.with_name(f".{target.name}.{part}.{os.getpid()}") for part in ("pixels", "part"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with body.open("wb") as pixels:
            pictures = []
            for done, (folder, path) in enumerate(files, 1):
                image = _image(path, skip)
                if image is not None:
                    height, width, _ = image.shape
                    pictures.append(PackedPicture(path.stem, folder.name, licences[path], height, width, pixels.tell()))
                    pixels.write(image.tobytes())
                if progress:
                    progress(done, len(files))
        if not pictures:
            raise RecipeError(f"none of {len(files)} pictures can be used", "the reason of each is above")
        _write_whole(pictures, body, temporary)
        temporary.replace(target)
    except OSError as error:
        hint = "free some space or choose another folder"
        raise OutputError(f"{target} cannot be written: {error.strerror or error}", hint) from error
    finally:
        for path in (body, temporary):
            with contextlib.suppress(OSError):  # there is none where there is no folder
                path.unlink()
    return open_pack(target)


def open_pack(path: Path) -> Pack:
    """Map a pack into memory.

    Raises:
        RecipeError: The file is missing, is no pack or one of another version, or is shorter than its own list of
        pictures says.
    """
    advice = "make one with: kakudai data pack DIR... -o PACK"
    try:
        with path.open("rb") as file:
            first = file.readline(64)
            if not first.startswith(FORMAT):
                raise RecipeError(f"{path} is not a pack", advice)
            version = first.removeprefix(FORMAT).strip().decode("ascii", "replace")
            if version != str(VERSION):
                raise RecipeError(
                    f"{path} is a pack of version {version}; this kakudai reads version {VERSION}", advice
                )
            pictures = tuple(_entry(entry) for entry in json.loads(file.readline()))
            start = -(-file.tell() // ALIGNMENT) * ALIGNMENT
            size = file.seek(0, os.SEEK_END) - start
    except FileNotFoundError as error:
        raise RecipeError(f"no pack at {path}", f"{advice}, or draw pictures: drawn:photo, drawn:art") from error
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", advice) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise RecipeError(f"{path}: the list of pictures cannot be read: {error}", "pack the folders again") from error
    needed = max((p.offset + p.height * p.width * 3 for p in pictures), default=0)
    if not pictures or needed > size:
        raise RecipeError(
            f"{path} is truncated: {len(pictures)} pictures need {needed} bytes, {max(size, 0)} are there",
            "pack the folders again",
        )
    return Pack(pictures, np.memmap(path, np.uint8, mode="r", offset=start))


def _entry(entry: Any) -> PackedPicture:
    """Read one object of the list of pictures.

    Raises:
        ValueError: It is no object, has other keys, or values of another kind or out of range.
    """
    keys = PackedPicture.__annotations__
    if not isinstance(entry, dict) or entry.keys() != keys.keys():
        raise ValueError(f"an entry is no object of {', '.join(keys)}")
    picture = PackedPicture(**entry)
    if not all(isinstance(text, str) for text in (picture.name, picture.folder, picture.licence)):
        raise ValueError("a name, folder or licence is no text")
    numbers = picture.height, picture.width, picture.offset
    if not all(type(number) is int for number in numbers) or min(numbers[:2]) < 1 or picture.offset < 0:
        raise ValueError(f"{picture.name[:60]!r} has the size and offset {numbers}")
    return picture


def _write_whole(pictures: list[PackedPicture], body: Path, target: Path) -> None:
    """Write the list of pictures and then their pixels, and wait until the disk has them."""
    with target.open("wb") as whole, body.open("rb") as pixels:
        whole.write(_header(pictures))
        shutil.copyfileobj(pixels, whole, 1 << 24)
        whole.flush()
        os.fsync(whole.fileno())


def _image(path: Path, skip: Callable[[Path, KakudaiError], None] | None) -> NDArray[np.uint8] | None:
    """Read a picture, or say that it is skipped and return None."""
    try:
        return _rgb8(read_image(path), path)
    except KakudaiError as error:
        if skip is None:
            raise
        skip(path, error)
        return None


def _picture_files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def _licences(folder: Path) -> dict[str, str]:
    """Read file stem -> licence from a folder's SOURCES.tsv, where there is one."""
    table = folder / "SOURCES.tsv"
    if not table.exists():
        return {}
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        return {Path(row.get("stored_as") or row["file"]).stem: row["licence"] for row in rows}
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        hint = "it needs the columns file (or stored_as) and licence, separated by tabs"
        raise RecipeError(f"{table} cannot be read: {error}", hint) from error


def _header(pictures: list[PackedPicture]) -> bytes:
    lines = FORMAT + str(VERSION).encode() + b"\n" + json.dumps([asdict(picture) for picture in pictures]).encode()
    return lines + b"\n" + bytes(-(len(lines) + 1) % ALIGNMENT)


def _rgb8(picture: Picture, path: Path) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 pixels; transparent pictures are refused, for their hidden colours would be learnt."""
    if picture.alpha is not None and picture.alpha.min() < full_scale(picture.alpha.dtype):
        raise PictureUnreadable(f"{str(path)!r} is transparent", "flatten it on a background first")
    color = eight_bits(picture.color)
    return np.ascontiguousarray(np.broadcast_to(color, (*color.shape[:2], 3)))
