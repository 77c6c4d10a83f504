"""RRDBNet, the generator of ESRGAN and Real-ESRGAN: dense blocks inside residual blocks.

Paper: Wang, Yu, Wu, Gu, Liu, Dong, Qiao, Loy, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV
Workshops 2018, https://arxiv.org/abs/1809.00219. Real-ESRGAN (https://arxiv.org/abs/2107.10833) adds the unshuffle.

    unshuffle ─ conv ─┬─ RRDB x blocks ─ conv ─ + ─ [nearest x2 ─ conv ─ LReLU] x doublings ─ conv ─ LReLU ─ conv
                      └────────────────────────┘
    RRDB  = 3 dense blocks in a row, x 0.2, + input
    dense = 5 convs, each of which sees the input and all results before it; the last x 0.2, + input
    doublings = log2(scale * unshuffle)

All convolutions are 3x3, LReLU = LeakyReLU(0.2). What differs from the paper: the paper enlarges 4 times and no other
way; other numbers of doublings, and the unshuffle that makes 2x and 1x of the same network, are those of the weight
files that people have.

| variant                    | arguments              | parameters |
|----------------------------|------------------------|------------|
| ESRGAN, RealESRGAN_x4plus  | blocks=23              | 16,697,987 |
| RealESRGAN_x4plus_anime_6B | blocks=6               | 4,467,779  |
| RealESRGAN_x2plus          | scale=2, unshuffle=2   | 16,703,171 |
(RGB. The receptive field grows by 30 pixels with every block; of a trained network most of it hardly counts.)
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["RRDBNet"]

TINY = {"blocks": 1, "channels": 4, "growth": 2}
SCALES = (1, 2, 4, 8)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "ESRGAN x4": {"scale": 4},
    "RealESRGAN_x4plus_anime_6B": {"scale": 4, "blocks": 6},
    "RealESRGAN_x2plus": {"scale": 2, "unshuffle": 2},
}

SLOPE = 0.2
RESIDUAL_SCALE = 0.2


class RRDBNet(nn.Module):
    """Enlarge with dense blocks at low resolution.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped; H and W divide by
        `unshuffle`.

    Args:
        scale: Enlargement factor; 1 restores without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        blocks: Residual blocks of three dense blocks each.
        channels: Features between blocks.
        growth: Features that each convolution inside a dense block adds.
        unshuffle: Squares of this side become one pixel of more channels first: 1, 2 or 4.
    """

    def __init__(
        self,
        *,
        scale: int = 4,
        in_channels: int = 3,
        blocks: int = 23,
        channels: int = 64,
        growth: int = 32,
        unshuffle: int = 1,
    ) -> None:
        super().__init__()
        if scale not in SCALES:
            raise ValueError(f"RRDBNet cannot enlarge {scale} times; it can {', '.join(map(str, SCALES))}")
        if unshuffle not in (1, 2, 4):
            raise ValueError(f"unshuffle is {unshuffle}; accepted are 1, 2 and 4")
        self.scale = scale
        self.multiple = self.unshuffle = unshuffle
        doublings = (scale * unshuffle).bit_length() - 1
        self.halo = unshuffle * (15 * blocks + 2 + _halo_outside(doublings)) + unshuffle - 1
        self.head = nn.Conv2d(in_channels * unshuffle**2, channels, 3, padding=1)
        self.body = nn.Sequential(*(Block(channels, growth) for _ in range(blocks)))
        self.body.append(nn.Conv2d(channels, channels, 3, padding=1))
        self.enlarge = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(doublings))
        self.refine = nn.Conv2d(channels, channels, 3, padding=1)
        self.tail = nn.Conv2d(channels, in_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        if self.unshuffle > 1:
            x = functional.pixel_unshuffle(x, self.unshuffle)  # (N, in_channels u^2, H / u, W / u)
        features = self.head(x)
        features = features + self.body(features)  # (N, channels, H / u, W / u)
        for layer in self.enlarge:
            doubled = functional.interpolate(features, scale_factor=2, mode="nearest")
            features = functional.leaky_relu(layer(doubled), SLOPE)
        features = functional.leaky_relu(self.refine(features), SLOPE)  # (N, channels, scale H, scale W)
        return self.tail(features)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Three dense blocks whose result is added to what they were given.

    Shape: (N, channels, H, W) -> the same.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.dense = nn.Sequential(*(DenseBlock(channels, growth) for _ in range(3)))

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to `x`."""
        return x + RESIDUAL_SCALE * self.dense(x)  # type: ignore[no-any-return]


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the input and the results of all before it.

    Shape: (N, channels, H, W) -> the same.
    """

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        widths = [channels + number * growth for number in range(5)]
        outputs = [growth] * 4 + [channels]
        self.layers = nn.ModuleList(_calm(before, after) for before, after in zip(widths, outputs, strict=True))

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to `x`."""
        known = [x]
        for layer in self.layers[:-1]:
            known.append(functional.leaky_relu(layer(torch.cat(known, 1)), SLOPE))
        return x + RESIDUAL_SCALE * self.layers[-1](torch.cat(known, 1))  # type: ignore[no-any-return]


def _calm(before: int, after: int) -> nn.Conv2d:
    """Make a convolution with a tenth of the usual weights, as the paper advises for networks without normalisation."""
    layer = nn.Conv2d(before, after, 3, padding=1)
    nn.init.kaiming_normal_(layer.weight)
    layer.weight.data.mul_(0.1)
    nn.init.zeros_(layer.bias if layer.bias is not None else torch.zeros(after))
    return layer


def _halo_outside(doublings: int) -> int:
    """Return the reach of everything after the body, in pixels of the body."""
    reach = 2  # the last two convolutions, in output pixels
    for _ in range(doublings):
        reach = -(-(reach + 1) // 2)
    return reach
