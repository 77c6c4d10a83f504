"""How large a tile may be on the memory that is free."""

from pathlib import Path

BYTES_PER_PIXEL = 4096
"""Working memory of a network for one input pixel: four layers of 256 float32 features are alive at once in the
largest."""

SMALLEST_TILE = 32
"""Below this a tile is mostly halo; if even this does not fit, the picture cannot be enlarged here."""


def largest_tile(workers: int) -> int:
    """Return the largest sensible tile: 256 pixels a side, less where a quarter of the free memory would not hold
    `workers` of them.
    """
    free = available_bytes()
    if free is None:
        return 256
    side = int((free / 4 / workers / BYTES_PER_PIXEL) ** 0.5)
    return max(SMALLEST_TILE, min(256, side))


def available_bytes() -> int | None:
    """Return the memory that can be had without swapping, or None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), None)
