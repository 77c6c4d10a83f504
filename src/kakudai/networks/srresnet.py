"""SRResNet, the generator of SRGAN, and SRGAN's discriminator.

Paper: Ledig, Theis, Huszár, Caballero, Cunningham, Acosta, Aitken, Tejani, Totz, Wang, Shi, "Photo-Realistic Single
Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017, https://arxiv.org/abs/1609.04802.

    conv 9x9 ─ PReLU ─┬─ [conv ─ BN ─ PReLU ─ conv ─ BN ─ + block's input] x 16 ─ conv ─ BN ─ + ─ enlarge ─ conv 9x9
                      └────────────────────────────────────────────────────────────────────────┘
    enlarge = conv to channels * 2^2 ─ pixel shuffle 2 ─ PReLU, for x2 once and for x4 twice; for x3 once with 3

Convolutions are 3x3 where nothing is said. What differs from the paper:
    - The paper enlarges 4 times and no other way. x2 is one of its two steps; x3 is one step of 3, as EDSR has it.
    - Pixels go out in [0, 1] as they come in; the paper's go out in [-1, 1].
    - A PReLU has one slope for all its channels, 0.25 at first; the paper does not say.
    - `batch_norm=False` leaves the normalisation out, as most later work does.

| variant               | arguments                  | x2        | x3        | x4        |
|-----------------------|----------------------------|-----------|-----------|-----------|
| SRResNet              | blocks=16, channels=64     | 1,401,749 | 1,586,389 | 1,549,462 |
| SRResNet without BN   | batch_norm=False           | 1,397,525 | 1,582,165 | 1,545,238 |
(RGB. The discriminator has 23,565,505 for crops of 96 pixels.)
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from kakudai.networks._enlarge import SHUFFLES, halo_before_shuffles

__all__ = ["SRResNet"]

TINY = {"blocks": 2, "channels": 4}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    **{f"SRResNet x{scale}": {"scale": scale} for scale in (2, 3, 4)},
    "SRResNet without BN x2": {"batch_norm": False},
}


class SRResNet(nn.Module):
    """Enlarge with residual blocks at low resolution.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor, 2, 3 or 4; 1 restores without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        blocks: Residual blocks.
        channels: Features.
        batch_norm: Normalise by the mean and variance of the batch, and once trained by their running averages.
    """

    def __init__(
        self, *, scale: int = 2, in_channels: int = 3, blocks: int = 16, channels: int = 64, batch_norm: bool = True
    ) -> None:
        super().__init__()
        if scale not in SHUFFLES:
            raise ValueError(f"SRResNet cannot enlarge {scale} times; it can {', '.join(map(str, SHUFFLES))}")
        self.scale = scale
        self.multiple = 1
        outside = halo_before_shuffles(4, scale) + 5  # the tail's 9x9; before it a 3x3 and a 9x9
        self.halo = 2 * blocks + outside
        self.head = nn.Sequential(nn.Conv2d(in_channels, channels, 9, padding=4), nn.PReLU())
        self.body = nn.Sequential(*(Block(channels, batch_norm=batch_norm) for _ in range(blocks)))
        self.body.extend(_convolution(channels, batch_norm=batch_norm))
        self.enlarge = nn.Sequential()
        for step in SHUFFLES[scale]:
            self.enlarge.append(nn.Conv2d(channels, channels * step**2, 3, padding=1))
            self.enlarge.append(nn.PixelShuffle(step))
            self.enlarge.append(nn.PReLU())
        self.tail = nn.Conv2d(channels, in_channels, 9, padding=4)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        features = self.head(x)  # (N, channels, H, W)
        features = self.enlarge(features + self.body(features))  # (N, channels, scale H, scale W)
        return self.tail(features)  # type: ignore[no-any-return]


class Block(nn.Module):
    """Two convolutions whose result is added to what they were given.

    Shape: (N, channels, H, W) -> the same.
    """

    def __init__(self, channels: int, *, batch_norm: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(channels, batch_norm=batch_norm),
            nn.PReLU(),
            *_convolution(channels, batch_norm=batch_norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to `x`."""
        return x + self.layers(x)  # type: ignore[no-any-return]


class Discriminator(nn.Module):
    """Tell pictures from enlarged ones: the other half of SRGAN.

    Eight 3x3 convolutions, every second one halving the picture and the features doubling each time, LeakyReLU(0.2)
    and batch normalisation after all but the first; then two dense layers. The paper ends with a sigmoid; here it is
    in the loss, where it does not round.

    Shape: (N, in_channels, H, W) in [0, 1], 32x32 or larger -> (N, 1) logits, positive for "a real picture".

    Args:
        in_channels: 1 for luma, 3 for RGB.
        channels: Features of the first layer, an eighth of those of the last.
        size: Side of the crops that the dense layers are made for; those of others are averaged or repeated to fit.
        spectral: Divide every weight by its spectral norm (Miyato et al., ICLR 2018) instead of normalising batches.
    """

    def __init__(self, in_channels: int = 3, channels: int = 64, size: int = 96, *, spectral: bool = False) -> None:
        super().__init__()
        widths = [in_channels, *(channels * factor for factor in (1, 1, 2, 2, 4, 4, 8, 8))]
        self.stages = nn.ModuleList()
        for number, (before, after) in enumerate(pairwise(widths)):
            stage = nn.Sequential(nn.Conv2d(before, after, 3, stride=1 + number % 2, padding=1))
            if number and not spectral:
                stage.append(nn.BatchNorm2d(after))
            stage.append(nn.LeakyReLU(0.2))
            self.stages.append(stage)
        side = max(1, size // 16)
        self.verdict = nn.Sequential(
            nn.AdaptiveAvgPool2d(side),
            nn.Flatten(),
            nn.Linear(widths[-1] * side**2, 16 * channels),
            nn.LeakyReLU(0.2),
            nn.Linear(16 * channels, 1),
        )
        if spectral:
            for layer in [layer for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]:
                spectral_norm(layer)

    def features(self, x: Tensor) -> list[Tensor]:
        """Return what each of the eight stages makes of `x`, the largest picture first."""
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Judge `x`."""
        return self.verdict(self.features(x)[-1])  # type: ignore[no-any-return]


def _convolution(channels: int, *, batch_norm: bool) -> list[nn.Module]:
    """Make a 3x3 convolution, with normalisation or without."""
    convolution = nn.Conv2d(channels, channels, 3, padding=1)
    return [convolution, nn.BatchNorm2d(channels)] if batch_norm else [convolution]
