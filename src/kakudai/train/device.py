"""Crops cut on the device that trains, where all pictures lie in memory as bytes."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kakudai.data.pairs import Crop, Pairs
from kakudai.image.color import luma_bt601_full

VARIANTS = 8
"""Ways to mirror and turn a crop."""


class DevicePictures:
    """All pictures of some pairs on a device, and the tables by which crops are cut from them.

    Nothing about it needs a GPU: on a processor it gives the values of `Pairs.cut`, to the bit.

    Args:
        pairs: Whose crops are asked for; their low-resolution side is not damaged after the cutting.
        device: Where the bytes are kept.
        patch: Side of a crop in low-resolution pixels.
    """

    def __init__(self, pairs: Pairs, device: torch.device, patch: int) -> None:
        self.scale, self.luma, self.device = pairs.scale, pairs.color == "luma", device
        self.low, self.high = (_Side([pair[k] for pair in pairs.pairs], device) for k in (0, 1))
        self.windows = [_windows(side).to(device) for side in (patch, pairs.scale * patch)]
        self.values = [torch.from_numpy(table).to(device) for table in _value_tables(luma=self.luma)]

    def places(self, crops: Sequence[Crop]) -> Tensor:
        """Return where crops are to be cut, in the form that `cut` takes.

        Shape: (crops, 4) int64: picture, first row, first column, and which of the eight ways to turn.
        """
        rows = [(crop.picture, crop.y, crop.x, 4 * crop.mirrored + crop.turns) for crop in crops]
        return torch.tensor(rows, dtype=torch.int64)

    def cut(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """Cut crops.

        Shape: (N, 4) int64 on the device -> low (N, C, patch, patch), high (N, C, scale patch, scale patch), float32
            in [0, 1], with channels beside each other in memory; C = 1 for luma.
        """
        low = self._cut(self.low, places, self.windows[0], 1)
        return low, self._cut(self.high, places, self.windows[1], self.scale)

    def _cut(self, side: "_Side", places: Tensor, windows: Tensor, scale: int) -> Tensor:
        picture, y, x, variant = places.unbind(1)
        width = side.widths[picture]
        first = side.offsets[picture] + 3 * (scale * y * width + scale * x)  # (N,)
        rows, columns = windows[:, variant]  # (N, patch, patch) each
        address = first[:, None, None] + 3 * (rows * width[:, None, None] + columns)
        channels = [values[side.bytes[address + k].int()] for k, values in enumerate(self.values)]
        crops = (channels[0] + channels[1] + channels[2])[..., None] if self.luma else torch.stack(channels, -1)
        return crops.permute(0, 3, 1, 2)


class _Side:
    """The low- or the high-resolution pictures, one behind the other; a picture that comes twice is kept once."""

    def __init__(self, images: Sequence[NDArray[np.uint8]], device: torch.device) -> None:
        starts: dict[int, int] = {}
        total = 0
        for image in images:
            if id(image) not in starts:
                starts[id(image)], total = total, total + image.size
        self.bytes = torch.empty(total, dtype=torch.uint8, device=device)
        for image in {id(image): image for image in images}.values():
            start = starts[id(image)]
            flat = torch.from_numpy(np.array(image).reshape(-1))  # a copy: a pack is mapped read-only
            self.bytes[start : start + image.size] = flat.to(device)
        self.offsets = torch.tensor([starts[id(image)] for image in images], device=device)
        self.widths = torch.tensor([image.shape[1] for image in images], device=device)


def _value_tables(*, luma: bool) -> list[NDArray[np.float32]]:
    """Return what each byte of red, green and blue is worth: a value in [0, 1], or what it adds to luma."""
    values = np.arange(256, dtype=np.float32) / np.float32(255.0)
    if not luma:
        return [values] * 3
    return [luma_bt601_full(values[:, None] * axis)[:, 0] for axis in np.eye(3, dtype=np.float32)]


def _windows(side: int) -> Tensor:
    """Return row and column of each pixel of a crop, in each of the eight ways to turn it.

    Shape: (2, 8, side, side) int64, by 4 * mirrored + turns.
    """
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
    turned = [np.rot90(grid[:, :, ::-1] if variant // 4 else grid, variant % 4, (1, 2)) for variant in range(VARIANTS)]
    return torch.from_numpy(np.stack(turned, 1))
