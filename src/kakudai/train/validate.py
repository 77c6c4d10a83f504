"""PSNR of a network in training, by the published protocol; of a network that restores, on damaged pictures too."""

from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from kakudai.degrade.jpeg import jpeg
from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.degrade.strength import strength_of_quality
from kakudai.errors import RecipeError
from kakudai.image.files import read_image
from kakudai.image.picture import Pixels
from kakudai.image.resize import eight_bits
from kakudai.metrics import Protocol, psnr
from kakudai.train.progress import enlarge_rgb8
from kakudai.train.recipe import VALIDATE_ON, check_validation

SUFFIXES = {".png", ".webp"}

QUALITIES = (80, 60, 40, 20)
"""Of the JPEG that networks which restore are validated on, beside clean pictures where they enlarge."""


class Validation:
    """A folder of pictures, each with its shrunk version.

    Args:
        folder: High-resolution pictures, PNG or lossless WebP; deeper ones are rounded to 8 bits.
        scale: How much smaller the network's input is.
        color: What the network sees.
        damaged: The pictures are also shown as JPEG of several qualities, and the network is told their strength.

    Raises:
        RecipeError: There is no such folder, no picture in it, or one that is too small for the protocol.
        PictureError: One of them cannot be read.
    """

    def __init__(self, folder: Path, scale: int, color: Literal["luma", "rgb"], *, damaged: bool = False) -> None:
        check_validation(folder)
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise RecipeError(f"no pictures in {folder} to validate on", VALIDATE_ON)
        self.color = color
        self.protocol = Protocol.published(scale)
        high = [crop_to_multiple(eight_bits(read_image(path).color), scale) for path in files]
        for path, image in zip(files, high, strict=True):
            try:
                self.protocol.prepare(image)
            except ValueError as error:
                raise RecipeError(f"{path} cannot be validated on: {error}", "take it out of the folder") from error
        low = [shrink_bicubic(image, scale) for image in high]
        self.cases: list[tuple[Pixels, float | None, Pixels]] = []
        if scale > 1 or not damaged:  # a picture that is the same already has endless decibels
            self.cases = [(small, 0.0 if damaged else None, image) for small, image in zip(low, high, strict=True)]
        for quality in QUALITIES if damaged else ():
            strength = strength_of_quality(quality)
            self.cases += [(jpeg(small, quality), strength, image) for small, image in zip(low, high, strict=True)]

    def psnr(self, network: nn.Module) -> float:
        """Return the mean PSNR of the 8-bit results, in decibels.

        Args:
            network: In evaluation mode.
        """
        figures = []
        for low, strength, high in self.cases:
            output = enlarge_rgb8(network, low, luma=self.color == "luma", strength=strength)
            figures.append(psnr(output[..., : high.shape[2]], high, self.protocol))
        return float(np.mean(figures))
