"""SRCNN: the first convolutional network for super-resolution.

Paper: Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016,
https://arxiv.org/abs/1501.00092 (first as "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV
2014).

    bicubic enlargement ─ conv f1 ─ ReLU ─ conv f2 ─ ReLU ─ conv f3

The picture is enlarged by bicubic interpolation *before* the network, which then sharpens it at full size.

What differs from the paper:
    - Convolutions are padded, so that output and input have the same size; the paper loses (f1 + f2 + f3 - 3) / 2
    pixels a side.
    - `enlarge` puts the bicubic enlargement inside the network, as a fixed layer, so that it can be called like any
    other.

| variant      | kernels   | parameters, luma |
|--------------|-----------|------------------|
| SRCNN 9-1-5  | (9, 1, 5) | 8,129            |
| SRCNN 9-3-5  | (9, 3, 5) | 24,513           |
| SRCNN 9-5-5  | (9, 5, 5) | 57,281           |
(The paper counts weights without biases: 8,032, 24,416 and 57,184; `weight_count` returns those.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SRCNN"]

TINY = {"filters_first": 4, "filters_second": 2}


class SRCNN(nn.Module):
    """Sharpen a picture that bicubic interpolation has enlarged.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor of the bicubic step; 1 takes pictures that are enlarged already.
        in_channels: 1 for luma, 3 for RGB.
        kernel_first: Side of the patches that features are taken from.
        kernel_second: Side of the non-linear mapping; 1, 3 or 5 in the paper.
        kernel_third: Side of the reconstruction.
        filters_first: Features of the first layer.
        filters_second: Features of the second layer.
    """

    enlarge: Tensor

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 1,
        kernel_first: int = 9,
        kernel_second: int = 1,
        kernel_third: int = 5,
        filters_first: int = 64,
        filters_second: int = 32,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.multiple = 1
        reach = (kernel_first + kernel_second + kernel_third - 3) // 2
        self.halo = reach if scale == 1 else -(-reach // scale) + 3
        self.first = nn.Conv2d(in_channels, filters_first, kernel_first, padding=kernel_first // 2)
        self.second = nn.Conv2d(filters_first, filters_second, kernel_second, padding=kernel_second // 2)
        self.third = nn.Conv2d(filters_second, in_channels, kernel_third, padding=kernel_third // 2)
        for layer in (self.first, self.second, self.third):
            nn.init.normal_(layer.weight, std=1e-3)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        self.register_buffer("enlarge", _bicubic_kernels(scale), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        x = self._bicubic(x)  # (N, in_channels, scale H, scale W)
        features = functional.relu(self.first(x))
        features = functional.relu(self.second(features))
        return self.third(features)  # type: ignore[no-any-return]

    def weight_count(self) -> int:
        """Count weights as the paper does: without biases."""
        return sum(layer.weight.numel() for layer in (self.first, self.second, self.third))

    def _bicubic(self, x: Tensor) -> Tensor:
        if self.scale == 1:
            return x
        channels = x.shape[1]
        padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
        phases = functional.conv2d(padded, self.enlarge.repeat(channels, 1, 1, 1), groups=channels)
        return functional.pixel_shuffle(phases, self.scale)


def _bicubic_kernels(scale: int) -> Tensor:
    """Return the (scale^2, 1, 5, 5) kernels of bicubic enlargement, one for each output phase.

    Convention: Keys' kernel with a = -0.5; output pixel scale * i + p lies at i + (p + 0.5) / scale - 0.5.
    """
    shift = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    distance = (shift[:, None] - torch.arange(-2, 3)).abs()
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    line = torch.where(distance <= 1, near, torch.where(distance <= 2, far, 0.0))
    return torch.einsum("py,qx->pqyx", line, line).reshape(scale**2, 1, 5, 5).float()
