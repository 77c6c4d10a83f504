"""How large a tile may be on the memory that is free."""

from math import isqrt
from pathlib import Path

BYTES_PER_PIXEL = 4096
"""Working memory of a network for one input pixel: four layers of 256 float32 features are alive at once in the
largest."""

LARGEST_LAYER = 128 << 20
"""Bytes that the hungriest layer may take and give for one tile. ONNX Runtime holds twice as much for each worker. With
larger tiles, getting the memory costs a short job more time than smaller halos save."""

SMALLEST_TILE = 32
"""Below this a tile is mostly halo; if even this does not fit, the picture cannot be enlarged here."""

LARGEST_WHOLE = 1 << 20
"""Pixels of a picture that is run at once where nobody knows how much memory there is."""

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container what it may use; the rest of the machine's memory is not for it."""


def largest_tile(workers: int, most: int = 256, *, features: int = 0, halo: int = 0) -> int:
    """Return the largest sensible tile: `most` pixels a side, less where a quarter of the free memory would not hold
    `workers` of them, or a layer is very large. Where nobody knows how much memory there is, 256.

    Args:
        workers: Tiles that are done at the same time.
        most: Pixels a side.
        features: What the hungriest layer holds for a pixel, see `Model.features`.
        halo: Pixels around a tile.
    """
    if features:
        most = min(most, isqrt(LARGEST_LAYER // (4 * features)) - 2 * halo)
    free = available_bytes()
    side = 256 if free is None else int((free / 4 / workers / BYTES_PER_PIXEL) ** 0.5)
    return max(SMALLEST_TILE, min(most, side))


def fits_whole(pixels: int) -> bool:
    """Say whether half of the free memory holds a network for all pixels of a picture at once."""
    free = available_bytes()
    return pixels <= (LARGEST_WHOLE if free is None else free / 2 / BYTES_PER_PIXEL)


def available_bytes() -> int | None:
    """Return the memory that can be had without swapping, or None where the system does not say."""
    known = [free for free in (_free_in_machine(), _free_in_container()) if free is not None]
    return min(known, default=None)


def _free_in_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), None)


def _free_in_container() -> int | None:
    """Return what a control group leaves, counting the files it has cached as free; None without a limit."""
    try:
        limit, used = ((CGROUP / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        cached = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, int(limit) - int(used) + int(cached.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None
