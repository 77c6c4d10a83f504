"""Real pictures before and after: shrunk, enlarged by bicubic and by networks, beside the original."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.engine.upscaler import Upscaler
from kakudai.errors import PictureError, WrongResult
from kakudai.evaluate.runs import Run
from kakudai.evaluate.sheet import as_rgb8
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Metadata, Picture, Pixels
from kakudai.image.resize import eight_bits, imresize_matlab
from kakudai.metrics import Protocol, psnr

SIDE = 720
"""Longest side that is shown, in pixels; of larger pictures the middle. A page of whole photographs would not open."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One version of a picture.

    Args:
        title: What made it.
        address: The picture itself, as a data URI.
        size: Width and height in pixels.
        psnr: Luma PSNR against the original in decibels, where there is one.
    """

    title: str
    address: str
    size: tuple[int, int]
    psnr: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """Versions of one picture, all of one size.

    Args:
        title: Name of the picture.
        layers: At least one.
        notes: What must be known about them, one sentence each.
    """

    title: str
    layers: list[Layer]
    notes: tuple[str, ...] = ()


def compare_picture(path: Path, runs: Sequence[Run], scale: int, title: str | None = None) -> Group:
    """Shrink a picture as the literature does and enlarge it by bicubic and by the networks of runs.

    A network whose result is not the picture, as after a few steps of training, is left out with a note.

    Args:
        path: A picture that stands for the original.
        runs: Those of them that have a network for the scale take part.
        scale: Enlargement factor.
        title: What to call the picture; its file name by default.

    Raises:
        PictureError: The picture cannot be read, or is too small.
    """
    picture = read_image(path)
    whole = picture.color.shape
    high = crop_to_multiple(_middle(eight_bits(picture.color)), scale)
    if min(high.shape[:2]) < 2 * scale:
        raise PictureError(f"{path} is too small to be shrunk by {scale}", "show a larger picture")
    notes = [] if high.shape[:2] == whole[:2] else [_cut(high, whole)]
    if picture.alpha is not None:
        notes.append("Its transparency is not shown.")
    low = shrink_bicubic(high, scale)
    images = [("original", high), ("bicubic", imresize_matlab(low, scale))]
    for run in runs:
        if run.model is None or run.model.scale != scale:
            continue
        try:
            with Upscaler(scale, model=run.model, precision="float32") as upscaler:
                images.append((run.name, upscaler.upscale(low)))
        except WrongResult as error:
            notes.append(f"{run.name} is not shown: {error.message}.")
    icc = picture.metadata.icc
    layers = [_layer(name, image, high, scale, icc) for name, image in images]
    return Group(title or path.name, layers, tuple(notes))


def progress_group(run: Run) -> Group | None:
    """Read the progress pictures of a run: bicubic, the epochs in order, original; None where it kept none.

    Raises:
        PictureError: One cannot be read.
    """
    progress = run.progress
    if not progress.epochs:
        return None
    epochs = [(f"epoch {epoch:,}", path) for epoch, path in progress.epochs.items()]
    named = [("bicubic", progress.bicubic), *epochs, ("original", progress.original)]
    images = [(name, eight_bits(read_image(path).color)) for name, path in named if path is not None]
    whole = images[-1][1].shape
    shown = [(name, _middle(image)) for name, image in images if image.shape[:2] == whole[:2]]
    last, high = shown[-1]
    layers = [_layer(name, image, high if last == "original" else None, run.scale or 1, None) for name, image in shown]
    return Group(run.name, layers, () if high.shape[:2] == whole[:2] else (_cut(high, whole),))


def _middle(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    top, left = max(0, height - SIDE) // 2, max(0, width - SIDE) // 2
    return image[top : top + SIDE, left : left + SIDE]


def _cut(image: Pixels, whole: tuple[int, ...]) -> str:
    shown = f"{image.shape[1]} × {image.shape[0]}"
    return f"The middle {shown} of its {whole[1]} × {whole[0]} pixels are shown."


def _layer(name: str, image: Pixels, original: Pixels | None, scale: int, icc: bytes | None) -> Layer:
    figure = None if original is None or image is original else _psnr(image, original, scale)
    return Layer(name, data_uri(image, icc), (image.shape[1], image.shape[0]), figure)


def _psnr(image: Pixels, original: Pixels, scale: int) -> float | None:
    """Return PSNR by the published protocol; None where border and picture are the same, or the pictures are."""
    try:
        value = psnr(as_rgb8(image), as_rgb8(original), Protocol.published(scale))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def data_uri(image: Pixels, icc: bytes | None = None) -> str:
    """Return a picture as a data URI: lossless WebP, which every browser shows and is smaller than PNG."""
    stream = io.BytesIO()
    write_image(Picture(image, None, Metadata(icc=icc)), stream, format="webp", quality=100)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
