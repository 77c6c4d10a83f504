"""DeepZoom: a folder of tiles in all sizes, for pages that show pictures of any size piece by piece.

NAME.dzi says how large the picture is, NAME_files holds the tiles. Both appear together, the small file last.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kakudai.image.picture import Metadata


def save(image: Any, metadata: Metadata, target: Path, options: dict[str, Any]) -> tuple[str, ...]:
    """Encode a libvips image as NAME.dzi and NAME_files; return what could not be held.

    Tiles are JPEG, or PNG where there is transparency, and have the picture's profile.
    """
    suffix = ".png" if image.hasalpha() else f".jpeg[Q={options['Q']},subsample_mode=off]"
    image.dzsave(os.fspath(target.with_suffix("")), suffix=suffix, tile_size=254, overlap=1, keep="icc")
    (tiles_of(target) / "vips-properties.xml").unlink(missing_ok=True)  # it has the time of day in it
    lost = [("EXIF", metadata.exif), ("XMP", metadata.xmp), ("a resolution", metadata.resolution)]
    return tuple(f"DeepZoom cannot hold {what}: dropped" for what, value in lost if value)


@contextmanager
def whole_folder(path: Path, may_replace: Callable[[], bool] | None = None) -> Iterator[Path]:
    """Yield a name for a new NAME.dzi that takes the place of `path` when the block ends without an error.

    Args:
        path: Of NAME.dzi.
        may_replace: Asked whether one that is there is replaced; without it any is.

    Raises:
        OSError: There is a folder of that name that no .dzi belongs to, or it cannot be written.
    """
    tiles = tiles_of(path)
    if tiles.exists() and not path.exists():
        raise OSError(errno.EEXIST, f"{tiles.name} is there already")
    beside = path.with_name(f".kakudai-{secrets.token_hex(8)}.part")
    beside.mkdir()
    try:
        new = beside / path.name
        yield new
        if may_replace is not None and path.exists() and not may_replace():
            raise OSError(errno.EEXIST, f"{path.name} has appeared meanwhile")
        path.unlink(missing_ok=True)  # tiles without it are no picture; with it, half of them would look like one
        if tiles.exists():
            tiles.replace(beside / "old")
        tiles_of(new).replace(tiles)
        new.replace(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def tiles_of(path: Path) -> Path:
    """Return the folder of tiles that belongs to a .dzi."""
    return path.with_name(f"{path.stem}_files")
