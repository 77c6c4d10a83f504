"""SRCNN: the first convolutional network for super-resolution.

Paper: Dong, Loy, He, Tang, "Image Super-Resolution Using Deep Convolutional Networks", TPAMI 2016,
https://arxiv.org/abs/1501.00092 (first as "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV
2014).

    bicubic enlargement ─ conv f1 ─ ReLU ─ conv f2 ─ ReLU ─ conv f3

The picture is enlarged by bicubic interpolation *before* the network, which then sharpens it at full size.

What differs from the paper:
    - Convolutions are padded, so that output and input have the same size; the paper loses (f1 + f2 + f3 - 3) / 2
      pixels a side.
    - The bicubic enlargement is a fixed layer inside the network, so that it can be called like any other.
    - `residual` adds the enlarged picture to the output, as VDSR does, with first weights that fit that: what the
      network then has to learn is small, and it learns it in a hundredth of the steps.

| variant          | kernels   | parameters |
|------------------|-----------|------------|
| SRCNN 9-1-5      | (9, 1, 5) | 8,129      |
| SRCNN 9-3-5      | (9, 3, 5) | 24,513     |
| SRCNN 9-5-5      | (9, 5, 5) | 57,281     |
| SRCNN 9-1-5 RGB  | (9, 1, 5), 64 and 64 filters, three channels | 24,579 |
(The paper counts weights without biases: 8,032, 24,416 and 57,184; `weight_count` returns those.)
"""

from torch import Tensor, nn
from torch.nn import functional

from kakudai.networks._enlarge import Bicubic, halo_after_enlarging

__all__ = ["SRCNN"]

TINY = {"filters_first": 4, "filters_second": 2}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "SRCNN 9-1-5": {"kernel_second": 1},
    "SRCNN 9-3-5": {"kernel_second": 3},
    "SRCNN 9-5-5": {"kernel_second": 5},
    "SRCNN 9-1-5 RGB": {"kernel_second": 1, "filters_second": 64, "in_channels": 3},
}


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
        residual: Add the enlarged picture to the output.
    """

    enlarges = "bicubic"

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
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.multiple = 1
        self.halo = halo_after_enlarging((kernel_first + kernel_second + kernel_third - 3) // 2, scale)
        self.residual = residual
        self.enlarge = Bicubic(scale, in_channels)
        self.first = nn.Conv2d(in_channels, filters_first, kernel_first, padding=kernel_first // 2)
        self.second = nn.Conv2d(filters_first, filters_second, kernel_second, padding=kernel_second // 2)
        self.third = nn.Conv2d(filters_second, in_channels, kernel_third, padding=kernel_third // 2)
        for layer in (self.first, self.second, self.third):
            if residual and layer is not self.third:
                nn.init.kaiming_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight, std=1e-3)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        x = self.enlarge(x)  # (N, in_channels, scale H, scale W)
        features = functional.relu(self.first(x))
        features = functional.relu(self.second(features))
        output: Tensor = self.third(features)
        return output + x if self.residual else output

    def weight_count(self) -> int:
        """Count weights as the paper does: without biases."""
        return sum(layer.weight.numel() for layer in (self.first, self.second, self.third))
