"""One picture, enlarged again and again while a network learns, and kept: what loss curves do not show."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from kakudai.degrade.shrink import crop_to_multiple, shrink_bicubic
from kakudai.errors import PictureError, RecipeError
from kakudai.image.files import read_image, write_image
from kakudai.image.picture import Picture, Pixels
from kakudai.image.resize import eight_bits, imresize_matlab, quantise
from kakudai.train.color import LumaInRGB
from kakudai.train.recipe import Recipe


class Progress:
    """Keeps `progress/original.png`, `progress/bicubic.png` and `progress/epoch-0005.png` in the folder of a run.

    Args:
        recipe: Names the picture, the epochs, the scale and what the network sees.
        folder: Of the run.

    Raises:
        RecipeError: The picture cannot be read.
        OutputError: The folder cannot be written.
    """

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        assert recipe.progress_picture is not None
        self.folder, self.color = folder / "progress", recipe.color
        self.strength = 0.0 if recipe.damage else None
        try:
            original = eight_bits(read_image(recipe.progress_picture).color)
        except PictureError as error:
            raise RecipeError(f"progress_picture: {error.message}", error.hint) from error
        original = crop_to_multiple(original, recipe.scale)
        self.low = shrink_bicubic(original, recipe.scale)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._write("original", original)
        self._write("bicubic", imresize_matlab(self.low, recipe.scale))

    def keep(self, network: nn.Module, epoch: int) -> None:
        """Enlarge the picture with the network as it is now, and keep the result.

        Raises:
            OutputError: The folder cannot be written.
        """
        picture = enlarge_rgb8(network, self.low, luma=self.color == "luma", strength=self.strength)
        self._write(f"epoch-{epoch:04}", picture)

    def _write(self, name: str, image: Pixels) -> None:
        write_image(Picture(image), self.folder / f"{name}.png")


def enlarge_rgb8(network: nn.Module, low: Pixels, *, luma: bool, strength: float | None = None) -> Pixels:
    """Enlarge a picture whole with a network that is being trained.

    Shape: (H, W, 1 | 3) uint8 -> (scale H, scale W, 3) uint8.

    Args:
        network: In evaluation mode.
        low: The picture.
        luma: Whether the network sees luma alone; chroma is then enlarged by Lanczos.
        strength: What it is told of the damage, 0 to 1; None for a network that is not told.
    """
    device = next(network.parameters()).device
    whole = LumaInRGB(network).to(device).eval() if luma else network
    height, width = low.shape[:2]
    multiple, scale = int(network.multiple), int(network.scale)  # type: ignore[arg-type]
    padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    padded = np.pad(np.broadcast_to(low, (height, width, 3)), padding, mode="symmetric")
    x = np.ascontiguousarray(padded.transpose(2, 0, 1)[None] / np.float32(255))
    if strength is not None:
        x = np.concatenate([x, np.full_like(x[:, :1], strength)], axis=1)
    with torch.inference_mode():
        y = whole(torch.from_numpy(x).to(device))[0, :, : scale * height, : scale * width]
    return quantise(255.0 * y.float().cpu().numpy().transpose(1, 2, 0), np.dtype(np.uint8))
