"""What several networks enlarge with: fixed layers without parameters, and the pixel shuffles that make a scale."""

import torch
from torch import Tensor, nn
from torch.nn import functional

SHUFFLES = {1: (), 2: (2,), 3: (3,), 4: (2, 2)}
"""Scale -> the pixel shuffles that it is made of, each behind a 3x3 convolution."""

REACH = 2
"""Low-resolution pixels that bicubic enlargement looks at on each side."""


class Bicubic(nn.Module):
    """Enlarge by bicubic interpolation, as one fixed convolution for each phase of the output.

    Shape: (N, channels, H, W) -> (N, channels, scale H, scale W), in float32.

    Convention: Keys' kernel with a = -0.5; output pixel scale * i + p lies at i + (p + 0.5) / scale - 0.5; the edge
        pixel continues outside the picture.
    """

    kernels: Tensor

    def __init__(self, scale: int, channels: int) -> None:
        super().__init__()
        self.scale, self.channels = scale, channels
        self.register_buffer("kernels", _bicubic_kernels(scale).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        if self.scale == 1:
            return x
        with torch.autocast(x.device.type, enabled=False):  # half precision would round the picture itself
            padded = functional.pad(x.float(), (REACH,) * 4, mode="replicate")
            phases = functional.conv2d(padded, self.kernels, groups=self.channels)
        return functional.pixel_shuffle(phases, self.scale)


class Nearest(nn.Module):
    """Enlarge by repeating every pixel.

    Shape: (N, C, H, W) -> (N, C, scale H, scale W).
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        return functional.pixel_shuffle(x.repeat_interleave(self.scale**2, dim=1), self.scale)


def halo_after_enlarging(reach: int, scale: int) -> int:
    """Return the low-resolution pixels on each side that depend on `reach` pixels of the bicubically enlarged picture.

    The furthest of these lies (reach + (scale - 1) / 2) / scale low-resolution pixels from the centre of the pixel that
    the output belongs to, and is itself made of pixels less than `REACH` away.
    """
    return reach if scale == 1 else -(-(2 * reach + scale - 1) // (2 * scale)) + REACH - 1


def halo_before_shuffles(reach: int, scale: int) -> int:
    """Return the low-resolution pixels on each side that `reach` pixels behind all shuffles of a scale depend on."""
    for step in reversed(SHUFFLES[scale]):
        reach = -(-reach // step) + 1
    return reach


def _bicubic_kernels(scale: int) -> Tensor:
    """Return the (scale^2, 1, 5, 5) kernels of one channel, one for each phase of the output."""
    shift = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    distance = (shift[:, None] - torch.arange(-REACH, REACH + 1)).abs()
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    line = torch.where(distance <= 1, near, torch.where(distance <= 2, far, 0.0))
    return torch.einsum("py,qx->pqyx", line, line).reshape(scale**2, 1, 5, 5).float()
