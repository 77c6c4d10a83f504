"""The plain stack of 3x3 convolutions that CNN_SMALL, CNN_MEDIUM and CNN_DEEP are made of, with other widths each."""

from collections.abc import Sequence

from torch import Tensor, nn

from kakudai.networks._enlarge import Bicubic, halo_after_enlarging


class PlainStack(nn.Module):
    """Sharpen a picture that bicubic interpolation has enlarged: conv 3x3 and ReLU, the last one without.

    Shape: (N, in_channels, H, W) in [0, 1] -> (N, out_channels, scale H, scale W), not clipped.

    Args:
        widths: Features after each convolution but the last.
        scale: Enlargement factor of the bicubic step.
        in_channels: 1 for luma, 3 for RGB.
        out_channels: None for as many as `in_channels`.
        residual: Add the enlarged picture to the output; the last layer then starts at nearly zero.
    """

    enlarges = "bicubic"

    def __init__(
        self, widths: Sequence[int], *, scale: int, in_channels: int, out_channels: int | None, residual: bool
    ) -> None:
        super().__init__()
        outputs = out_channels or in_channels
        if residual and outputs != in_channels:
            raise ValueError(f"{in_channels} channels cannot be added to {outputs}")
        self.scale = scale
        self.multiple = 1
        self.halo = halo_after_enlarging(len(widths) + 1, scale)
        self.residual = residual
        self.enlarge = Bicubic(scale, in_channels)
        self.layers = nn.Sequential()
        for before, after in zip([in_channels, *widths], [*widths, outputs], strict=True):
            self.layers.append(nn.Conv2d(before, after, 3, padding=1))
            self.layers.append(nn.ReLU())
        del self.layers[-1]
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Enlarge `x`."""
        x = self.enlarge(x)  # (N, in_channels, scale H, scale W)
        output: Tensor = self.layers(x)
        return output + x if self.residual else output

    def _initialise(self) -> None:
        """Draw weights that keep the size of the signal through the ReLUs (He et al., 2015)."""
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
                assert layer.bias is not None
                nn.init.zeros_(layer.bias)
        if self.residual:
            last = self.layers[-1]
            assert isinstance(last, nn.Conv2d)
            nn.init.normal_(last.weight, std=1e-3)
