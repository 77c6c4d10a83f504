"""What a picture needs, found by looking at it: the style of the network, and how much noise to remove."""

from collections.abc import Sequence
from dataclasses import dataclass

from kakudai.analyse import (
    Compression,
    areas,
    describe_kind,
    drawn_probability,
    find_compression,
    is_visible,
    noise_level,
    read_jpeg_history,
)
from kakudai.degrade.strength import strength_of_noise, strength_of_quality, together
from kakudai.image.exif import is_by_camera
from kakudai.image.picture import Picture
from kakudai.models.shipped import Style

CLEAN_QUALITY = 97
"""JPEG files from this quality on have nothing that can be seen."""

CLEAN_TRACES = 91
"""From this quality on, traces that no header tells of are left alone: many a clean picture was once a good JPEG, such
as all of BSD100. So is colour: the tables of some programs treat it worse, which is hardly seen."""

CLEAN_NOISE = 5.0
"""Noise up to this, in levels of 255, may be texture: no clean test picture has more than 4.2."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done to a picture, and why.

    Args:
        style: Of the networks.
        strength: Of denoising, 0 to 100.
        reason: What was seen, in a few words: "photograph, JPEG quality 61, 4:2:0".
    """

    style: Style
    strength: int
    reason: str


def choose(picture: Picture, styles: Sequence[Style], strength: int | None) -> Choice:
    """Decide what the user has left open. Only what is needed for it is looked at.

    Args:
        picture: The picture, with what its file says of its compression.
        styles: What may be chosen from; with one the style is no question, with none all are asked for, because noise
            counts in photographs only.
        strength: What the user wants removed, 0 to 100; None leaves it to the picture.
    """
    parts = areas(picture.color, picture.alpha)
    reasons = []
    if len(styles) == 1:
        style = styles[0]
    else:
        drawn = drawn_probability(parts, by_camera=is_by_camera(picture.metadata.exif))
        style = "art" if drawn is not None and drawn > 0.5 else "photo"
        visible = is_visible(picture.alpha)
        reasons.append(describe_kind(drawn, picture.width, picture.height, visible=visible))
    if strength is None:
        jpeg = picture.metadata.jpeg
        compression = find_compression(parts, read_jpeg_history(jpeg) if jpeg else None)
        strength, why = strength_of(compression, noise_level(parts) if style == "photo" else None)
        reasons.append(why)
    return Choice(style, strength, ", ".join(reasons))


def strength_of(compression: Compression, noise: float | None) -> tuple[int, str]:
    """Return the strength of denoising that fits the damage of a picture, 0 to 100, and what it was seen by.

    Args:
        compression: What JPEG did to it.
        noise: In levels of 255; None where it does not count, as in drawings, whose paper and dots look like it.
    """
    parts, words = [], []
    if jpeg := _strength_of_jpeg(compression):
        parts.append(jpeg)
        words.append(compression.describe())
    if noise is not None and noise > CLEAN_NOISE:
        parts.append(strength_of_noise(noise))
        words.append(f"noise {noise:.0f}")
    return (round(100 * together(*parts)), ", ".join(words)) if parts else (0, "clean")


def _strength_of_jpeg(compression: Compression) -> float:
    """Return the strength, 0 to 1, that fits what JPEG did; halfway to that of colour where colour fared worse."""
    quality, colour = compression.quality, compression.chroma_quality
    if quality is None:
        return 0.0
    luma = strength_of_quality(quality) if quality < (CLEAN_QUALITY if compression.is_stated else CLEAN_TRACES) else 0.0
    if colour is None or colour >= min(quality, CLEAN_TRACES):
        return luma
    return (luma + strength_of_quality(colour)) / 2
