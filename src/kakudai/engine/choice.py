"""What a picture needs, found by looking at it: the style of the network, and how much noise to remove."""

from collections.abc import Sequence
from dataclasses import dataclass

from kakudai.analyse import Analysis, analyse_picture, read_jpeg_history
from kakudai.degrade.strength import strength_of_noise, strength_of_quality, together
from kakudai.image.picture import Picture
from kakudai.models.shipped import Style

CLEAN_QUALITY = 97
"""JPEG files from this quality on have nothing that can be seen."""

CLEAN_TRACES = 91
"""From this quality on, traces in the pixels of other files are left alone: many a clean picture was once a good JPEG,
all of BSD100 for one."""

GRAIN = 5.0
"""Noise below this, in levels of 255, may be texture: no clean test picture has more than 4.2."""


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
    """Decide what the user has left open.

    Args:
        picture: The picture, with what its file says of its compression.
        styles: What may be chosen from; with only one, or with none, the style is no question and no reason.
        strength: What the user wants removed, 0 to 100; None leaves it to the picture.
    """
    jpeg = picture.metadata.jpeg
    analysis = analyse_picture(picture.color, read_jpeg_history(jpeg) if jpeg else None, picture.alpha)
    seen: Style = "art" if analysis.drawn is not None and analysis.drawn > 0.5 else "photo"
    style = styles[0] if len(styles) == 1 else seen
    reasons = []
    if len(styles) > 1:
        reasons.append({"art": "drawn", "photo": "photograph"}[seen])
    if strength is None:
        strength, why = strength_of(analysis, grain=style == "photo")
        reasons.append(why)
    return Choice(style, strength, ", ".join(reasons))


def strength_of(analysis: Analysis, *, grain: bool) -> tuple[int, str]:
    """Return the strength of denoising that fits the damage of a picture, 0 to 100, and what it was seen by.

    Args:
        analysis: Of the picture.
        grain: Noise counts, too; in drawings it does not, for their paper and dots look like it.
    """
    parts, words = [], []
    if analysis.quality is not None and analysis.quality < (CLEAN_QUALITY if analysis.jpeg else CLEAN_TRACES):
        parts.append(strength_of_quality(analysis.quality))
        words.append(f"JPEG quality {analysis.quality}" + (f", {analysis.chroma}" if analysis.chroma else ""))
    if grain and analysis.noise is not None and analysis.noise > GRAIN:
        parts.append(strength_of_noise(analysis.noise))
        words.append(f"noise {analysis.noise:.0f}")
    return (round(100 * together(*parts)), ", ".join(words)) if parts else (0, "clean")
