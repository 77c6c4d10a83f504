"""waifu2x: the networks that made super-resolution of drawings popular.

Paper: no paper; nagadomi, "waifu2x", 2015 to 2018, https://github.com/nagadomi/waifu2x, after SRCNN
(https://arxiv.org/abs/1501.00092).

    vgg_7       nearest-neighbour enlargement ─ [conv ─ act] x 6 ─ conv
    upconv_7    [conv ─ act] x 6 ─ transposed conv 4x4, stride 2
    cunet       z = U1(x);  z cropped + U2(z)                              upcunet: U1 ends with the transposed conv

    U1          conv 32 ─ conv 64 ─ down ─ conv 128 ─ conv 64 ─ SE ─ up ─ conv 64 ─ conv
                                  └──────────── cropped by 4 ──────────┴─ +
    U2          conv 32 ─ conv 64 ─ down ─ conv 64 ─ conv 128 ─ SE ─ down ─ conv 256 ─ conv 128 ─ SE ─ up ─ ...
                ... ─ + ─ conv 64 ─ conv 64 ─ SE ─ up ─ + ─ conv 64 ─ conv     (+ of 128 cropped by 4, of 64 by 16)

Convolutions are 3x3 and unpadded, act is LeakyReLU(0.1), down and up are 2x2 with stride 2, SE is squeeze and
excitation: a factor for each channel, computed from the means of all channels over the whole picture.

What differs from the original:
    - `forward` continues the picture by its edge pixels, which the original does outside of the network, so that the
      output is the input enlarged. `valid` is the original's computation.
    - The output is not clipped, and neither is it in the original between U1 and U2.
    - cunet is trained there on a second output, that of U1, too; here on the one it is used for.

| variant              | channels | scale | margin | parameters |
|----------------------|----------|-------|--------|------------|
| vgg_7                | 3        | 2, 1  | 7      | 290,467    |
| vgg_7 luma           | 1        | 2, 1  | 7      | 287,585    |
| upconv_7             | 3        | 2     | 7      | 552,480    |
| upconv_7 luma        | 1        | 2     | 7      | 544,000    |
| upconv_7l            | 3        | 2     | 7      | 1,961,984  |
| upconv_7l luma       | 1        | 2     | 7      | 1,945,024  |
| cunet                | 3        | 1     | 28     | 1,283,254  |
| upcunet              | 3        | 2     | 18     | 1,284,598  |
| 1-32-32-64-64-128-128-3 | 1 to 3 | 2    | 7      | 289,891    |
(The last one is what the three-CNN comparison prints for waifu2x. The margin is in pixels of what `valid` takes.)
"""

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from kakudai.networks._enlarge import Nearest

__all__ = ["Waifu2x"]

TINY = {"variant": "vgg_7", "filters": "4-4-4-4-4-4"}
SCALES = (1, 2)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "vgg_7": {"variant": "vgg_7"},
    "vgg_7 luma": {"variant": "vgg_7", "in_channels": 1},
    "1-32-32-64-64-128-128-3": {"variant": "vgg_7", "in_channels": 1, "out_channels": 3},
    "upconv_7": {"variant": "upconv_7"},
    "upconv_7 luma": {"variant": "upconv_7", "in_channels": 1},
    "upconv_7l": {"variant": "upconv_7l"},
    "upconv_7l luma": {"variant": "upconv_7l", "in_channels": 1},
    "cunet": {"variant": "cunet", "scale": 1},
    "upcunet": {"variant": "upcunet"},
}

FILTERS = {
    "vgg_7": "32-32-64-64-128-128",
    "upconv_7": "16-32-64-128-128-256",
    "upconv_7l": "32-64-128-192-256-512",
}
"""Variant -> features after each convolution but the last."""

KINDS = {"vgg_7": (1, 2), "upconv_7": (2,), "upconv_7l": (2,), "cunet": (1,), "upcunet": (2,)}
"""Variant -> the scales it can be built for."""

SLOPE = 0.1


class Waifu2x(nn.Module):
    """Enlarge twice, or restore, as waifu2x does.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, out_channels, scale H, scale W), not clipped. For cunet and upcunet
        H and W divide by 4.

    Args:
        scale: 2; or 1, which vgg_7 and cunet have, to restore without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        variant: "vgg_7", "upconv_7", "upconv_7l", "cunet" or "upcunet".
        filters: Features after each convolution but the last, with hyphens between them, for vgg_7 and the upconvs;
            None for the variant's own.
        out_channels: None for as many as `in_channels`.
        last_bias: The transposed convolution of the upconvs has a bias; nunif's have.
        clip_between: Bring what cunet's first U-net gives into [0, 1] before the second; nunif's older files want it.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 3,
        variant: str = "upconv_7",
        filters: str | None = None,
        out_channels: int | None = None,
        last_bias: bool = False,
        clip_between: bool = False,
    ) -> None:
        super().__init__()
        if variant not in KINDS:
            raise ValueError(f"waifu2x has no variant {variant!r}; it has {', '.join(KINDS)}")
        if scale not in KINDS[variant]:
            raise ValueError(f"{variant} cannot enlarge {scale} times; it can {', '.join(map(str, KINDS[variant]))}")
        if filters is not None and variant not in FILTERS:
            raise ValueError(f"the widths of {variant} are fixed, filters={filters!r} cannot be given")
        outputs = out_channels or in_channels
        self.scale = scale
        self.multiple = 1
        self.halo: int | None = None
        self.body: nn.Module
        if variant in FILTERS:
            widths = [in_channels, *_widths(filters or FILTERS[variant])]
            self.body = _stack(widths, outputs, upconv=variant != "vgg_7", bias=last_bias)
            self.margin = len(widths)
            self.halo = self.margin
        else:
            self.body = Cascade(in_channels, outputs, scale, clip_between=clip_between)
            self.margin = {1: 28, 2: 18}[scale]
            self.multiple = 4
        self.nearest: Nearest | None = None
        if variant == "vgg_7" and scale > 1:
            self.nearest = Nearest(scale)
            self.enlarges = "nearest"
            self.halo = -(-self.margin // scale)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        if self.nearest is not None:
            x = self.nearest(x)
        return self.valid(functional.pad(x, (self.margin,) * 4, mode="replicate"))

    def valid(self, x: Tensor) -> Tensor:
        """Compute what the original network computes, without any padding.

        Shape: (N, in_channels, H, W) -> (N, out_channels, factor (H - 2 margin), factor (W - 2 margin)). vgg_7 takes
            the enlarged picture, and its factor is 1; the factor of the others is `scale`.
        """
        return self.body(x)  # type: ignore[no-any-return]

    def layers(self) -> list[nn.Conv2d | nn.ConvTranspose2d]:
        """Return all layers that have weights, in the order in which waifu2x's own files list them."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]

    def _initialise(self) -> None:
        """Draw weights as the original does: the variance is right for both directions through the activation."""
        for layer in self.layers():
            fans = (layer.in_channels + layer.out_channels) * math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, std=math.sqrt(4 / ((1 + SLOPE**2) * fans)))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Cascade(nn.Module):
    """cunet and upcunet: a small U-net, which also enlarges, and a deeper one that corrects its output.

    Shape: (N, in_channels, H, W) -> (N, out_channels, H - 56, W - 56), or (N, out_channels, 2 H - 72, 2 W - 72).
    """

    def __init__(self, in_channels: int, out_channels: int, scale: int, *, clip_between: bool) -> None:
        super().__init__()
        self.clip_between = clip_between
        last = nn.Conv2d(64, out_channels, 3) if scale == 1 else nn.ConvTranspose2d(64, out_channels, 4, 2, 3)
        self.first = nn.Sequential(
            *_pair(in_channels, 32, 64),
            Valley(64, _pair(64, 128, 64, SqueezeExcitation(64)), crop=4),
            *_activated(nn.Conv2d(64, 64, 3)),
            last,
        )
        inner = nn.Sequential(
            *_pair(64, 64, 128, SqueezeExcitation(128)),
            Valley(128, _pair(128, 256, 128, SqueezeExcitation(128)), crop=4),
            *_pair(128, 64, 64, SqueezeExcitation(64)),
        )
        self.second = nn.Sequential(
            *_pair(out_channels, 32, 64),
            Valley(64, inner, crop=16),
            *_activated(nn.Conv2d(64, 64, 3)),
            nn.Conv2d(64, out_channels, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Run both."""
        rough = self.first(x)
        if self.clip_between:
            rough = rough.clamp(0, 1)
        return _cropped(rough, 20) + self.second(rough)  # type: ignore[no-any-return]


class Valley(nn.Module):
    """Go down to half the size, do something there, come up again and add what was there before.

    Shape: (N, channels, H, W), even -> (N, channels, H - 2 crop, W - 2 crop).

    Args:
        channels: Features outside.
        inner: What is done at half the size; it takes `channels` and returns `channels`.
        crop: Pixels that `inner` costs on each side, counted at full size.
    """

    def __init__(self, channels: int, inner: nn.Module, *, crop: int) -> None:
        super().__init__()
        self.crop = crop
        self.down = _activated(nn.Conv2d(channels, channels, 2, stride=2))
        self.inner = inner
        self.up = _activated(nn.ConvTranspose2d(channels, channels, 2, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        """Go down and up."""
        return _cropped(x, self.crop) + self.up(self.inner(self.down(x)))  # type: ignore[no-any-return]


class SqueezeExcitation(nn.Module):
    """Weigh each channel by what the means of all channels say of the picture.

    Shape: (N, channels, H, W) -> the same.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, channels // 8, 1)
        self.excite = nn.Conv2d(channels // 8, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Weigh `x`."""
        mean = x.mean(dim=(2, 3), keepdim=True)  # (N, channels, 1, 1)
        return x * self.excite(functional.relu(self.squeeze(mean))).sigmoid()  # type: ignore[no-any-return]


def _widths(filters: str) -> list[int]:
    """Read "32-32-64"."""
    parts = filters.split("-")
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"filters is {filters!r}; accepted are numbers with hyphens between them, such as 32-32-64")
    return [int(part) for part in parts]


def _stack(widths: list[int], out_channels: int, *, upconv: bool, bias: bool) -> nn.Sequential:
    """Make a stack of 3x3 convolutions that ends with another one, or with the transposed one that enlarges twice."""
    layers = nn.Sequential()
    for before, after in pairwise(widths):
        layers.extend(_activated(nn.Conv2d(before, after, 3)))
    if upconv:
        layers.append(nn.ConvTranspose2d(widths[-1], out_channels, 4, stride=2, padding=3, bias=bias))
    else:
        layers.append(nn.Conv2d(widths[-1], out_channels, 3))
    return layers


def _pair(before: int, between: int, after: int, *more: nn.Module) -> nn.Sequential:
    """Make two activated 3x3 convolutions, and whatever follows them."""
    return nn.Sequential(*_activated(nn.Conv2d(before, between, 3)), *_activated(nn.Conv2d(between, after, 3)), *more)


def _activated(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE))


def _cropped(x: Tensor, pixels: int) -> Tensor:
    return x[..., pixels:-pixels, pixels:-pixels]
