"""SRVGGNetCompact: a plain stack at low resolution that is added to the picture enlarged by repeating pixels.

Paper: Wang, Xie, Dong, Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data", ICCV
Workshops 2021, https://arxiv.org/abs/2107.10833. The paper describes the larger network (rrdb.py); this one came with
its code in 2022, for video. Its end is the pixel shuffle of Shi et al., CVPR 2016, https://arxiv.org/abs/1609.05158.

    ┌─ [conv ─ PReLU] x (convolutions + 1) ─ conv to in_channels * scale^2 ─ pixel shuffle ─ + ─
    └─ nearest neighbour ────────────────────────────────────────────────────────────────────┘

All convolutions are 3x3. What differs from the authors' code: nothing but names; `body` is numbered as theirs is.

| variant               | arguments                        | x2        | x4        |
|-----------------------|----------------------------------|-----------|-----------|
| realesr-animevideov3  | convolutions=16, channels=64     | 600,652   | 621,424   |
| realesr-general-v3    | convolutions=32, channels=64     | 1,192,524 | 1,213,296 |
(RGB.)
"""

from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SRVGGNetCompact"]

TINY = {"convolutions": 2, "channels": 4}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    **{f"realesr-animevideov3 x{scale}": {"scale": scale} for scale in (2, 4)},
    "realesr-general-v3 x4": {"scale": 4, "convolutions": 32},
}

SLOPE = 0.1


class SRVGGNetCompact(nn.Module):
    """Enlarge with a plain stack of convolutions.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor; 1 restores without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        convolutions: Convolutions from features to features.
        channels: Features.
        activation: "prelu" (a slope for each channel), "relu", or "leaky_relu" (slope 0.1).
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 3,
        convolutions: int = 16,
        channels: int = 64,
        activation: str = "prelu",
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"SRVGGNetCompact cannot enlarge {scale} times; it can {', '.join(map(str, SCALES))}")
        self.scale = scale
        self.multiple = 1
        self.halo = convolutions + 2
        self.body = nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1), _activation(activation, channels))
        for _ in range(convolutions):
            self.body.append(nn.Conv2d(channels, channels, 3, padding=1))
            self.body.append(_activation(activation, channels))
        self.body.append(nn.Conv2d(channels, in_channels * scale**2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        detail = functional.pixel_shuffle(self.body(x), self.scale)  # (N, in_channels, scale H, scale W)
        if self.scale == 1:
            return detail + x
        return detail + functional.interpolate(x, scale_factor=self.scale, mode="nearest")


def _activation(kind: str, channels: int) -> nn.Module:
    if kind == "prelu":
        return nn.PReLU(channels)
    if kind == "relu":
        return nn.ReLU()
    if kind == "leaky_relu":
        return nn.LeakyReLU(SLOPE)
    raise ValueError(f"activation is {kind!r}; accepted are prelu, relu and leaky_relu")
