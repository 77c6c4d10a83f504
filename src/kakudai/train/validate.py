"""PSNR of a network in training, by the published protocol."""

from pathlib import Path
from typing import Literal

import numpy as np
from torch import nn

from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.errors import RecipeError
from kakudai.image.files import read_image
from kakudai.image.resize import eight_bits
from kakudai.metrics import Protocol, psnr
from kakudai.train.progress import enlarge_rgb8

SUFFIXES = {".png", ".webp"}


class Validation:
    """A folder of pictures, each with its shrunk version.

    Args:
        folder: High-resolution pictures, PNG or lossless WebP; deeper ones are rounded to 8 bits.
        scale: How much smaller the network's input is.
        color: What the network sees.

    Raises:
        RecipeError: There is no picture in the folder, or one that is too small for the protocol.
        PictureError: One of them cannot be read.
    """

    def __init__(self, folder: Path, scale: int, color: Literal["luma", "rgb"]) -> None:
        files = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise RecipeError(f"no pictures in {folder} to validate on", "set validate_on to a folder of PNG files")
        self.color = color
        self.protocol = Protocol.published(scale)
        high = [crop_to_multiple(eight_bits(read_image(path).color), scale) for path in files]
        for path, image in zip(files, high, strict=True):
            try:
                self.protocol.prepare(image)
            except ValueError as error:
                raise RecipeError(f"{path} cannot be validated on: {error}", "take it out of the folder") from error
        self.pairs = [(shrink_bicubic(image, scale), image) for image in high]

    def psnr(self, network: nn.Module) -> float:
        """Return the mean PSNR of the 8-bit results, in decibels.

        Args:
            network: In evaluation mode.
        """
        figures = []
        for low, high in self.pairs:
            output = enlarge_rgb8(network, low, luma=self.color == "luma")
            figures.append(psnr(output[..., : high.shape[2]], high, self.protocol))
        return float(np.mean(figures))
