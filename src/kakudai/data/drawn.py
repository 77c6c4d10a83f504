"""Training pictures from nothing but a seed: "photo" is dead leaves, "art" is line art.

The same seed gives the same bytes, whatever the number of threads, and no picture of anybody's is needed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from kakudai.data.leaves import draw_photo
from kakudai.data.lineart import draw_art
from kakudai.data.pack import Pack, PackedPicture
from kakudai.errors import UsageError

LICENCE = "CC0-1.0 (drawn by kakudai)"
COUNT = 160
"""Pictures in a drawn pack, unless a recipe says how many."""
SIZE = 256
"""Rows and columns of a drawn picture."""
SMALLEST, LARGEST = 16, 4096

KINDS: dict[str, Callable[[int, int, int], NDArray[np.uint8]]] = {"photo": draw_photo, "art": draw_art}


def draw_picture(kind: str, seed: int, index: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Draw one picture.

    Shape: (size, size, 3) uint8 RGB.

    Args:
        kind: "photo" or "art".
        seed: Decides everything, together with the index.
        index: Which one of a seed's endlessly many pictures.
        size: Rows and columns. Another size gives another picture, not the same one larger.

    Raises:
        UsageError: There is no such kind, or the size is out of range.
    """
    if kind not in KINDS:
        raise UsageError(f"no drawn pictures of the kind {kind!r}", f"there are {' and '.join(KINDS)}")
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"a drawn picture of {size} pixels", f"accepted is {SMALLEST} to {LARGEST}")
    return KINDS[kind](seed, index, size)


def draw_pictures(kind: str, count: int, size: int, *, seed: int, threads: int) -> Iterator[NDArray[np.uint8]]:
    """Draw pictures 0 to count - 1 of a seed, some at once, and yield them in order.

    Raises:
        UsageError: There is no such kind, or a number is out of range.
    """
    if count < 1:
        raise UsageError(f"{count} drawn pictures", "accepted is 1 and more")
    yield draw_picture(kind, seed, 0, size)  # alone, for it makes the tiles that all others look up
    with ThreadPoolExecutor(threads) as pool:
        for start in range(1, count, 8 * threads):  # finished pictures must not pile up before a slow reader
            some = range(start, min(start + 8 * threads, count))
            yield from pool.map(lambda index: draw_picture(kind, seed, index, size), some)


def drawn_pack(
    kind: str,
    count: int = COUNT,
    size: int = SIZE,
    *,
    seed: int = 0,
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Pack:
    """Draw pictures 0 to count - 1 of a seed, as a pack in memory.

    Args:
        kind: "photo" or "art".
        count: How many.
        size: Rows and columns of each.
        seed: Decides every pixel.
        threads: Pictures drawn at once; decides none.
        progress: Called with (pictures done, pictures in all).

    Raises:
        UsageError: There is no such kind, or a number is out of range.
    """
    images = []
    for image in draw_pictures(kind, count, size, seed=seed, threads=threads):
        images.append(image)
        if progress:
            progress(len(images), count)
    pictures = tuple(
        PackedPicture(f"{index:05}", f"drawn:{kind}", LICENCE, size, size, index * size * size * 3)
        for index in range(count)
    )
    return Pack(pictures, np.stack(images).reshape(-1))
