"""ECBSR: plain 3x3 convolutions at run time, edge-oriented blocks while training.

Paper: Zhang, Zeng, Zhang, "Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices", ACM MM
2021, https://doi.org/10.1145/3474085.3475291.

    x ─ ECB 3x3 ─ act ─ [ECB 3x3 ─ act] x blocks ─ ECB 3x3 ─ + x in every phase ─ pixel shuffle

An edge-oriented convolution block (ECB) is the sum of a 3x3 convolution, a 1x1 convolution that widens followed by a
3x3 one that narrows, three 1x1 convolutions followed by scaled Sobel-x, Sobel-y and Laplacian filters, and the
identity. All of it is linear, so it equals one 3x3 convolution.

What differs from the paper:
    - The branches are merged into one 3x3 kernel *before* each forward convolution, also while training, as SESR does
      (Bhardwaj et al., "Collapsible Linear Blocks for Super-Efficient Super Resolution", MLSys 2022). A training step
      costs 5-10 % more than a plain one instead of four times as much.
    - One bias per block: biases inside the branches would merge into it anyway.
    - ReLU or LeakyReLU(0.1) instead of PReLU, which ONNX Runtime runs 1.4 times slower.
    - Without enlarging, squares of pixels can become one pixel of more channels at the beginning and be spread again at
      the end, as in FFDNet (Zhang, Zuo, Zhang, IEEE TIP 2018): a quarter of the work, and twice the view.
    - The paper leaves the initialisation open. It decides here: identity + 0.4 Kaiming for the 3x3 kernel, gain 0.3
      for the widened branch, edge filters at nearly zero, and the last block a thousandth of that, so that the
      untrained network is nearest-neighbour enlargement.

| variant           | arguments                            | parameters, merged |
|-------------------|--------------------------------------|--------------------|
| ECBSR-M4C16 x2    | blocks=4, channels=16                | 10,020             |
| ECBSR-M4C32 x2    | blocks=4, channels=32                | 38,468             |
| ECBSR-M10C32 x2   | blocks=10, channels=32               | 93,956             |
| ECBSR-M16C64 x2   | blocks=16, channels=64               | 593,796            |
(luma in and out; RGB M4C32 x2 has 41,356.)
"""

import copy
import math
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakudai.networks._int8 import Int8Convolution

__all__ = ["ECBSR"]

TINY = {"channels": 16, "blocks": 1}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "ECBSR-M4C16 x2": {"blocks": 4, "channels": 16, "branches": False},
    "ECBSR-M4C32 x2": {"blocks": 4, "channels": 32, "branches": False},
    "ECBSR-M5C32 x2": {"blocks": 5, "channels": 32, "branches": False},
    "ECBSR-M10C32 x2": {"blocks": 10, "channels": 32, "branches": False},
    "ECBSR-M16C64 x2": {"blocks": 16, "channels": 64, "branches": False},
}


class ECBSR(nn.Module):
    """Enlarge by an integer factor with merged 3x3 convolutions.

    Shape: (N, in_channels + planes, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor; 1 restores without enlarging.
        in_channels: 1 for luma, 3 for RGB.
        channels: Width of the body; multiples of 16 run fastest.
        blocks: 3x3 convolutions between the first and the last.
        activation: "relu" or "leaky_relu" with slope 0.1.
        branches: Train with edge-oriented branches; False trains plain 3x3 kernels. The merged network is the same.
        planes: Channels behind those of the picture that say how to enlarge it, such as the strength of denoising.
        unshuffle: Squares of this side become one pixel of more channels first; above 1 with a scale of 1 only.
        int8: The convolutions inside work with 8-bit numbers; the first and the last do not.

    Raises:
        ValueError: `unshuffle` does not go with the scale, or `int8` with branches.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 1,
        channels: int = 16,
        blocks: int = 4,
        activation: Literal["relu", "leaky_relu"] = "relu",
        branches: bool = True,
        planes: int = 0,
        unshuffle: int = 1,
        int8: bool = False,
    ) -> None:
        super().__init__()
        if unshuffle < 1 or (unshuffle > 1 and scale > 1):
            raise ValueError(f"unshuffle is {unshuffle} at scale {scale}; accepted are 1, and more at scale 1")
        if int8 and branches:
            raise ValueError("int8 is for networks without branches")
        self.scale = scale
        self.planes = planes
        self.multiple = self.unshuffle = unshuffle
        self.halo = unshuffle * (blocks + 2) + unshuffle - 1
        self.slope = {"relu": 0.0, "leaky_relu": 0.1}[activation]
        block = EdgeOrientedConvolution if branches else PlainConvolution
        self.head = block((in_channels + planes) * unshuffle**2, channels)
        inner = [block(channels, channels) for _ in range(blocks)]
        self.body = nn.ModuleList(Int8Convolution(each.kernel().detach()) if int8 else each for each in inner)
        self.tail = block(channels, in_channels * (scale * unshuffle) ** 2, gain=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        picture = x[:, : -self.planes] if self.planes else x
        if self.unshuffle > 1:
            x, picture = (functional.pixel_unshuffle(each, self.unshuffle) for each in (x, picture))
        features = self._activate(self.head(x))  # (N, channels, H / unshuffle, W / unshuffle)
        for block in self.body:
            features = self._activate(block(features))
        anchor = picture.repeat_interleave(self.scale**2, dim=1)  # (N, in_channels (scale unshuffle)^2, as features)
        return functional.pixel_shuffle(self.tail(features) + anchor, self.scale * self.unshuffle)

    def merged(self) -> "ECBSR":
        """Return the same network with every block as one plain 3x3 convolution, and scales of channels in these."""
        if not isinstance(self.head, EdgeOrientedConvolution):
            same = copy.deepcopy(self)
            for before, after in pairwise([same.head, *same.body]):
                if isinstance(after, Int8Convolution):
                    after.absorb(before)
            return same
        plain = ECBSR(
            scale=self.scale,
            in_channels=self.head.in_channels // self.unshuffle**2 - self.planes,
            channels=self.head.out_channels,
            blocks=len(self.body),
            activation="leaky_relu" if self.slope else "relu",
            branches=False,
            planes=self.planes,
            unshuffle=self.unshuffle,
        )
        ours = [self.head, *self.body, self.tail]
        theirs = [plain.head, *plain.body, plain.tail]
        with torch.no_grad():
            for source, target in zip(ours, theirs, strict=True):
                target.weight.copy_(source.kernel())
                target.bias.copy_(source.bias)
        return plain

    def translated(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the weights of another ECBSR as this one names them: with branches merged if this one has none."""
        if isinstance(self.head, EdgeOrientedConvolution):
            return state
        blocks = [name.removesuffix(".widen") for name in state if name.endswith(".widen")]
        merged = {name: value for name, value in state.items() if name.rpartition(".")[2] in ("weight", "bias")}
        for block in blocks:
            branches = {name: state[f"{block}.{name}"] for name in BRANCHES}
            merged[f"{block}.weight"] = merge(state[f"{block}.weight"], **branches, edges=_edge_filters())
        return merged

    def _activate(self, features: Tensor) -> Tensor:
        return functional.leaky_relu(features, self.slope) if self.slope else functional.relu(features)


BRANCHES = ("widen", "narrow", "edge_mix", "edge_scale")
"""The parameters that an edge-oriented convolution has beside its kernel and bias."""


class PlainConvolution(nn.Module):
    """A 3x3 convolution with the same padding and, at first, nearly the identity as its kernel."""

    def __init__(self, in_channels: int, out_channels: int, *, gain: float = 1.0) -> None:
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        weight = 0.4 * _kaiming(out_channels, in_channels, 3)
        if in_channels == out_channels:
            weight[:, :, 1, 1] += torch.eye(in_channels)
        self.weight = nn.Parameter(gain * weight)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def kernel(self) -> Tensor:
        """Return the (out, in, 3, 3) kernel that the forward pass convolves with."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, (N, in, H, W) -> (N, out, H, W)."""
        return functional.conv2d(x, self.kernel(), self.bias, padding=1)


class EdgeOrientedConvolution(PlainConvolution):
    """The edge-oriented convolution block, merged before it is applied."""

    edges: Tensor

    def __init__(self, in_channels: int, out_channels: int, *, gain: float = 1.0) -> None:
        super().__init__(in_channels, out_channels, gain=gain)
        wide = 2 * max(in_channels, out_channels)
        self.widen = nn.Parameter(_kaiming(wide, in_channels, 1)[:, :, 0, 0])  # (wide, in)
        self.narrow = nn.Parameter(0.3 * gain * _kaiming(out_channels, wide, 3))  # (out, wide, 3, 3)
        self.edge_mix = nn.Parameter(_kaiming(3 * out_channels, in_channels, 1).view(3, out_channels, in_channels))
        self.edge_scale = nn.Parameter(1e-3 * gain * torch.randn(3, out_channels))
        self.register_buffer("edges", _edge_filters(), persistent=False)

    def kernel(self) -> Tensor:
        """Merge all branches into one (out, in, 3, 3) kernel, in float32 whatever the training precision."""
        with torch.autocast(self.weight.device.type, enabled=False):
            branches = {name: getattr(self, name) for name in BRANCHES}
            return merge(self.weight, **branches, edges=self.edges)


def merge(
    weight: Tensor, *, widen: Tensor, narrow: Tensor, edge_mix: Tensor, edge_scale: Tensor, edges: Tensor
) -> Tensor:
    """Add all branches up to one (out, in, 3, 3) kernel; shapes as in `EdgeOrientedConvolution`."""
    widened = torch.einsum("owyx,wi->oiyx", narrow, widen)
    edge = torch.einsum("eo,eoi,eyx->oiyx", edge_scale, edge_mix, edges)
    return weight + widened + edge


def _kaiming(out_channels: int, in_channels: int, size: int) -> Tensor:
    """Draw a kernel whose output has the variance of its input after a ReLU (He et al., 2015)."""
    return torch.randn(out_channels, in_channels, size, size) * math.sqrt(2.0 / (in_channels * size**2))


def _edge_filters() -> Tensor:
    """Return the (3, 3, 3) stack of the Sobel-x, Sobel-y and Laplacian filters."""
    sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
    laplacian = torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    return torch.stack([sobel, sobel.T, laplacian])
