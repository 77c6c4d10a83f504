"""FSRCNN: SRCNN at low resolution, enlarged by the last layer.

Paper: Dong, Loy, Tang, "Accelerating the Super-Resolution Convolutional Neural Network", ECCV 2016,
https://arxiv.org/abs/1608.00367.

    conv 5x5 ─ [shrink 1x1] ─ [map 3x3] x depth ─ [expand 1x1] ─ transposed conv 9x9,  PReLU between

What differs from the paper:
    - `residual` adds the bicubic enlargement to the output, and the last layer then starts at nearly zero.
    - A kernel of 9 cannot be centred on a pixel of an even enlargement; for x2 it is half a pixel to the left and
      above, which the kernel learns to make good.

| variant              | arguments              | parameters | weights alone |
|----------------------|------------------------|------------|---------------|
| FSRCNN (56, 12, 4)   | the defaults           | 12,809     | 12,464        |
| FSRCNN-s (32, 5, 1)  | features=32, mapping=5, depth=1 | 4,086      | 3,937    |
(The paper counts weights alone, without biases and the slopes of PReLU; `weight_count` does so too. The counts are the
same for every scale: only the stride of the last layer changes.)
"""

from torch import Tensor, nn

from kakudai.networks._enlarge import Bicubic

__all__ = ["FSRCNN"]

TINY = {"features": 8, "mapping": 4, "depth": 1}
SCALES = (1, 2, 3, 4)
VARIANTS: dict[str, dict[str, int | float | bool | str]] = {
    **{f"FSRCNN (56, 12, 4) x{scale}": {"scale": scale} for scale in (2, 3, 4)},
    "FSRCNN-s (32, 5, 1)": {"features": 32, "mapping": 5, "depth": 1},
}

KERNEL = 9


class FSRCNN(nn.Module):
    """Enlarge with a transposed convolution after a narrow stack of mappings.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, in_channels, scale H, scale W), not clipped.

    Args:
        scale: Enlargement factor, the stride of the last layer.
        in_channels: 1 for luma, 3 for RGB.
        features: Width outside the mapping, d in the paper.
        mapping: Width of the mapping, s in the paper.
        depth: Mapping layers, m in the paper.
        residual: Add the bicubic enlargement to the output.
    """

    def __init__(
        self,
        *,
        scale: int = 2,
        in_channels: int = 1,
        features: int = 56,
        mapping: int = 12,
        depth: int = 4,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.multiple = 1
        self.bicubic = Bicubic(scale, in_channels) if residual else None
        layers = [
            (in_channels, features, 5),
            (features, mapping, 1),
            *[(mapping, mapping, 3)] * depth,
            (mapping, features, 1),
        ]
        self.layers = nn.Sequential()
        for inputs, outputs, side in layers:
            self.layers.append(nn.Conv2d(inputs, outputs, side, padding=side // 2))
            self.layers.append(nn.PReLU(outputs))
        padding = (KERNEL - scale + 1) // 2
        self.halo = 2 + depth + max(KERNEL - 1 - padding, scale - 1 + padding) // scale
        self.enlarge = nn.ConvTranspose2d(
            features, in_channels, KERNEL, scale, padding, output_padding=scale + 2 * padding - KERNEL
        )
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        output: Tensor = self.enlarge(self.layers(x))  # (N, in_channels, scale H, scale W)
        return output + self.bicubic(x) if self.bicubic else output

    def weight_count(self) -> int:
        """Count weights as the paper does: without biases and slopes."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.dim() == 4)

    def _initialise(self) -> None:
        """He et al. for the mappings, as the paper; a thousandth for the last layer."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                if layer is self.enlarge:
                    nn.init.normal_(layer.weight, std=1e-3)
                else:
                    nn.init.kaiming_normal_(layer.weight, a=0.25)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
