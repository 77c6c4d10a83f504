"""ESPCN: three convolutions at low resolution and a pixel shuffle.

Paper: Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert, Wang, "Real-Time Single Image and Video Super-Resolution
Using an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, https://arxiv.org/abs/1609.05158.

    conv 5x5, 64 ─ tanh ─ conv 3x3, 32 ─ tanh ─ conv 3x3, scale^2 ─ pixel shuffle

What differs from the paper:
    - Convolutions are padded; the paper's training crops lose their border.
    - `residual` adds the bicubic enlargement to the output, and the last layer then starts at nearly zero.

| variant        | arguments         | parameters |
|----------------|-------------------|------------|
| ESPCN x2       | scale=2           | 21,284     |
| ESPCN x3       | scale=3           | 22,729     |
| ESPCN x4       | scale=4           | 24,752     |
| ESPCN-ReLU x2  | activation="relu" | 21,284     |
"""

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from kakudai.networks._enlarge import Bicubic

__all__ = ["ESPCN"]

TINY = {"filters_first": 8, "filters_second": 4}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    **{f"ESPCN x{scale}": {"scale": scale} for scale in (2, 3, 4)},
    "ESPCN-ReLU x2": {"activation": "relu"},
}


class ESPCN(nn.Module):
    """Enlarge by computing all phases of the output at low resolution.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor.
        in_channels: 1 for luma, 3 for RGB.
        filters_first: Features of the first layer.
        filters_second: Features of the second layer.
        activation: "tanh", which the paper found better, or "relu".
        residual: Add the bicubic enlargement to the output.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 1,
        filters_first: int = 64,
        filters_second: int = 32,
        activation: Literal["tanh", "relu"] = "tanh",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.multiple = 1
        self.halo = 4
        self.bicubic = Bicubic(scale, in_channels) if residual else None
        nonlinear = {"tanh": nn.Tanh, "relu": nn.ReLU}[activation]
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, filters_first, 5, padding=2),
            nonlinear(),
            nn.Conv2d(filters_first, filters_second, 3, padding=1),
            nonlinear(),
        )
        self.tail = nn.Conv2d(filters_second, in_channels * scale**2, 3, padding=1)
        for layer in self.body:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity=activation)
        nn.init.normal_(self.tail.weight, std=1e-3)
        assert self.tail.bias is not None
        nn.init.zeros_(self.tail.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        phases = self.tail(self.body(x))  # (N, in_channels * scale^2, H, W)
        output = functional.pixel_shuffle(phases, self.scale)
        return output + self.bicubic(x) if self.bicubic else output
