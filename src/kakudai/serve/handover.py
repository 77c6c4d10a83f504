"""A decoded picture on its way from one process to another: plain arrays and JSON in a folder, nothing pickled."""

import base64
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from kakudai.image.picture import Metadata, Picture, Pixels

ANSWER = "answer.json"
COLOR, ALPHA = "color.npy", "alpha.npy"
BLOCKS = ("icc", "exif", "xmp", "jpeg")
MAX_ANSWER = 64 << 20
"""Bytes; profiles, EXIF and XMP of ordinary pictures have a hundredth."""


def write_picture(picture: Picture, folder: Path) -> dict[str, Any]:
    """Write pixels into a folder; return what else there is to say, for JSON."""
    np.save(folder / COLOR, picture.color, allow_pickle=False)
    if picture.alpha is not None:
        np.save(folder / ALPHA, picture.alpha, allow_pickle=False)
    said: dict[str, Any] = {}
    for field in fields(Metadata):
        value = getattr(picture.metadata, field.name)
        said[field.name] = base64.b64encode(value).decode() if field.name in BLOCKS and value is not None else value
    return {"width": picture.width, "height": picture.height, "alpha": picture.alpha is not None, "metadata": said}


def read_picture(folder: Path) -> Picture:
    """Return the picture that another process has written.

    Raises:
        ValueError: It has not kept to the rules.
    """
    answer = read_answer(folder)
    color = _array(folder / COLOR, (1, 3))
    alpha = _array(folder / ALPHA, (1,)) if answer["alpha"] else None
    if color.shape[:2] != (answer["height"], answer["width"]):
        raise ValueError("the decoder's pixels are not of the size that it says")
    if alpha is not None and (alpha.shape[:2] != color.shape[:2] or alpha.dtype != color.dtype):
        raise ValueError("the decoder's alpha does not fit its colours")
    said = answer["metadata"]
    for name in BLOCKS:
        said[name] = None if said[name] is None else base64.b64decode(said[name], validate=True)
    for name in ("notes", "dropped"):
        said[name] = tuple(str(note) for note in said[name])
    said["resolution"] = None if said["resolution"] is None else tuple(float(value) for value in said["resolution"])
    return Picture(color, alpha, Metadata(**said))


def _array(path: Path, channels: tuple[int, ...]) -> Pixels:
    pixels: Pixels = np.load(path, allow_pickle=False)
    if pixels.ndim != 3 or pixels.shape[2] not in channels or pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"the decoder gave an array of shape {pixels.shape} and type {pixels.dtype}")
    return np.ascontiguousarray(pixels)


def write_answer(folder: Path, answer: dict[str, Any]) -> None:
    """Write what a process has to say."""
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")


def read_answer(folder: Path) -> dict[str, Any]:
    """Read what a process had to say.

    Raises:
        ValueError: It is no JSON object, or is too long.
    """
    path = folder / ANSWER
    if path.stat().st_size > MAX_ANSWER:
        raise ValueError("the decoder's answer is too long")
    answer = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(answer, dict):
        raise ValueError("the decoder's answer is no object")  # noqa: TRY004
    return answer
