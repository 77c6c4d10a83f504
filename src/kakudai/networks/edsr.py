"""EDSR: SRResNet without batch normalisation, made much wider.

Paper: Lim, Son, Kim, Nah, Lee, "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops
2017, https://arxiv.org/abs/1707.02921.

    - mean ─ conv ─┬─ [conv ─ ReLU ─ conv ─ x factor ─ + input] x blocks ─ conv ─ + ─ enlarge ─ conv ─ + mean
                   └──────────────────────────────────────────────────────────────┘
    enlarge = conv to channels * 2^2 ─ pixel shuffle 2, for x2 once and for x4 twice; for x3 once with 3
    factor = residual_scale

All convolutions are 3x3. What differs from the paper:
    - Pixels are in [0, 1]; the authors' code works in [0, 255]. The mean colour of DIV2K is taken off in both.
    - A luma network takes off the BT.601 luma of that mean.

| variant          | arguments                                     | x2         | x3         | x4         |
|------------------|-----------------------------------------------|------------|------------|------------|
| EDSR-baseline    | blocks=16, channels=64                        | 1,369,859  | 1,554,499  | 1,517,571  |
| EDSR             | blocks=32, channels=256, residual_scale=0.1   | 40,729,603 | 43,680,003 | 43,089,923 |
(RGB. The counts are those of the authors' models without their fixed layers for the mean.)
"""

import torch
from torch import Tensor, nn

from kakudai.networks._enlarge import SHUFFLES, halo_before_shuffles

__all__ = ["EDSR"]

TINY = {"blocks": 2, "channels": 4}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    **{f"EDSR-baseline x{scale}": {"scale": scale} for scale in (2, 3, 4)},
    **{f"EDSR x{scale}": {"scale": scale, "blocks": 32, "channels": 256, "residual_scale": 0.1} for scale in (2, 3, 4)},
}

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K's training pictures, red, green, blue."""

DIV2K_LUMA = 0.4368
"""BT.601 luma of it."""


class EDSR(nn.Module):
    """Enlarge with a deep stack of residual blocks at low resolution.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor, 2, 3 or 4; 1 restores without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        blocks: Residual blocks.
        channels: Features.
        residual_scale: Factor on what a block adds; 0.1 keeps wide networks stable.
    """

    mean: Tensor

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 3,
        blocks: int = 16,
        channels: int = 64,
        residual_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if scale not in SHUFFLES:
            raise ValueError(f"EDSR cannot enlarge {scale} times; it can {', '.join(map(str, SHUFFLES))}")
        self.scale = scale
        self.multiple = 1
        outside = halo_before_shuffles(1, scale) + 2  # the tail; then the body's last convolution and the head
        self.halo = 2 * blocks + outside
        self.head = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.body = nn.Sequential(*(Block(channels, residual_scale) for _ in range(blocks)))
        self.body.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.enlarge = nn.Sequential()
        for step in SHUFFLES[scale]:
            self.enlarge.append(nn.Conv2d(channels, channels * step**2, 3, padding=1))
            self.enlarge.append(nn.PixelShuffle(step))
        self.tail = nn.Conv2d(channels, in_channels, 3, padding=1)
        mean = DIV2K_MEAN if in_channels == 3 else (DIV2K_LUMA,) * in_channels
        self.register_buffer("mean", torch.tensor(mean).view(1, in_channels, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        features = self.head(x - self.mean)  # (N, channels, H, W)
        features = self.enlarge(features + self.body(features))  # (N, channels, scale H, scale W)
        return self.tail(features) + self.mean  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two convolutions whose result is added to what they were given.

    Shape: (N, channels, H, W) -> the same.
    """

    def __init__(self, channels: int, residual_scale: float) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to `x`."""
        return x + self.residual_scale * self.layers(x)  # type: ignore[no-any-return]
