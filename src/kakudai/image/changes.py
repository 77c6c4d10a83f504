"""Where two frames differ."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakudai.image.picture import Picture, Pixels

Box: TypeAlias = tuple[int, int, int, int]
"""(top, left, height, width) in pixels."""
EMPTY: Box = (0, 0, 1, 1)
"""Formats have no frame without a pixel: one that changes nothing repeats this one."""


def box_of(mask: NDArray[np.bool_]) -> Box | None:
    """Return the smallest box around what is true, or None. Shape: (H, W)."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def changed(before: Pixels, after: Pixels) -> Box | None:
    """Return the smallest box around all pixels that differ, or None. Shape: two of (H, W, C)."""
    return box_of((before != after).any(axis=2))


def union(first: Box | None, second: Box | None) -> Box:
    """Return the smallest box around two."""
    boxes = [box for box in (first, second) if box is not None] or [EMPTY]
    top, left = min(box[0] for box in boxes), min(box[1] for box in boxes)
    bottom, right = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return top, left, bottom - top, right - left


def changed_part(before: Picture | None, after: Picture, *, even: bool = False) -> tuple[Box, Picture]:
    """Return what differs between two frames of an animation: where, and the part of the later one.

    Args:
        before: The earlier frame; None where the later one is the first, of which all is returned.
        after: The later frame.
        even: Boxes begin at even rows and columns.
    """
    if before is None:
        return (0, 0, after.height, after.width), after
    box = changed(before.color, after.color)
    if before.alpha is not None and after.alpha is not None:
        other = changed(before.alpha, after.alpha)
        box = union(box, other) if box or other else None
    top, left, height, width = box or EMPTY
    if even:
        height, width = height + top % 2, width + left % 2
        top, left = top - top % 2, left - left % 2
    area = (slice(top, top + height), slice(left, left + width))
    alpha = None if after.alpha is None else np.ascontiguousarray(after.alpha[area])
    part = Picture(np.ascontiguousarray(after.color[area]), alpha, after.metadata)
    return (top, left, height, width), part
