"""The history that a JPEG file tells in its header: quantisation tables, how colour was halved, progressive or not.

Only the markers before the first scan are read, by their lengths; no pixel is decoded, and no byte is believed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakudai.analyse.quantisation import BLOCK, quality_of, zigzag
from kakudai.image.containers import FRAMES, TABLES, jpeg_segments, jpeg_tables

PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})

CHROMA: dict[tuple[float, float], str] = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (2, 2): "4:2:0",
    (1, 2): "4:4:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}
"""Pixels across and down that share one colour -> what that is called."""


@dataclass(frozen=True, slots=True)
class JpegHistory:
    """How a JPEG file was compressed, in its own words.

    Args:
        quality: 1 to 100 on libjpeg's scale, of brightness.
        chroma_quality: The same of colour; None for grey, and where all components share a table, as RGB does.
        standard: The tables are exactly libjpeg's of these qualities; else the qualities are those most like them.
        chroma: "4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1", "4:1:0"; "grey"; "CMYK"; or for rarer files the pixels
            across and down that share one colour, as "3x1".
        progressive: The file was made to appear coarse first.
        steps: The 64 quantisation steps of brightness, row by row, in units of one level of the transform.
    """

    quality: int
    chroma_quality: int | None
    standard: bool
    chroma: str
    progressive: bool
    steps: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a frame header says: its marker, and per component the sampling factors and the number of its table."""

    marker: int
    components: tuple[tuple[int, int, int], ...]


def read_jpeg_history(data: bytes) -> JpegHistory | None:
    """Read the header of a JPEG file. None where the bytes are no JPEG, or no header that makes sense.

    Args:
        data: The file, or what was kept of it: `metadata.jpeg` of a picture.

    Source: ITU-T T.81, annex B.
    """
    known: dict[int, NDArray[np.int64]] = {}
    frame: Frame | None = None
    kept = jpeg_tables(data) or b""
    for marker, start, end in jpeg_segments(kept):
        body = kept[start + 4 : end]
        if marker == TABLES:
            known.update(_tables(body))
        elif marker in FRAMES and frame is None:
            frame = _frame(marker, body)
    if frame is None or frame.marker in LOSSLESS:
        return None
    if any(number not in known or not known[number].all() for _, _, number in frame.components):
        return None  # no decoder can divide by a step of 0
    luma = known[frame.components[0][2]]
    quality, standard = quality_of(luma, "luma")
    chroma_quality = None
    if len({number for _, _, number in frame.components}) > 1 and len(frame.components) == 3:
        chroma_quality, same = quality_of(known[frame.components[1][2]], "chroma")
        standard = standard and same
    return JpegHistory(
        quality,
        chroma_quality,
        standard,
        _chroma(frame),
        frame.marker in PROGRESSIVE,
        tuple(int(step) for step in luma.ravel()),
    )


def _tables(body: bytes) -> dict[int, NDArray[np.int64]]:
    """Read a segment of quantisation tables, which holds several of 8 or 16 bits."""
    found = {}
    while body:
        wide, number = divmod(body[0], 16)
        size = 64 * (2 if wide else 1)
        if wide > 1 or number > 3 or len(body) < 1 + size:
            break
        steps = np.empty(64, np.int64)
        steps[zigzag()] = np.frombuffer(body, ">u2" if wide else "u1", 64, offset=1)
        found[number] = steps.reshape(BLOCK, BLOCK)
        body = body[1 + size :]
    return found


def _frame(marker: int, body: bytes) -> Frame | None:
    count = body[5] if len(body) >= 6 else 0
    if count not in (1, 3, 4) or len(body) < 6 + 3 * count:
        return None
    parts = [body[6 + 3 * index : 9 + 3 * index] for index in range(count)]
    components = tuple((sampling >> 4, sampling & 15, number) for _, sampling, number in parts)
    return Frame(marker, components) if all(1 <= h <= 4 and 1 <= v <= 4 for h, v, _ in components) else None


def _chroma(frame: Frame) -> str:
    """Name how many pixels share one colour."""
    if len(frame.components) != 3:
        return "grey" if len(frame.components) == 1 else "CMYK"
    (across, down, _), (less_across, less_down, _) = frame.components[:2]
    shared = (across / less_across, down / less_down)
    return CHROMA.get(shared, f"{shared[0]:g}x{shared[1]:g}")
