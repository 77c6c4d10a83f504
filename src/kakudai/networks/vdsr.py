"""VDSR: twenty layers that learn only what bicubic interpolation lacks.

Paper: Kim, Lee, Lee, "Accurate Image Super-Resolution Using Very Deep Convolutional Networks", CVPR 2016,
https://arxiv.org/abs/1511.04587.

    bicubic enlargement ─ conv 3x3 ─ ReLU ─ [conv 3x3 ─ ReLU] x 18 ─ conv 3x3 ─ + the enlarged picture

All layers work at full size, so one set of weights serves several scales: the paper trains on x2, x3 and x4 mixed. Here
`network.scale = 3` replaces the fixed enlargement and nothing else; the weights and their names stay.

What differs from the paper:
    - The bicubic enlargement is a fixed layer inside the network, so that it can be called like any other.
    - No biases by default, which is what the paper's count is of; `bias` adds 1,217 of them, zero at first.
    - The last layer begins near zero, so that the untrained network is nearly bicubic enlargement.

| variant          | arguments              | parameters |
|------------------|------------------------|------------|
| VDSR             | layers=20, channels=64 | 664,704    |
| VDSR with biases | bias=True              | 665,921    |
| VDSR RGB         | in_channels=3          | 667,008    |
(The same for every scale.)
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from kakudai.networks._enlarge import Bicubic, halo_after_enlarging

__all__ = ["VDSR"]

TINY = {"layers": 3, "channels": 4}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    "VDSR": {},
    "VDSR with biases": {"bias": True},
    "VDSR RGB": {"in_channels": 3},
}


class VDSR(nn.Module):
    """Add detail to a picture that bicubic interpolation has enlarged.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor of the bicubic step; may be changed at any time by assigning `network.scale`. 1 takes
            pictures that are enlarged already.
        in_channels: 1 for luma, 3 for RGB.
        layers: Convolutions in all.
        channels: Features between them.
        bias: Give the convolutions biases.
    """

    enlarges = "bicubic"

    def __init__(
        self, *, scale: int = 2, in_channels: int = 1, layers: int = 20, channels: int = 64, bias: bool = False
    ) -> None:
        super().__init__()
        self.multiple = 1
        widths = [in_channels, *[channels] * (layers - 1), in_channels]
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=bias) for before, after in pairwise(widths)
        )
        for layer in self.layers:
            assert isinstance(layer, nn.Conv2d)
            nn.init.kaiming_normal_(layer.weight)  # He et al., as the paper
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        tail = self.layers[-1]
        assert isinstance(tail, nn.Conv2d)
        nn.init.normal_(tail.weight, std=1e-3)
        self.scale = scale

    @property
    def scale(self) -> int:
        """Enlargement factor; assigning another replaces the fixed enlargement."""
        return self.enlarge.scale

    @scale.setter
    def scale(self, scale: int) -> None:
        tail = self.layers[-1]
        assert isinstance(tail, nn.Conv2d)
        self.enlarge = Bicubic(scale, tail.out_channels).to(tail.weight.device)

    @property
    def halo(self) -> int:
        """Low-resolution pixels on each side that an output pixel depends on, at the present scale."""
        return halo_after_enlarging(len(self.layers), self.scale)

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        x = self.enlarge(x)  # (N, in_channels, scale H, scale W)
        features = x
        for layer in self.layers[:-1]:
            features = functional.relu(layer(features))
        return self.layers[-1](features) + x  # type: ignore[no-any-return]
